"""Ingest: no row is lost, whatever happens between the source and the lake; and replays of what was set aside."""

import contextlib
import gc
import signal
import subprocess
import sys
import weakref
from pathlib import Path
from typing import ClassVar

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from noria import ingest
from noria.contracts import RowRule, between, expression, matches, not_null, one_of, refers, unique
from noria.core import DataError, DeclarationError, TransientError
from noria.declarations import Contract, Endpoint, Project, Rule, Search, Source, Spine, TimeSplit
from noria.lake import open_lake
from noria.ledger import open_ledger
from noria.plan import in_order, plan_steps
from noria.run import execute, recover
from noria.sources import connector
from noria.steps import StepContext
from noria.workspace import Workspace

SPLIT = TimeSplit(train_until="2013-01-01", validate_until="2013-02-01", test_until="2013-03-01")
HEADER = "id,origin,n,at"
ROWS = ["1,EWR,5,2013-01-01 05:00", "2,JFK,x,2013-01-01 06:00", "3,LGA,70,2013-01-01 07:00", "3,EWR,7,2013-01-01 08:00",
        "4,,8,", "5,ORD,9,2013-01-02 09:00"]  # fmt: skip
RULES = (between("n", 0, 50, on_fail="quarantine"), not_null("origin", on_fail="quarantine"))


