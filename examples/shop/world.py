"""The shop's servers, for a try: PostgreSQL, SFTP, S3 and a REST API on ports of this machine, with data in them.

``python examples/shop/world.py noria run examples/shop`` starts them, runs the command, and takes them away again. It
needs PostgreSQL's and OpenSSH's server programs, and moto for S3.
"""

import contextlib
import glob
import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import polars as pl

HERE = Path(__file__).parent
START = datetime(2026, 1, 1)
SECRETS = {"SHOP_SQL_PASSWORD": "dAm-7731", "SHOP_TOKEN": "tok-9f1c2e", "SHOP_S3_SECRET": "s3-44bd0a"}
COUNTRIES = ["DE", "FR", "AT", "NL", "PL"]


class Data:
    """What the shop knows, the same each time."""

    def __init__(self, days: int = 110, customers: int = 400, products: int = 60, orders: int = 12_000):
        random = np.random.default_rng(7)
        self.customers = pl.DataFrame({
            "customer": np.arange(1, customers + 1), "age": random.integers(18, 80, customers),
            "country": np.array(COUNTRIES)[random.integers(0, 5, customers)], "closed": np.zeros(customers, bool),
        })
        self.products: list[dict[str, object]] = [
            {"product": i, "category": ["shoes", "coats", "books", "lamps"][i % 4], "price": round(5 + 3.7 * i, 2)}
            for i in range(1, products + 1)
        ]
        fussy = random.random(customers) ** 3
        risk = np.array([{0: 0.05, 1: 0.45, 2: 0.02, 3: 0.12}[i % 4] for i in range(1, products + 1)])
        who, what = random.integers(0, customers, orders), random.integers(0, products, orders)
        back = random.random(orders) < 0.6 * risk[what] + 0.5 * fussy[who]
        minutes = np.sort(random.integers(0, days * 1440, orders))
        placed = [START + timedelta(minutes=int(one)) for one in minutes]
        hours = random.integers(24, 200, orders)
        settled = [one + timedelta(hours=int(later)) for one, later in zip(placed, hours, strict=True)]
        self.orders = pl.DataFrame({
            "order": np.arange(1, orders + 1), "customer": who + 1, "product": what + 1,
            "quantity": np.where(random.random(orders) < 0.001, 99, random.integers(1, 5, orders)),
            "placed": placed, "settled": settled, "returned": back,
        })
        looks = random.integers(0, days * 1440, orders * 2)
        self.visits = pl.DataFrame({
            "customer": random.integers(1, customers + 1, orders * 2),
            "at": [START + timedelta(minutes=int(one)) for one in looks],
        }).sort("at")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def program(name: str, *places: str) -> str:
    """Where a server's program is."""
    found = shutil.which(name) or next((path for place in places for path in sorted(glob.glob(place))[::-1]), None)
    if found is None:
        raise SystemExit(f"the shop's world needs {name}: apt-get install postgresql openssh-server")
    return found


