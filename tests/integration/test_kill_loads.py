"""Loads are killed at random moments, of each kind of source, and rows come meanwhile: each is there exactly once."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from noria.lake import open_lake

KILLS = 34
WORKER = """
import pickle, sys, secrets
from pathlib import Path
from noria import ingest
from noria.steps import StepContext
project, workspace = pickle.loads(sys.stdin.buffer.read())
import polars, pyarrow, deltalake, noria.lake.delta, noria.sources.files
print("ready", flush=True)
while True:
    step = ingest.steps(project, workspace.root.parent, workspace)[0]
    outcome = step.function(StepContext(workspace, secrets.token_hex(16), {}))
    print("done", flush=True)
"""


class Growing:
    """A source that grows: row n has the values of n, and every seventh breaks the contract."""

    def __init__(self, folder: Path):
        self.folder, self.rows = folder, 0

    def grow(self, rows: int) -> None:
        first, self.rows = self.rows + 1, self.rows + rows
        self.add([(n, -1 if n % 7 == 0 else n, f"row {n}") for n in range(first, self.rows + 1)])

    def origin(self):
        raise NotImplementedError

    def add(self, rows: list[tuple[int, int, str]]) -> None:
        raise NotImplementedError

    def how(self):
        from noria.declarations import Incremental

        return Incremental("n", update="append")


class GrowingFiles(Growing):
    def origin(self):
        return "data/*.csv"

    def how(self):
        from noria.declarations import Incremental

        return Incremental(update="append")

    def add(self, rows):
        place = self.folder / "data" / f"{rows[0][0]:09}.csv"
        place.parent.mkdir(exist_ok=True)
        beside = place.with_suffix(".part")
        beside.write_text("n,value,text\n" + "".join(f"{n},{value},{text}\n" for n, value, text in rows))
        os.replace(beside, place)


class GrowingTable(Growing):
    def origin(self):
        from noria.sources import sql

        return sql(f"sqlite:///{self.folder}/data.db", table="data")

    def add(self, rows):
        with sqlite3.connect(self.folder / "data.db") as database:
            database.execute("create table if not exists data (n integer primary key, value integer, text text)")
            database.executemany("insert into data values (?, ?, ?)", rows)
        database.close()


class GrowingApi(Growing):
    def __init__(self, folder):
        super().__init__(folder)
        self.held: list[dict[str, object]] = []
        held = self.held

        class Api(BaseHTTPRequestHandler):
            def do_GET(self):
                after = int(parse_qs(urlsplit(self.path).query).get("after", ["0"])[0])
                page = [one for one in held if one["n"] > after][:200]
                text = json.dumps({"rows": page, "next": page[-1]["n"] if len(page) == 200 else None}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *words):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def origin(self):
        import noria as nr

        return nr.rest(f"http://127.0.0.1:{self.server.server_port}", "/data", rows="$.rows[*]", in_the_clear=True,
                       paginate=nr.cursor("next", param="after"))  # fmt: skip

    def add(self, rows):
        self.held += [{"n": n, "value": value, "text": text} for n, value, text in rows]


class TestFiles:
    def test_each_row_is_there_once_whenever_loads_are_killed(self, tmp_path):
        killed_again_and_again(GrowingFiles, tmp_path)


class TestTable:
    def test_each_row_is_there_once_whenever_loads_are_killed(self, tmp_path):
        killed_again_and_again(GrowingTable, tmp_path)


class TestApi:
    def test_each_row_is_there_once_whenever_loads_are_killed(self, tmp_path):
        killed_again_and_again(GrowingApi, tmp_path)


def killed_again_and_again(kind, tmp_path):
    import pickle

    growing, chance = kind(tmp_path), random.Random(4)
    growing.grow(500)
    project, workspace = declared(growing, tmp_path)
    given, kills, done = pickle.dumps((project, workspace)), 0, 0
    while kills < KILLS:
        worker = subprocess.Popen([sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        worker.stdin.write(given)
        worker.stdin.close()
        assert worker.stdout.readline() == b"ready\n", worker.stdout.read()
        while kills < KILLS and worker.poll() is None:
            growing.grow(chance.randrange(1, 300))
            if chance.random() < 0.3:
                done += worker.stdout.readline() == b"done\n"
                continue
            time.sleep(chance.random() * 0.25)
            worker.send_signal(signal.SIGKILL)
            kills += 1
            break
        worker.stdout.close()
        assert worker.wait() == -signal.SIGKILL
    assert done
    outcome = finished(growing, project, workspace)
    assert_each_row_once(growing, outcome, workspace)


def declared(growing, folder):
    from noria.contracts import between
    from noria.declarations import Contract, Endpoint, Project, Search, Source, Spine, TimeSplit
    from noria.workspace import Workspace

    contract = Contract(rules=[between("value", 0, 10**9, on_fail="quarantine")])
    source = Source("data", growing.origin(), incremental=growing.how(), contract=contract)
    split = TimeSplit(train_until="2013-01-01", validate_until="2013-02-01", test_until="2013-03-01")
    spine = Spine(source, time="CURRENT_TIMESTAMP", label="value > 3")
    project = Project("killed", spine=spine, endpoint=Endpoint("e"), search=Search("binary", split=split))
    root = folder / ".noria"
    root.mkdir()
    places = (
        f"sqlite:///{root}/ledger.db",
        f"file://{root}/lake",
        f"lmdb:///{root}/online",
        f"sqlite:///{root}/mlflow.db",
    )
    return project, Workspace(root, folder / "project.py", *places)


def finished(growing, project, workspace):
    from noria import ingest
    from noria.steps import StepContext

    step = ingest.steps(project, workspace.root.parent, workspace)[0]
    return step.function(StepContext(workspace, "last", {}))


def assert_each_row_once(growing, outcome, workspace):
    lake = open_lake(workspace.lake)

    def numbers(name: str) -> Iterator[list[int]]:
        table, _, version = outcome.outputs[name].removeprefix("table:").rpartition("@")
        rows = lake.read(table, int(version)).select("n", "_row").collect()
        yield sorted(rows["n"])
        yield rows["_row"].to_list()

    (kept, kept_rows), (aside, aside_rows) = numbers("table"), numbers("quarantine")
    assert kept == [n for n in range(1, growing.rows + 1) if n % 7]
    assert aside == [n for n in range(1, growing.rows + 1) if not n % 7]
    assert len({*kept_rows, *aside_rows}) == growing.rows
    facts = outcome.facts
    assert facts["read"] == facts["kept"] + facts["quarantined"] + facts["dropped"] == growing.rows
