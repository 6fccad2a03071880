"""Workspace: where a project's state lives. A locator and a lock; it opens nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from noria.core import BusyError, DeclarationError, path_of, redacted, scheme_of
from noria.declarations import find_project, read_settings

_REGISTRIES = ("sqlite", "http", "https", "postgresql", "mysql")
"""Schemes of what an MLflow client can write to."""
_PARTS = ("ledger", "lake", "online", "registry")


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where each part of a project's state lives: the folder for files, a URL for whatever a server can hold.

    Attributes
    ----------
    root : Path
        The folder, ``.noria`` beside the project by default.
    project_file : Path
        The project that it belongs to.
    ledger, lake, online, registry : str
        URLs: ``sqlite:///…/ledger.db``, ``file:///…/lake``, ``lmdb:///…/online``, ``sqlite:///…/mlflow.db``.
    """

    root: Path
    project_file: Path
    ledger: str
    lake: str
    online: str
    registry: str

    @property
    def artifacts(self) -> Path:
        """What steps made, one folder a content key."""
        return self.root / "artifacts"

    @property
    def scratch(self) -> Path:
        """What unfinished steps keep across a kill, one folder a content key."""
        return self.root / "scratch"

    @property
    def packages(self) -> Path:
        """Signed model packages, one folder a digest."""
        return self.root / "packages"

    @property
    def serving(self) -> Path:
        """Routes and prediction logs, one folder an endpoint."""
        return self.root / "serving"

    @property
    def digests(self) -> Path:
        """What sources remember of the files that they read, so that planning again is cheap; it may be removed."""
        return self.root / "digests"

    @property
    def keys(self) -> Path:
        """Signing keys."""
        return self.root / "keys"

    @property
    def report(self) -> Path:
        """The report of the last run."""
        return self.root / "report.html"

    @contextlib.contextmanager
    def lock(self, what: str, *, wait: float = 0.0) -> Iterator[None]:
        """Hold the workspace for a command that writes; the kernel lets go of it when the process dies.

        Parameters
        ----------
        what : str
            The command, for whoever finds the workspace held.
        wait : float
            Seconds to wait for another holder.

        Raises
        ------
        BusyError
            Another process still holds it; the error says which.
        """
        import fcntl

        self.root.mkdir(parents=True, exist_ok=True)
        with open(self.root / "lock", "a+", encoding="utf-8") as file:
            deadline = time.monotonic() + wait
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise BusyError(
                            "another process is using the workspace",
                            place=str(self.root),
                            value=_holder(self.root),
                            mend="wait for it to end, or run with --wait SECONDS",
                        ) from None
                    time.sleep(0.1)
            file.seek(0)
            file.truncate()
            json.dump({"pid": os.getpid(), "command": what, "since": time.strftime("%Y-%m-%d %H:%M:%S")}, file)
            file.flush()
            yield


def write_atomically(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write a small file so that a reader, or a crash, finds the old content or the new; its folder is made.

    Parameters
    ----------
    path : Path
        The file.
    data : bytes
        All of it.
    mode : int
        Who may read and write it, less the process's umask; ``0o600`` for secrets.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)  # the new name lasts only with its folder
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _holder(root: Path) -> str:
    try:
        held = json.loads((root / "lock").read_text(encoding="utf-8"))
        return f"process {held['pid']} ({held['command']}) since {held['since']}"
    except (OSError, ValueError, KeyError):
        return "a process that just started"


def workspace_of(place: str | Path | None = None) -> Workspace:
    """The workspace of a project: ``NORIA_WORKSPACE``, else ``[workspace]`` of noria.toml, else ``.noria`` beside it.

    Raises
    ------
    DeclarationError
        ``[workspace]`` has an unknown part, or one that is no text.
    """
    project_file = find_project(place)
    settings = read_settings(project_file.parent).get("workspace", {})
    place = str(project_file.parent / "noria.toml")
    if not isinstance(settings, dict):
        raise DeclarationError("noria.toml: workspace is a table", place=place, value=settings, mend="[workspace]")
    if unknown := sorted(set(settings) - {"root", *_PARTS}):
        mend = "one of root, " + ", ".join(_PARTS)
        raise DeclarationError("noria.toml, [workspace]: unknown part", place=place, value=unknown, mend=mend)
    for part, url in settings.items():
        if not isinstance(url, str) or not url:
            raise DeclarationError(f"noria.toml, [workspace]: {part} is a text", place=place, value=url)
    named = os.environ.get("NORIA_WORKSPACE")
    root = _root(named or settings.get("root", ".noria"), project_file.parent, "NORIA_WORKSPACE" if named else place)
    urls = {
        "ledger": f"sqlite:///{root}/ledger.db",
        "lake": f"file://{root}/lake",
        "online": f"lmdb:///{root}/online",
        "registry": f"sqlite:///{root}/mlflow.db",
    }
    urls |= {part: url for part, url in settings.items() if part != "root"}
    if scheme_of(urls["registry"]) not in _REGISTRIES:
        mend = "one of " + ", ".join(f"{scheme}://" for scheme in _REGISTRIES)
        raise DeclarationError("no registry can be there", place=place, value=redacted(urls["registry"]), mend=mend)
    return Workspace(root=root, project_file=project_file, **urls)


def _root(named: str, base: Path, place: str) -> Path:
    """The folder of a workspace: a path, or a ``file://`` URL."""
    if named.startswith("file://"):
        named = str(path_of(named))
    if scheme_of(named) != "file":
        mend = "a folder of this machine, such as .noria; the parts can be URLs"
        raise DeclarationError("the root of a workspace is a folder", place=place, value=redacted(named), mend=mend)
    root = base / named
    if "?" in str(root):
        mend = "rename the folder, or name another in NORIA_WORKSPACE"
        raise DeclarationError("no registry can lie in a folder with '?'", place=place, value=str(root), mend=mend)
    return root
