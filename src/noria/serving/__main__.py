"""``python -m noria.serving``: a server for `ServerProcess`.

Reads one line of JSON from standard input (what to serve), says one line on standard output (the port, or an error),
and ends when standard input is closed or SIGTERM comes. It never imports the project: a server runs no user's code.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from noria.core import NoriaError, ToldClock, WallClock
from noria.serving.server import Service, run
from noria.workspace import Workspace


def main() -> int:
    """Serve what the line says."""
    given = json.loads(sys.stdin.buffer.readline())
    told = given["workspace"]
    root, project_file = Path(told.pop("root")), Path(told.pop("project_file"))
    service = Service(
        given["endpoint"],
        tuple(given["hosts"]),
        Workspace(root, project_file, **told),
        api_keys=Path(given["api_keys"]) if given["api_keys"] else None,
    )
    clock = ToldClock(Path(given["clock"])) if given["clock"] else WallClock()
    try:
        asyncio.run(run(service, clock, lambda port: _say({"port": port}), lifeline=sys.stdin.fileno()))
    except NoriaError as error:
        value = None if error.value is None else str(error.value)
        _say({"error": {"kind": type(error).__name__, "message": error.message, "place": error.place,
                        "value": value, "mend": error.mend}})  # fmt: skip
        return error.exit_code
    return 0


def _say(what: dict[str, Any]) -> None:
    os.write(sys.stdout.fileno(), json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    raise SystemExit(main())
