"""Who is refused, on every route and every method."""

import asyncio

import pytest

from noria.core import DataError, GateError
from noria.security import ApiKeys
from noria.serving import Routes
from noria.serving.application import LARGEST_BODY
from noria.serving.server import Service, run

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW")
NOWHERE = ("/nowhere", "/admin", "/v2/repository/index", "/v2/models/other", "//", "/v1/late/", "/metrics/..")


def paths(ask, version):
    return [path.replace("{version}", version) for path in ask.application.table] + list(NOWHERE)


def test_without_a_key_every_route_and_method_is_a_401(asked_with, version, workspace):
    keys = ApiKeys(workspace.keys / "api-keys.json")
    key = keys.create("tester")
    ask = asked_with(Routes({version: 1.0}), workspace.keys / "api-keys.json")
    for path in paths(ask, version):
        for method in METHODS:
            for wrong in (
                None,
                "Bearer",
                "Bearer nothing",
                f"Basic {key}",
                f"Bearer {key}x",
                "Bearer " + "x" * 9999,
                "Bearer é",
            ):
                assert ask(method, path, authorization=wrong, raw=True)[0] == 401, (method, path, wrong)
            assert ask(method, path, authorization=f"Bearer {key}", raw=True)[0] not in (401, 403, 421)
    assert "www-authenticate" not in ask.headers


def test_another_host_is_a_421_on_every_route_and_method(ask, version):
    for path in paths(ask, version):
        for method in METHODS:
            for host in (
                None,
                "",
                "evil.example",
                "localhost.evil.example",
                "localhost:80:80",
                "localhost@evil.example",
            ):
                assert ask(method, path, host=host, raw=True)[0] == 421, (method, path, host)
            assert ask(method, path, host="LOCALHOST:8080", raw=True)[0] != 421


def test_what_a_page_of_another_site_sends_is_a_403_on_every_route_and_method(ask, version):
    for path in paths(ask, version):
        for method in METHODS:
            for sent in ({"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "http://[bad"},
                         {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}):  # fmt: skip
                assert ask(method, path, raw=True, **sent)[0] == 403, (method, path, sent)
    assert ask("GET", "/v2", origin="http://localhost:8080", sec_fetch_site="same-origin")[0] == 200


def test_an_unknown_method_is_a_405_and_an_unknown_path_a_404(ask, version):
    for path, methods in ask.application.table.items():
        for method in METHODS:
            status, _ = ask(method, path.replace("{version}", version), raw=True)
            assert (status == 405) == (method not in methods), (method, path)
    for path in NOWHERE:
        assert ask("GET", path)[0] == 404


def test_no_route_takes_anything_but_questions(ask):
    assert {method for methods in ask.application.table.values() for method in methods} == {"GET", "POST"}
    posts = [path for path, methods in ask.application.table.items() if "POST" in methods]
    assert all(path.endswith("/infer") or path == "/v1/late" for path in posts)


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json"]
)
def test_a_form_of_a_web_page_is_no_request(ask, kind):
    assert ask("POST", "/v1/late", b'{"rows": [{"a": 1}]}', content_type=kind)[0] == 415


def test_a_body_is_bounded_said_or_not(ask):
    assert ask("POST", "/v1/late", content_length=str(LARGEST_BODY + 1))[0] == 413
    assert (
        ask("POST", "/v1/late", b" " * (LARGEST_BODY + 1), content_length=None, transfer_encoding="chunked")[0] == 413
    )
    assert ask("POST", "/v1/late", b" " * (LARGEST_BODY + 1), content_length="1", transfer_encoding="chunked")[0] == 413
    assert ask("POST", "/v1/late", b'{"rows": [{"a": 1}]}', content_length=None)[0] == 200
    assert ask("POST", "/v1/late", content_length="many")[0] == 400
    assert ask("POST", "/v1/late", content_encoding="gzip")[0] == 415


def test_a_revoked_key_is_refused_and_the_last_one_leaves_the_server_closed(asked_with, version, workspace):
    path = workspace.keys / "api-keys.json"
    keys = ApiKeys(path)
    first, second = keys.create("one"), keys.create("two")
    ask = asked_with(Routes({version: 1.0}), path)
    guard = ask.application._guard
    assert ask("GET", "/v2", authorization=f"Bearer {first}")[0] == 200
    keys.revoke("one")
    guard.reload()
    assert ask("GET", "/v2", authorization=f"Bearer {first}")[0] == 401
    assert ask("GET", "/v2", authorization=f"Bearer {second}")[0] == 200
    path.unlink()
    guard.reload()
    assert ask("GET", "/v2", authorization=f"Bearer {second}")[0] == 401
    assert ask("GET", "/v2")[0] == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org"])
def test_a_server_that_others_can_reach_does_not_start_without_keys(workspace, version, host):
    for keys in (None, workspace.keys / "api-keys.json"):
        service = Service("late", ("localhost",), workspace, host, 0, keys)
        with pytest.raises(GateError, match="needs API keys"):
            asyncio.run(run(service, None, print))


def test_an_endpoint_without_a_promoted_version_is_refused(workspace):
    with pytest.raises(GateError, match="no version is promoted"):
        asyncio.run(run(Service("late", ("localhost",), workspace), None, print))


def test_routes_refuse_what_makes_no_sense():
    for weights in ({}, {"a": 0.0}, {"a": -1.0}, {"a": float("nan")}, {"../a": 1.0}, {"a*": 1.0}):
        with pytest.raises(DataError):
            Routes(weights)
