"""One server over HTTP, asked with bounds: on time, size, tries, redirects and where they lead."""

from __future__ import annotations

import base64
import logging
import re
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from noria.core import DataError, DeclarationError, NoriaError, TransientError, redacted, require, without_secrets
from noria.declarations import Secret
from noria.sources.connector import Ask
from noria.sources.rest_peers import Peers
from noria.sources.retry import Breaker, Later, asked_wait, retried
from noria.sources.sign_in.http import SECRET_PARAMS, HttpSignIn, Keys, with_secret_params

if TYPE_CHECKING:
    import httpx2

MOST_REDIRECTS = 5
MOST_TIMEOUTS = 10
"""A whole answer comes within this many times the timeout, which is the longest wait for some of it."""
_CHUNK = 1 << 20
_PACKED = re.compile(r"(?:[A-Za-z0-9+/_-]|%2[BbFf]){6,}(?:=|%3[Dd]){0,2}")
_AS_USUAL = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered: its headers in lower case, and its unpacked content."""

    url: str
    headers: Mapping[str, str]
    links: Mapping[str, str]
    content: bytes


class RestClient:
    """Asks one server. It is used by one thread, and closed at the end.

    Parameters
    ----------
    ask : Ask
        Whose timeout and tries count, and how secrets are revealed.
    url : str
        The server's base URL: who asks is shown to its origin (scheme, host and port) alone.
    hosts : tuple of str
        Other hosts that links and redirects may lead to.
    sign_in : HttpSignIn, optional
        How the server knows who asks.
    most_bytes : int
        The most that an answer may have, unpacked.
    seconds : float
        The shortest time between two requests.
    """

    def __init__(
        self,
        ask: Ask,
        url: str,
        *,
        hosts: tuple[str, ...] = (),
        sign_in: HttpSignIn | None = None,
        most_bytes: int,
        seconds: float = 0.0,
    ):
        httpx2 = require("httpx2", extra="rest")
        # Its debugging log has the headers of answers, where cookies are, and whatever a server repeats of a request.
        logging.getLogger("httpcore2").setLevel(logging.INFO)
        self._ask, self._hosts, self._most, self._seconds = ask, hosts, most_bytes, seconds
        self._base = _url(url)
        self._secrets: list[str] = []
        self._last = 0.0
        self._timeout = ask.source.timeout / 1e6
        place = f"{self._base.scheme}://{self._base.host}"
        self._breaker, self._peers = Breaker(place, failures=2 * ask.source.tries), Peers(place)
        keys = Keys(self.reveal, ask.base, self._timeout)
        self._client = httpx2.Client(
            transport=_transport(sign_in.trust(keys) if sign_in else None, _proxy(self._base)),
            timeout=self._timeout,
            follow_redirects=False,
            headers={"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": _agent()},
        )
        self._auth = sign_in.auth(keys) if sign_in else None

    def __enter__(self) -> RestClient:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def reveal(self, secret: Secret) -> str:
        """The value of a secret, which no error of this client shows whatever a server answers."""
        value = self._ask.reveal(secret)
        if value not in self._secrets:
            self._secrets.append(value)
        return value

    def get(
        self,
        url: str,
        *,
        method: str = "GET",
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str | Secret] | None = None,
        secret_params: Mapping[str, Secret] | None = None,
        body: Any = None,
    ) -> Answer:
        """What the server answers.

        Raises
        ------
        TransientError
            It does not answer, or is too busy, after all tries.
        DataError
            What it answers is of no use, or leads elsewhere.
        DeclarationError
            It does not know who asks, or does not let them.
        """

        def once() -> Answer:
            return self._once(url, method, params, headers or {}, secret_params or {}, body)

        return retried(once, tries=self._ask.source.tries, extra="rest", breaker=self._breaker, say=self._ask.say)

    def _once(
        self,
        url: str,
        method: str,
        params: Mapping[str, str | int] | None,
        headers: Mapping[str, str | Secret],
        secret_params: Mapping[str, Secret],
        body: Any,
    ) -> Answer:
        target = _url(url) if params is None else _url(url).copy_merge_params(dict(params))
        for _ in range(MOST_REDIRECTS + 1):
            self._pace()
            target, own = self._cleaned(target), self.is_own(target)
            with self._faults(redacted(str(target))):
                request = self._client.build_request(
                    method,
                    target,
                    headers=self._shown(headers) if own else {},
                    json=body,
                    extensions={"trace": self._peers.trace},
                )
                if own:
                    with_secret_params(request, {name: self.reveal(one) for name, one in secret_params.items()})
                response = self._client.send(request, auth=self._auth if own else None, stream=True)
                try:
                    if not 300 <= response.status_code < 400 or "location" not in response.headers:
                        return self._answer(response)
                finally:
                    response.close()
            target = self._led(target, response.headers["location"], "the server redirects to another host")
            if response.status_code == 303:
                method, body = "GET", None
        raise DataError("the server redirects in a circle", place=redacted(url))

    def _shown(self, headers: Mapping[str, str | Secret]) -> dict[str, str]:
        return {name: self.reveal(one) if isinstance(one, Secret) else one for name, one in headers.items()}

    def _cleaned(self, url: httpx2.URL) -> httpx2.URL:
        """A URL without the secrets that a server repeats in its links: they are added on the wire alone."""
        for name, value in url.params.multi_items():
            if value in self._secrets:
                url = url.copy_remove_param(name)
        return url

    def is_own(self, url: httpx2.URL) -> bool:
        """Whether a URL is of the declared server itself, which alone is shown who asks."""
        return (url.scheme, url.host, _port(url)) == (self._base.scheme, self._base.host, _port(self._base))

    def led(self, since: str, link: str) -> str:
        """The address that a link on a page leads to.

        Raises
        ------
        DataError
            It leads to a host that was not declared.
        """
        return str(self._led(_url(since), link, "the link to the next page leads to another host"))

    def _led(self, since: httpx2.URL, link: str, message: str) -> httpx2.URL:
        import httpx2

        try:
            target = since.join(link)
        except (httpx2.InvalidURL, ValueError):
            raise DataError("the server leads to what is no URL", place=redacted(str(since))) from None
        known = target.host in self._hosts and target.scheme == self._base.scheme
        if not self.is_own(target) and not known:
            raise DataError(
                message,
                place=redacted(str(since)),
                value=f"{target.scheme}://{target.netloc.decode(errors='replace')}",
                mend=f"hosts=[{target.host!r}] allows it, where that is right; who asks is not shown there",
            )
        return target

    def _pace(self) -> None:
        wait = self._last + self._seconds - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        self._last = time.monotonic()

    def _answer(self, response: httpx2.Response) -> Answer:
        place = redacted(str(response.request.url))
        content = self._content(response, place)
        if not response.is_success:
            raise self._refused(response, content, place)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind and content and "json" not in kind:
            raise DataError(
                "the answer is no JSON", place=place, value=f"{kind}: {self.safe(content)}",
                mend="is it the right address? pages for people are often where one must sign in",
            )  # fmt: skip
        links = {rel: link["url"] for rel, link in response.links.items() if rel and "url" in link}
        return Answer(str(response.request.url), dict(response.headers), links, content)

    def _content(self, response: httpx2.Response, place: str) -> bytes:
        """The whole content, unpacked piece by piece so that a bomb costs no more than its limit."""
        packed = response.headers.get("content-encoding", "identity").strip().lower()
        if packed not in ("identity", "", "gzip", "x-gzip"):
            raise DataError("the answer is packed in a way that was not asked for", place=place, value=packed)
        unpacker = zlib.decompressobj(wbits=31) if packed.endswith("gzip") else None
        content, until = bytearray(), time.monotonic() + MOST_TIMEOUTS * self._timeout
        try:
            for chunk in response.iter_raw():
                for piece in _pieces(chunk, unpacker):
                    content += piece
                    if len(content) > self._most:
                        raise DataError("the answer is larger than allowed", place=place,
                                        value=f"more than {self._most:,} bytes",
                                        mend="ask for smaller pages, or allow it: most_bytes=…")  # fmt: skip
                if time.monotonic() > until:
                    raise TransientError(f"the answer is not complete after {MOST_TIMEOUTS * self._timeout:.0f} s",
                                         place=place)  # fmt: skip
        except zlib.error:
            raise TransientError("the answer cannot be unpacked", place=place) from None
        if unpacker is not None and content and not unpacker.eof:
            raise TransientError("the answer was cut off", place=place)
        return bytes(content)

    def _refused(self, response: httpx2.Response, content: bytes, place: str) -> NoriaError:
        status, headers, said = response.status_code, response.headers, self.safe(content)
        busy = f"the server answers {status} {response.reason_phrase}".rstrip()
        wait = asked_wait(headers.get("retry-after"), headers.get("date"))
        spent = headers.get("x-ratelimit-remaining") == "0"
        if status == 429 or (status == 403 and (spent or wait is not None)):
            reset = headers.get("x-ratelimit-reset", "")
            if wait is None and spent and reset.isdigit() and len(reset) < 12:
                wait = max(0.0, int(reset) - time.time()) if int(reset) > 10**9 else float(reset)
            return Later(busy, place=place, mend="rate='10/s' spares it").waiting(wait)
        if status >= 500 or status in (408, 425):
            return Later(busy, place=place, value=said or None).waiting(wait)
        if status in (401, 403, 407):
            return DeclarationError(
                "the server does not know who asks" if status == 401 else "the server does not let this be read",
                place=place,
                value=f"{status} {said}".rstrip(),
                mend="is the secret still valid, and is sign_in= the kind that the server wants?",
            )
        return DataError(busy, place=place, value=said or None, mend="is it the right address, with these parameters?")

    def safe(self, content: bytes) -> str:
        """The start of an answer without what the server may have repeated of our secrets."""
        text = " ".join(content[:2000].decode(errors="replace").split())
        for value in self._secrets:
            text = _written(value).sub("***", text)
        text = _PACKED.sub(lambda found: "***" if self._is_in(found[0]) else found[0], text)
        return without_secrets(text)[:160]

    def _is_in(self, packed: str) -> bool:
        """Whether a text is base64 of a secret of ours, alone or with others: ``user:password``."""
        plain = unquote(packed).rstrip("=").translate(_AS_USUAL)
        # Where it begins and ends is not sure: a sign before it may be one of base64's, too.
        for start in range(min(4, len(plain))):
            some = plain[start:][: (len(plain) - start) // 4 * 4] if (len(plain) - start) % 4 == 1 else plain[start:]
            found = base64.b64decode(some + "=" * (-len(some) % 4))
            if any(value.encode() in found for value in self._secrets if value):
                return True
        return False

    @contextmanager
    def _faults(self, place: str) -> Iterator[None]:
        """The client's errors as ours: what may pass, and what will not."""
        import httpx2

        try:
            yield
        except httpx2.TimeoutException:
            raise TransientError(
                f"the server does not answer within {self._timeout:g} s", place=place, mend="timeout='60s' waits longer"
            ) from None
        except httpx2.UnsupportedProtocol as error:
            raise DeclarationError(
                "this is no address of a server", place=place, value=self._safe_text(error)
            ) from None
        except httpx2.TransportError as error:
            if _is_untrusted(error):
                raise DeclarationError(
                    "the server's certificate is not trusted", place=place, value=self._safe_text(error),
                    mend="SSL_CERT_FILE names the authorities that are trusted",
                ) from None  # fmt: skip
            raise TransientError(
                f"the server cannot be reached: {self._safe_text(error) or type(error).__name__}", place=place
            ) from None

    def _safe_text(self, error: Exception) -> str:
        return self.safe(str(error).encode())