def project_in(folder: Path, *rules, rows=ROWS, more=(), **fields) -> Project:
    (folder / "data.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    contract = Contract(key="id", types={"n": "int", "at": "timestamp"}, rules=rules or RULES)
    source = Source("data", "data.csv", event_time="at", contract=contract, **fields)
    return Project(
        "small", spine=Spine(source, time="at", label="n"), references=more, endpoint=Endpoint("e"),
        search=Search("binary", split=SPLIT),
    )  # fmt: skip


def workspace_in(folder: Path) -> Workspace:
    root = folder / ".noria"
    root.mkdir(exist_ok=True)
    return Workspace(
        root, folder / "project.py", f"sqlite:///{root}/ledger.db", f"file://{root}/lake", f"lmdb:///{root}/online",
        f"sqlite:///{root}/mlflow.db",
    )  # fmt: skip


def once(project: Project, folder: Path, key: str = "k"):
    """One ingest of the spine's source, in this process."""
    source = project.spine.source
    step = next(step for step in ingest.steps(project, folder) if step.name == f"ingest:{source.name}")
    return step.function(StepContext(workspace_in(folder), key, {}))


def table(folder: Path, reference: str) -> pl.DataFrame:
    name, _, version = reference.removeprefix("table:").rpartition("@")
    return open_lake(workspace_in(folder).lake).read(name, int(version)).collect()


def test_what_is_kept_what_is_set_aside_and_what_is_said(tmp_path):
    outcome = once(project_in(tmp_path), tmp_path)
    kept, aside = table(tmp_path, outcome.outputs["table"]), table(tmp_path, outcome.outputs["quarantine"])
    assert kept["_row"].to_list() == [1, 6]
    assert dict(aside.select("_row", "_reasons").sort("_row").iter_rows()) == {
        2: ["n is no int: x"], 3: ["n between 0 and 50"], 4: ["key (id)"], 5: ["origin is not null"],
    }  # fmt: skip
    facts = outcome.facts
    assert (facts["read"], facts["kept"], facts["quarantined"]) == (6, 2, 4)
    assert facts["reasons"] == {"key (id)": 1, "n between 0 and 50": 1, "n is no int": 1, "origin is not null": 1}
    assert facts["schema"] == {"_row": "int", "id": "int", "origin": "string", "n": "int", "at": "timestamp"}
    assert [event["kind"] for event in outcome.events] == ["contract.checked", "table.written"]


def test_null_event_times_are_counted_and_kept(tmp_path):
    facts = once(project_in(tmp_path, between("n", -100, 100)), tmp_path).facts
    assert facts["null_event_time"] == 1
    assert facts["kept"] == 4


def test_derived_columns_are_typed_first_and_checked_after(tmp_path):
    project = project_in(tmp_path, expression("big IS NOT TRUE", on_fail="quarantine"),
                         columns={"big": "n > 50", "hour": "EXTRACT(HOUR FROM at)"})  # fmt: skip
    outcome = once(project, tmp_path)
    assert table(tmp_path, outcome.outputs["table"])["hour"].to_list() == [5, None, 9]
    assert outcome.facts["reasons"]["big IS NOT TRUE"] == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"columns": {"n": "id + 1"}}, "the name of one that is there"),
        ({"columns": {"_row": "id + 1"}}, "the name of one that is there"),
        ({"columns": {"m": "idd + 1"}}, "did you mean 'id'?"),
        ({"columns": {"gap": "at - at"}}, "interval"),
        ({"columns": {"m": "SUM(id)"}}, "aggregate"),
    ],
)
def test_a_declaration_that_does_not_fit_is_refused_at_plan_time(tmp_path, fields, said):
    project = project_in(tmp_path, **fields)
    with pytest.raises(DeclarationError) as caught:
        ingest.schemas_of(project, tmp_path, {})
    assert said in str(caught.value)
    assert __file__ in str(caught.value.place)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (between("origin", 0, 1), "needs a column of kind float or int"),
        (one_of("n", ["a"]), "needs a column of kind string"),
        (matches("origin", "(?i)ewr"), "not understood by every engine"),
        (expression("n"), "true or false"),
        (not_null("origin", on_fail="fix", fill=1), "needs a column of kind int"),
        (between("n", 0, 9, on_fail="fix"), "'m' is derived from it before"),
        (between("nn", 0, 9), "is not there"),
        (unique(["id", "orign"]), "did you mean 'origin'?"),
        (refers("origin", to="airports", key="nme"), "no such column"),
        (refers("n", to="airports"), "needs a column of kind string"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused_at_plan_time(tmp_path, rule, said):
    (tmp_path / "airports.csv").write_text("faa,name\nEWR,Newark\n")
    airports = Source("airports", "airports.csv", contract=Contract(key="faa"))
    project = project_in(tmp_path, rule, columns={"m": "n + 1"}, more=[airports])
    with pytest.raises((DeclarationError, DataError)) as caught:
        ingest.schemas_of(project, tmp_path, {})
    assert said in str(caught.value)
    assert not (tmp_path / ".noria").exists()


def test_sources_are_looked_at_one_after_the_other_and_let_go(tmp_path, monkeypatch):
    frames = []

    class Alone:
        def __init__(self, source):
            self.reader = connector(source)

        def batches(self, ask):
            gc.collect()
            assert [frame() for frame in frames] == [None] * len(frames), "the one before is still held"
            for batch in self.reader.batches(ask):
                frames.append(weakref.ref(batch.frame))
                yield batch

    (tmp_path / "airports.csv").write_text("faa,name\nEWR,Newark\n")
    (tmp_path / "weather.csv").write_text("at,wind\n2013-01-01,5\n")
    more = [Source("airports", "airports.csv", contract=Contract(key="faa")), Source("weather", "weather.csv")]
    project = project_in(tmp_path, refers("origin", to="airports"), more=more)
    monkeypatch.setattr("noria.ingest.declared.connector", Alone)
    found = ingest.schemas_of(project, tmp_path, {})
    assert found["weather"] == {"_row": "int", "at": "date", "wind": "int"}
    assert list(found) == ["data", "airports", "weather"]
    assert len(frames) == 3


def test_what_is_ingested_and_unchanged_is_neither_read_nor_checked_again(tmp_path):
    project = project_in(tmp_path)
    known = {"data": {"id": "int", "n": "int"}}
    (tmp_path / "data.csv").unlink()
    assert ingest.schemas_of(project, tmp_path, known) == known


@pytest.mark.parametrize(
    ("rule", "contract", "said"),
    [
        (refers("origin", to="airport"), Contract(key="faa"), "a source that the project does not read"),
        (refers("origin", to="data"), Contract(key="faa"), "refers to its own source"),
        (refers("origin", to="airports"), Contract(), "no single key"),
        (refers("origin", to="airports"), Contract(key=["faa", "name"]), "no single key"),
    ],
)
def test_a_reference_that_cannot_be_followed_is_refused_at_plan_time(tmp_path, rule, contract, said):
    (tmp_path / "airports.csv").write_text("faa,name\nEWR,Newark\n")
    project = project_in(tmp_path, rule, more=[Source("airports", "airports.csv", contract=contract)])
    with pytest.raises(DeclarationError, match=said) as caught:
        ingest.steps(project, tmp_path)
    assert __file__ in str(caught.value.place)


class StandsInEither(RowRule):
    """A kind of rule from elsewhere, that looks into two other sources and mends what it does not find there."""

    place: str = Field(kw_only=False)

    text: ClassVar[str] = "known somewhere"
    refers_to: ClassVar[tuple[str, ...]] = ("airports", "heliports")

    @property
    def columns(self):
        return (self.place,)

    def broken(self, subject):
        known = pl.concat([subject.references[name].to_series(0) for name in self.refers_to])
        return pl.col(self.place).is_in(known.implode()).not_().fill_null(False)

    def mended(self, subject):
        return pl.when(~self.broken(subject)).then(pl.col(self.place))


@pytest.mark.parametrize("on_fail", ["quarantine", "fix"])
def test_a_kind_of_rule_from_elsewhere_may_refer_to_several_sources(tmp_path, on_fail):
    (tmp_path / "airports.csv").write_text("name,faa\nNewark,EWR\n")
    (tmp_path / "heliports.csv").write_text("faa\nLGA\nJFK\n")
    others = [Source(name, f"{name}.csv", contract=Contract(key="faa")) for name in StandsInEither.refers_to]
    project = project_in(tmp_path, StandsInEither("origin", on_fail=on_fail), more=others)
    ingest.schemas_of(project, tmp_path, {})
    steps = in_order(ingest.steps(project, tmp_path))
    assert [step.name for step in steps] == ["ingest:airports", "ingest:heliports", "ingest:data"]
    done = {}
    for step in steps:
        done[step.name] = step.function(StepContext(workspace_in(tmp_path), step.name, dict(done)))
    outcome = done["ingest:data"]
    assert outcome.facts["verdicts"][1]["failed"] == 1
    if on_fail == "fix":
        assert table(tmp_path, outcome.outputs["table"])["origin"].to_list() == ["EWR", "LGA", None, None]
    else:
        assert outcome.facts["reasons"]["known somewhere"] == 1


def test_a_rule_from_elsewhere_is_held_to_what_the_project_reads(tmp_path):
    project = project_in(tmp_path, StandsInEither("origin"))
    with pytest.raises(DeclarationError, match="a source that the project does not read") as caught:
        ingest.steps(project, tmp_path)
    assert caught.value.value == "airports"
    derived = project_in(tmp_path, StandsInEither("origin", on_fail="fix"), columns={"far": "origin = 'ORD'"})
    with pytest.raises(DeclarationError, match="'far' is derived from it before"):
        ingest.schemas_of(derived, tmp_path, {})


def test_a_kind_that_cannot_be_checked_is_refused_at_plan_time(tmp_path):
    with pytest.raises(DeclarationError, match="cannot be checked"):
        ingest.steps(project_in(tmp_path, Rule()), tmp_path)


def test_a_file_that_changes_while_it_is_read_is_tried_again(tmp_path):
    project = project_in(tmp_path)
    (step,) = ingest.steps(project, tmp_path)
    (tmp_path / "data.csv").write_text("\n".join([HEADER, *ROWS, "9,EWR,1,"]) + "\n")
    with pytest.raises(TransientError, match="changed while it was read"):
        step.function(StepContext(workspace_in(tmp_path), "k", {}))
    assert not list((tmp_path / ".noria" / "lake").rglob("*.parquet"))


@pytest.mark.parametrize("lost", [HEADER.replace(",n", ",m"), HEADER.replace("id,", "key,")])
def test_a_column_that_is_gone_in_the_next_file_leaves_the_table_as_it_was(tmp_path, lost):
    outcome = once(project_in(tmp_path), tmp_path)
    project = project_in(tmp_path)
    (tmp_path / "data.csv").write_text("\n".join([lost, *ROWS]) + "\n")
    with pytest.raises(DataError, match=r"is not (there any more|as it was)") as caught:
        once(project, tmp_path, key="later")
    assert "source 'data'" in caught.value.message
    assert len(open_lake(workspace_in(tmp_path).lake).versions("data")) == 1
    assert len(table(tmp_path, outcome.outputs["table"])) == 2


# --- runs and replays ---


def run(project: Project, folder: Path):
    workspace = workspace_in(folder)
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        recover(workspace, ledger)
        return execute(plan_steps(project, ingest.steps(project, folder), workspace, ledger), workspace, ledger)


def replay(project: Project, folder: Path):
    from noria.cli.quarantine import _last, replay_plan

    workspace = workspace_in(folder)
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        recover(workspace, ledger)
        last = _last(project, ledger, "data")
        return execute(replay_plan(project, workspace, ledger, "data", last), workspace, ledger)


def events(folder: Path, kind: str) -> list:
    with contextlib.closing(open_ledger(workspace_in(folder).ledger)) as ledger:
        assert ledger.verify() == []
        return list(ledger.events(kind=kind))


def rows_of(folder: Path, outcome) -> tuple[list, list]:
    names = ("table", "quarantine")
    return tuple(
        sorted(table(folder, outcome.outputs[name])["_row"].to_list()) if name in outcome.outputs else []
        for name in names
    )


def test_a_wider_rule_lets_rows_out_once_and_a_second_replay_does_nothing(tmp_path):
    run(project_in(tmp_path), tmp_path)
    wider = project_in(tmp_path, between("n", 0, 100, on_fail="quarantine"))
    result = replay(wider, tmp_path)
    assert rows_of(tmp_path, result.outcomes["ingest:data"]) == ([1, 3, 5, 6], [2, 4])  # a wrong type stays, and a key
    (event,) = events(tmp_path, "quarantine.replayed")
    assert (event.body["released"], event.body["set_aside"], event.body["quarantined"]) == (2, 0, 2)
    again = replay(wider, tmp_path)
    assert again.executed == ()
    assert len(events(tmp_path, "quarantine.replayed")) == 1
    assert run(wider, tmp_path).executed == ()  # a run has nothing left to do


def test_a_narrower_rule_sets_rows_aside_that_were_kept(tmp_path):
    run(project_in(tmp_path), tmp_path)
    result = replay(project_in(tmp_path, *RULES, one_of("origin", ["EWR"], on_fail="quarantine")), tmp_path)
    assert rows_of(tmp_path, result.outcomes["ingest:data"]) == ([1], [2, 3, 4, 5, 6])
    (event,) = events(tmp_path, "quarantine.replayed")
    assert (event.body["released"], event.body["set_aside"]) == (0, 1)


def test_a_rule_that_fails_leaves_all_as_it_was(tmp_path):
    before = run(project_in(tmp_path), tmp_path).outcomes["ingest:data"]
    with pytest.raises(DataError, match="rows break the rule"):
        replay(project_in(tmp_path, between("n", 0, 50)), tmp_path)
    assert rows_of(tmp_path, before) == ([1, 6], [2, 3, 4, 5])
    assert events(tmp_path, "quarantine.replayed") == []


def test_a_reference_that_grew_lets_rows_out(tmp_path):
    airports = Source("airports", "airports.csv", contract=Contract(key="faa"))
    rule = refers("origin", to="airports", on_fail="quarantine")
    (tmp_path / "airports.csv").write_text("faa\nEWR\n")
    project = project_in(tmp_path, rule, more=[airports])
    assert rows_of(tmp_path, run(project, tmp_path).outcomes["ingest:data"])[0] == [1, 5]
    (tmp_path / "airports.csv").write_text("faa\nEWR\nORD\n")
    result = replay(project, tmp_path)
    assert result.executed == ("ingest:airports", "ingest:data")
    assert rows_of(tmp_path, result.outcomes["ingest:data"])[0] == [1, 5, 6]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: project_in(folder, rows=[*ROWS, "9,EWR,1,"]), "more than the rules changed"),
        (lambda folder: project_in(folder, columns={"m": "n + 1"}), "more than the rules changed"),
        (lambda folder: project_in(folder, null_values="x"), "more than the rules changed"),
    ],
)
def test_more_than_rules_is_left_to_a_run(tmp_path, change, said):
    run(project_in(tmp_path), tmp_path)
    with pytest.raises(DeclarationError, match=said) as caught:
        replay(change(tmp_path), tmp_path)
    assert "noria run" in str(caught.value.mend)


