"""What the tables hold: profiled from the lake as the run pinned it, kept as a file, shown in the report."""

import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

import noria as nr
from noria.console import step
from noria.console.profile import profiles, without_values
from noria.contracts import ColumnProfile, Profile, profile_of
from noria.lake import open_lake
from noria.steps import Outcome, StepContext
from noria.workspace import Workspace

ROWS = pl.DataFrame({
    "_row": range(1, 401),
    "id": range(400),
    "carrier": ["UA", "B6", "B6", None] * 100,
    "delay": [float(n % 50) for n in range(400)],
    "twice": [2.0 * (n % 50) for n in range(400)],
    "landed": [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=6 * n) for n in range(400)],
    "contact": [f"user{n}@example.org" for n in range(400)],
    "nick": [f"nick{n % 40}" for n in range(400)],
})  # fmt: skip


def declared(*rules):
    contract = nr.Contract(key="id", rules=rules)
    rows = nr.Source("rows", "rows.csv", event_time="landed", contract=contract)
    split = nr.TimeSplit(train_until="2025-02-01", validate_until="2025-03-01", test_until="2025-04-01")
    return nr.Project("p", spine=nr.Spine(rows, time="landed", label="late"), endpoint=nr.Endpoint("p"),
                      search=nr.Search(split=split))  # fmt: skip


@pytest.fixture
def profiled(tmp_path):
    """Runs the step of the source over a table of the lake; gives its outcome and what the file holds."""

    def run(*versions, pinned=0, rules=()):
        workspace = Workspace(tmp_path, tmp_path / "project.py", "", f"file://{tmp_path}/lake", "", "")
        lake = open_lake(workspace.lake)
        for number, frame in enumerate(versions):
            lake.write("rows", frame, step_key=f"k{number}")
        first, _ = step(declared(*rules))
        context = StepContext(workspace, "a" * 32, {"ingest:rows": Outcome({"table": f"table:rows@{pinned}"}, {})})
        outcome = first.function(context)
        return outcome, json.loads(context.path(outcome.outputs["profile"]).read_text(encoding="utf-8"))

    return run


def shown(profile, *rules):
    facts = {"ingest:rows": {"read": profile.rows, "key": ["id"]}}
    (table,) = profiles(declared(*rules), facts, {"rows": profile})
    return table, {one["name"]: one for one in [*table["columns"], *table["others"]]}


def test_there_is_a_step_for_each_source_before_the_report():
    first, report = step(declared())
    assert (first.name, first.inputs) == ("profile:rows", ("ingest:rows",))
    assert report.name == "report"
    assert "profile:rows" in report.inputs


def test_the_file_says_what_the_pinned_version_holds(profiled):
    outcome, body = profiled(ROWS, ROWS.head(3), pinned=0)
    assert outcome.outputs == {"profile": f"file:artifacts/{'a' * 32}/profile.json"}
    assert outcome.facts == {"rows": 400, "columns": 7, "personal": {"contact": "e-mail"}}
    found = Profile.from_body(body)
    assert found.rows == 400
    assert found.column("delay").quantiles == profile_of([ROWS]).column("delay").quantiles
    assert profiled(ROWS, ROWS.head(3), pinned=1)[0].facts["rows"] == 3


def test_what_is_private_is_not_told(profiled):
    outcome, body = profiled(ROWS, rules=(nr.private("nick", "name"),))
    assert outcome.facts["personal"] == {"contact": "e-mail", "nick": "name"}
    assert "@" not in json.dumps(body)
    assert "nick1" not in json.dumps(body)
    _, columns = shown(Profile.from_body(body))
    for name, kind in (("contact", "e-mail"), ("nick", "name")):
        assert columns[name]["personal"] == kind
        assert (columns[name]["text"], columns[name]["drawing"], columns[name]["range"]) == (
            "its values are not shown",
            "",
            "–",
        )


def test_it_is_done_again_only_where_data_or_what_is_private_changed():
    (plain, _), (again, _) = step(declared()), step(declared())
    (private, _), (ruled, _) = step(declared(nr.private("nick", "name"))), step(declared(nr.not_null("nick")))
    key = plain.key({"ingest:rows": "k"})
    assert again.key({"ingest:rows": "k"}) == key == ruled.key({"ingest:rows": "k"})
    assert private.key({"ingest:rows": "k"}) != key != plain.key({"ingest:rows": "l"})


def test_a_table_without_rows_has_a_profile(profiled):
    outcome, body = profiled(ROWS.head(0))
    assert outcome.facts["rows"] == 0
    table, columns = shown(Profile.from_body(body))
    assert table["note"].startswith("0 rows, 7 columns.")
    assert {one["text"] for one in columns.values()} == {"nothing"}


def test_what_is_shown_of_a_column():
    table, columns = shown(profile_of([ROWS]))
    assert table["note"] == (
        "400 rows, 7 columns. Key, as declared: id. Tells all rows apart, too: contact. "
        'Its event time "landed" goes from 1 Jan 2025 to 10 Apr 2025: 100 days, none without a row.'
    )
    assert table["pairs"] == "Go together (correlation): delay and twice (1.00)."
    assert columns["id"]["key"]
    assert columns["id"]["text"] == "each value once"
    assert (columns["carrier"]["nulls"], columns["carrier"]["distinct"]) == ("25.0%", "2")
    assert columns["carrier"]["text"] == "B6 (66.7%), UA (33.3%)"
    assert columns["carrier"]["range"] == "2 letters"
    assert (columns["delay"]["range"], columns["delay"]["text"]) == ("0 to 49", "median 24, half of them 12 to 37")
    assert columns["landed"]["text"] == "100 days, none without a row"
    assert columns["delay"]["drawing"].count("M") == 30


def test_gaps_in_time_are_seen():
    days = [date(2024, 2, 28), date(2024, 3, 1), date(2024, 3, 2), date(2024, 3, 2)]
    _, columns = shown(profile_of([pl.DataFrame({"day": days})]))
    assert columns["day"]["text"] == "4 days, 1 of them without a row"
    assert columns["day"]["drawing"].count("M") == 3
    years = profile_of([pl.DataFrame({"day": [date(1, 1, 1), date(9999, 12, 31)]})])
    assert shown(years)[1]["day"]["drawing"].count("M") == 2


def test_odd_numbers_are_counted():
    odd = profile_of([pl.DataFrame({"x": [float("nan"), float("inf"), 1.0, 2.0, None], "y": [float("nan")] * 5})])
    _, columns = shown(odd)
    assert columns["x"]["text"] == "median 1, half of them 1 to 2; 2 values not finite"
    assert columns["y"]["text"] == "5 not finite"


def test_only_the_values_of_what_is_private_are_taken_away():
    found = Profile(5, (ColumnProfile("a", "int", 5, low=1), ColumnProfile("b", "int", 5, low=1)))
    veiled = without_values(found, {"a": "phone"})
    assert (veiled.column("a").low, veiled.column("a").personal) == (None, "phone")
    assert veiled.column("b") == found.column("b")
