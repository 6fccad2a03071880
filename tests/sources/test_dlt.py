"""dlt's resources and sources as sources: real ones, extracted without a pipeline of dlt."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

import noria as nr
from noria.core import DataError, DeclarationError, NoriaError, TransientError
from noria.declarations import dump, restore
from noria.sources import Ask, Batch, read

pytest.importorskip("dlt")

SHOP = """
import json
from datetime import UTC, datetime, date
from decimal import Decimal
from pathlib import Path

import dlt

TABLE = Path(__file__).with_name("table.json")


@dlt.resource(name="orders", primary_key="id", write_disposition="merge")
def orders(page=2, updated=dlt.sources.incremental("at", initial_value="2026-01-01")):
    dlt.current.resource_state()["asked"] = dlt.current.resource_state().get("asked", 0) + 1
    rows = [row for row in json.loads(TABLE.read_text()) if row["at"] >= updated.last_value]
    for start in range(0, len(rows), page):
        yield rows[start : start + page]


@dlt.source
def shop(token=dlt.secrets.value):
    assert token == "hunter2"

    @dlt.resource
    def products():
        yield {"sku": "a", "sizes": [1, 2], "made": {"in": "DE", "on": date(2026, 1, 1)}}
        yield {"sku": "b", "price": Decimal("1.25"), "seen": datetime(2026, 1, 1, tzinfo=UTC)}

    @dlt.transformer(data_from=products)
    def sizes(product):
        yield [{"sku": product["sku"], "size": size} for size in product.get("sizes", [])]

    return products, sizes


@dlt.resource
def tables():
    import pyarrow

    yield pyarrow.table({"id": [1, 2]})
    yield pyarrow.record_batch({"id": [3]})
    yield {"id": 4}


def plain(count):
    return ({"id": number} for number in range(count))


@dlt.resource
def failing(how, token="hunter2-token"):
    import requests

    yield {"id": 1}
    if how == "down":
        raise requests.ConnectionError(f"no route to https://shop.example/?token={token}")
    if how == "busy":
        answer = requests.Response()
        answer.status_code = 503
        raise requests.HTTPError(f"503 for {token}", response=answer)
    raise ValueError(f"wrong {token} ?api_key={token}")


def odd(what):
    rows = {"text": "abc", "dict": {"a": 1}, "none": None, "objects": [object()]}
    return {**rows, "value": [{"a": object()}], "empty": [{}]}[what]


class Holder:
    @staticmethod
    def rows():
        return [{"id": 1}]