def _written(secret: str) -> re.Pattern[str]:
    """A secret as it is or percent-encoded, be it all of it or some signs."""
    signs = []
    for sign in secret:
        encoded = "".join(f"%{byte:02X}" for byte in sign.encode())
        signs.append(f"(?:{re.escape(sign)}|(?i:{encoded})" + (r"|\+)" if sign == " " else ")"))
    return re.compile("".join(signs) or r"(?!)")


def _pieces(chunk: bytes, unpacker: Any) -> Iterator[bytes]:
    if unpacker is None:
        yield chunk
        return
    while chunk and not unpacker.eof:
        yield unpacker.decompress(chunk, _CHUNK)
        chunk = unpacker.unconsumed_tail


def _url(text: str) -> httpx2.URL:
    import httpx2

    try:
        return httpx2.URL(text)
    except httpx2.InvalidURL:
        raise DeclarationError("this is no URL", value=redacted(text), mend="https://host/path") from None


def _port(url: httpx2.URL) -> int | None:
    return url.port or {"http": 80, "https": 443}.get(url.scheme)


def _agent() -> str:
    from importlib.metadata import version

    return f"noria/{version('noria')}"


def _is_untrusted(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _proxy(url: httpx2.URL) -> str | None:
    """The proxy that the environment names for a host."""
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    found = proxies.get(url.scheme) or proxies.get("all")
    return None if not found or proxy_bypass(url.host) else found


def _transport(trusted: ssl.SSLContext | None, proxy: str | None) -> Any:
    """A transport that adds secret parameters to the address on the wire alone: the client logs addresses."""
    import httpx2

    class Transport(httpx2.HTTPTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            hidden = request.extensions.get(SECRET_PARAMS)
            if not hidden:
                return super().handle_request(request)
            return super().handle_request(
                httpx2.Request(
                    request.method,
                    request.url.copy_merge_params(hidden),
                    headers=request.headers,
                    stream=request.stream,
                    extensions=request.extensions,
                )
            )

    return Transport(verify=True if trusted is None else trusted, proxy=proxy)
