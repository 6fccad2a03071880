"""The console: what people look at. So far one page, the report."""

from noria.console.steps import step

__all__ = ["step"]
