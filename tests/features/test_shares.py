"""A random split: the same row always falls into the same part, whatever stands beside it."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import noria as nr
from noria.core import DeclarationError
from noria.features import features_of
from noria.features.shares import groups_of, shares_of
from noria.features.steps import joined
from noria.training import parts_of

SCHEMA = {"id": "int", "customer": "string", "age": "float", "late": "bool"}


def project(key: Any = (), spine: dict[str, Any] | None = None, views: Any = (), **split: Any) -> nr.Project:
    source = nr.Source("rows", "rows.csv", known_before=["customer", "age"], contract=nr.Contract(key=key))
    declared = nr.Spine(
        source, **{"label": "late", "features": {"age": "age", "customer": "customer"}, **(spine or {})}
    )
    return nr.Project("p", spine=declared, features=views, endpoint=nr.Endpoint("p"),
                      search=nr.Search("binary", split=nr.RandomSplit(**split)))  # fmt: skip


def table(rows: int = 20_000) -> pl.DataFrame:
    return pl.DataFrame(
        {"_row": range(1, rows + 1), "id": range(rows), "customer": [f"c{place % 700}" for place in range(rows)],
         "age": [float(place % 90) for place in range(rows)], "late": [place % 20 == 0 for place in range(rows)]}
    )  # fmt: skip


def shares(one: nr.Project, rows: pl.DataFrame) -> pl.Series:
    [found] = shares_of(one, rows, rows["late"])
    assert found.name == "_share"
    assert found.is_between(0, 1, closed="left").all()
    return found


def test_parts_have_about_their_shares():
    found = shares(project(validation=0.2, test=0.1), table())
    sizes = {name: found.filter(pl.DataFrame({"_share": found}).select(part.rows()).to_series()).len()
             for name, part in vars_of(parts_of(nr.RandomSplit(validation=0.2, test=0.1))).items()}  # fmt: skip
    assert sum(sizes.values()) == 20_000
    assert sizes["train"] == pytest.approx(14_000, rel=0.02)
    assert sizes["validate"] == pytest.approx(4_000, rel=0.05)


def vars_of(parts: Any) -> dict[str, Any]:
    return {name: getattr(parts, name) for name in ("train", "validate", "test")}


@pytest.mark.parametrize("key", [(), "id"])
def test_a_row_stays_where_it_is_when_others_come_go_and_change_places(key):
    one, rows = project(key=key), table(1000)
    before = dict(zip(rows["id"], shares(one, rows), strict=True))
    other = rows.filter(pl.col("id") % 3 > 0).reverse()
    assert all(before[name] == share for name, share in zip(other["id"], shares(one, other), strict=True))


def test_the_hash_is_pinned():
    """Another hash would put rows that a model was trained on into its next test."""
    rows = table(2)
    assert shares(project(), rows).to_list() == PINNED["row"]
    assert shares(project(by="customer"), rows).to_list() == PINNED["customer"]


PINNED = {
    "row": [0.9969491070470645, 0.0678330471070917],
    "customer": [0.4087624837203604, 0.2546232663141428],
}


def test_rows_of_one_group_stay_together_and_a_null_is_no_group():
    rows = table(2000).with_columns(customer=pl.when(pl.col("id") % 4 > 0).then("customer"))
    found = rows.with_columns(share=shares(project(by="customer"), rows))
    assert found.drop_nulls().group_by("customer").agg(pl.col("share").n_unique())["share"].max() == 1
    assert found.filter(pl.col("customer").is_null())["share"].n_unique() == 500


def test_another_seed_is_another_split():
    assert (shares(project(), table(100)) != shares(project(seed=1), table(100))).all()


def test_strata_have_exact_shares():
    rows = table(1000)
    found = rows.with_columns(share=shares(project(stratify=True, test=0.2), rows))
    assert found.filter(pl.col("share") >= 0.8)["late"].sum() == 10
    assert found.filter(pl.col("share") >= 0.8).height == 200


def test_the_contracts_key_is_taken_where_nothing_is_said():
    assert groups_of(project(key="id")) == ("id",)
    assert groups_of(project(key="id", by=["customer", "age"])) == ("customer", "age")
    assert groups_of(project()) == ()


def test_a_table_without_time_becomes_a_training_set_in_the_order_of_its_shares():
    one, rows = project(), table(500)
    features = features_of(one, {"rows": SCHEMA})
    made = joined(one, {"rows": rows.lazy()}, (), {"rows": SCHEMA}, features)
    assert made.columns == ["_row", "_time", "_known", "_label", "_share", "age", "customer"]
    assert made["_time"].dt.epoch("us").unique().to_list() == [0]
    assert made["_share"].is_sorted()
    assert sorted(made["_row"]) == list(range(1, 501))


@pytest.mark.parametrize(
    ("fields", "mend"),
    [
        ({"by": "custmer"}, "did you mean 'customer'"),
        ({"by": "age"}, "a text, an integer"),
        ({"spine": {"known": "ts"}}, "leave known out"),
        ({"spine": {"features": {"x": "agee"}}}, "did you mean 'age'"),
    ],
)
def test_what_cannot_be_is_refused(fields, mend):
    with pytest.raises(DeclarationError, match=mend):
        features_of(project(**fields), {"rows": SCHEMA})


def test_windows_need_a_time():
    other = nr.Source("events", "events.csv", event_time="at")
    view = nr.FeatureView("v", other, keys="customer", aggregates=[nr.count(windows=["1h"])])
    schemas = {"rows": SCHEMA, "events": {"customer": "string", "at": "timestamp"}}
    with pytest.raises(DeclarationError, match="give Spine time="):
        features_of(project(views=[view]), schemas)


@pytest.mark.parametrize("fields", [{"validation": 0.9}, {"test": 0.0}, {"validation": 0.5, "test": 0.5},
                                    {"by": "a", "stratify": True}, {"seed": -1}])  # fmt: skip
def test_splits_that_say_nothing_are_refused(fields):
    with pytest.raises(DeclarationError, match="RandomSplit"):
        nr.RandomSplit(**fields)