"""
ORDERS = [{"id": number, "at": f"2026-01-{number:02d}"} for number in range(1, 6)]


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    name = f"shop_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(SHOP)
    (tmp_path / "table.json").write_text(json.dumps(ORDERS))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop(name, None)


def module(base: Path) -> str:
    [file] = base.glob("shop_*.py")
    return file.stem


def source(base: Path, name: str, *, incremental: Any = None, contract: Any = None, **given: Any) -> nr.Source:
    fields = {"incremental": incremental, "contract": contract or nr.Contract()}
    return nr.Source("orders", nr.dlt(f"{module(base)}:{name}", **given), **fields)


def batches(one: nr.Source, base: Path, since: Any = None) -> list[Batch]:
    return list(one.origin.batches(Ask(one, base), since))


def ids(given: list[Batch]) -> list[int]:
    return [number for batch in given for number in batch.frame["id"].to_list()]


def test_a_declaration_is_data():
    one = nr.dlt("shop:orders", page=3, deep={"b": [1, None], "a": 1}, token=nr.secret("TOKEN"), state=True)
    for copy in (restore(dump(one)), pickle.loads(pickle.dumps(one))):
        assert copy == one
        assert hash(copy) == hash(one)
    for wrong in ("shop", "shop.orders", "shop:", ":x", "shop:a b", "shop:x()", "../shop:x", "os:system;x"):
        with pytest.raises(DeclarationError):
            nr.dlt(wrong)
    for value in (object(), float("nan"), {1, 2}):
        with pytest.raises(DeclarationError, match="is no JSON"):
            nr.dlt("shop:orders", page=value)


def test_a_resource_is_read_whole_each_time_without_state(base):
    one = source(base, "orders")
    for _ in range(2):
        given = batches(one, base)
        assert ids(given) == [1, 2, 3, 4, 5]
        assert [batch.state for batch in given] == [None]
    assert one.origin.increments == ""
    assert read(one, base)["_row"].to_list() == [1, 2, 3, 4, 5]


def test_its_own_state_says_what_is_new_and_stands_with_the_last_rows(base):
    one = source(base, "orders", state=True, incremental=nr.Incremental(), page=3)
    first = batches(one, base)
    state = json.loads(json.dumps(first[-1].state))
    assert ids(first) == [1, 2, 3, 4, 5]
    assert batches(one, base, state) == []
    (base / "table.json").write_text(
        json.dumps([*ORDERS, {"id": 6, "at": "2026-01-05"}, {"id": 7, "at": "2026-02-01"}])
    )
    again = batches(one, base, state)
    assert ids(again) == [6, 7], "one of the same day as the last, and a newer one"
    assert again[-1].again
    assert ids(batches(one, base, state)) == [6, 7], "the state changes with what is committed alone"
    assert batches(one, base, json.loads(json.dumps(again[-1].state))) == []


def test_state_and_incremental_go_together(base):
    for wrong in (
        source(base, "orders", state=True),
        source(base, "orders", state=True, incremental=nr.Incremental("at")),
    ):
        with pytest.raises(DeclarationError):
            wrong.origin.fingerprint(Ask(wrong, base))


def test_a_source_of_several_resources_is_asked_for_one(base, monkeypatch):
    monkeypatch.setenv("TOKEN", "hunter2")
    token = nr.secret("TOKEN")
    with pytest.raises(DeclarationError, match="several resources") as caught:
        batches(source(base, "shop", token=token), base)
    assert "products, sizes" in str(caught.value)
    with pytest.raises(DeclarationError, match="no such resource"):
        batches(source(base, "shop", token=token, resource="orders"), base)
    [products] = batches(source(base, "shop", token=token, resource="products"), base)
    assert products.frame.to_dicts() == [
        {"sku": "a", "sizes": "[1,2]", "made": '{"in":"DE","on":"2026-01-01"}', "price": None, "seen": None},
        {"sku": "b", "sizes": None, "made": None, "price": 1.25, "seen": datetime(2026, 1, 1, tzinfo=UTC)},
    ]
    [sizes] = batches(source(base, "shop", token=token, resource="sizes"), base)
    assert sizes.frame.to_dicts() == [{"sku": "a", "size": 1}, {"sku": "a", "size": 2}]


def test_tables_generators_and_methods(base):
    assert [batch.frame["id"].to_list() for batch in batches(source(base, "tables"), base)] == [[1, 2], [3], [4]]
    assert ids(batches(source(base, "plain", count=25_000), base)) == list(range(25_000))
    assert [len(batch.frame) for batch in batches(source(base, "plain", count=25_000), base)] == [10_000, 10_000, 5_000]
    assert ids(batches(source(base, "Holder.rows"), base)) == [1]


@pytest.mark.parametrize(("how", "kind"), [("down", TransientError), ("busy", TransientError), ("wrong", DataError)])
def test_errors_are_of_our_kinds_and_show_no_secret(base, monkeypatch, how, kind):
    monkeypatch.setenv("TOKEN", "hunter2-token")
    with pytest.raises(kind, match="dlt resource cannot be read") as caught:
        batches(source(base, "failing", how=how, token=nr.secret("TOKEN")), base)
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__}"
    assert module(base) in str(caught.value)


@pytest.mark.parametrize("what", ["text", "dict", "none", "objects", "value", "empty"])
def test_what_is_no_rows_is_refused(base, what):
    with pytest.raises(DataError):
        batches(source(base, "odd", what=what), base)


def test_what_is_not_there(base):
    for wrong in (nr.dlt("no_such_module_anywhere:x"), nr.dlt(f"{module(base)}:nothing")):
        with pytest.raises(DeclarationError, match="no such function"):
            batches(nr.Source("x", wrong), base)
    with pytest.raises(NoriaError):
        batches(source(base, "plain", number=3), base)


def test_moments_dates_and_decimals():
    from decimal import Decimal

    import pendulum

    from noria.sources.dlt_rows import frames

    rows = [
        {"t": pendulum.datetime(2026, 1, 1, tz="Europe/Berlin"), "d": pendulum.date(2026, 1, 1), "x": Decimal("0.1")},
        {"t": datetime(2026, 1, 1), "d": date(2026, 1, 2), "x": Decimal("1E+2"), "m": Decimal(1), "b": b"\xff"},
        {"t": None, "y": Decimal("0.1234567890123456789012"), "m": date(2026, 1, 1)},
    ]
    [frame] = frames(rows, 10)
    assert frame["t"].to_list() == [datetime(2025, 12, 31, 23, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), None]
    assert frame["d"].to_list() == [date(2026, 1, 1), date(2026, 1, 2), None]
    assert frame["x"].to_list() == [0.1, 100.0, None]
    assert frame["y"].to_list()[2] == "0.1234567890123456789012"
    assert frame["m"].to_list() == [None, "1", "2026-01-01"]
    assert frame["b"].to_list()[1] == "/w=="


def test_a_fingerprint_imports_no_dlt_and_extraction_leaves_nothing_behind(base):
    code = f"""
import sys, noria as nr
from pathlib import Path
from noria.sources import Ask
one = nr.Source("orders", nr.dlt("{module(base)}:orders"))
one.origin.fingerprint(Ask(one, Path.cwd()))
assert "dlt" not in sys.modules and "polars" not in sys.modules
assert sum(len(batch.frame) for batch in one.origin.batches(Ask(one, Path.cwd()))) == 5
assert "sqlalchemy" not in sys.modules
"""
    home = base / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home)}
    subprocess.run([sys.executable, "-B", "-c", code], check=True, env=environment, cwd=base)
    assert list(home.rglob("*")) == []
    assert sorted(path.name for path in base.iterdir()) == ["home", f"{module(base)}.py", "table.json"]


def test_dlt_lives_beside_any_sqlalchemy():
    """Its own requirements do not hold SQLAlchemy back: only those of its own extras name it."""
    from importlib.metadata import requires

    assert [one for one in requires("dlt") or () if one.lower().startswith("sqlalchemy") and "extra" not in one] == []