def test_mended_rows_are_left_to_a_run(tmp_path):
    run(project_in(tmp_path, between("n", 0, 50, on_fail="fix")), tmp_path)
    with pytest.raises(DeclarationError, match="have mended rows"):
        replay(project_in(tmp_path, between("n", 0, 100, on_fail="fix")), tmp_path)


CHOICES = st.lists(
    st.sampled_from([
        *RULES, between("n", 0, 8, on_fail="quarantine"), one_of("origin", ["EWR", "LGA"], on_fail="quarantine"),
        unique("origin", on_fail="quarantine"), expression("n > 6 OR origin = 'EWR'", on_fail="quarantine"),
        not_null("at", on_fail="warn"),
    ]), min_size=1, max_size=4,
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(CHOICES, CHOICES)
def test_a_replay_leaves_what_reading_the_source_anew_would_leave(tmp_path_factory, first, then):
    """Both under the same key, so that nothing below can tell which it was."""
    folder, other = tmp_path_factory.mktemp("replayed"), tmp_path_factory.mktemp("anew")
    before = once(project_in(folder, *first), folder)
    project = project_in(folder, *then)
    (step,) = ingest.steps(project, folder)
    replayed = ingest.replaying(step, project.spine.source, before).function(
        StepContext(workspace_in(folder), "two", {})
    )
    anew = once(project_in(other, *then), other, key="two")
    for name in ("table", "quarantine"):
        assert (name in replayed.outputs) == (name in anew.outputs)
        if name in anew.outputs:
            assert table(folder, replayed.outputs[name]).equals(table(other, anew.outputs[name]))
    ours, theirs = ({k: v for k, v in one.facts.items() if k in ("read", "kept", "reasons", "verdicts", "schema")}
                    for one in (replayed, anew))  # fmt: skip
    assert ours == theirs


KILLED = """
import os, signal, sys
from pathlib import Path
from typing import ClassVar
import noria.lake.delta.write as delta
sys.path.insert(0, {tests!r})
import test_ingest as here
folder, after = Path(sys.argv[1]), int(sys.argv[2])
attempt = delta._attempt
def dying(*arguments):
    global after
    if after == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    after -= 1
    return attempt(*arguments)
delta._attempt = dying
here.once(here.project_in(folder), folder)
"""


@pytest.mark.parametrize("writes", [0, 1])
def test_a_kill_between_the_two_writes_is_made_good(tmp_path, writes):
    """The quarantine is committed and its table is not, or neither: the next try gives what one try gives."""
    code = KILLED.format(tests=str(Path(__file__).parent))
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path), str(writes)], check=False)
    assert done.returncode == -signal.SIGKILL
    lake = open_lake(workspace_in(tmp_path).lake)
    assert (len(lake.versions("data__quarantine")), len(lake.versions("data"))) == (writes, 0)
    outcome = once(project_in(tmp_path), tmp_path)
    assert outcome.outputs == {"table": "table:data@0", "quarantine": "table:data__quarantine@0"}
    assert rows_of(tmp_path, outcome) == ([1, 6], [2, 3, 4, 5])


