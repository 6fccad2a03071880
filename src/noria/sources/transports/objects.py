"""Objects of S3, Google Cloud Storage and Azure Blob Storage, and of what speaks like them, by one library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, BinaryIO

from noria.core import DataError, TransientError, redacted, require, scheme_of
from noria.declarations import Secret
from noria.sources.connector import Ask
from noria.sources.transports import Listed, changed, fixed_part, has_magic, no_such_file, pattern_of
from noria.sources.transports.copying import copied, found

if TYPE_CHECKING:
    from noria.sources.files import Files

_PART = 16 << 20
"""Bytes that are asked for at a time: the timeout is that of one answer."""


class Objects:
    """Lists and opens objects of one bucket."""

    by_content = False
    options = frozenset({"store"})

    def __init__(self, ask: Ask, origin: Files):
        self._ask = ask
        self._scheme = scheme_of(origin.url)
        self._bucket, _, self._key = origin.url.partition("://")[2].partition("/")
        self._root = f"{self._scheme}://{self._bucket}/"
        if not self._bucket or any(sign in self._bucket for sign in "@:") or not self._key:
            raise ask.source.refuse("an object has a bucket and a key", field="origin",
                                    value=redacted(origin.url),
                                    mend=f"{self._scheme}://bucket/folder/*.parquet")  # fmt: skip
        self._store = self._opened_store(dict(origin.store))

    def _opened_store(self, settings: dict[str, str | Secret]) -> Any:
        obstore = require("obstore", extra="objects")
        store = require("obstore.store", extra="objects")
        said = {name: self._ask.reveal(one) if isinstance(one, Secret) else one for name, one in settings.items()}
        if odd := next((name for name, value in said.items() if not value.isprintable()), None):
            raise self._ask.source.refuse("a setting is one line of printable text", field=f"store.{odd}")
        seconds = timedelta(microseconds=self._ask.source.timeout)
        client = {"timeout": seconds, "connect_timeout": seconds}
        if said.get("endpoint", said.get("base_url", "")).startswith("http://"):
            client["allow_http"] = True  # type: ignore[assignment]
        try:
            # One try is one try: how often, and what is said of it, is the source's to say.
            return store.from_url(self._root.rstrip("/"), client_options=client,
                                  retry_config={"max_retries": 0, "retry_timeout": seconds}, **said)  # fmt: skip
        except obstore.exceptions.BaseError as error:
            raise self._ask.source.refuse("the store cannot be used so", field="store", value=_first_line(error, said),
                                          mend="see the settings in the docs of files") from None  # fmt: skip

    def listed(self, *, marks: bool) -> list[Listed]:
        return found(self._ask, self._found, self._root + self._key, extra="objects")

    def _found(self) -> list[Listed]:
        import obstore

        with self._faults():
            if not has_magic(self._key):
                return [self._listed(obstore.head(self._store, self._key))]
            wanted, prefix = pattern_of(self._key), fixed_part(self._key)
            pages = obstore.list(self._store, prefix=prefix or None, chunk_size=1000)
            return [self._listed(one) for page in pages for one in page if wanted.fullmatch(one["path"])]

    def _listed(self, about: Any) -> Listed:
        name = self._root + about["path"]
        # A listing quotes entity tags in one store, and does not in another.
        mark = (about.get("e_tag") or about["last_modified"].isoformat()).strip('"')
        return Listed(name, name, about["size"], mark, about["path"])

    def opened(self, file: Listed) -> AbstractContextManager[BinaryIO]:
        import obstore

        def read(offset: int) -> Iterator[bytes]:
            for start in range(offset, file.size, _PART):
                with self._faults(file):
                    end = min(start + _PART, file.size)
                    answer = obstore.get(self._store, file.key, options={"range": (start, end)})
                    about = self._listed(answer.meta)
                    if (about.mark, about.size) != (file.mark, file.size):
                        raise changed(self._ask, file)
                    part = bytes(answer.bytes())
                yield part

        return copied(self._ask, file, read, extra="objects")

    @contextmanager
    def _faults(self, file: Listed | None = None) -> Iterator[None]:
        """The library's errors as ours: what may pass, and what will not."""
        from obstore import exceptions

        place = file.place if file else self._root + self._key
        try:
            yield
        except (exceptions.NotFoundError, FileNotFoundError):
            if file is not None:
                raise changed(self._ask, file) from None
            raise no_such_file(self._ask, place) from None
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise self._ask.source.refuse(
                "the store does not let this be read", field="store", value=place + ": " + _first_line(error, {}),
                mend="access_key_id=… and its like in store=…, or in the environment",
            ) from None  # fmt: skip
        except (exceptions.InvalidPathError, exceptions.NotSupportedError) as error:
            raise DataError(
                f"source '{self._ask.source.name}': the object cannot be read", place=place, value=str(error)[:200]
            ) from None
        except (exceptions.BaseError, OSError) as error:
            raise TransientError(
                f"source '{self._ask.source.name}': the store does not answer", place=place,
                value=_first_line(error, {}),
            ) from None  # fmt: skip

    def close(self) -> None:
        pass


def _first_line(error: BaseException, said: dict[str, str]) -> str:
    """The start of an error, without the settings' values, which may be secret."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    for value in said.values():
        text = text.replace(value, "***") if value else text
    return text[:200]
