"""Files of an SSH server, over SFTP. A host whose key is not known is not talked to."""

from __future__ import annotations

import io
import logging
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import unquote, urlsplit

from noria.core import DeclarationError, TransientError, require
from noria.sources.connector import Ask
from noria.sources.content import unreadable
from noria.sources.sign_in.ssh import Ssh
from noria.sources.transports import Listed, changed, has_magic, no_such_file, pattern_of
from noria.sources.transports.copying import copied, found

if TYPE_CHECKING:
    from noria.sources.files import Files

_PART = 1 << 20
_AHEAD = 128
"""Parts of 32 kB that are asked for ahead of need."""


class Sftp:
    """Lists and opens files of one server, over one connection that is opened again where it broke."""

    by_content = False
    options = frozenset({"sign_in"})

    def __init__(self, ask: Ask, origin: Files):
        parts = urlsplit(origin.url)
        if parts.password is not None:
            raise ask.source.refuse("a URL holds no password", field="origin",
                                    mend='sign_in=nr.ssh("ann", password=nr.secret("NAME"))')  # fmt: skip
        if origin.sign_in is not None and not isinstance(origin.sign_in, Ssh):
            raise ask.source.refuse("this is no way to sign in over SSH", field="sign_in", mend="nr.ssh(…)")
        try:
            host, self._port = parts.hostname, parts.port or 22
        except ValueError:
            host = None
        if not host:
            raise ask.source.refuse("an SFTP URL has a host", field="origin", mend="sftp://host:port/folder/file.csv")
        self._ask, self._host, self._sign_in = ask, host, origin.sign_in
        self._user = parts.username
        # As it is: a question mark or a number sign is part of a path here.
        self._path = unquote("/" + origin.url.partition("://")[2].partition("/")[2])
        self._root = f"sftp://{self._host}" + (f":{self._port}" if self._port != 22 else "")
        self._ssh: Any = None
        self._sftp: Any = None

    def listed(self, *, marks: bool) -> list[Listed]:
        return found(self._ask, self._found, self._root + self._path, extra="sftp")

    def _found(self) -> list[Listed]:
        with self._faults(self._path):
            sftp = self._connected()
            if not has_magic(self._path):
                return [self._listed(self._path, sftp.stat(self._path))]
            wanted = pattern_of(self._path)
            found = []
            for path, about in self._walked(sftp, "", self._path.split("/")[1:]):
                # A link may lead to a file; to folders they are not followed, for they may lead in circles.
                about = sftp.stat(path) if stat.S_ISLNK(about.st_mode) else about
                if stat.S_ISREG(about.st_mode) and wanted.fullmatch(path):
                    found.append(self._listed(path, about))
            return found

    def _walked(self, sftp: Any, folder: str, parts: list[str]) -> Iterator[tuple[str, Any]]:
        """All that lies as deep as a pattern may reach; a part without a pattern is entered without looking."""
        part, rest = parts[0], parts[1:]
        if rest and not has_magic(part):
            yield from self._walked(sftp, f"{folder}/{part}", rest)
            return
        try:
            inside = sftp.listdir_attr(folder or "/")
        except FileNotFoundError:
            return
        for about in inside:
            path = f"{folder}/{about.filename}"
            is_folder = stat.S_ISDIR(about.st_mode)
            if part == "**":
                if is_folder:
                    yield from self._walked(sftp, path, parts)
                elif not rest or pattern_of(rest[-1]).fullmatch(about.filename):
                    yield path, about
            elif pattern_of(part).fullmatch(about.filename):
                if rest and is_folder:
                    yield from self._walked(sftp, path, rest)
                elif not rest:
                    yield path, about

    def _listed(self, path: str, about: Any) -> Listed:
        if not stat.S_ISREG(about.st_mode):
            what = "a folder" if stat.S_ISDIR(about.st_mode) else "no file"
            raise no_such_file(self._ask, self._root + path, f"this is {what}; {path}/*.csv would mean its files")
        place = self._root + path
        return Listed(place, place, about.st_size, str(about.st_mtime), path)

    def opened(self, file: Listed) -> AbstractContextManager[BinaryIO]:
        def read(offset: int) -> Iterator[bytes]:
            with self._faults(file.key):
                remote = self._connected().open(file.key, "rb")
                if self._listed(file.key, remote.stat()) != file:
                    raise changed(self._ask, file)
                remote.seek(offset)
                # Asked for ahead of need, else each part would wait for a round trip; so much that memory is bounded.
                remote.prefetch(file.size, max_concurrent_requests=_AHEAD)
                while chunk := remote.read(min(_PART, file.size - remote.tell())):
                    yield chunk
                if self._listed(file.key, self._connected().stat(file.key)) != file:
                    raise changed(self._ask, file)
                remote.close()

        return copied(self._ask, file, read, extra="sftp")

    def _connected(self) -> Any:
        if self._sftp is not None:
            return self._sftp
        paramiko = require("paramiko", extra="sftp")
        # Where nobody listens, its log of a connection that broke would be a stack trace at the user.
        logging.getLogger("paramiko").addHandler(logging.NullHandler())
        signs = self._sign_in
        seconds = self._ask.source.timeout / 1e6
        self._ssh = paramiko.SSHClient()
        self._ssh.set_missing_host_key_policy(_Refuse(self))
        self._load_host_keys(paramiko)
        keys = {"pkey": self._key(paramiko), "password": None}
        if signs is not None and signs.password is not None:
            keys["password"] = self._ask.reveal(signs.password)
        alone = not any(keys.values())
        self._ssh.connect(
            self._host,
            self._port,
            username=signs.user if signs is not None else self._user,
            timeout=seconds,
            banner_timeout=seconds,
            auth_timeout=seconds,
            channel_timeout=seconds,
            allow_agent=alone,
            look_for_keys=alone,
            **keys,
        )
        self._sftp = self._ssh.open_sftp()
        self._sftp.get_channel().settimeout(seconds)
        return self._sftp

    def _load_host_keys(self, paramiko: Any) -> None:
        signs = self._sign_in
        if signs is None or (signs.host_key is None and signs.known_hosts is None):
            self._ssh.load_system_host_keys()
            return
        if signs.known_hosts is not None:
            self._ssh.load_host_keys(str(self._ask.base / Path(signs.known_hosts).expanduser()))
            return
        assert signs.host_key is not None
        name = self._host if self._port == 22 else f"[{self._host}]:{self._port}"
        entry = paramiko.hostkeys.HostKeyEntry.from_line(f"{name} {signs.host_key.strip()}")
        if entry is None or entry.key is None:
            raise self._ask.source.refuse("this is no host key", field="sign_in.host_key", value=signs.host_key,
                                          mend="as ssh-keyscan prints it: ssh-ed25519 AAAA…")  # fmt: skip
        self._ssh.get_host_keys().add(name, entry.key.get_name(), entry.key)

    def _key(self, paramiko: Any) -> Any:
        signs = self._sign_in
        if signs is None or signs.key is None:
            return None
        text = self._ask.reveal(signs.key)
        passphrase = self._ask.reveal(signs.passphrase) if signs.passphrase is not None else None
        for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
            try:
                return kind.from_private_key(io.StringIO(text.strip() + "\n"), password=passphrase)
            except paramiko.PasswordRequiredException:
                break
            except (paramiko.SSHException, ValueError, IndexError):
                continue
        raise self._ask.source.refuse(
            "the SSH key cannot be used", field="sign_in.key", value=signs.key,
            mend="a private key of Ed25519, ECDSA or RSA, with its passphrase= where it has one",
        )  # fmt: skip

    @contextmanager
    def _faults(self, path: str) -> Iterator[None]:
        """The library's errors as ours: what may pass, and what will not."""
        paramiko = require("paramiko", extra="sftp")
        place = self._root + path
        try:
            yield
        except FileNotFoundError:
            raise no_such_file(self._ask, place) from None
        except PermissionError as error:
            raise unreadable(self._ask.source, place, error) from None
        except paramiko.BadHostKeyException:
            raise self._refused(
                "the server is not who it was: its host key is another", place,
                "find out why; if that is right, put the new key where the old one stands",
            ) from None  # fmt: skip
        except paramiko.AuthenticationException as error:
            raise self._refused("the server does not let us in", place, f"sign_in=nr.ssh(…): {error}") from None
        except (paramiko.SSHException, OSError, EOFError) as error:
            self.close()
            raise TransientError(
                f"source '{self._ask.source.name}': {self._host} does not answer", place=place,
                value=str(error)[:200] or type(error).__name__,
            ) from None  # fmt: skip

    def unknown(self, key: Any) -> DeclarationError:
        """The error for a host whose key is not known."""
        return self._refused(
            "the server's host key is not known", self._root,
            f"if it is {key.fingerprint}, nr.ssh(…, host_key=…) with what ssh-keyscan prints",
        )  # fmt: skip

    def _refused(self, message: str, place: str, mend: str) -> DeclarationError:
        self.close()
        return DeclarationError(f"source '{self._ask.source.name}': {message}", place=place, mend=mend)

    def close(self) -> None:
        ssh, self._ssh, self._sftp = self._ssh, None, None
        if ssh is not None:
            ssh.close()


class _Refuse:
    """Talks to no host whose key is not known: the library's own way says so by its text alone."""

    def __init__(self, sftp: Sftp):
        self._sftp = sftp

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        raise self._sftp.unknown(key)
