"""Client certificates against a real TLS server that asks for one."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import noria as nr
from noria.core import DeclarationError, NoriaError, TransientError
from noria.sources import Ask

PASSWORD = "hunter2-password"


class Authority:
    """Signs certificates."""

    def __init__(self, name: str):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.certificate = self._signed(self.name, self.key.public_key(), authority=True)

    def issue(self, folder: Path, name: str, password: str = "") -> tuple[Path, Path]:
        """The files of a certificate and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        certificate = self._signed(subject, key.public_key(), authority=False)
        lock: Any = serialization.NoEncryption()
        if password:
            lock = serialization.BestAvailableEncryption(password.encode())
        files = folder / f"{name}.pem", folder / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock))
        files[1].chmod(0o600)
        return files

    def file(self, folder: Path) -> Path:
        path = folder / "authority.pem"
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def _signed(self, subject: x509.Name, key: Any, *, authority: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .add_extension(
                x509.KeyUsage(True, False, False, False, False, authority, authority, False, False), critical=True
            )
        )
        if not authority:
            names = [x509.IPAddress(ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())


class Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        (_, who), *_ = [pair for part in self.connection.getpeercert()["subject"] for pair in part]
        content = json.dumps([{"id": 1, "who": who, "token": self.headers.get("Authorization")}]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("ours")


@pytest.fixture(scope="module")
def url(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(folder, "server"))
    context.load_verify_locations(authority.file(folder))
    context.verify_mode = ssl.CERT_REQUIRED
    server = Quiet(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def files(authority: Authority, tmp_path: Path) -> None:
    authority.file(tmp_path)
    authority.issue(tmp_path, "ann")


def rows(url: str, base: Path, sign_in: Any) -> list[dict[str, Any]]:
    origin = nr.rest(url, "/who", sign_in=sign_in)
    asked = Ask(nr.Source("who", origin, timeout="5s", tries=1), base)
    return [row for batch in origin.batches(asked) for row in batch.frame.to_dicts()]


def test_a_server_knows_who_asks_by_the_certificate(url, files, tmp_path):
    sign_in = nr.mutual_tls("ann.pem", nr.secret("file:ann.key"), authority="authority.pem")
    assert rows(url, tmp_path, sign_in) == [{"id": 1, "who": "ann", "token": None}]


def test_a_token_may_stand_beside_it(url, files, tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN", "hunter2-token")
    sign_in = nr.mutual_tls(
        "ann.pem", nr.secret("file:ann.key"), authority="authority.pem", beside=nr.bearer(nr.secret("TOKEN"))
    )
    assert rows(url, tmp_path, sign_in)[0]["token"] == "Bearer hunter2-token"


def test_a_key_with_a_password(url, files, authority, tmp_path, monkeypatch):
    authority.issue(tmp_path, "bob", PASSWORD)
    monkeypatch.setenv("PASSWORD", PASSWORD)
    sign_in = nr.mutual_tls("bob.pem", nr.secret("file:bob.key"), authority="authority.pem")
    assert rows(url, tmp_path, sign_in.replace(password=nr.secret("PASSWORD")))[0]["who"] == "bob"
    monkeypatch.setenv("PASSWORD", "hunter2-wrong")
    for wrong in (sign_in, sign_in.replace(password=nr.secret("PASSWORD"))):
        with pytest.raises(DeclarationError, match="client certificate cannot be used") as caught:
            rows(url, tmp_path, wrong)
        assert "hunter2" not in str(caught.value)


def test_what_is_no_certificate_or_not_of_this_key(url, files, authority, tmp_path):
    authority.issue(tmp_path, "bob")
    (tmp_path / "empty.pem").write_text("")
    key = nr.secret("file:ann.key")
    for certificate in ("bob.pem", "empty.pem", "nothing.pem"):
        with pytest.raises(DeclarationError, match="client certificate cannot be used"):
            rows(url, tmp_path, nr.mutual_tls(certificate, key, authority="authority.pem"))


def test_a_server_of_another_authority_is_not_trusted_and_not_asked_again(url, files, tmp_path):
    with pytest.raises(DeclarationError, match="certificate is not trusted"):
        rows(url, tmp_path, nr.mutual_tls("ann.pem", nr.secret("file:ann.key")))
    with pytest.raises(DeclarationError, match="certificate is not trusted"):
        rows(url, tmp_path, None)


def test_a_certificate_of_another_authority_is_refused_by_the_server(url, authority, tmp_path):
    Authority("theirs").issue(tmp_path, "eve")
    authority.file(tmp_path)
    with pytest.raises((TransientError, NoriaError)):
        rows(url, tmp_path, nr.mutual_tls("eve.pem", nr.secret("file:eve.key"), authority="authority.pem"))
