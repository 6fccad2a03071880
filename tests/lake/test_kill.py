"""A writer that is killed leaves its version whole or not there, and its step is done once."""

import os
import random
import signal
import subprocess
import sys
import time

import polars as pl

from noria.lake import open_lake

ROWS = 2000
WRITER = """
import sys
import polars as pl
from noria.lake import open_lake
lake = open_lake(sys.argv[1])
def rows(turn):
    for part in range(4):
        yield pl.DataFrame({"id": range(part * 500, part * 500 + 500), "turn": [turn] * 500})
print("ready", flush=True)
sys.stdin.readline()
turn = lake.state("t")["turn"]
while True:
    turn += 1
    mode = ("append", "merge", "replace")[turn % 3]
    lake.write("t", rows(turn), step_key=f"turn {turn}", mode=mode, key=["id"] if mode == "merge" else [],
               state={"turn": turn})
    print(turn, flush=True)
"""


def turns_of(turn: int) -> list[int]:
    """The turns whose rows are there behind a turn: an append keeps those of the replacement before it."""
    return [turn - 1, turn] if turn % 3 == 0 else [turn]


def check(lake) -> int:
    """Every version is whole, says its own state, and is of a step of its own; how many turns were done."""
    versions = [version for version in lake.versions("t") if version.step != "seed"]
    assert [version.step for version in versions] == [f"turn {turn}" for turn in range(len(versions), 0, -1)]
    for version in versions[:5]:
        turn = int(version.step.removeprefix("turn "))
        assert lake.state("t", version.version) == {"turn": turn}
        assert lake.has("t", version.version)
        found = lake.read("t", version.version).group_by("turn").len().sort("turn").collect()
        assert found.rows() == [(part, ROWS) for part in turns_of(turn)]
    return len(versions)


def test_a_kill_at_any_moment_leaves_whole_versions_that_go_on_where_they_were(tmp_path):
    url = f"file://{tmp_path}"
    lake = open_lake(url)
    lake.write("t", pl.DataFrame({"id": [0], "turn": [0]}), step_key="seed", state={"turn": 0})
    moments = random.Random(7)
    for _ in range(int(os.environ.get("NORIA_KILLS", "5"))):
        one = subprocess.Popen(
            [sys.executable, "-c", WRITER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert one.stdout.readline() == "ready\n"
        one.stdin.write("go\n")
        one.stdin.flush()
        time.sleep(moments.uniform(0, 0.5))
        os.kill(one.pid, signal.SIGKILL)
        said = [int(line) for line in one.communicate()[0].split()]
        done = check(lake)
        assert done >= max(said, default=0)  # what was acknowledged is there
    assert done > 0