def test_who_reads_while_a_replay_is_half_done_reads_what_was(tmp_path):
    """Readers take the versions that the ledger names, and it names both tables at once."""
    before = run(project_in(tmp_path), tmp_path).outcomes["ingest:data"]
    lake = open_lake(workspace_in(tmp_path).lake)
    lake.write("data", lake.read("data").collect().head(1), step_key="half")  # the first of two writes, then a kill
    assert rows_of(tmp_path, before) == ([1, 6], [2, 3, 4, 5])
    result = replay(project_in(tmp_path, between("n", 0, 100, on_fail="quarantine")), tmp_path)
    assert rows_of(tmp_path, result.outcomes["ingest:data"]) == ([1, 3, 5, 6], [2, 4])


@pytest.mark.parametrize("odd", ["1" + "0" * 400, "1e400", "heavy", "ünï\u202ecode", "9" * 20])
@pytest.mark.parametrize("field", ["rule", "derived"])
def test_one_odd_value_among_numbers_is_named_and_is_the_datas_fault(tmp_path, odd, field):
    rows = [f"{n},EWR,{odd if n == 4 else n},2013-01-01" for n in range(1, 10)]
    (tmp_path / "data.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    rules = [between("n", 0, 50, on_fail="quarantine")] if field == "rule" else []
    columns = {} if field == "rule" else {"big": "n > 5"}
    project = project_in(tmp_path, rows=rows)
    source = project.spine.source.replace(contract=Contract(rules=rules), columns=columns, event_time=None)
    project = project.replace(spine=project.spine.replace(source=source))
    with pytest.raises(DataError) as caught:
        ingest.schemas_of(project, tmp_path, {})
    assert caught.value.place == "data.csv, row 4, n"
    assert caught.value.value == odd
    assert "types=" in caught.value.mend
    typed = source.replace(contract=Contract(rules=rules, types={"n": "float"}))
    once_typed = once(project.replace(spine=project.spine.replace(source=typed)), tmp_path)
    assert once_typed.facts["quarantined"] == (0 if odd == "9" * 20 and field == "derived" else 1)


def test_a_rule_on_a_column_of_texts_is_the_declarations_fault(tmp_path):
    with pytest.raises(DeclarationError, match="needs a column of kind"):
        ingest.schemas_of(project_in(tmp_path, between("origin", 0, 1)), tmp_path, {})
