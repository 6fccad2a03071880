"""The example of five kinds of sources, each on its real server: run, run again, and run with what is new."""

import gzip
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SHOP = Path(__file__).parents[2] / "examples" / "shop"
NORIA = str(Path(sys.executable).with_name("noria"))
NEEDED = ("sshd", "ssh-keygen", "psql", "initdb")


def world_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("shop_world", SHOP / "world.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def missing() -> list[str]:
    def lies_in(place: str, name: str) -> bool:
        return any(Path("/").glob(f"{place}/{name}"))

    places = ("usr/sbin", "usr/lib/postgresql/*/bin")
    return [name for name in NEEDED if not shutil.which(name) and not any(lies_in(place, name) for place in places)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The shop's servers and a copy of its project; a function runs a command of Noria there."""
    if gone := missing():
        assert not os.environ.get("CI"), f"CI has no {', '.join(gone)}"
        pytest.skip(f"no {', '.join(gone)} here")
    module = world_module()
    folder = tmp_path_factory.mktemp("shop")
    for name in ("project.py", "tariffs.xlsx"):
        shutil.copy(SHOP / name, folder / name)
    with module.world(folder / "world", module.Data(orders=5_000, customers=150)) as environment:

        def noria(*words: str, code: int = 0) -> str:
            done = subprocess.run(
                [NORIA, *words, str(folder)],
                env={**os.environ, **environment}, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == code, done.stdout + done.stderr
            return done.stdout + done.stderr

        noria.folder, noria.environment = folder, environment
        yield noria


def finished(shop, name):
    """What a step left last, and all that the ledger was told."""
    log = [json.loads(line) for line in shop("log", "--json").splitlines()]
    steps = [event for event in log if event["kind"] == "step.finished" and event["subject"] == name]
    return steps[-1]["body"]["outcome"], log


def test_five_kinds_of_sources_become_one_model(shop):
    said = shop("run")
    for line in (
        "orders: 5,000 read",
        "visits: 10,000 read",
        "customers: 150 read",
        "products: 60 read",
        "tariffs: 5 read",
    ):
        assert line in said
    assert "gates        " in said
    again = shop("run")
    assert "training-set started" not in again
    assert "products started: looks for what is new" in again


def test_what_is_new_everywhere_comes_once_and_late_rows_are_told(shop):
    folder, environment = shop.folder, shop.environment
    before, _ = finished(shop, "ingest:orders")
    row = "90001,1,5,2,2026-04-20 10:00:00,2026-04-22 10:00:00,true"
    row = f"order,customer,product,quantity,placed,settled,returned\n{row}\n"
    (folder / "world" / "root" / "orders" / "2026-04-20b.csv.gz").write_bytes(gzip.compress(row.encode()))
    update = "update customers set age = 33, updated = now() where customer = 7; "
    update += "update customers set closed = true, updated = now() where customer = 8"
    psql = ["psql", "-q", "-h", "127.0.0.1", "-p", environment["SHOP_SQL"], "-U", "root", "-d", "shop", "-c", update]
    subprocess.run(psql, check=True)
    late_visit(environment)
    said = shop("run")
    assert "training-set started" in said
    orders, events = finished(shop, "ingest:orders")
    assert orders["facts"]["read"] == before["facts"]["read"] + 1
    assert [
        event["body"]["rows"] for event in events if event["kind"] == "data.late" and "orders" in event["subject"]
    ] == [1]
    customers, _ = finished(shop, "ingest:customers")
    assert (customers["facts"]["kept"], customers["facts"]["load"]["deleted"]) == (149, 1)
    (repaired,) = [event for event in events if event["kind"] == "data.repaired"]
    assert repaired["body"]["added"] == 1
    assert "looks_count_7d" in repaired["body"]["features"]


def late_visit(environment):
    """Two visits of January come in November."""
    import io
    from datetime import datetime

    import boto3
    import polars as pl

    file = io.BytesIO()
    pl.DataFrame({"customer": [1, 2], "at": [datetime(2026, 1, 20), datetime(2026, 1, 21)]}).write_parquet(file)
    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{environment['SHOP_S3']}", region_name="eu-central-1",
                          aws_access_key_id="shop", aws_secret_access_key=environment["SHOP_S3_SECRET"])  # fmt: skip
    client.put_object(Bucket="shop-visits", Key="late.parquet", Body=file.getvalue())


def test_no_secret_is_left_anywhere(shop):
    values = [
        value.encode()
        for name, value in shop.environment.items()
        if name in ("SHOP_SQL_PASSWORD", "SHOP_TOKEN", "SHOP_S3_SECRET")
    ]
    files = [file for file in (shop.folder / ".noria").rglob("*") if file.is_file()]
    assert len(files) > 50
    assert not [file for file in files for value in values if value in file.read_bytes()]


def test_a_wrong_token_ends_in_one_error_without_it(shop):
    shop.environment["SHOP_TOKEN"] = "wrong"
    said = shop("run", code=2)
    assert "401" in said
    assert "wrong" not in said
