"""Graph: one ONNX graph from features to a probability, built node by node.

Every graph has the inputs ``numbers`` (float32 ``[N, k]``) and ``categories`` (string ``[N, m]``, null is ``""``) and
the output ``probability`` (float32 ``[N]``). Few nodes: one row costs about a microsecond a node, so all category
columns go through one lookup.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from noria.models.vocabulary import Vocabulary

_IR = 9
_OPSETS = {"": 20, "ai.onnx.ml": 3}


class Graph:
    """A graph that grows node by node; tensors are named by the text that `add` returns.

    Parameters
    ----------
    numbers, categories : int
        Columns of the two inputs, k and m.

    Examples
    --------
    >>> graph = Graph(numbers=1, categories=0)
    >>> graph_bytes = graph.finish(graph.add("Sigmoid", "numbers"))
    """

    def __init__(self, numbers: int, categories: int):
        self.inputs = [
            helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["N", numbers]),
            helper.make_tensor_value_info("categories", TensorProto.STRING, ["N", categories]),
        ]
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return the output's name; arrays among the attributes become tensors."""
        name = f"{operator.lower()}_{len(self.nodes)}"
        for key, value in attributes.items():
            if isinstance(value, np.ndarray):
                attributes[key] = numpy_helper.from_array(value, key)
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, domain=domain, **attributes))
        return name

    def constant(self, value: NDArray[Any]) -> str:
        """Add a constant tensor and return its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def doubles(self) -> str:
        """The numbers as float64, which is exact: so thresholds and sums need not be rounded."""
        return self.add("Cast", "numbers", to=TensorProto.DOUBLE)

    def lookup(self, vocabulary: Vocabulary, tables: Sequence[NDArray[np.float64]]) -> str:
        """A number for every category, float64 ``[N, m]``, by three nodes however many columns there are.

        Parameters
        ----------
        vocabulary : Vocabulary
            What the columns know.
        tables : sequence of m float64 arrays
            For each column the number of null, of any other value, and of each known value, in this order.
        """
        words = sorted({value for levels in vocabulary.levels for value in levels})
        rows = {"": 0} | {word: row for row, word in enumerate(words, start=2)}
        table = np.empty((len(words) + 2, len(tables)))
        for column, (levels, values) in enumerate(zip(vocabulary.levels, tables, strict=True)):
            table[0, column], table[1:, column] = values[0], values[1]
            table[[rows[level] for level in levels], column] = values[2:]
        places = self.add(
            "LabelEncoder",
            "categories",
            domain="ai.onnx.ml",
            keys_strings=list(rows),
            values_int64s=list(rows.values()),
            default_int64=1,
        )
        width = len(tables)
        flat = self.add("Mul", places, self.constant(np.array([width]))) if width > 1 else places
        flat = self.add("Add", flat, self.constant(np.arange(width)[None, :])) if width > 1 else flat
        return self.add("Gather", self.constant(table.ravel()), flat)

    def finish(self, probability: str) -> bytes:
        """The model's bytes, with the tensor `probability` (any shape of N floats) as its output; checked."""
        self.add("Reshape", probability, self.constant(np.array([-1])))
        self.nodes[-1].output[0] = "probability"
        output = helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["N"])
        graph = helper.make_graph(self.nodes, "noria", self.inputs, [output], self.constants)
        opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR, producer_name="noria")
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))
