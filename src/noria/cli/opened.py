"""A project with its workspace and ledger, opened for a command that works on what runs left."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from noria.declarations import Project
    from noria.ledger import Ledger
    from noria.workspace import Workspace


@contextlib.contextmanager
def opened(place: str | None, *, lock: str = "", wait: float = 0.0) -> Iterator[tuple[Project, Workspace, Ledger]]:
    """The project of a place, if the workspace is its own; locked for a command that writes.

    Parameters
    ----------
    place : str, optional
        Its file or folder; by default the one around here.
    lock : str
        The command, for whoever finds the workspace held; empty: it is not locked.
    wait : float
        Seconds to wait for another holder.
    """
    from noria.declarations import load_project
    from noria.ledger import open_ledger
    from noria.plan import refuse_another
    from noria.workspace import workspace_of

    workspace = workspace_of(place)
    declared = load_project(workspace.project_file)
    with (
        workspace.lock(lock, wait=wait) if lock else contextlib.nullcontext(),
        contextlib.closing(open_ledger(workspace.ledger)) as ledger,
    ):
        refuse_another(declared, workspace, ledger)
        yield declared, workspace, ledger
