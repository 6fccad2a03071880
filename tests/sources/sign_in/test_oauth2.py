"""OAuth 2 against a real authorisation server, Authlib's, which also guards the rows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import noria as nr
from noria.core import DeclarationError, NoriaError, TransientError
from noria.security import secrets
from noria.sources import Ask

flask = pytest.importorskip("flask")
SECRET, REFRESH = "hunter2-client", "hunter2-refresh-0"


class Client:
    """A client that the server knows."""

    client_id = "loader"

    def get_client_id(self) -> str:
        return self.client_id

    def check_client_secret(self, secret: str) -> bool:
        return secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in ("client_secret_basic", "client_secret_post")

    def check_grant_type(self, grant: str) -> bool:
        return grant in ("client_credentials", "refresh_token")

    def get_allowed_scope(self, scope: str) -> str:
        return " ".join(one for one in (scope or "").split() if one == "orders")


class Token:
    """A token that the server gave."""

    def __init__(self, given: dict[str, Any]):
        self.given, self.ends, self.revoked = given, time.monotonic() + given["expires_in"], False

    def check_client(self, client: Client) -> bool:
        return True

    def get_scope(self) -> str:
        return str(self.given.get("scope", ""))

    def get_expires_in(self) -> int:
        return int(self.given["expires_in"])

    def is_expired(self) -> bool:
        return time.monotonic() >= self.ends

    def is_revoked(self) -> bool:
        return self.revoked


class Server:
    """The authorisation server and the rows that it guards, in one process."""

    def __init__(self) -> None:
        from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector, current_token
        from authlib.oauth2.rfc6749 import grants
        from authlib.oauth2.rfc6750 import BearerTokenValidator

        server = self
        self.tokens: dict[str, Token] = {}
        self.refresh: dict[str, str] = {REFRESH: "valid"}
        self.given = self.pages = 0
        self.lifetime, self.revoke_at, self.fails = 3600, -1, 0
        app = flask.Flask("authorisation")

        def save(token: dict[str, Any], request: Any) -> None:
            server.given += 1
            server.tokens[token["access_token"]] = Token(token)
            if "refresh_token" in token:
                server.refresh[token["refresh_token"]] = "valid"

        class Refresh(grants.RefreshTokenGrant):
            TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]
            INCLUDE_NEW_REFRESH_TOKEN = True

            def authenticate_refresh_token(self, refresh_token: str) -> Any:
                return Token({"expires_in": 9, "scope": "orders", "refresh": refresh_token}) if (
                    server.refresh.get(refresh_token) == "valid"
                ) else None  # fmt: skip

            def authenticate_user(self, credential: Any) -> str:
                return "ann"

            def revoke_old_credential(self, credential: Any) -> None:
                server.refresh[credential.given["refresh"]] = "used"

        class Credentials(grants.ClientCredentialsGrant):
            TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]

        class Guard(BearerTokenValidator):
            def authenticate_token(self, text: str) -> Token | None:
                return server.tokens.get(text)

        def lifetime(client: Any, grant: str) -> int:
            return server.lifetime

        app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
        authorisation = AuthorizationServer(
            app, query_client=lambda name: Client() if name == "loader" else None, save_token=save
        )
        from authlib.oauth2.rfc6750 import BearerTokenGenerator

        numbers = iter(range(1, 10**6))
        authorisation.register_token_generator(
            "default",
            BearerTokenGenerator(
                lambda **kw: f"hunter2-access-{next(numbers)}",
                lambda **kw: f"hunter2-refresh-{next(numbers)}",
                expires_generator=lifetime,
            ),
        )
        authorisation.register_grant(Credentials)
        authorisation.register_grant(Refresh)
        protector = ResourceProtector()
        protector.register_token_validator(Guard())

        @app.post("/token")
        def token() -> Any:
            if server.fails > 0:
                server.fails -= 1
                return "busy", 503
            return authorisation.create_token_response()

        @app.get("/orders")
        @protector("orders")
        def orders() -> Any:
            server.pages += 1
            if server.pages == server.revoke_at:
                for one in server.tokens.values():
                    one.revoked = True
            page = int(flask.request.args["page"])
            assert current_token.get_scope() == "orders"
            return flask.jsonify([{"id": 3 * page + n} for n in range(3)] if page < 4 else [])

        from werkzeug.serving import make_server

        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("CLIENT_SECRET", SECRET)
    monkeypatch.setattr(secrets, "_answers", {})
    monkeypatch.setattr("noria.sources.retry.FIRST_WAIT", 0.02)
    one = Server()
    yield one
    one.server.shutdown()


def ids(server: Server, base: Path, sign_in: Any) -> list[int]:
    origin = nr.rest(server.url, "/orders", paginate=nr.pages(start=0), sign_in=sign_in)
    asked = Ask(nr.Source("orders", origin, timeout="5s"), base)
    return [number for batch in origin.batches(asked) for number in batch.frame["id"]]


def credentials(server: Server, **given: Any) -> Any:
    return nr.oauth2(f"{server.url}/token", "loader", nr.secret("CLIENT_SECRET"), **{"scope": "orders", **given})


@pytest.mark.parametrize("shown", ["basic", "post"])
def test_client_credentials(server, tmp_path, shown):
    assert ids(server, tmp_path, credentials(server, shown=shown)) == list(range(12))
    assert server.given == 1, "one token for all pages"


def test_a_token_that_ends_in_the_middle_of_paging_is_replaced_before_its_end(server, tmp_path, monkeypatch):
    server.lifetime = 100
    real = time.monotonic
    monkeypatch.setattr("noria.sources.sign_in.oauth2_flow.time.monotonic", lambda: real() + 40 * server.pages)
    assert ids(server, tmp_path, credentials(server)) == list(range(12))
    assert server.given == 2


def test_a_token_that_is_taken_back_in_the_middle_is_replaced(server, tmp_path):
    server.revoke_at = 2
    assert ids(server, tmp_path, credentials(server)) == list(range(12))
    assert server.given == 2


def test_a_busy_authorisation_server_is_asked_again(server, tmp_path):
    server.fails = 2
    assert ids(server, tmp_path, credentials(server)) == list(range(12))
    server.fails = 99
    with pytest.raises(TransientError, match="authorisation server fails with 503"):
        ids(server, tmp_path, credentials(server))


def test_a_wrong_secret_is_one_error_without_it(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CLIENT_SECRET", "hunter2-wrong")
    with pytest.raises(DeclarationError, match="gives no token") as caught:
        ids(server, tmp_path, credentials(server))
    assert "invalid_client" in str(caught.value)
    assert f"{server.url}/token" in str(caught.value)
    assert "hunter2" not in f"{caught.value!r} {caught.value}"


def test_a_scope_that_the_client_does_not_have(server, tmp_path):
    with pytest.raises(NoriaError) as caught:
        ids(server, tmp_path, credentials(server, scope="admin"))
    assert "hunter2" not in str(caught.value)


def test_an_address_where_no_authorisation_server_is(server, tmp_path):
    with pytest.raises(NoriaError) as caught:
        ids(server, tmp_path, credentials(server).replace(token_url=f"{server.url}/nothing"))
    assert "/nothing" in str(caught.value)


def test_no_token_is_asked_for_in_the_clear(server, tmp_path):
    with pytest.raises(DeclarationError, match="in the clear"):
        ids(server, tmp_path, credentials(server).replace(token_url="http://id.example/token"))


def refreshing(server: Server, reference: str) -> Any:
    return credentials(server, refresh_token=nr.secret(reference))


def test_a_refresh_token_that_is_replaced_with_each_use_is_written_back(server, tmp_path):
    file = tmp_path / "refresh"
    file.write_text(REFRESH)
    file.chmod(0o600)
    for _ in range(2):
        before = file.read_text()
        assert ids(server, tmp_path, refreshing(server, "file:refresh")) == list(range(12))
        assert server.refresh[before] == "used"
        assert server.refresh[file.read_text()] == "valid"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["refresh"]


def test_two_that_read_at_once_use_no_refresh_token_twice(server, tmp_path):
    file = tmp_path / "refresh"
    file.write_text(REFRESH)
    file.chmod(0o600)
    got: list[Any] = []

    def load() -> None:
        try:
            got.append(ids(server, tmp_path, refreshing(server, "file:refresh")))
        except NoriaError as error:
            got.append(error)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [list(range(12))] * 4


def test_a_refresh_token_that_cannot_be_written_back_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.setenv("REFRESH", REFRESH)
    with pytest.raises(DeclarationError, match="the new one cannot be kept there") as caught:
        ids(server, tmp_path, refreshing(server, "REFRESH"))
    assert "hunter2" not in str(caught.value)
    with pytest.raises(DeclarationError, match="is the refresh token still valid"):
        ids(server, tmp_path, refreshing(server, "REFRESH"))
