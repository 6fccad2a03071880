"""A file on a web server: read on from where it broke off, redirected only to hosts that were declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from noria.core import DataError, redacted, scheme_of
from noria.sources.connector import Ask
from noria.sources.rest_client import MOST_REDIRECTS, RestClient
from noria.sources.sign_in.http import HttpSignIn
from noria.sources.transports import Listed, changed
from noria.sources.transports.copying import copied, tried

if TYPE_CHECKING:
    from noria.sources.files import Files

_MOST_SAID = 1 << 20
"""Bytes that are read of an answer that is an error."""


class Https:
    """Lists and opens the one file that an ``https`` or ``http`` URL means."""

    by_content = False
    options = frozenset({"sign_in", "hosts"})

    def __init__(self, ask: Ask, origin: Files):
        sign_in = origin.sign_in
        if sign_in is not None and not isinstance(sign_in, HttpSignIn):
            raise ask.source.refuse("this is no way to sign in to a web server", field="sign_in", value=sign_in)
        if sign_in is not None and scheme_of(origin.url) == "http":
            raise ask.source.refuse(
                "over http everybody on the way would read the sign-in", field="sign_in", mend="https://…"
            )
        self._ask, self._url = ask, origin.url
        self._client = _Client(ask, origin.url, hosts=origin.hosts, sign_in=sign_in, most_bytes=_MOST_SAID)

    def listed(self, *, marks: bool) -> list[Listed]:
        place = redacted(self._url)

        def ask_head() -> Mapping[str, str]:
            # A server that knows no HEAD is asked for the file, which is not read then.
            with self._client.answer("HEAD", {}, allowed=(403, 404, 405, 501)) as answer:
                if answer.is_success:
                    return dict(answer.headers)
            with self._client.answer("GET", {}) as answer:
                return dict(answer.headers)

        about = tried(self._ask, ask_head, extra="rest")
        length = about.get("content-length", "")
        return [Listed(place, place, int(length) if length.isdigit() else -1, _mark(about), self._url)]

    def opened(self, file: Listed) -> AbstractContextManager[BinaryIO]:
        def read(offset: int) -> Iterator[bytes]:
            headers = {"Range": f"bytes={offset}-"} if offset else {}
            with self._client.answer("GET", headers) as answer:
                if file.mark and _mark(answer.headers) != file.mark:
                    raise changed(self._ask, file)
                begins = _begins(answer) if answer.status_code == 206 else 0
                if begins > offset:
                    raise changed(self._ask, file)
                for chunk in self._client.body(answer):
                    # A server that knows no ranges sends all of it again.
                    skipped = min(len(chunk), offset - begins)
                    begins += skipped
                    if chunk[skipped:]:
                        yield chunk[skipped:]

        return copied(self._ask, file, read, extra="rest")

    def close(self) -> None:
        self._client.close()


class _Client(RestClient):
    """Asks for files instead of pages."""

    @contextmanager
    def answer(self, method: str, headers: Mapping[str, str], allowed: tuple[int, ...] = ()) -> Iterator[Any]:
        """The answer, whose body is not read yet, at the end of all redirects."""
        target = self._base
        for _ in range(MOST_REDIRECTS + 1):
            own, place = self.is_own(target), redacted(str(target))
            with self._faults(place):
                request = self._client.build_request(
                    method,
                    target,
                    headers={"Accept": "*/*", "Accept-Encoding": "identity", **headers},
                    extensions={"trace": self._peers.trace},
                )
                response = self._client.send(request, auth=self._auth if own else None, stream=True)
            try:
                if not 300 <= response.status_code < 400 or "location" not in response.headers:
                    if not response.is_success and response.status_code not in allowed:
                        with self._faults(place):
                            raise self._refused(response, self._content(response, place), place)
                    yield response
                    return
            finally:
                response.close()
            target = self._led(target, response.headers["location"], "the server redirects to another host")
        raise DataError("the server redirects in a circle", place=redacted(str(self._base)))

    def body(self, response: Any) -> Iterator[bytes]:
        """The bytes of an answer as they come."""
        with self._faults(redacted(str(response.request.url))):
            yield from response.iter_raw()


def _mark(headers: Mapping[str, str]) -> str:
    return headers.get("etag") or headers.get("last-modified") or ""


def _begins(answer: Any) -> int:
    """Where a part of a file begins."""
    begin = answer.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
    return int(begin) if begin.isdigit() else 0
