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

    Attributes
    ----------
    numbers, categories : str
        The tensors that hold the model's numbers and categories: the inputs, or what preprocessing has made of them.

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
        self.numbers, self.categories = "numbers", "categories"
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
        return self.double(self.numbers)

    def double(self, tensor: str) -> str:
        """A tensor as float64."""
        return self.add("Cast", tensor, to=TensorProto.DOUBLE)

    def single(self, tensor: str) -> str:
        """A tensor as float32."""
        return self.add("Cast", tensor, to=TensorProto.FLOAT)

    def chosen(self, tensor: str, places: Sequence[int], size: int) -> str:
        """Some of a tensor's `size` columns."""
        if list(places) == list(range(size)):
            return tensor
        return self.add("Gather", tensor, self.constant(np.array(places, np.int64)), axis=1)

    def joined(self, tensors: Sequence[str]) -> str:
        """Tensors side by side."""
        return self.add("Concat", *tensors, axis=1) if len(tensors) > 1 else tensors[0]

    def within(self, values: str, low: NDArray[np.float32], high: NDArray[np.float32]) -> str:
        """Values held between bounds, column by column; NaN stays."""
        for comparison, bounds, nowhere in (("Less", low, -np.inf), ("Greater", high, np.inf)):
            if (bounds != nowhere).any():
                bound = self.constant(bounds)
                values = self.add("Where", self.add(comparison, values, bound), bound, values)
        return values

    def ranks(self, values: str, edges: Sequence[NDArray[np.float32]]) -> str:
        """How many of its column's edges are at or below each value, NaN any of them; int64 ``[N, c]``.

        The ranks of a column start where those of the column before it end, so that one table, the columns' tables one
        after the other with ``len(edges) + 1`` entries each, answers by one ``Gather``.

        Parameters
        ----------
        values : str
            A float32 tensor ``[N, c]``.
        edges : sequence of c float32 arrays
            Ascending.
        """
        starts = np.concatenate([[0], np.cumsum([len(column) + 1 for column in edges])[:-1]]).astype(np.int64)
        if any(len(column) for column in edges):
            trees = self.add("TreeEnsembleRegressor", values, domain="ai.onnx.ml", **_ranking(edges))
        else:
            trees = self.add("Where", self.add("IsNaN", values), *[self.constant(np.zeros(1, np.float32))] * 2)
        return self.add("Add", self.add("Cast", trees, to=TensorProto.INT64), self.constant(starts))

    def lookup(self, vocabulary: Vocabulary, tables: Sequence[NDArray[Any]], categories: str | None = None) -> str:
        """An entry for every category, ``[N, m]``, by three nodes however many columns there are.

        Parameters
        ----------
        vocabulary : Vocabulary
            What the columns know.
        tables : sequence of m arrays of numbers or of texts
            For each column the entry of null, of any other value, and of each known value, in this order.
        categories : str, optional
            The tensor of the columns, by default all categories.
        """
        words = sorted({value for levels in vocabulary.levels for value in levels})
        rows = {"": 0} | {word: row for row, word in enumerate(words, start=2)}
        table = np.empty((len(words) + 2, len(tables)), tables[0].dtype)
        for column, (levels, values) in enumerate(zip(vocabulary.levels, tables, strict=True)):
            table[0, column], table[1:, column] = values[0], values[1]
            table[[rows[level] for level in levels], column] = values[2:]
        places = self.add(
            "LabelEncoder",
            categories or self.categories,
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


def _ranking(edges: Sequence[NDArray[np.float32]]) -> dict[str, Any]:
    """Attributes of the ONNX operator: a balanced tree a column, whose leaves say how many edges were passed."""
    nodes: dict[str, list[Any]] = {"treeids": [], "nodeids": [], "modes": [], "values": [], "truenodeids": [],
                                   "falsenodeids": [], "featureids": []}  # fmt: skip
    leaves: dict[str, list[Any]] = {"treeids": [], "nodeids": [], "ids": [], "weights": []}

    def grow(column: int, low: int, high: int, first: int) -> int:
        """Add the tree over edges [low, high), its root numbered `first`; returns the number after its last node."""
        leaf, middle = low == high, (low + high) // 2
        true = first + 1
        false = true + 2 * (middle - low) + 1
        for name, value in (("treeids", column), ("nodeids", first), ("modes", "LEAF" if leaf else "BRANCH_LT"),
                            ("values", 0.0 if leaf else float(edges[column][middle])), ("featureids", column),
                            ("truenodeids", 0 if leaf else true), ("falsenodeids", 0 if leaf else false)):  # fmt: skip
            nodes[name].append(value)
        if leaf:
            for name, value in (("treeids", column), ("nodeids", first), ("ids", column), ("weights", float(low))):
                leaves[name].append(value)
            return first + 1
        return grow(column, middle + 1, high, grow(column, low, middle, true))

    for column in range(len(edges)):
        grow(column, 0, len(edges[column]), 0)
    return {"n_targets": len(edges)} | {f"nodes_{name}": values for name, values in nodes.items()} | {
        f"target_{name}": values for name, values in leaves.items()
    }  # fmt: skip
