"""The embedded online stores: what a request reads and what an event writes, LMDB beside SQLite."""

from __future__ import annotations

import random
import sqlite3
import statistics
import tempfile
import time
from importlib.metadata import version

from benchmarks.comparison import Comparison
from noria.features import OnlineStore, open_store

ENTITIES, VIEWS, BYTES = 5_000, 6, 4_000
"""About what the flights example holds: aircraft and airports, six views, some kilobytes of tiles each."""
REQUESTS, EVENTS = 5_000, 200


def main() -> None:
    chance = random.Random(0)
    value = chance.randbytes(BYTES)
    with tempfile.TemporaryDirectory() as folder:
        stores = {name: open_store(f"{name}://{folder}/{name}") for name in ("lmdb", "sqlite")}
        for store in stores.values():
            for view in range(VIEWS):
                store.replace(f"view{view}", ((b"entity%d" % number, value) for number in range(ENTITIES)))
        wanted = [[(f"view{view}", b"entity%d" % chance.randrange(ENTITIES)) for view in range(VIEWS)]
                  for _ in range(REQUESTS)]  # fmt: skip
        size = f"of {VIEWS} views, {BYTES:,} bytes each"
        read = {name: reading(store, wanted) for name, store in stores.items()}
        versions = {"sqlite": sqlite3.sqlite_version, "lmdb (python)": version("lmdb")}
        note = f"median of {REQUESTS:,}, {ENTITIES:,} entities"
        Comparison(f"read what a request needs {size}", "ms", read["lmdb"], "SQLite", read["sqlite"], "the faster one",
                   note, versions).say()  # fmt: skip
        written = {name: writing(store, wanted[:EVENTS], value) for name, store in stores.items()}
        Comparison(f"write what an event changes {size}", "ms", written["lmdb"], "SQLite", written["sqlite"], "",
                   f"median of {EVENTS:,}, durable when it returns", versions).say()  # fmt: skip
        for store in stores.values():
            store.close()


def reading(store: OnlineStore, wanted: list[list[tuple[str, bytes]]]) -> float:
    return statistics.median(timed(lambda addresses=addresses: store.read(addresses)) for addresses in wanted)


def writing(store: OnlineStore, wanted: list[list[tuple[str, bytes]]], value: bytes) -> float:
    return statistics.median(
        timed(lambda addresses=addresses: store.write(dict.fromkeys(addresses, value))) for addresses in wanted
    )


def timed(work: object) -> float:
    """Milliseconds that a call takes."""
    assert callable(work)
    began = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - began) / 1e6


if __name__ == "__main__":
    main()
