"""Scorer: an ONNX graph, loaded from checked bytes, that answers on one thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from noria.core import IntegrityError
from noria.models.scan import refuse_unsafe

_OUTPUTS = ["probability"]


class _Feature(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...


class Scorer:
    """Probabilities from features, by ONNX Runtime. May be called from any thread at once.

    Parameters
    ----------
    model : bytes
        The graph; refused before ONNX Runtime sees it if it names files or operators that are not allowed.
    features : sequence of Feature
        Names and kinds, in the model's order.
    place : str
        Where the bytes come from, for errors.

    Raises
    ------
    IntegrityError
        The bytes are not a graph that Noria makes.
    """

    def __init__(self, model: bytes, features: Sequence[_Feature], place: str = "model.onnx"):
        refuse_unsafe(model, place)
        self.number_names = tuple(feature.name for feature in features if feature.kind == "number")
        self.category_names = tuple(feature.name for feature in features if feature.kind == "category")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            shapes = {tensor.name: tensor.shape[1] for tensor in self._session.get_inputs()}
        except Exception as error:  # onnxruntime has no error of its own above RuntimeError
            raise IntegrityError("ONNX Runtime cannot load the model", place=place, value=str(error)[:300]) from None
        if shapes != {"numbers": len(self.number_names), "categories": len(self.category_names)}:
            raise IntegrityError("the model's inputs are not its features", place=place, value=shapes)
        # What is under the session's Python layer takes a microsecond less; where it has no such name, the layer does.
        self._run = getattr(self._session, "_sess", self._session).run

    def predict(self, columns: Mapping[str, Any]) -> NDArray[np.float64]:
        """Probabilities, float64 ``[n]``.

        Parameters
        ----------
        columns : mapping of str to array or list of n
            Every feature by name: numbers float32 (null is NaN), categories lists of str or None.
        """
        return self.score(*self.matrices(columns))

    def matrices(self, columns: Mapping[str, Any]) -> tuple[NDArray[np.float32], NDArray[np.object_]]:
        """What `score` takes, from what `predict` takes."""
        rows = len(next(iter(columns.values())))
        if self.number_names:
            stacked = np.concatenate(
                [columns[name] for name in self.number_names], dtype=np.float32, casting="same_kind"
            )
            numbers = np.ascontiguousarray(stacked.reshape(len(self.number_names), rows).T)
        else:
            numbers = np.empty((rows, 0), np.float32)
        categories = np.empty((rows, len(self.category_names)), object)
        for place, name in enumerate(self.category_names):
            categories[:, place] = [value or "" for value in columns[name]]
        return numbers, categories

    def score(self, numbers: NDArray[np.float32], categories: NDArray[np.object_]) -> NDArray[np.float64]:
        """Probabilities, float64 ``[n]``.

        Parameters
        ----------
        numbers : float32 [n, k]
            Null is NaN.
        categories : object [n, m]
            Text, null is ``""``.
        """
        result: NDArray[np.float32] = self._run(_OUTPUTS, {"numbers": numbers, "categories": categories}, None)[0]
        return result.astype(np.float64)
