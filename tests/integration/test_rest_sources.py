"""REST sources against a real server that misbehaves on purpose: busy, slow, cut off, packed, stopped, and worse."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

import noria as nr
from noria.core import DataError, DeclarationError, NoriaError, TransientError
from noria.sources import Ask, Batch, read

ROWS = [{"id": number, "at": f"2026-01-01T00:00:{number:02d}Z", "tags": [number]} for number in range(25)]
Answers = Callable[["Asked"], Any]


class Asked:
    """A request as the server sees it."""

    def __init__(self, handler: BaseHTTPRequestHandler):
        parts = urlsplit(handler.path)
        self.handler, self.path, self.method = handler, parts.path, handler.command
        self.params = dict(parse_qsl(parts.query))
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.body = handler.rfile.read(int(self.headers.get("content-length", 0)))

    def number(self, name: str, default: int = 0) -> int:
        return int(self.params.get(name, default))


class Server:
    """A server whose answers are given: a JSON value, or (status, headers, bytes), or None where it answered itself."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, Answers] = {}
        self.port = 0
        self.start()

    def start(self) -> None:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                asked = Asked(self)
                server.asked.append(asked)
                given = server.answers.get(asked.path, lambda asked: (404, {}, b"{}"))(asked)
                if given is None:
                    self.close_connection = True
                    return
                status, headers, content = given if isinstance(given, tuple) else (200, {}, json.dumps(given).encode())
                self.send_response(status)
                for name, value in {
                    "Content-Type": "application/json",
                    "Content-Length": str(len(content)),
                    **headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self.server = Quiet(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.stop()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("noria.sources.retry.FIRST_WAIT", 0.02)
    monkeypatch.setattr("noria.sources.retry.LONGEST_WAIT", 0.2)


def source(server: Server, path: str = "/orders", *, fields: dict[str, Any] | None = None, **given: Any) -> nr.Source:
    fields = {"timeout": "2s", **(fields or {})}
    return nr.Source("orders", nr.rest(server.url, path, **{"rows": "$.items[*]", **given}), **fields)


def batches(one: nr.Source, base: Path, since: Any = None, say: Any = lambda text: None) -> list[Batch]:
    return list(one.origin.batches(Ask(one, base, say=say), since))


def ids(given: list[Batch]) -> list[int]:
    return [number for batch in given for number in batch.frame["id"].to_list()]


def by_offset(asked: Asked) -> Any:
    start, limit = asked.number("offset"), asked.number("limit", 10)
    return {"items": ROWS[start : start + limit], "total": len(ROWS)}


ALL = [row["id"] for row in ROWS]


# Paging


def test_pages_by_offset_in_bounded_batches(server, tmp_path):
    server.answers["/orders"] = by_offset
    given = batches(source(server, paginate=nr.offset(limit=10)), tmp_path)
    assert [len(batch.frame) for batch in given] == [10, 10, 5]
    assert ids(given) == ALL
    assert [batch.place for batch in given] == [f"{server.url}/orders, page {page}" for page in (1, 2, 3)]
    assert len(server.asked) == 4, "an empty page tells the end"
    server.asked.clear()
    assert ids(batches(source(server, paginate=nr.offset(limit=10, total="total")), tmp_path)) == ALL
    assert len(server.asked) == 3


def test_a_server_that_gives_fewer_rows_than_asked_for_loses_none(server, tmp_path):
    server.answers["/orders"] = lambda asked: {"items": ROWS[asked.number("offset") :][: min(7, asked.number("limit"))]}
    assert ids(batches(source(server, paginate=nr.offset(limit=1000)), tmp_path)) == ALL


def test_pages_that_end_too_early_are_no_success(server, tmp_path):
    server.answers["/orders"] = lambda asked: {"items": ROWS[:20][asked.number("offset") :][:10], "total": 25}
    with pytest.raises(DataError, match="pages end before all rows are there"):
        batches(source(server, paginate=nr.offset(limit=10, total="total")), tmp_path)


def test_pages_by_number(server, tmp_path):
    server.answers["/orders"] = lambda asked: {"items": ROWS[(asked.number("page") - 1) * 10 :][: asked.number("n")]}
    assert ids(batches(source(server, paginate=nr.pages(size=10, size_param="n")), tmp_path)) == ALL


def test_pages_by_a_mark(server, tmp_path):
    def answer(asked):
        start = int(asked.params.get("after", "m0")[1:])
        return {"items": ROWS[start : start + 10], "meta": {"next": f"m{start + 10}" if start + 10 < 25 else None}}

    server.answers["/orders"] = answer
    given = batches(
        source(server, params={"status": "paid", "all": True}, paginate=nr.cursor("meta.next", param="after")), tmp_path
    )
    assert ids(given) == ALL
    assert [asked.params for asked in server.asked] == [
        {"status": "paid", "all": "true"},
        {"status": "paid", "all": "true", "after": "m10"},
        {"status": "paid", "all": "true", "after": "m20"},
    ]


@pytest.mark.parametrize("relative", [True, False])
def test_pages_by_a_link(server, tmp_path, relative):
    def answer(asked):
        start = asked.number("start")
        link = f"{'' if relative else server.url}/orders?start={start + 10}&status=paid"
        more = {"Link": f'<{link}>; rel="next", <{link}>; rel="last"'} if start + 10 < 25 else {}
        return 200, more, json.dumps({"items": ROWS[start : start + 10], "next": link if more else ""}).encode()

    server.answers["/orders"] = answer
    for paginate in (nr.link_header(), nr.next_link("next")):
        server.asked.clear()
        assert ids(batches(source(server, params={"status": "paid"}, paginate=paginate), tmp_path)) == ALL
        assert [asked.params.get("status") for asked in server.asked] == ["paid"] * 3


def test_a_question_that_is_posted(server, tmp_path):
    def answer(asked):
        body = json.loads(asked.body)
        return {"items": ROWS[body["offset"] :][: body["limit"]] if body["where"] == "paid" else []}

    server.answers["/search"] = answer
    one = source(server, "/search", method="POST", body={"where": "paid"}, paginate=nr.offset(limit=10))
    assert ids(batches(one, tmp_path)) == ALL


def test_pages_in_a_circle_or_the_same_again_are_told(server, tmp_path):
    server.answers["/orders"] = lambda asked: {"items": ROWS[:10], "next": "b" if asked.params.get("m") == "a" else "a"}
    with pytest.raises(DataError, match=r"same page again|go in a circle"):
        batches(source(server, paginate=nr.cursor("next", param="m")), tmp_path)
    server.answers["/orders"] = lambda asked: {"items": ROWS[:10]}
    with pytest.raises(DataError, match="the server gives the same page again"):
        batches(source(server, paginate=nr.pages()), tmp_path)
    numbers = iter(range(10**9))
    server.answers["/orders"] = lambda asked: {"items": [{"id": next(numbers)}]}
    with pytest.raises(DataError, match="more than 7 pages"):
        batches(source(server, paginate=nr.pages(), most_pages=7), tmp_path)


def test_the_server_is_asked_no_faster_than_declared(server, tmp_path):
    server.answers["/orders"] = by_offset
    began = time.monotonic()
    batches(source(server, paginate=nr.offset(limit=10), rate="10/s"), tmp_path)
    assert time.monotonic() - began >= 0.3


# Faults that pass


def failing(times: int, fault: Answers, then: Answers = by_offset) -> Answers:
    left = [times]

    def answer(asked: Asked) -> Any:
        left[0] -= 1
        return fault(asked) if left[0] >= 0 else then(asked)

    return answer


def cut(asked: Asked) -> None:
    """The answer is cut off in its middle."""
    asked.handler.wfile.write(
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"items": ['
    )
    asked.handler.wfile.flush()


def reset(asked: Asked) -> None:
    """The connection is reset before an answer."""
    asked.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    asked.handler.connection.close()


def slow(asked: Asked) -> Any:
    time.sleep(0.6)
    return by_offset(asked)


def packed_and_cut(asked: Asked) -> Any:
    return 200, {"Content-Encoding": "gzip"}, gzip.compress(json.dumps(by_offset(asked)).encode())[:-20]


@pytest.mark.parametrize(
    "fault",
    [
        lambda asked: (500, {}, b"oops"),
        lambda asked: (502, {"Content-Type": "text/html"}, b"<html>"),
        lambda asked: (429, {"Retry-After": "0"}, b""),
        lambda asked: (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0"}, b""),
        cut,
        reset,
        slow,
        packed_and_cut,
    ],
    ids=["500", "502", "429", "quota", "cut", "reset", "slow", "packed and cut"],
)
def test_what_passes_is_tried_again_and_every_row_is_there_once(server, tmp_path, fault):
    said: list[str] = []
    server.answers["/orders"] = failing(2, fault)
    one = source(server, paginate=nr.offset(limit=10), fields={"timeout": "300ms"})
    assert ids(batches(one, tmp_path, say=said.append)) == ALL
    assert len(said) == 2
    assert "trying again" in said[0]


@pytest.mark.parametrize("fault", [lambda asked: (503, {}, b""), cut, reset, slow], ids=["503", "cut", "reset", "slow"])
def test_what_does_not_pass_ends_and_says_what_was_waited_for(server, tmp_path, fault):
    server.answers["/orders"] = fault
    with pytest.raises(TransientError, match=r"\(3 tries in \d s\)"):
        batches(source(server, fields={"timeout": "200ms", "tries": 3}), tmp_path)
    assert len(server.asked) == 3


def test_the_time_that_a_server_asks_for_is_given(server, tmp_path):
    moments: list[float] = []

    def answer(asked):
        moments.append(time.monotonic())
        return {"items": ROWS}

    server.answers["/orders"] = failing(
        1,
        lambda asked: (429, {"Retry-After": "1"}, b""),
        lambda asked: moments.append(time.monotonic()) or {"items": ROWS},
    )
    began = time.monotonic()
    batches(source(server), tmp_path)
    assert 1.0 <= moments[0] - began < 1.9


def test_a_server_that_is_stopped_and_started_while_it_is_read(server, tmp_path):
    server.answers["/orders"] = by_offset
    one = source(server, paginate=nr.offset(limit=5), fields={"tries": 20})
    reading = iter(one.origin.batches(Ask(one, tmp_path)))
    got = [next(reading)]
    server.stop()
    again = threading.Timer(0.4, server.start)
    again.start()
    got += list(reading)
    again.join()
    assert ids(got) == ALL


def test_a_server_that_is_down_says_so(tmp_path, server):
    server.stop()
    with pytest.raises(TransientError, match="cannot be reached") as caught:
        batches(source(server, fields={"tries": 2}), tmp_path)
    assert str(server.port) in str(caught.value)
    server.start()


# Answers that are of no use


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((200, {"Content-Type": "text/html"}, b"<html>sign in"), "the answer is no JSON"),
        ((200, {}, b'{"items": ['), "no JSON"),
        ((200, {}, b'{"items": [{"id": NaN}]}'), "no JSON"),
        ((200, {}, b'{"items": [{"id": 1e999}]}'), "no JSON"),
        ((200, {}, b'{"items": ["\xff"]}'), "no JSON"),
        ((200, {}, b"[" * 1_000_000), "nests too deep"),
        ((200, {}, b'{"items": [1, 2]}'), "a row is no JSON object"),
        ((200, {}, b'{"error": "x", "code": 7}'), "no rows where they should be"),
        ((200, {}, b'{"items": "none"}'), "a row is no JSON object"),
        ((200, {"Content-Encoding": "br"}, b"{}"), "packed in a way that was not asked for"),
        ((400, {}, b'{"error": "no parameter foo"}'), "no parameter foo"),
        ((404, {}, b"{}"), "404"),
        ((401, {}, b"{}"), "does not know who asks"),
        ((403, {}, b"{}"), "does not let this be read"),
    ],
)
def test_what_is_of_no_use_is_one_error_and_asked_once(server, tmp_path, answer, message):
    server.answers["/orders"] = lambda asked: answer
    with pytest.raises(NoriaError, match=message) as caught:
        batches(source(server), tmp_path)
    assert not isinstance(caught.value, TransientError)
    assert f"{server.url}/orders" in str(caught.value)
    assert len(server.asked) == 1


def test_a_bomb_costs_its_limit(server, tmp_path):
    bomb = gzip.compress(b"[" + b" " * (50 << 20) + b"]")
    server.answers["/orders"] = lambda asked: (200, {"Content-Encoding": "gzip"}, bomb)
    with pytest.raises(DataError, match="larger than allowed"):
        batches(source(server, most_bytes=1 << 20), tmp_path)
    twice = gzip.compress(gzip.compress(b" " * (10 << 20)))
    server.answers["/orders"] = lambda asked: (200, {"Content-Encoding": "gzip, gzip"}, twice)
    with pytest.raises(DataError, match="not asked for"):
        batches(source(server, most_bytes=1 << 20), tmp_path)


def test_an_answer_that_never_ends_is_left(server, tmp_path, monkeypatch):
    monkeypatch.setattr("noria.sources.rest_client.MOST_TIMEOUTS", 2)

    def drip(asked):
        asked.handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n")
        for _ in range(100):
            asked.handler.wfile.write(b" ")
            asked.handler.wfile.flush()
            time.sleep(0.05)

    server.answers["/orders"] = drip
    with pytest.raises(TransientError, match="is not complete after 0 s"):
        batches(source(server, fields={"timeout": "200ms", "tries": 1}), tmp_path)


def test_no_rows_and_no_content(server, tmp_path):
    for answer in ({"items": []}, {"items": None}, (204, {}, b"")):
        server.answers["/orders"] = lambda asked, answer=answer: answer
        assert batches(source(server), tmp_path) == []


def test_columns_may_come_and_go_and_change_their_type(server, tmp_path):
    given = [[{"id": 1, "a": 1}], [{"id": 2, "a": 1.5, "b": {"z": 1, "y": None}}], [{"id": 2**70, "a": "x"}], []]
    server.answers["/orders"] = lambda asked: {"items": given[asked.number("page") - 1]}
    got = batches(source(server, paginate=nr.pages()), tmp_path)
    assert [batch.frame.to_dicts() for batch in got] == [
        [{"id": 1, "a": 1}],
        [{"id": 2, "a": 1.5, "b": '{"y":null,"z":1}'}],
        [{"id": str(2**70), "a": "x"}],
    ]


# Where it leads


@pytest.fixture
def other() -> Iterator[Server]:
    one = Server()
    yield one
    one.stop()


def elsewhere(other: Server) -> str:
    return f"http://localhost:{other.port}/orders"


def test_a_link_to_another_host_is_refused_unless_it_is_declared(server, other, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_TOKEN", "hunter2-token")
    server.answers["/orders"] = lambda asked: {"items": ROWS[:10], "next": elsewhere(other)}
    other.answers["/orders"] = lambda asked: {"items": ROWS[10:]}
    given = {"paginate": nr.next_link("next"), "sign_in": nr.bearer(nr.secret("SHOP_TOKEN"))}
    with pytest.raises(DataError, match="leads to another host") as caught:
        batches(source(server, **given), tmp_path)
    assert "localhost" in str(caught.value)
    assert not other.asked
    assert ids(batches(source(server, **given, hosts=["localhost"]), tmp_path)) == ALL
    assert server.asked[-1].headers["authorization"] == "Bearer hunter2-token"
    assert "authorization" not in other.asked[0].headers


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_within_the_server_alone(server, other, tmp_path, monkeypatch, status):
    monkeypatch.setenv("SHOP_KEY", "hunter2-key")
    sign_in = nr.api_key(nr.secret("SHOP_KEY"), param="key")
    server.answers["/old"] = lambda asked: (status, {"Location": "/orders"}, b"")
    server.answers["/orders"] = lambda asked: {"items": ROWS}
    assert ids(batches(source(server, "/old", sign_in=sign_in), tmp_path)) == ALL
    assert server.asked[-1].params == {"key": "hunter2-key"}
    server.answers["/old"] = lambda asked: (status, {"Location": elsewhere(other)}, b"")
    with pytest.raises(DataError, match="redirects to another host"):
        batches(source(server, "/old", sign_in=sign_in), tmp_path)
    assert not other.asked
    other.answers["/orders"] = lambda asked: {"items": ROWS}
    assert ids(batches(source(server, "/old", sign_in=sign_in, hosts=["localhost"]), tmp_path)) == ALL
    assert other.asked[0].params == {}


@pytest.mark.parametrize("location", ["file:///etc/passwd", "//evil.example", "http://[", "ftp://127.0.0.1/", "//u@h"])
def test_a_redirect_to_something_else_is_refused(server, tmp_path, location):
    server.answers["/orders"] = lambda asked: (302, {"Location": location}, b"")
    with pytest.raises(NoriaError):
        batches(source(server), tmp_path)


def test_redirects_in_a_circle_end(server, tmp_path):
    server.answers["/orders"] = lambda asked: (302, {"Location": "/orders"}, b"")
    with pytest.raises(DataError, match="redirects in a circle"):
        batches(source(server), tmp_path)


def test_no_secret_travels_in_the_clear(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_KEY", "hunter2-key")
    for given in (
        {"sign_in": nr.api_key(nr.secret("SHOP_KEY"))},
        {"params": {"key": nr.secret("SHOP_KEY")}},
        {"headers": {"key": nr.secret("SHOP_KEY")}},
    ):
        one = nr.Source("orders", nr.rest("http://shop.example", "/orders", **given))
        with pytest.raises(DeclarationError, match="in the clear"):
            batches(one, tmp_path)


# Versions, cursors


def test_the_pinned_version_is_asked_for_and_what_answers_is_told(server, tmp_path):
    server.answers["/orders"] = lambda asked: (
        200, {"X-Shop-Version": asked.headers.get("x-shop-version", "latest")}, json.dumps({"items": ROWS}).encode(),
    )  # fmt: skip
    [batch] = batches(source(server, version=("X-Shop-Version", "2024-05-01")), tmp_path)
    assert batch.version == "2024-05-01"
    [batch] = batches(source(server, version=("?v", "2024-05-01")), tmp_path)
    assert server.asked[-1].params == {"v": "2024-05-01"}
    assert batch.version == "2024-05-01"
    server.answers["/orders"] = lambda asked: (200, {"X-Shop-Version": "2025"}, json.dumps({"items": ROWS}).encode())
    [batch] = batches(source(server, version=("X-Shop-Version", "2024-05-01")), tmp_path)
    assert batch.version == "2025", "a server that does not keep to it"


def new_since(asked: Asked) -> Any:
    since, start = asked.params.get("since", ""), asked.number("offset")
    return {"items": [row for row in ROWS if row["at"] >= since][start : start + asked.number("limit")]}


def test_only_what_is_new_is_asked_for(server, tmp_path):
    server.answers["/orders"] = new_since
    given = {"paginate": nr.offset(limit=10), "since": "since"}
    one = source(server, **given, fields={"incremental": nr.Incremental("at")})
    assert one.origin.increments == "cursor"
    first = batches(one, tmp_path)
    assert [batch.state for batch in first] == [None, None, {"cursor": "2026-01-01T00:00:24Z"}]
    assert not any(batch.again for batch in first)
    again = batches(one, tmp_path, first[-1].state)
    assert ids(again) == [24]
    assert all(batch.again for batch in again), "the last may be there already"
    late = source(server, **given, fields={"incremental": nr.Incremental("at", lookback="5s")})
    assert ids(batches(late, tmp_path, first[-1].state)) == [19, 20, 21, 22, 23, 24]
    assert server.asked[-1].params["since"] == "2026-01-01T00:00:19Z"


def test_since_without_a_cursor_and_a_cursor_that_is_not_there(server, tmp_path):
    server.answers["/orders"] = new_since
    with pytest.raises(DeclarationError, match="since says nothing without a cursor"):
        batches(source(server, since="since"), tmp_path)
    one = source(server, since="since", params={"limit": 5}, fields={"incremental": nr.Incremental("updated")})
    with pytest.raises(DataError, match="a row has no cursor"):
        batches(one, tmp_path)


# No secret is shown


def test_no_error_and_no_log_shows_a_secret_even_where_the_server_repeats_it(server, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    value = "hunter2/&+ x"
    monkeypatch.setenv("SHOP_KEY", value)
    key = nr.secret("SHOP_KEY")
    said: list[str] = []
    ways: list[dict[str, Any]] = [
        {"sign_in": nr.api_key(key, param="key")},
        {"sign_in": nr.api_key(key)},
        {"sign_in": nr.bearer(key)},
        {"sign_in": nr.basic("ann", key)},
        {"params": {"key": key}},
        {"headers": {"X-Key": key}},
    ]
    for status in (400, 401, 403, 429, 500, 302, 200):

        def answer(asked: Asked, status: int = status) -> Any:
            told = f"{asked.handler.path} {asked.headers}"
            return status, {"X-Said": told, "Retry-After": "0", "Location": asked.handler.path}, told.encode()

        server.answers["/orders"] = answer
        for way in ways:
            with pytest.raises(NoriaError) as caught:
                batches(source(server, **way, fields={"tries": 2}), tmp_path, say=said.append)
            shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r} {said}"
            for form in ("hunter2", "aHVudGVy", "FubjpodW50ZXIy"):
                assert form not in shown, (status, way)
    for form in ("hunter2", "aHVudGVy", "FubjpodW50ZXIy"):
        logged = [
            record for record in caplog.records if form in record.getMessage() and "X-Said" not in record.getMessage()
        ]
        assert not logged
    assert "hunter2" in server.asked[0].params["key"]


def test_read_gives_all_rows_with_their_number(server, tmp_path):
    server.answers["/orders"] = by_offset
    frame = read(source(server, paginate=nr.offset(limit=10)), tmp_path)
    assert frame["_row"].to_list() == list(range(1, 26))
    assert frame["tags"].to_list()[3] == "[3]"


# Through the whole load: state and rows in one commit

LOAD = """
import os, sys
from pathlib import Path
import noria as nr
from noria import ingest
from noria.steps import StepContext
from noria.workspace import Workspace

url, folder, kill = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
root = folder / ".noria"
root.mkdir(exist_ok=True)
workspace = Workspace(root, folder / "project.py", f"sqlite:///{root}/ledger.db", f"file://{root}/lake",
                      f"lmdb:///{root}/online", f"sqlite:///{root}/mlflow.db")
origins = {
    "rest": nr.rest(url, "/orders", rows="$.items[*]", paginate=nr.offset(limit=10), since="since"),
    "dlt": nr.dlt("shop_of_dlt:orders", url=url, state=True),
}
how = nr.Incremental("at") if sys.argv[4] == "rest" else nr.Incremental()
orders = nr.Source("orders", origins[sys.argv[4]], event_time="at", incremental=how,
                   contract=nr.Contract(types={"at": "timestamp"}), tries=2)
project = nr.Project("orders", spine=nr.Spine(orders, time="at", label="id > 1"), endpoint=nr.Endpoint("e"),
                     search=nr.Search("binary", split=nr.TimeSplit(
                         train_until="2026-01-02", validate_until="2026-01-03", test_until="2026-01-04")))
step = ingest.steps(project, folder, workspace)[0]
step.function(StepContext(workspace, f"key{os.getpid()}", {}))
"""
OF_DLT = """
import dlt, requests

@dlt.resource
def orders(url, at=dlt.sources.incremental("at", initial_value="")):
    start = 0
    asked = {"since": at.last_value, "limit": 10}
    while page := requests.get(f"{url}/orders", params={**asked, "offset": start}).json()["items"]:
        yield page
        start += len(page)
"""


@pytest.mark.parametrize("way", ["rest", "dlt"])
def test_a_load_that_is_killed_at_any_moment_leaves_each_row_once(server, tmp_path, way):
    """Also dlt#4052: its state is in the commit of the rows, so that none is there without the other."""
    import random
    import subprocess
    import sys

    from noria.lake import open_lake

    (tmp_path / "shop_of_dlt.py").write_text(OF_DLT)
    there = ROWS[:12]

    def answer(asked: Asked) -> Any:
        start = asked.number("offset")
        new = [row for row in there if row["at"] >= asked.params.get("since", "")]
        time.sleep(0.02)
        return {"items": new[start : start + asked.number("limit")]}

    server.answers["/orders"] = answer
    chance = random.Random(7)
    began = time.monotonic()
    command = [sys.executable, "-c", LOAD, server.url, str(tmp_path), "", way]
    subprocess.run(command, check=True, cwd=tmp_path)
    whole = time.monotonic() - began
    there = ROWS
    for _ in range(2):
        with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as load:
            time.sleep(whole * chance.uniform(0.4, 1.0))
            load.kill()
    for _ in range(2):
        subprocess.run(command, check=True, cwd=tmp_path)
    rows = open_lake(f"file://{tmp_path}/.noria/lake").read("orders").collect()
    assert sorted(rows["id"]) == ALL
    assert rows["_row"].n_unique() == len(ALL)
