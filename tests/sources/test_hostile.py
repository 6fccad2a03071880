"""Every reader against bytes that are wrong: rows, or one error with the place; never a crash, never rows less.

Reading goes on in this process: a parser that crashes takes the tests with it.
"""

import gzip
import io
import os
import threading
import zipfile
import zlib

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import noria as nr
from noria.core import DataError, NoriaError, TransientError
from noria.declarations import Source
from noria.sources import Ask, connector, fingerprint, read

FRAME = pl.DataFrame({"n": range(50), "x": [0.5 * n for n in range(50)], "s": [f'row, "{n}"\né' for n in range(50)]})


def bytes_of(kind: str) -> bytes:
    out = io.BytesIO()
    if kind == "csv":
        return FRAME.write_csv().encode()
    if kind == "jsonl":
        FRAME.write_ndjson(out)
    elif kind == "parquet":
        FRAME.write_parquet(out)
    elif kind == "arrow":
        FRAME.write_ipc(out)
    elif kind == "avro":
        import fastavro

        kinds = {"n": "long", "x": "double", "s": "string"}
        fields = [{"name": name, "type": kind} for name, kind in kinds.items()]
        fastavro.writer(out, {"type": "record", "name": "r", "fields": fields}, FRAME.to_dicts(), codec="deflate")
    elif kind == "xlsx":
        import openpyxl

        book = openpyxl.Workbook()
        book.active.append(FRAME.columns)
        for row in FRAME.rows():
            book.active.append(row)
        book.save(out)
    return out.getvalue()


def zipped(data: bytes, name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return out.getvalue()


WHOLE = {kind: bytes_of(kind) for kind in ("csv", "jsonl", "parquet", "arrow", "avro", "xlsx")}
WHOLE["csv.gz"] = gzip.compress(WHOLE["csv"])
WHOLE["csv.zip"] = zipped(WHOLE["csv"], "a.csv")

CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["cut", "flip", "insert", "drop", "repeat"]),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=6)
        | st.sampled_from([b"\0", b'"', b"\r\n", b"\xff\xfe", b",", b"\n", b"{", b"-1"]),
    ),
    min_size=1,
    max_size=3,
)


def changed(data: bytes, changes) -> bytes:
    for what, where, more in changes:
        at = int(where * max(len(data), 1))
        if what == "cut":
            data = data[:at]
        elif what == "flip":
            data = data[:at] + more + data[at + len(more) :]
        elif what == "insert":
            data = data[:at] + more + data[at:]
        elif what == "drop":
            data = data[:at] + data[at + len(more) :]
        else:
            data = data[: at + 50] + data[at:]
    return data


@pytest.mark.parametrize("kind", WHOLE)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES)
def test_changed_bytes_give_rows_or_one_error_with_the_place(kind, changes, tmp_path):
    file = tmp_path / f"data.{kind}"
    file.write_bytes(changed(WHOLE[kind], changes))
    try:
        found = read(Source("s", file.name), tmp_path)
    except NoriaError as error:
        found, told = None, error
    if found is None:
        assert "'s'" in str(told)
        assert told.place
        return
    assert found["_row"].to_list() == list(range(1, len(found) + 1))


FIELD = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=4) | st.sampled_from(
    ["", ",", '"', "\n", '""', "a\nb", "é", "😀", " ", "NA"]
)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(FIELD, min_size=width, max_size=width), min_size=1)))
def test_a_quoted_csv_comes_back_field_by_field(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("fields")
    quoted = ["~" + ",".join('"' + field.replace('"', '""') + '"' for field in row) for row in rows]
    names = ",".join(f"c{number}" for number in range(len(rows[0])))
    text = names + "\n" + "".join(line[1:] + "\n" for line in quoted)
    (folder / "a.csv").write_bytes(text.encode())
    source = Source("s", "a.csv")
    found = pl.concat([batch.frame for batch in connector(source).batches(Ask(source, folder))])
    assert found.rows() == [tuple(field or None for field in row) for row in rows]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(FIELD.filter(lambda f: not set(f) & set(',"\n')), min_size=1, max_size=4), min_size=2))