def waits_for(port: int, what: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise SystemExit(f"{what} does not answer on port {port}")


@contextlib.contextmanager
def sftp(folder: Path, data: Data) -> Iterator[tuple[int, str]]:
    """An OpenSSH server whose files are the orders, one file a day; its port and its host key."""
    for name in ("host", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    shutil.copy(folder / "key.pub", folder / "authorized")
    (folder / "authorized").chmod(0o600)
    days = folder / "root" / "orders"
    days.mkdir(parents=True)
    by_day = data.orders.with_columns(day=pl.col("placed").dt.date()).partition_by("day", as_dict=True)
    for (day,), rows in by_day.items():
        (days / f"{day}.csv.gz").write_bytes(gzip.compress(rows.drop("day").write_csv().encode()))
    port = free_port()
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nAuthorizedKeysFile {folder / 'authorized'}\n"
        f"PasswordAuthentication no\nPermitRootLogin yes\nStrictModes no\nUsePAM no\nPidFile none\n"
        f"ChrootDirectory none\nSubsystem sftp internal-sftp\n"
    )
    os.makedirs("/run/sshd", exist_ok=True)
    server = subprocess.Popen([program("sshd", "/usr/sbin/sshd"), "-D", "-f", str(config)], stderr=subprocess.DEVNULL)
    try:
        waits_for(port, "sshd")
        yield port, " ".join((folder / "host.pub").read_text().split()[:2])
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def sql(data: Data) -> Iterator[int]:
    """A PostgreSQL cluster of its own with the customers; its port."""
    place, port = Path(tempfile.mkdtemp(prefix="shop-sql-")), free_port()
    bin_ = Path(program("initdb", "/usr/lib/postgresql/*/bin/initdb")).parent
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(place, "postgres")
    made = [*as_user, str(bin_ / "initdb"), "-D", str(place), "-U", "root", "--auth=trust"]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL, cwd="/")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    ctl = [*as_user, str(bin_ / "pg_ctl"), "-D", str(place), "-w"]
    begin = [*ctl, "-o", options, "-l", str(place / "log"), "start"]
    subprocess.run(begin, check=True, stdout=subprocess.DEVNULL, cwd="/")
    try:
        rows = data.customers.with_columns(updated=pl.lit(START)).write_csv(include_header=False)
        create = (
            f"create role shop login password '{SECRETS['SHOP_SQL_PASSWORD']}'; "
            "create table customers (customer bigint primary key, age int, country text, closed boolean, "
            "updated timestamptz not null); grant select on customers to shop;"
        )
        psql = ["psql", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "root"]
        subprocess.run([*psql, "-d", "postgres", "-c", "create database shop"], check=True)
        subprocess.run([*psql, "-d", "shop", "-c", create], check=True)
        copy = "copy customers from stdin with (format csv)"
        subprocess.run([*psql, "-d", "shop", "-c", copy], input=rows.encode(), check=True)
        yield port
    finally:
        subprocess.run([*ctl, "-m", "immediate", "stop"], check=False, stdout=subprocess.DEVNULL, cwd="/")
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def s3(data: Data) -> Iterator[int]:
    """A server of S3 with the visits, one object a month; its port."""
    import io

    import boto3
    from moto.server import ThreadedMotoServer

    port = free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    try:
        client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="eu-central-1",
                              aws_access_key_id="shop", aws_secret_access_key=SECRETS["SHOP_S3_SECRET"])
        client.create_bucket(Bucket="shop-visits", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        months = data.visits.with_columns(month=pl.col("at").dt.month()).partition_by("month", as_dict=True)
        for (month,), rows in months.items():
            file = io.BytesIO()
            rows.drop("month").write_parquet(file)
            client.put_object(Bucket="shop-visits", Key=f"{month:02}.parquet", Body=file.getvalue())
        yield port
    finally:
        server.stop()


@contextlib.contextmanager
def rest(data: Data) -> Iterator[int]:
    """A REST API with the products, 25 a page, for whoever has the token; its port."""

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            if self.headers.get("Authorization") != f"Bearer {SECRETS['SHOP_TOKEN']}":
                return self.answer(401, {"error": "who are you?"})
            after = int(parse_qs(asked.query).get("after", ["0"])[0])
            page = data.products[after : after + 25]
            more = after + 25 < len(data.products)
            self.answer(200, {"items": page, "next": page[-1]["product"] if more else None})

        def answer(self, status: int, body: object) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Api-Version", "2026-01")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()


@contextlib.contextmanager
def world(folder: Path, data: Data) -> Iterator[dict[str, str]]:
    """All of them; the environment that the project asks for."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with sftp(folder, data) as (ssh, key), sql(data) as database, s3(data) as store, rest(data) as api:
        yield {
            "SHOP_SFTP": str(ssh), "SHOP_FOLDER": str(folder / "root"), "SHOP_HOST_KEY": key,
            "SHOP_SQL": str(database), "SHOP_S3": str(store), "SHOP_REST": str(api), **SECRETS,
        }


if __name__ == "__main__":
    with world(HERE / "world", Data()) as environment:
        sys.exit(subprocess.run(sys.argv[1:] or [os.environ.get("SHELL", "sh")],
                                env={**os.environ, **environment}, check=False).returncode)
