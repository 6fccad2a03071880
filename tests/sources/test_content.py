"""Files that are hostile, broken or too large: one clear error, in bounded memory and time."""

import gzip
import io
import resource
import subprocess
import sys
import time
import zipfile

import pytest

from noria.core import DataError, ResourceError
from noria.declarations import Source
from noria.sources import content, read
from noria.sources.content import unreadable


def refused(folder, name, data) -> DataError:
    (folder / name).write_bytes(data)
    with pytest.raises(DataError) as caught:
        read(Source("s", name), folder)
    error = caught.value
    assert "source 's'" in error.message
    assert str(folder / name) in str(error.place)
    assert error.mend
    return error


@pytest.mark.parametrize(
    ("data", "said", "place", "value"),
    [
        ("a,b\n1,2\n1,köln\n".encode("latin-1"), "not UTF-8", "line 3, byte 11", "f6 6c 6e 0a"),
        (b"a,b\n1,caf\xc3", "not UTF-8", "line 2", "c3"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16", "", "ff fe 61 00"),
        ("a,b\n1,2\n".encode("utf-16-be"), "UTF-16", "", "00 61"),
        (b"a,b\n1,\x00\n", "NUL bytes", "line 2", ""),
        (b"\x00\x00\x01" * 1000, "NUL bytes", "line 1", ""),
    ],
)
def test_a_wrong_encoding_names_the_first_wrong_byte(tmp_path, data, said, place, value):
    error = refused(tmp_path, "data.csv", data)
    assert said in error.message
    assert place in str(error.place)
    assert value in str(error.value)


def test_a_wrong_byte_far_inside_is_found_in_its_line(tmp_path):
    error = refused(tmp_path, "data.csv", b"a,b\n" + b"1,2\n" * 600_000 + b"1,\xff\n")
    assert "line 600002, byte 2400006" in str(error.place)


def test_letters_that_lie_across_two_pieces_are_read(tmp_path):
    text = "a,b\n" + "1,é😀\n" * 400_000  # 2.8 MB: pieces of 1 MB cut letters
    (tmp_path / "data.csv").write_text(text, encoding="utf-8")
    assert read(Source("s", "data.csv"), tmp_path)["b"].unique().to_list() == ["é😀"]


@pytest.mark.parametrize("name", ["data.csv.gz", "data.csv.zip", "data.parquet.zst"])
@pytest.mark.parametrize("keep", [0.5, 0.99])
def test_a_file_that_is_cut_short(tmp_path, name, keep):
    rows = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * 7919 % 104729) for n in range(20_000))
    out = io.BytesIO()
    if name.endswith(".zip"):
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("data.csv", rows)
        data = out.getvalue()
    elif name.endswith(".gz"):
        data = gzip.compress(rows)
    else:
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(rows)
        data = sink.getvalue().to_pybytes()
    assert "cut short" in str(refused(tmp_path, name, data[: int(len(data) * keep)]))


def test_a_changed_byte_in_a_packed_file(tmp_path):
    data = bytearray(gzip.compress(b"a,b\n" + b"1,2\n" * 1000))
    data[len(data) // 2] ^= 0xFF
    refused(tmp_path, "data.csv.gz", bytes(data))


def test_what_is_not_packed_as_its_name_says(tmp_path):
    for name in ("data.csv.gz", "data.csv.zip", "data.csv.zst"):
        refused(tmp_path, name, b"a,b\n1,2\n")


def test_an_archive_of_two_files_and_a_locked_one(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("one.csv", "a\n1\n")
        archive.writestr("two.csv", "a\n2\n")
    assert "one.csv, two.csv" in str(refused(tmp_path, "data.zip", out.getvalue()))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("one.csv", "a\n1\n")
    locked = bytearray(out.getvalue())
    locked[6] |= 1  # the flags that say "encrypted", in both headers
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    assert "password" in str(refused(tmp_path, "data.csv.zip", bytes(locked)))


def test_a_bomb_is_not_unpacked(tmp_path):
    bomb = gzip.compress(b"\n" * (200 << 20), compresslevel=9)
    assert len(bomb) < 1 << 20
    before = time.monotonic()
    error = refused(tmp_path, "data.csv.gz", bomb)
    assert "unpacks to more than" in error.message
    assert time.monotonic() - before < 20


READ = """
import resource, sys
import polars, pyarrow.csv
from pathlib import Path
from noria.core import DataError
from noria.declarations import Source
from noria.sources import read
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]) << 20,) * 2)
try:
    read(Source("s", sys.argv[1]), Path("."))
except DataError as error:
    print(error)
"""


def test_a_line_of_a_gigabyte_costs_little(tmp_path):
    """The file is a hole in the disk. Who takes it whole needs a gigabyte, and may not have that much here."""
    file = tmp_path / "data.csv"
    with open(file, "wb") as stream:
        stream.write(b"a,b\n1,2\n" + b"x" * (80 << 20))
        stream.seek(1 << 30)
        stream.write(b"\n")
    address_space = _address_space()
    done = subprocess.run(
        [sys.executable, "-c", READ, str(file), str((address_space >> 20) + 600)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert "a line is longer than 67.1 MB" in done.stdout, done.stderr
    assert f"{file}, line 3" in done.stdout


def _address_space() -> int:
    """What the libraries alone take, in bytes."""
    code = "import polars, pyarrow.csv, noria.sources; print(open('/proc/self/statm').read().split()[0])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout) * resource.getpagesize()


def test_the_longest_line_is_measured_across_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(content, "MOST_LINE", 2 << 20)
    right = b"a,b\n1," + b"x" * ((2 << 20) - 2) + b"\n1,2\n"
    (tmp_path / "data.csv").write_bytes(right)
    assert len(read(Source("s", "data.csv"), tmp_path)) == 2
    error = refused(tmp_path, "data.csv", b"a,b\n1,2\n1," + b"x" * (2 << 20) + b"\n1,2\n")
    assert "line 3" in str(error.place)


def test_a_file_that_may_not_be_read_is_the_machines_fault(tmp_path):
    error = unreadable(Source("s", "data.csv"), "data.csv", PermissionError(13, "Permission denied"))
    assert isinstance(error, ResourceError)
    assert error.exit_code == 8


def test_as_another_user_a_file_without_rights_is_refused(tmp_path):
    """Root reads everything, so the reader gives its rights up first."""
    file = tmp_path / "data.csv"
    file.write_text("a,b\n1,2\n")
    code = (
        "import os, sys; from pathlib import Path; from noria.declarations import Source; from noria.sources import fingerprint\n"  # noqa: E501
        "import noria.sources.transports.local\nos.geteuid() or os.seteuid(65534)\n"
        "try:\n    fingerprint(Source('s', sys.argv[1]), Path('.'))\nexcept Exception as error:\n    print(type(error).__name__, error)"  # noqa: E501
    )
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        if folder.stat().st_uid == file.stat().st_uid and str(folder).startswith(str(tmp_path.parents[2])):
            folder.chmod(0o755)
    file.chmod(0)
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("ResourceError"), done.stdout + done.stderr
    assert str(file) in done.stdout
