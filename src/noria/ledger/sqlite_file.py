"""The bytes of a SQLite file that no query reads: fixed header fields and unused space, which must be zero.

The format: https://www.sqlite.org/fileformat2.html. The ledger only grows and erases what it moves, so its pages have no free
blocks, and whatever lies between the cell pointers and the cells was never written.
"""

from __future__ import annotations

import struct
from pathlib import Path

_LEAF, _INTERIOR = 13, 5


def faults_of_file(path: Path) -> list[str]:
    """What is wrong with a ledger's file beyond what SQLite itself looks at."""
    data = path.read_bytes()
    if len(data) < 512:
        return ["the file is cut short"]
    size = struct.unpack(">H", data[16:18])[0]
    size = 65536 if size == 1 else size
    if size < 512 or size & (size - 1) or len(data) % size:
        return ["the file's page size or length was changed"]
    faults = []
    if (
        data[18:20] != b"\x01\x01"
        or data[20:24] != b"\0\x40\x20\x20"
        or any(data[32:40])
        or any(data[48:56])
        or any(data[64:68])
    ):
        faults.append("a fixed field of the file's header was changed")
    if any(data[72:92]) or data[24:28] != data[92:96]:
        faults.append("a counter of the file's header was changed")
    for number in range(len(data) // size):
        if not _unused_is_zero(data[number * size : (number + 1) * size], 100 if number == 0 else 0):
            faults.append(f"unused bytes of page {number + 1} were changed")
    return faults


def _unused_is_zero(page: bytes, start: int) -> bool:
    kind = page[start]
    if kind not in (_LEAF, _INTERIOR):
        return True  # an overflow page: all of it is content of one event, or zero after its end, which SQLite checks
    free, cells, content = struct.unpack(">HHH", page[start + 1 : start + 7])
    pointers = start + (8 if kind == _LEAF else 12) + 2 * cells
    return free == 0 and not any(page[pointers : content or 65536])
