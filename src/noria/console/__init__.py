"""The console: what people look at. The report, and the flow of a run."""

from noria.console.flow import RunFlow, Stage, cells, flow_of
from noria.console.steps import step

__all__ = ["RunFlow", "Stage", "cells", "flow_of", "step"]
