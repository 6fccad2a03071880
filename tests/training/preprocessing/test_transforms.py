"""Every transform: NumPy and the graph agree to the bit, and only training rows are learned from."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

import noria as nr
from noria.core import DeclarationError
from noria.models import Category, Graph
from noria.models.scan import refuse_unsafe
from noria.training import Transform
from noria.training.preprocessing import Pipeline, check_preprocessing
from noria.training.preprocessing.units import UNITS
from noria.training.rows import Rows

NUMBERS, CATEGORIES = ("a", "b", "temp"), ("carrier", "dest")
LEVELS = ("AA", "BB", "ÜÖ", "a\nb", "𝔘" * 20, "a\x00b", " ", "(rare)", "x" * 600)
UNSEEN = (*LEVELS, "never seen", "AA ", "aa", "\x1f", "é", "e\u0301", "x" * 511, "x" * 512)
ODD = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 3.4e38, -3.4e38, 1.5, 2.0**24 + 1], np.float32)

ONE_OF_EACH: tuple[Transform, ...] = (
    nr.impute("*", "median", indicator=True), nr.impute("*", "mean"), nr.impute("*", "most_frequent", indicator=True),
    nr.impute("*", "constant", -1), nr.impute("carrier", "constant", "(none)"),
    nr.scale("*"), nr.scale(["a", "temp"], "minmax"), nr.scale("*", "robust"), nr.scale("*", "quantile"),
    nr.scale("b", "quantile"), nr.units("temp", "F", "C"), nr.units("*", factor=3.1, offset=-0.7),
    nr.clip("*"), nr.clip("a", 0), nr.clip("b", high=1.5), nr.clip("*", quantiles=(0, 1)),
    nr.clip("a", 1e300), nr.impute("a", "constant", -1e300), nr.units("a", factor=1e300),
    nr.bins("*"), nr.bins("a", 4, "uniform"), nr.bins(["b", "temp"], edges=[-1, 0, 1e-3, 5]),
    nr.rare("*", at_least=0.1), nr.rare("dest", at_least=3, into="AA"), nr.cycle("*", 24), nr.cycle("temp", 0.3),
    nr.encode("*"), nr.encode("dest", most=2), nr.encode("*", "ordinal"), nr.encode("carrier", "target"),
    nr.encode("*", "target", smoothing=0, folds=2), nr.encode("*", "hash", buckets=4), nr.text_length("*"),
    nr.text_length("dest", 7),
)  # fmt: skip
CHAINS = (
    (nr.units("temp", "F", "C"), nr.clip("*"), nr.impute("*", indicator=True), nr.scale("*", "robust"),
     nr.rare("*", at_least=0.2), nr.impute("carrier", "most_frequent"), nr.encode("dest", "target"),
     nr.encode("carrier")),
    (nr.bins("*", 3), nr.rare("*", at_least=0.3), nr.encode("*"), nr.scale("*=*", "standard")),
    (nr.text_length("*"), nr.cycle("temp"), nr.encode("*", "hash"), nr.scale("*", "quantile"),
     nr.clip("*_length", 0.2)),
    (nr.impute("a", indicator=True), nr.scale("a_missing"), nr.encode("*", "ordinal"), nr.bins("carrier", 2)),
)  # fmt: skip


def rows_of(count: int, seed: int, levels: Sequence[str] = LEVELS, odd: float = 0.3) -> Rows:
    random = np.random.default_rng(seed)
    numbers = (random.normal(size=(count, len(NUMBERS))) * 10 ** random.uniform(-3, 6)).astype(np.float32)
    numbers = np.where(random.random(numbers.shape) < odd, random.choice(ODD, numbers.shape), numbers)
    columns = tuple(
        Category(random.integers(-1, len(levels), count).astype(np.int32), tuple(levels)) for _ in CATEGORIES
    )
    return Rows(NUMBERS, CATEGORIES, numbers, columns, random.integers(0, 2, count).astype(np.int8),
                np.zeros(count, np.int64), np.arange(count))  # fmt: skip


def of_graph(pipeline: Pipeline, rows: Rows, after: Rows) -> tuple[Any, Any]:
    """Numbers and categories as the graph alone makes them; a tensor that is not needed any more is empty."""
    graph = Graph(len(NUMBERS), len(CATEGORIES))
    pipeline.draw(graph)
    named = []
    for names, tensor, kind in ((after.number_names, graph.numbers, TensorProto.FLOAT),
                                (after.category_names, graph.categories, TensorProto.STRING)):  # fmt: skip
        if names:
            made = graph.add("Identity", tensor)
            named.append(helper.make_tensor_value_info(made, kind, ["N", len(names)]))
    made = helper.make_graph(graph.nodes, "g", graph.inputs, named, graph.constants)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString()
    refuse_unsafe(model, "test")
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    inputs = {"numbers": rows.numbers, "categories": rows.strings()}
    found = session.run(None, {one.name: inputs[one.name] for one in session.get_inputs()})
    numbers = found.pop(0) if after.number_names else np.empty((len(rows), 0), np.float32)
    return numbers, found[0] if found else np.empty((len(rows), 0), object)


def assert_agree(pipeline: Pipeline, rows: Rows, exact: bool) -> None:
    after = pipeline.apply(rows)
    assert after.numbers.shape == (len(rows), len(after.number_names))
    assert after.numbers.dtype == np.float32
    numbers, texts = of_graph(pipeline, rows, after)
    assert texts.tolist() == after.strings().tolist()
    if exact:
        np.testing.assert_array_equal(numbers, after.numbers)
    else:
        np.testing.assert_allclose(numbers, after.numbers, rtol=2e-7, atol=1e-7)


def is_exact(transforms: Sequence[Transform]) -> bool:
    return not any(type(transform).__name__ == "Cycle" for transform in transforms)


@pytest.mark.parametrize("transform", ONE_OF_EACH, ids=lambda one: f"{type(one).__name__}-{one.text}")
def test_numpy_and_the_graph_agree_to_the_bit(transform: Transform) -> None:
    pipeline, _ = Pipeline.fit([transform], rows_of(400, 1))
    for rows in (rows_of(300, 2, UNSEEN), rows_of(1, 3, UNSEEN), rows_of(0, 4)):
        assert_agree(pipeline, rows, is_exact([transform]))


@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_chains_agree_too(chain: tuple[Transform, ...]) -> None:
    pipeline, train = Pipeline.fit(chain, rows_of(400, 1))
    assert_agree(pipeline, rows_of(300, 2, UNSEEN), is_exact(chain))
    assert train.number_names == pipeline.apply(rows_of(5, 1)).number_names


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(ONE_OF_EACH), min_size=1, max_size=4), st.integers(0, 60), st.integers(0, 2**20),
       st.lists(st.text(min_size=1), min_size=1, max_size=5, unique=True))  # fmt: skip
def test_any_chain_agrees_on_any_data(chain, count, seed, levels) -> None:
    train = rows_of(count, seed, (*levels, *LEVELS[:3]) if seed % 2 else LEVELS)
    with contextlib.suppress(DeclarationError):  # two columns would have the same name
        pipeline, _ = Pipeline.fit(chain, train)
        rows = rows_of(20, seed + 1, tuple(dict.fromkeys((*levels, *UNSEEN))))
        assert_agree(pipeline, rows, is_exact(chain))


@pytest.mark.parametrize("transform", [*ONE_OF_EACH], ids=lambda one: f"{type(one).__name__}-{one.text}")
def test_the_given_rows_stay_as_they_are(transform: Transform) -> None:
    rows = rows_of(50, 1)
    before = rows.digest()
    Pipeline.fit([transform], rows)[0].apply(rows)
    assert rows.digest() == before


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("transform", ONE_OF_EACH, ids=lambda one: f"{type(one).__name__}-{one.text}")
def test_columns_of_nothing_are_no_error(transform: Transform, count: int) -> None:
    rows = rows_of(count, 0)
    nothing = Rows(NUMBERS, CATEGORIES, np.full_like(rows.numbers, np.nan),
                   tuple(Category(np.full(count, -1, np.int32), ()) for _ in CATEGORIES),
                   rows.labels, rows.times, rows.ids)  # fmt: skip
    pipeline, _ = Pipeline.fit([transform], nothing)
    assert_agree(pipeline, rows_of(20, 5, UNSEEN), is_exact([transform]))


def small(numbers: Sequence[float], texts: Sequence[str] = (), labels: Sequence[int] = ()) -> Rows:
    count = len(numbers)
    levels = tuple(sorted(set(texts) - {""}))
    codes = np.array([levels.index(text) if text else -1 for text in texts], np.int32)
    categories = (Category(codes, levels),) if texts else ()
    return Rows(("x",), ("c",) if texts else (), np.array(numbers, np.float32)[:, None], categories,
                np.array(labels or [0] * count, np.int8), np.zeros(count, np.int64), np.arange(count))  # fmt: skip


NAN = float("nan")


@pytest.mark.parametrize(
    ("transform", "given", "expected"),
    [
        (nr.impute("x", "median"), [1, 2, 9, NAN], [1, 2, 9, 2]),
        (nr.impute("x", "mean"), [1, 2, 9, NAN], [1, 2, 9, 4]),
        (nr.impute("x", "most_frequent"), [9, 9, 2, 2, NAN], [9, 9, 2, 2, 2]),
        (nr.impute("x", "constant", 7), [1, NAN], [1, 7]),
        (nr.scale("x"), [1, 3, NAN], [-1, 1, NAN]),
        (nr.scale("x", "minmax"), [1, 3, 2, np.inf], [0, 1, 0.5, np.inf]),
        (nr.scale("x", "robust"), [0, 1, 2, 3, 4], [-1, -0.5, 0, 0.5, 1]),
        (nr.scale("x", "quantile"), [0, 1, 2, 3, np.inf], [0, 1 / 3, 2 / 3, 1, 1]),
        (nr.scale("x"), [5, 5], [0, 0]),
        (nr.clip("x", 0, 2), [-1, 1, 9, NAN, -np.inf], [0, 1, 2, NAN, 0]),
        (nr.clip("x", quantiles=(0.25, 0.75)), [0, 1, 2, 3, 4], [1, 1, 2, 3, 3]),
        (nr.units("x", "F", "C"), [32, 212, NAN], [0, 100, NAN]),
        (nr.units("x", "mi", "km"), [1], [1.609344]),
        (nr.units("x", factor=2, offset=1), [3], [7]),
    ],
)
def test_numbers_are_what_the_words_say(transform: Transform, given, expected) -> None:
    _, after = Pipeline.fit([transform], small(given))
    np.testing.assert_allclose(after.numbers[:, 0], expected, rtol=1e-6, atol=1e-5)


def test_categories_are_what_the_words_say() -> None:
    rows = small([0] * 6, ["AA", "AA", "AA", "BB", "BB", ""], [1, 1, 0, 0, 0, 1])
    _, after = Pipeline.fit([nr.rare("c", at_least=3)], rows)
    assert after.strings()[:, 0].tolist() == ["AA", "AA", "AA", "(rare)", "(rare)", ""]
    pipeline, after = Pipeline.fit([nr.encode("c")], rows)
    assert after.number_names == ("x", "c=AA", "c=BB", "c=")
    assert after.numbers[:, 1:].sum(axis=0).tolist() == [3, 2, 1]
    assert pipeline.apply(small([0], ["ZZ"])).numbers[0].tolist() == [0, 0, 0, 0]
    pipeline, _ = Pipeline.fit([nr.encode("c", "target", smoothing=0)], rows)
    assert pipeline.apply(rows).numbers[[0, 3, 5], 1].tolist() == pytest.approx([2 / 3, 0, 1])
    assert pipeline.apply(small([0], ["ZZ"])).numbers[0, 1] == 0.5
    _, after = Pipeline.fit([nr.encode("c", "ordinal")], rows)
    np.testing.assert_array_equal(after.numbers[:, 1], [0, 0, 0, 1, 1, NAN])
    _, after = Pipeline.fit([nr.bins("x", edges=[18, 65])], small([17, 18, 65, NAN]))
    assert after.strings()[:, 0].tolist() == ["below 18", "18 to 65", "65 and more", ""]


def test_no_training_row_has_its_own_answer_in_its_number() -> None:
    """Turn one answer round: the numbers of that row's fold stay, those of others move."""
    rows = rows_of(200, 0, odd=0)
    _, before = Pipeline.fit([nr.encode("*", "target")], rows)
    for place in range(20):
        labels = rows.labels.copy()
        labels[place] = 1 - labels[place]
        changed = Rows(
            rows.number_names, rows.category_names, rows.numbers, rows.categories, labels, rows.times, rows.ids
        )
        _, after = Pipeline.fit([nr.encode("*", "target")], changed)
        assert after.numbers[place, 3:].tolist() == before.numbers[place, 3:].tolist()
        assert (after.numbers[:, 3:] != before.numbers[:, 3:]).any()


