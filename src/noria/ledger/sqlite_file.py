"""The bytes of a SQLite file that no query reads: fixed header fields and unused space, which must be zero.

The format: https://www.sqlite.org/fileformat2.html. The ledger only grows and erases what it moves, so its pages have
no free blocks, and whatever lies between the cell pointers and the cells, or after the end of a long event, was never
written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_LEAF, _INTERIOR = 13, 5
_SCHEMA_COOKIE, _SCHEMA_FORMAT, _UTF8 = 3, 4, 1


def faults_of_file(data: bytes, application: int, writer: int | None) -> list[str]:
    """What is wrong with a ledger's file beyond what SQLite itself looks at.

    Parameters
    ----------
    data : bytes
        The whole file.
    application : int
        The number that says whose file it is.
    writer : int, optional
        Number of the SQLite that wrote it last, where it is known.
    """
    if len(data) < 512:
        return ["the file is cut short"]
    size = struct.unpack(">H", data[16:18])[0]
    size = 65536 if size == 1 else size
    if size < 512 or size & (size - 1) or len(data) % size:
        return ["the file's page size or length was changed"]
    faults = []
    if data[18:20] == b"\x02\x02":
        faults.append("the file was put into WAL mode: events may lie outside it")
    elif not _header_is_fixed(data, application) or writer not in (None, _number(data, 96)):
        faults.append("a fixed field of the file's header was changed")
    if any(data[72:92]) or data[24:28] != data[92:96] or _number(data, 28) != len(data) // size:
        faults.append("a counter of the file's header was changed")
    pages = [data[at : at + size] for at in range(0, len(data), size)]
    for number, page in enumerate(pages, 1):
        if not _unused_is_zero(page, 100 if number == 1 else 0):
            faults.append(f"unused bytes of page {number} were changed")
    return faults + [fault for number in range(2, len(pages) + 1) for fault in _faults_of_cells(pages, number)]


def _header_is_fixed(data: bytes, application: int) -> bool:
    numbers = [_number(data, at) for at in (40, 44, 56, 68)]
    zero = (data[32:40], data[48:56], data[64:68])
    return (
        data[18:24] == b"\x01\x01\0\x40\x20\x20"
        and numbers == [_SCHEMA_COOKIE, _SCHEMA_FORMAT, _UTF8, application]
        and not any(map(any, zero))
    )


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4])


def _unused_is_zero(page: bytes, start: int) -> bool:
    kind = page[start]
    if kind not in (_LEAF, _INTERIOR):
        return True  # a page that a long event goes on in: see _faults_of_cells
    free, cells, content = struct.unpack(">HHH", page[start + 1 : start + 7])
    pointers = start + (8 if kind == _LEAF else 12) + 2 * cells
    return free == 0 and not any(page[pointers : content or 65536])


def _faults_of_cells(pages: list[bytes], number: int) -> Iterator[str]:
    """What no query shows of a leaf's events: the null in the place of the place, and what follows a long event."""
    page = pages[number - 1]
    if page[0] != _LEAF:
        return
    usable = len(page)
    most, least = usable - 35, (usable - 12) * 32 // 255 - 23
    (cells,) = struct.unpack(">H", page[3:5])
    for (at,) in struct.iter_unpack(">H", page[8 : 8 + 2 * cells]):
        length, after = _varint(page, at)
        place, after = _varint(page, after)
        _, types = _varint(page, after)
        if page[types : types + 1] != b"\0":
            yield f"event {place} was changed"
        if length <= most:
            continue
        local = least + (length - least) % (usable - 4)
        local = local if local <= most else least
        last, rest = _number(page, after + local), length - local
        while rest > usable - 4 and 0 < last <= len(pages):
            last, rest = _number(pages[last - 1], 0), rest - (usable - 4)
        if 0 < last <= len(pages) and any(pages[last - 1][:4] + pages[last - 1][4 + rest :]):
            yield f"unused bytes after event {place} were changed"


def _varint(page: bytes, at: int) -> tuple[int, int]:
    """A number of up to nine bytes, and where it ends."""
    value = 0
    for count, byte in enumerate(page[at : at + 9]):
        value = value << 8 | byte if count == 8 else value << 7 | byte & 127
        if byte < 128 or count == 8:
            return value, at + count + 1
    return value, len(page)
