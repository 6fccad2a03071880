"""What the rehearsal's server took: read from the kernel while it still runs."""

from __future__ import annotations

import os
from pathlib import Path

from noria.cost import Meters


def meters_of(pid: int, wall_seconds: float) -> Meters:
    """What a running process took so far; nothing but the wall time where there is no ``/proc``.

    Parameters
    ----------
    pid : int
        The process.
    wall_seconds : float
        For how long it has run.
    """
    place = Path("/proc", str(pid))
    try:
        # Fields after the name, which may hold spaces: utime and stime are the 14th and 15th of proc(5).
        ticks = place.joinpath("stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]
        status = _named(place / "status")
        moved = _named(place / "io")
    except OSError:
        return Meters(wall_seconds=wall_seconds)
    return Meters(
        wall_seconds=wall_seconds,
        cpu_seconds=sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"),
        peak_bytes=1024 * int(status["VmHWM"].split()[0]),
        read_bytes=int(moved["rchar"]),
        written_bytes=int(moved["wchar"]),
        stored_bytes=int(moved["wchar"]),  # its log
    )


def _named(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
