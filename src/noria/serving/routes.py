"""Routes: which versions answer an endpoint's requests, and what share each gets."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from noria.core import DataError, GateError, IntegrityError
from noria.workspace import write_atomically

FORMAT = 1
_NAME = "routes.json"
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Routes:
    """Shares of requests by version.

    Parameters
    ----------
    weights : mapping of str to float
        A version to its share; shares are relative, a version with share 0 gets nothing.

    Raises
    ------
    DataError
        There is no version with a share, a share is negative or not finite, or a name cannot be a version's.

    Examples
    --------
    >>> Routes({"0a1b2c3d4e5f": 0.9, "5f4e3d2c1b0a": 0.1}).weights["5f4e3d2c1b0a"]
    0.1
    """

    weights: Mapping[str, float]

    def __post_init__(self) -> None:
        for version, share in self.weights.items():
            if not _VERSION.fullmatch(version):
                raise DataError("not a version", place="routes", value=version, mend="letters, digits, - and _")
            if not (math.isfinite(share) and share >= 0):
                raise DataError("a share must be a number from 0", place=f"routes, {version}", value=share)
        if not any(self.weights.values()):
            raise DataError("no version gets requests", place="routes", value=dict(self.weights))


def write_routes(folder: Path, routes: Routes) -> None:
    """Write an endpoint's routes in one atomic step; its server notices.

    Parameters
    ----------
    folder : Path
        ``serving/<endpoint>`` in the workspace.
    routes : Routes
        The new shares.
    """
    told = json.dumps({"format": FORMAT, "weights": dict(routes.weights)}, indent=1)
    write_atomically(routes_file(folder), told.encode())


def read_routes(folder: Path) -> Routes:
    """An endpoint's routes.

    Raises
    ------
    GateError
        No version was ever promoted to it.
    IntegrityError
        The file is damaged, or of another format.
    """
    path = routes_file(folder)
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise GateError(
            "no version is promoted to this endpoint", place=str(path), mend="noria run: a version must pass its gates"
        ) from None
    except (ValueError, OSError) as error:
        raise IntegrityError("the routes cannot be read", place=str(path), value=str(error)) from None
    try:
        if told["format"] != FORMAT:
            raise IntegrityError("the routes have an unknown format", place=str(path), value=told["format"])
        return Routes({str(version): float(share) for version, share in told["weights"].items()})
    except (KeyError, TypeError, ValueError, AttributeError, DataError) as error:
        raise IntegrityError("the routes are damaged", place=str(path), value=str(error)) from None


def routes_file(folder: Path) -> Path:
    """Where an endpoint's routes are."""
    return folder / _NAME
