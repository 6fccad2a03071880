"""Loading from a REST API to the lake: how near it comes to a bare client of the same server, and to dlt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from urllib.parse import parse_qsl

from benchmarks.comparison import Comparison
from benchmarks.process import seconds

ROWS, PAGE = 200_000, 1000
DELAY = 0.02
"""Seconds that the server takes for a page, as one with a database behind it does."""


def page(start: int) -> bytes:
    """A page of rows with eight columns, one of them nested."""
    rows = [
        {"id": n, "at": f"2026-01-01T{n // 3600 % 24:02d}:{n // 60 % 60:02d}:{n % 60:02d}Z", "shop": f"s{n % 97}",
         "amount": n * 0.25, "paid": n % 3 == 0, "note": None if n % 5 else "a note", "items": n % 11,
         "to": {"city": f"c{n % 13}", "zip": n % 90_000}}
        for n in range(start, min(start + PAGE, ROWS))
    ]  # fmt: skip
    return json.dumps({"items": rows}).encode()


PAGES = [page(start) for start in range(0, ROWS + PAGE, PAGE)] if __name__ == "benchmarks.loading_rest" else []


async def app(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
    """The server: an ASGI application, in a process of its own."""
    import asyncio

    if scope["type"] != "http":
        return
    if delay := float(os.environ.get("DELAY", "0")):
        await asyncio.sleep(delay)
    start = int(dict(parse_qsl(scope["query_string"].decode())).get("offset", 0))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": PAGES[start // PAGE]})


BARE = """
import json, sys, urllib3
pool, start, rows = urllib3.PoolManager(), 0, 0
while True:
    page = json.loads(pool.request("GET", f"{sys.argv[2]}/orders?offset={start}&limit=1000").data)["items"]
    if not page:
        break
    rows += len(page)
    start += len(page)
assert rows == 200_000, rows
"""
NORIA = """
import sys
from pathlib import Path
import noria as nr
from noria import ingest
from noria.steps import StepContext
from noria.workspace import Workspace
folder = Path(sys.argv[1])
root = folder / ".noria"
root.mkdir()
workspace = Workspace(root, folder / "project.py", f"sqlite:///{root}/ledger.db", f"file://{root}/lake",
                      f"lmdb:///{root}/online", f"sqlite:///{root}/mlflow.db")
orders = nr.Source("orders", nr.rest(sys.argv[2], "/orders", rows="$.items[*]", paginate=nr.offset(limit=1000)),
                   event_time="at", contract=nr.Contract(key="id", types={"at": "timestamp"},
                                                         rules=[nr.between("items", 0, 10), nr.not_null("shop")]))
project = nr.Project("orders", spine=nr.Spine(orders, time="at", label="paid"), endpoint=nr.Endpoint("paid"),
                     search=nr.Search("binary", split=nr.TimeSplit(
                         train_until="2026-01-02", validate_until="2026-01-03", test_until="2026-01-04")))
step = ingest.steps(project, folder, workspace)[0]
outcome = step.function(StepContext(workspace, "key", {}))
assert outcome.facts["kept"] == 200_000, outcome.facts
"""
DLT = """
import sys
import dlt
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import OffsetPaginator

@dlt.resource(name="orders", max_table_nesting=0)
def orders():
    yield from RESTClient(sys.argv[2]).paginate(
        "/orders", data_selector="items", paginator=OffsetPaginator(limit=1000, total_path=None))

pipeline = dlt.pipeline("orders", pipelines_dir=sys.argv[1], dataset_name="shop",
                        destination=dlt.destinations.filesystem(f"file://{sys.argv[1]}/lake"))
pipeline.run(orders(), loader_file_format="parquet", table_format="delta")
assert pipeline.last_trace.last_normalize_info.row_counts["orders"] == 200_000
"""


def main() -> None:
    import socket

    for delay in (0.0, DELAY):
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "benchmarks.loading_rest:app",
            "--port",
            str(port),
            "--log-level",
            "error",
        ]
        server = subprocess.Popen(command, cwd=Path(__file__).parent.parent, env={**os.environ, "DELAY": str(delay)})
        try:
            url = f"http://127.0.0.1:{port}"
            while socket.socket().connect_ex(("127.0.0.1", port)):
                time.sleep(0.1)
            bare, _ = seconds(BARE, url)
            noria, memory = seconds(NORIA, url)
            what = (
                f"REST, {ROWS:,} rows in pages of {PAGE:,}, {delay * 1000:.0f} ms a page, to the lake with its contract"
            )
            Comparison(what, "s", noria, "a bare client that keeps nothing", bare, "bound by the server",
                       f"peak {memory:,.0f} MB; {noria - bare:.1f} s more than asking alone",
                       {"urllib3": version("urllib3")}).say()  # fmt: skip
            theirs, memory = seconds(DLT, url)
            Comparison(what, "s", noria, "dlt to Delta", theirs, "3x", f"dlt without a contract, peak {memory:,.0f} MB",
                       {"dlt": version("dlt")}).say()  # fmt: skip
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
