"""What a request is answered: status, headers, body; and refusals, which say little to the asker."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

_COMMON = [("x-content-type-options", "nosniff"), ("cache-control", "no-store")]
JSON = [("content-type", "application/json"), *_COMMON]
_encode = msgspec.json.Encoder().encode


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Refusal(Exception):
    """Ends a request with a status and a sentence that shows nothing of the inside. Never leaves this room."""

    def __init__(self, status: int, text: str, *headers: tuple[str, str]):
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers


def told(value: Any) -> Answer:
    """A value as JSON, status 200."""
    return Answer(200, JSON, _encode(value))


def plain_text(body: bytes, kind: str) -> Answer:
    """A body of another media type, status 200."""
    return Answer(200, [("content-type", kind), *_COMMON], body)


def refused(refusal: Refusal, request: str) -> Answer:
    """A refusal as the protocol wants it: ``{"error": text, "id": the request's}``."""
    return Answer(refusal.status, [*JSON, *refusal.headers], _encode({"error": refusal.text, "id": request}))
