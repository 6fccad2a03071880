import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from noria.core import NoriaError
from noria.rehearsal import client as module
from noria.rehearsal.client import Client


@pytest.fixture
def server():
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        asked: list[object] = []
        shares = [{"a": 1.0}, {"a": 0.9, "b": 0.1}]
        ports: set[int] = set()

        def do_POST(self):
            self.ports.add(self.client_address[1])
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.asked.append((self.path, body))
            self.answer(400 if body["rows"][0].get("bad") else 200, {"predictions": []})

        def do_GET(self):
            self.answer(200, {"shares": self.shares.pop(0) if len(self.shares) > 1 else self.shares[0]})

        def answer(self, status, value):
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(server):
    client = Client("127.0.0.1", server.server_port, "late")
    yield client
    client.close()


def test_questions_of_one_moment_go_in_one_request_on_one_connection(server, client):
    client.ask([{"carrier": "UA"}], 0)
    client.ask([{"carrier": "UA"}, {"carrier": "AA"}], 1)
    handler = server.RequestHandlerClass
    assert handler.asked == [
        ("/v1/late", {"rows": [{"carrier": "UA"}], "id": "0"}),
        ("/v1/late", {"rows": [{"carrier": "UA"}, {"carrier": "AA"}], "id": "1"}),
    ]
    assert client.requests == 2
    assert len(client.single_ms) == 1
    assert len(handler.ports) == 1


def test_a_refusal_is_an_error_that_says_what_the_server_said(client):
    with pytest.raises(NoriaError, match="refused a question") as caught:
        client.ask([{"bad": True}], 0)
    assert "400" in str(caught.value)


def test_it_waits_for_new_routes(client, monkeypatch):
    client.wait_for({"a": 0.9, "b": 0.1})
    monkeypatch.setattr(module, "_TIMEOUT", 0.05)
    with pytest.raises(NoriaError, match="new routes"):
        client.wait_for({"b": 1.0})


def test_no_server_is_one_clear_error():
    with pytest.raises(NoriaError, match="does not answer"):
        Client("127.0.0.1", 9, "late").ask([{}], 0)
