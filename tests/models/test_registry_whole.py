"""A registry is there whole or not at all, whenever its making is ended."""

import os
import signal
import sqlite3
import subprocess
import sys
import time

from noria.models.mlflow import _client, _make_whole

MAKE = "import sys; from noria.models.mlflow import _make_whole; _make_whole(sys.argv[1])"


def usable(url):
    client = _client(url)
    client.create_experiment("flights")
    return [one.name for one in client.search_experiments()]


def test_it_is_made_aside_and_put_in_its_place(tmp_path):
    url = f"sqlite:///{tmp_path}/mlflow.db"
    _make_whole(url)
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]
    assert "flights" in usable(url)
    before = (tmp_path / "mlflow.db").read_bytes()
    _make_whole(url)
    assert (tmp_path / "mlflow.db").read_bytes() == before


def test_a_kill_while_it_is_made_does_no_harm(tmp_path):
    url = f"sqlite:///{tmp_path}/mlflow.db"
    for tables in (1, 10, 25):
        process = subprocess.Popen([sys.executable, "-c", MAKE, url], stderr=subprocess.DEVNULL)
        aside = tmp_path / f".mlflow.db.{process.pid}"
        while process.poll() is None and tables_of(aside) < tables:
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not (tmp_path / "mlflow.db").exists()
    _make_whole(url)
    assert "flights" in usable(url)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlflow.db"]


def tables_of(path):
    """How many tables are there already; 0 where it cannot be told."""
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            return database.execute("SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0]
    except sqlite3.Error:
        return 0
