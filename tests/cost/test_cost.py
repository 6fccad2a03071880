import contextlib
import math
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria import cost
from noria.core import DeclarationError, ToldClock
from noria.cost import Meters, PriceBook, expected, per_prediction, totals
from noria.ledger import Event, open_ledger

BOOK = Path(cost.__file__).with_name("prices.toml")
names = st.sampled_from(["", "a", "b", "c"])
money = st.floats(0, 1e6)


@st.composite
def events(draw):
    """Events as runs write them."""
    from noria.core import from_micros

    found = []
    for seq in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["step.finished", "step.failed", "version.packaged", "run.finished"]))
        body = {"cost": draw(money)}
        if kind == "step.finished":
            body["tags"] = draw(st.dictionaries(st.sampled_from(["team", "part"]), names))
        if kind == "version.packaged":
            body = {"version": draw(names)}
        if kind == "step.failed" and draw(st.booleans()):
            body = {}  # it died without a word, so nobody knows what it took
        found.append(Event(seq + 1, from_micros(seq), kind, draw(names), "ann", run=draw(names), body=body))
    return found


@given(events())
def test_totals_by_anything_sum_to_the_whole(told):
    whole = math.fsum(event.body.get("cost", 0.0) for event in told if event.kind.startswith("step."))
    for by in ("step", "model", "team", "part", "nothing"):
        assert math.fsum(totals(told, by=by).values()) == pytest.approx(whole)


def test_a_step_is_charged_to_the_version_that_its_run_packaged(tmp_path):
    with contextlib.closing(open_ledger(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        ledger.append("step.finished", "train", run="r1", body={"cost": 2.0})
        ledger.append("version.packaged", "model:late@v1", run="r1", body={"version": "v1"})
        ledger.append("step.finished", "package", run="r1", body={"cost": 1.0})
        ledger.append("step.failed", "train", run="r2", body={"cost": 4.0})
        assert totals(ledger.events(), by="model") == {"v1": 3.0, "": 4.0}
        assert totals(ledger.events()) == {"train": 6.0, "package": 1.0}


def test_what_is_expected_is_the_median_of_the_last_five(tmp_path):
    with contextlib.closing(open_ledger(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        assert expected(ledger, "train") is None
        for seconds in (1000, 1, 2, 50, 3, 4):
            ledger.append("step.finished", "train", body={"cost": seconds / 10, "meters": {"wall_seconds": seconds}})
        ledger.append("step.finished", "other", body={"cost": 9.0, "meters": {"wall_seconds": 9}})
        assert expected(ledger, "train") == (3, 0.3)


def test_a_prediction_costs_what_the_last_rehearsal_says(tmp_path):
    with contextlib.closing(open_ledger(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        assert per_prediction(ledger) is None
        for price in (1.0, 2.0):
            body = {"cost": {"per_thousand": price, "currency": "EUR"}}
            ledger.append("rehearsal.finished", "rehearsal:late", body=body)
        assert per_prediction(ledger) == (0.002, "EUR")


quantities = st.floats(0, 1e9)
meters = st.builds(Meters, quantities, quantities, *[st.integers(0, 2**40)] * 4)


@given(meters, meters)
def test_more_work_never_costs_less(one, two):
    prices = PriceBook.load()
    more = Meters(*(max(a, b) for a, b in zip(one.to_body().values(), two.to_body().values(), strict=True)))
    assert prices.price(more) >= max(prices.price(one), prices.price(two)) >= 0


def test_nothing_costs_nothing():
    assert PriceBook.load().price(Meters()) == 0


def test_every_figure_of_the_book_has_its_source():
    book = tomllib.loads(BOOK.read_text())
    figures = [part for part in book.values() if isinstance(part, dict)]
    assert len(figures) == 3
    for figure in figures:
        assert figure["price"] > 0
        assert "https://" in figure["source"]
    assert len(book["dated"]) == len("2025-01-01")


def test_a_book_of_ones_own_is_taken(tmp_path, monkeypatch):
    path = tmp_path / "prices.toml"
    path.write_text(BOOK.read_text().replace("0.04048", "1.0").replace("USD", "EUR"))
    monkeypatch.setenv("NORIA_PRICES", str(path))
    book = PriceBook.load()
    assert (book.currency, book.price(Meters(cpu_seconds=7200))) == ("EUR", 2.0)


@pytest.mark.parametrize(
    "change",
    [("price = 0.04048", "price = -1"), ("price = 0.04048", "price = nan"), ("[cpu_hour]", "[cpu]"), ("=", ":"),
     ("price = 0.04048", "price = 'much'"), ("source = ", "origin = "), ("[storage_gb_month]", "[[storage_gb_month]]")],
)  # fmt: skip
def test_a_book_that_cannot_be_right_is_refused(tmp_path, monkeypatch, change):
    path = tmp_path / "prices.toml"
    path.write_text(BOOK.read_text().replace(*change))
    monkeypatch.setenv("NORIA_PRICES", str(path))
    with pytest.raises(DeclarationError, match="price book") as caught:
        PriceBook.load()
    assert caught.value.place == str(path)


def test_a_book_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setenv("NORIA_PRICES", "/no/such/book")
    with pytest.raises(DeclarationError, match="price book"):
        PriceBook.load()


def test_events_take_the_told_time(tmp_path):
    clock = ToldClock(tmp_path / "clock", start=0)
    with contextlib.closing(open_ledger(f"sqlite:///{tmp_path}/ledger.db", clock)) as ledger:
        assert ledger.append("run.started", "x").at == clock.now()
