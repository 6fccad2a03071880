"""An ONNX file that names other files or foreign operators is refused before any library reads it."""

from __future__ import annotations

import contextlib

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from noria.core import IntegrityError
from noria.models import Graph, ModelFeature, Scorer
from noria.models.scan import refuse_unsafe

FEATURES = [ModelFeature("a", "number")]


def plain(nodes=(), initialisers=(), functions=(), domains=("",)):
    graph = Graph(numbers=1, categories=0)
    model = onnx.load_from_string(graph.finish(graph.add("Sigmoid", "numbers")))
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(initialisers)
    model.functions.extend(functions)
    model.opset_import.extend(helper.make_opsetid(domain, 1) for domain in domains if domain)
    return model


def external(location="secret.bin"):
    tensor = TensorProto(name="stolen", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def inner(tensor):
    return helper.make_graph([helper.make_node("Constant", [], ["c"], value=tensor)], "inner", [], [])


def branch(graph):
    return helper.make_node("If", ["x"], ["y"], then_branch=graph, else_branch=graph)


def function(*nodes, domain="", imports=("",)):
    opsets = [helper.make_opsetid(name, 20) for name in imports]
    return helper.make_function(domain, "f", ["x"], ["y"], list(nodes), opsets)


def sparse(tensor):
    whole = numpy_helper.from_array(np.array([0], np.int64))
    return onnx.SparseTensorProto(values=tensor, indices=whole, dims=[1])


def training_info():
    model = plain()
    info = model.training_info.add()
    info.algorithm.CopyFrom(inner(external()))
    return model


def sparse_initialiser():
    model = plain()
    model.graph.sparse_initializer.add().CopyFrom(sparse(external()))
    return model


def attribute(**fields):
    node = helper.make_node("Identity", ["x"], ["y"])
    node.attribute.add(name="held", **fields)
    return plain([node])


def default_attribute():
    made = function(helper.make_node("Identity", ["x"], ["y"]))
    made.attribute_proto.add(name="d", type=onnx.AttributeProto.TENSOR, t=external())
    return plain(functions=[made])


KIND = onnx.AttributeProto
EXTERNAL = {
    "initialiser": lambda: plain(initialisers=[external()]),
    "location without a place": lambda: plain(initialisers=[external("")]),
    "path out": lambda: plain(initialisers=[external("../../etc/passwd")]),
    "constant": lambda: plain(inner(external()).node),
    "subgraph": lambda: plain([branch(inner(external()))]),
    "subgraph of a subgraph": lambda: plain(
        [branch(helper.make_graph([branch(inner(external()))], "outer", [], []))]
    ),
    "subgraph's initialiser": lambda: plain([branch(helper.make_graph([], "g", [], [], [external()]))]),
    "list of tensors": lambda: attribute(type=KIND.TENSORS, tensors=[external()]),
    "list of graphs": lambda: attribute(type=KIND.GRAPHS, graphs=[inner(external())]),
    "sparse attribute": lambda: attribute(type=KIND.SPARSE_TENSOR, sparse_tensor=sparse(external())),
    "list of sparse": lambda: attribute(type=KIND.SPARSE_TENSORS, sparse_tensors=[sparse(external())]),
    "function": lambda: plain(functions=[function(*inner(external()).node)]),
    "subgraph of a function": lambda: plain(functions=[function(branch(inner(external())))]),
    "function's default": default_attribute,
    "training info": training_info,
    "sparse initialiser": sparse_initialiser,
}  # fmt: skip


@pytest.mark.parametrize("case", EXTERNAL)
def test_a_tensor_in_another_file_is_refused(case):
    with pytest.raises(IntegrityError, match="tensor in another file"):
        Scorer(EXTERNAL[case]().SerializeToString(), FEATURES)


def test_a_place_without_the_mark_that_it_is_external_is_refused():
    tensor = external()
    tensor.data_location = TensorProto.DEFAULT
    with pytest.raises(IntegrityError, match="tensor in another file"):
        refuse_unsafe(plain(initialisers=[tensor]).SerializeToString(), "here")
    tensor = external()
    del tensor.external_data[:]
    with pytest.raises(IntegrityError, match="tensor in another file"):
        refuse_unsafe(plain(initialisers=[tensor]).SerializeToString(), "here")


FOREIGN = {
    "node": lambda: plain([helper.make_node("Run", ["x"], ["y"], domain="com.microsoft")]),
    "node of a subgraph": lambda: plain(
        [branch(helper.make_graph([helper.make_node("Run", ["x"], ["y"], domain="evil")], "g", [], []))]
    ),
    "import": lambda: plain(domains=("ai.onnx.contrib",)),
    "function": lambda: plain(functions=[function(domain="evil")]),
    "function's import": lambda: plain(functions=[function(imports=("evil",))]),
    "node of a function": lambda: plain(functions=[function(helper.make_node("Run", ["x"], ["y"], domain="evil"))]),
    "almost": lambda: plain([helper.make_node("Run", ["x"], ["y"], domain="ai.onnx.ml ")]),
    "training": lambda: plain(domains=("ai.onnx.preview.training",)),
}  # fmt: skip


@pytest.mark.parametrize("case", FOREIGN)
def test_a_foreign_operator_is_refused(case):
    with pytest.raises(IntegrityError, match="foreign operator"):
        Scorer(FOREIGN[case]().SerializeToString(), FEATURES)


def test_an_operator_of_an_allowed_domain_that_there_is_not_is_refused():
    model = plain([helper.make_node("PyOp", ["numbers"], ["y"])])
    with pytest.raises(IntegrityError, match="ONNX Runtime cannot load"):
        Scorer(model.SerializeToString(), FEATURES)


def test_a_repeated_field_cannot_hide_a_tensor():
    """Protobuf merges a message that comes twice: the second graph adds to the first."""
    hidden = onnx.ModelProto()
    hidden.graph.initializer.add().CopyFrom(external())
    for data in (plain().SerializeToString() + hidden.SerializeToString(),
                 hidden.SerializeToString() + plain().SerializeToString()):  # fmt: skip
        with pytest.raises(IntegrityError, match="tensor in another file"):
            refuse_unsafe(data, "here")


@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"\x0b", b"not a model", b"\x08\x09", b"\x3a\xff\xff\xff\xff\x0f", b"\x80" * 20, b"PK\x03\x04" * 9,
     b"\x3a\x02\x08", b"\x38\x01", b"\x00\x00\x00\x00ORTM", b"\x80\x04\x95"],
)  # fmt: skip
def test_what_is_no_model_is_refused(data):
    with pytest.raises(IntegrityError):
        Scorer(data, FEATURES)


def test_a_graph_nested_too_deeply_is_refused():
    graph = helper.make_graph([], "deepest", [], [])
    for _ in range(30):
        graph = helper.make_graph([helper.make_node("If", ["x"], ["y"], then_branch=graph)], "g", [], [])
    with pytest.raises(IntegrityError, match="nested too deeply"):
        refuse_unsafe(plain([branch(graph)]).SerializeToString(), "here")


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_model_is_loaded_or_refused_and_nothing_else(data):
    model = bytearray(plain().SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        model[data.draw(st.integers(0, len(model) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(IntegrityError):
        refuse_unsafe(bytes(model), "here")
