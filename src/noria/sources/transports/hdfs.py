"""Files of a Hadoop file system, through Arrow; it needs Hadoop's own client (libhdfs and Java) on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import unquote

from noria.core import TransientError
from noria.sources.connector import Ask
from noria.sources.content import unreadable
from noria.sources.transports import Listed, changed, fixed_part, has_magic, no_such_file, pattern_of
from noria.sources.transports.copying import copied, found

if TYPE_CHECKING:
    from noria.sources.files import Files

_PART = 4 << 20


class Hdfs:
    """Lists and opens files of one file system of Arrow's."""

    by_content = False
    options: frozenset[str] = frozenset()

    def __init__(self, ask: Ask, origin: Files):
        self._ask = ask
        host, _, path = origin.url.partition("://")[2].partition("/")
        if ":" in host.rpartition("@")[0]:
            raise ask.source.refuse("a URL holds no password", field="origin", mend="the environment of Hadoop says it")
        self._root, self._path = f"hdfs://{host}", unquote("/" + path)
        self._system: Any = None

    def listed(self, *, marks: bool) -> list[Listed]:
        return found(self._ask, self._found, self._root + self._path, extra="hdfs")

    def _found(self) -> list[Listed]:
        from pyarrow import fs

        with self._faults(self._path):
            if not has_magic(self._path):
                abouts = self._connected().get_file_info([self._path])
            else:
                selector = fs.FileSelector(fixed_part(self._path), recursive=True, allow_not_found=True)
                abouts = self._connected().get_file_info(selector)
            wanted = pattern_of(self._path)
            return [
                self._listed(about)
                for about in abouts
                if about.type == fs.FileType.File and (about.path == self._path or wanted.fullmatch(about.path))
            ]

    def _listed(self, about: Any) -> Listed:
        place = self._root + about.path
        return Listed(place, place, about.size, str(about.mtime_ns), about.path)

    def opened(self, file: Listed) -> AbstractContextManager[BinaryIO]:
        def read(offset: int) -> Iterator[bytes]:
            with self._faults(file.key):
                with self._connected().open_input_file(file.key) as remote:
                    remote.seek(offset)
                    while chunk := remote.read(_PART):
                        yield chunk
                if self._listed(self._connected().get_file_info([file.key])[0]) != file:
                    raise changed(self._ask, file)

        return copied(self._ask, file, read, extra="hdfs")

    def _connected(self) -> Any:
        from pyarrow import fs

        if self._system is None:
            self._system = fs.HadoopFileSystem.from_uri(self._root)
        return self._system

    @contextmanager
    def _faults(self, path: str) -> Iterator[None]:
        place = self._root + path
        try:
            yield
        except FileNotFoundError:
            raise no_such_file(self._ask, place) from None
        except PermissionError as error:
            raise unreadable(self._ask.source, place, error) from None
        except OSError as error:
            if "libhdfs" in str(error) or "libjvm" in str(error) or "CLASSPATH" in str(error):
                raise self._ask.source.refuse(
                    "Hadoop's client is not installed", field="origin", value=str(error)[:200],
                    mend="install Hadoop and Java, and set HADOOP_HOME, JAVA_HOME and CLASSPATH",
                ) from None  # fmt: skip
            raise TransientError(
                f"source '{self._ask.source.name}': the file system does not answer",
                place=place,
                value=str(error)[:200],
            ) from None

    def close(self) -> None:
        self._system = None