def test_ragged_rows_are_always_found(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("ragged")
    width = len(rows[0])
    names = [f"c{number}" for number in range(width)]
    (folder / "a.csv").write_text(
        "\n".join([",".join(names), *(",".join(f"~{f}" for f in row) for row in rows)]) + "\n"
    )
    wrong = next((number for number, row in enumerate(rows, 1) if len(row) != width), None)
    if wrong is None:
        assert len(read(Source("s", "a.csv"), folder)) == len(rows)
        return
    with pytest.raises(DataError) as caught:
        read(Source("s", "a.csv"), folder)
    assert f"row {wrong}" in str(caught.value.place)
    assert f"has {len(rows[wrong - 1])} fields" in caught.value.message


def test_names_in_an_archive_lead_nowhere(tmp_path):
    inside = tmp_path / "in"
    inside.mkdir()
    for name in ("../../escaped.csv", "/tmp/escaped.csv", "C:\\escaped.csv"):
        (inside / "a.zip").write_bytes(zipped(b"a\n1\n", name))
        assert read(Source("s", "a.zip"), inside)["a"].to_list() == [1]
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["a.zip", "in"]


def test_a_link_in_an_archive_is_refused(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        about = zipfile.ZipInfo("a.csv")
        about.external_attr = 0o120777 << 16
        archive.writestr(about, "/etc/passwd")
    (tmp_path / "a.zip").write_bytes(out.getvalue())
    with pytest.raises(DataError, match="a link"):
        read(Source("s", "a.zip"), tmp_path)


def test_bombs_of_every_packing(tmp_path):
    import pyarrow as pa

    zeros = b"a\n" + b"1\n" * (12 << 20)
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(zeros)
    bombs = {
        "a.csv.gz": gzip.compress(zeros, 9),
        "a.csv.zip": zipped(zeros, "a.csv"),
        "a.csv.zst": sink.getvalue().to_pybytes(),
    }
    bombs["a.parquet.gz"] = gzip.compress(b"\0" * (24 << 20), 9)
    for name, data in bombs.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match="unpacks to more than"):
            read(Source("s", name), tmp_path)


def test_a_workbook_that_is_a_bomb(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(zipped(b" " * (24 << 20), "xl/worksheets/sheet1.xml"))
    with pytest.raises(DataError, match="too large"):
        read(Source("s", "a.xlsx"), tmp_path)


def test_a_gzip_of_several_parts_is_read_whole(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a\n1\n") + gzip.compress(b"2\n"))
    assert read(Source("s", "a.csv.gz"), tmp_path)["a"].to_list() == [1, 2]
    wrong = bytearray(gzip.compress(b"a\n1\n"))
    wrong[-8:-4] = (zlib.crc32(b"a\n2\n")).to_bytes(4, "little")
    (tmp_path / "a.csv.gz").write_bytes(bytes(wrong))
    with pytest.raises(DataError, match="cannot be read"):
        read(Source("s", "a.csv.gz"), tmp_path)


@pytest.mark.parametrize("url", ["pipe.csv", "*.csv", "/dev/zero", "/dev/null"])
def test_what_has_no_end_is_no_file(tmp_path, url):
    os.mkfifo(tmp_path / "pipe.csv")
    for ask in (read, fingerprint):
        with pytest.raises(DataError, match="no file that has an end") as caught:
            ask(Source("s", url), tmp_path)
        assert "is a" in str(caught.value.value)


def test_links_are_followed_and_each_file_is_read_once(tmp_path):
    """Links are the user's own; what would double rows, such as a link to the newest file, does not."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b.csv").write_text("a\n2\n")
    base = tmp_path / "base"
    base.mkdir()
    (base / "a.csv").write_text("a\n1\n")
    (base / "latest.csv").symlink_to(base / "a.csv")
    os.link(base / "a.csv", base / "hard.csv")
    (base / "elsewhere.csv").symlink_to(outside / "b.csv")
    (base / "circle").symlink_to(base)
    assert read(Source("s", "**/*.csv"), base)["a"].to_list() == [1, 2]
    assert fingerprint(Source("s", "**/*.csv"), base).reads == "2 files, 8 bytes"


def test_a_file_that_changes_while_it_is_read_is_tried_again(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("a\n" + "1\n" * 10)
    source = Source("s", "a.csv")
    for change in (lambda: file.write_text("a\n2\n"), lambda: os.truncate(file, 4), file.unlink):
        file.write_text("a\n" + "1\n" * 10)
        batches = connector(source).batches(Ask(source, tmp_path))
        ways = threading.Thread(target=change)
        kept = []
        with pytest.raises((TransientError, DataError)):
            kept.extend(_and_then(batches, ways))
        assert all(batch.state is None for batch in kept)


def _and_then(batches, change):
    """The batches, with something that happens as soon as the file is open."""
    from noria.sources.formats import delimited

    real = delimited._names

    def names(given):
        found = real(given)
        change.start()
        change.join()
        return found

    delimited._names = names
    try:
        yield from batches
    finally:
        delimited._names = real


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "a.arrow", "a.avro", "a.xlsx", "a.csv.gz", "a.zip"])
def test_nothing_at_all(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError) as caught:
        read(Source("s", name), tmp_path)
    assert name in str(caught.value.place)


@pytest.mark.parametrize("name", ["a\nb.csv", "ü [1].csv", "-rf.csv", "a b;c.csv", "%41.csv", "a?.csv", "#x.csv"])
def test_odd_names_are_names(tmp_path, name):
    (tmp_path / name).write_text("a\n1\n")
    assert read(Source("s", name), tmp_path)["a"].to_list() == [1]
    assert read(Source("s", nr.files(name, encoding="utf-8")), tmp_path)["a"].to_list() == [1]
