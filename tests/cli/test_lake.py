"""``noria lake``: tables, versions, differences; an old version back and old files gone, both told to the ledger."""

import contextlib
import io

import polars as pl
import pytest

from noria import ingest
from noria.cli import main
from noria.declarations import load_project
from noria.lake import open_lake
from noria.ledger import open_ledger
from noria.plan import plan_steps
from noria.run import execute
from noria.workspace import workspace_of


def noria(*arguments) -> tuple[int, str, str]:
    """Exit code and what it wrote."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as e:
        main([str(argument) for argument in arguments])
    return e.value.code, *(stream.buffer.getvalue().decode() for stream in (out, err))


@pytest.fixture
def ingested(project_file):
    workspace = workspace_of(project_file)
    project = load_project(project_file)
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        execute(plan_steps(project, ingest.steps(project, project_file.parent), workspace, ledger), workspace, ledger)
    return project_file


def events(project_file, kind):
    with contextlib.closing(open_ledger(workspace_of(project_file).ledger)) as ledger:
        assert ledger.verify() == []
        return list(ledger.events(kind=kind))


def said(*arguments):
    code, out, err = noria("lake", *arguments)
    assert code == 0, err
    return out


def test_tables_and_what_became_of_them(ingested):
    lake = open_lake(workspace_of(ingested).lake)
    old = lake.read("parcels").collect()
    lake.write("parcels", old.head(old.height - 1), step_key="by hand")
    for command in ("list", "size"):
        assert "parcels: " in said(command, "--project", ingested)
    history = said("history", "parcels", "--project", ingested)
    assert [line.split()[0] for line in history.splitlines()] == ["1", "0"]
    assert f"{old.height:,} in all" in history
    assert "1 older" in said("history", "parcels", "--most", 1, "--project", ingested)
    assert "0 rows added, 1 removed" in said("diff", "parcels", 0, 1, "--project", ingested)
    assert "1 rows added, 0 removed, 0 changed" in said("diff", "parcels", 1, 0, "--key", "_row", "--project", ingested)


def test_an_old_version_comes_back_and_the_ledger_says_so(ingested):
    lake = open_lake(workspace_of(ingested).lake)
    old = lake.read("parcels").collect()
    lake.write("parcels", old.head(1), step_key="by hand")
    assert "version 2 is what version 0 was" in said("restore", "parcels", 0, "--project", ingested)
    assert lake.read("parcels").collect().height == old.height
    (event,) = events(ingested, "table.restored")
    assert (event.inputs, event.outputs) == (("table:parcels@0",), ("table:parcels@2",))


def test_small_files_are_put_together(ingested):
    lake = open_lake(workspace_of(ingested).lake)
    for number in range(3):
        lake.write("small", pl.DataFrame({"n": [number]}), step_key=str(number), mode="append")
    assert "3 files" in said("compact", "small", "--order", "n", "--project", ingested)
    assert sorted(lake.read("small").collect()["n"]) == [0, 1, 2]


def test_a_vacuum_keeps_what_a_step_gave_last(ingested):
    lake = open_lake(workspace_of(ingested).lake)
    for number in (1, 2):
        lake.write("parcels", pl.DataFrame({"n": [number]}), step_key=f"by hand {number}")
    told = said("vacuum", "parcels", "--older-than", 0, "--dry-run", "--project", ingested)
    assert "1 files" in told
    assert "could be read: 1 versions (1)" in told
    assert [lake.has("parcels", version) for version in range(3)] == [True, True, True]
    assert events(ingested, "table.vacuumed") == []
    assert "0 files" in said("vacuum", "parcels", "--project", ingested)
    assert "went" in said("vacuum", "parcels", "--older-than", 0, "--project", ingested)
    assert [lake.has("parcels", version) for version in range(3)] == [True, False, True]
    assert events(ingested, "table.vacuumed")[-1].body["versions"] == [1]


def test_a_table_that_is_not_there_gets_a_hint(project_file):
    open_lake(workspace_of(project_file).lake).write("parcels", pl.DataFrame({"n": [1]}), step_key="a")
    for command in (["history"], ["diff", 0, 1], ["restore", 0], ["compact"], ["vacuum"]):
        code, _, err = noria("lake", command[0], "parcel", *command[1:], "--project", project_file)
        assert code == 3
        assert "did you mean 'parcels'?" in err