def test_target_encoding_of_noise_says_nothing_about_training_answers() -> None:
    """Without folds, the share of a value with few rows is the answer itself."""
    random = np.random.default_rng(0)
    codes, count = random.integers(0, 1500, 3000).astype(np.int32), 3000
    rows = Rows((), ("c",), np.empty((count, 0), np.float32), (Category(codes, tuple(map(str, range(1500)))),),
                random.integers(0, 2, count).astype(np.int8), np.zeros(count, np.int64), np.arange(count))  # fmt: skip
    pipeline, train = Pipeline.fit([nr.encode("c", "target", smoothing=1)], rows)
    assert abs(np.corrcoef(train.numbers[:, 0], rows.labels)[0, 1]) < 0.1
    assert np.corrcoef(pipeline.apply(rows).numbers[:, 0], rows.labels)[0, 1] > 0.5


COLUMNS = dict.fromkeys(NUMBERS, "number") | dict.fromkeys(CATEGORIES, "category")


@pytest.mark.parametrize(
    ("chain", "said"),
    [
        ([nr.scale("tmp")], "did you mean 'temp'"),
        ([nr.scale("wind*")], "numbers here: a, b, temp"),
        ([nr.scale("carrier")], "it takes numbers"),
        ([nr.encode("a")], "it takes categories"),
        ([nr.encode("carrier"), nr.rare("carrier")], "no such column"),
        ([nr.bins("a"), nr.scale("a")], "it takes numbers"),
        ([nr.impute("carrier", "median")], "most_frequent"),
        ([nr.impute("a", "constant")], "needs its value"),
        ([nr.impute("a", "mean", 3)], "needs its value"),
        ([nr.impute("carrier", "constant", "")], "null"),
        ([nr.units("temp", "Fahrenheit", "C")], "not known"),
        ([nr.units("temp", "F", "km")], "temperature"),
        ([nr.units("temp", "F")], "two units"),
        ([nr.units("temp")], "converts nothing"),
        ([nr.units("temp", "F", "C", factor=2)], "twice"),
        ([nr.units("temp", factor=0, offset=1)], "leaves nothing"),
        ([nr.clip("a", 2, 1)], "above"),
        ([nr.clip("a", 2, quantiles=(0, 1))], "not both"),
        ([nr.bins("a", 3, edges=[1])], "not both"),
        ([nr.rare("dest", at_least=2.5)], "whole numbers"),
        ([nr.encode("dest", "onehot", buckets=3)], "onehot has no buckets"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_planned(chain, said) -> None:
    with pytest.raises(DeclarationError, match=said.replace("*", r"\*")):
        check_preprocessing(chain, COLUMNS)


@pytest.mark.parametrize("chain", [*CHAINS, *[[one] for one in ONE_OF_EACH]], ids=str)
def test_what_can_be_is_planned(chain) -> None:
    check_preprocessing(chain, COLUMNS)


def test_two_columns_never_have_one_name() -> None:
    with pytest.raises(DeclarationError, match="a_missing"):
        Pipeline.fit(
            [nr.impute("a", "constant", 1, indicator=True)], _named(rows_of(50, 0), ("a", "a_missing", "temp"))
        )


def _named(rows: Rows, names: tuple[str, ...]) -> Rows:
    return Rows(names, rows.category_names, rows.numbers, rows.categories, rows.labels, rows.times, rows.ids)


def test_units_are_the_known_ones() -> None:
    known = {("C", "F"): (100, 212), ("K", "C"): (0, -273.15), ("ft", "m"): (10, 3.048), ("lb", "kg"): (1, 0.45359237),
             ("kn", "km/h"): (1, 1.852), ("mph", "m/s"): (1, 0.44704), ("inHg", "hPa"): (29.92, 1013.2075),
             ("psi", "bar"): (14.5, 0.99974), ("d", "h"): (2, 48), ("gal", "l"): (1, 3.785411784),
             ("kWh", "kJ"): (1, 3600), ("oz", "g"): (1, 28.349523)}  # fmt: skip
    for (given_, wanted), (value, expected) in known.items():
        factor, offset = nr.units("x", given_, wanted).way()
        assert value * factor + offset == pytest.approx(expected, rel=1e-4)
    assert {name for pair in known for name in pair} <= UNITS.keys()
