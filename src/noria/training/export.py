"""Export: a trained model and its calibration as one ONNX graph."""

from __future__ import annotations

from noria.models import Graph
from noria.training.calibration import Calibration
from noria.training.candidates import Fitted
from noria.training.rows import Rows


def export(model: Fitted, calibration: Calibration, rows: Rows) -> bytes:
    """The graph's bytes, from features to the calibrated probability.

    Parameters
    ----------
    model : Fitted
        The trained model.
    calibration : Calibration
        What makes its margins probabilities.
    rows : Rows
        Any rows of the same features.
    """
    graph = Graph(len(rows.number_names), len(rows.category_names))
    return graph.finish(calibration.draw(graph, model.draw(graph)))
