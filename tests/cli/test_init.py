import subprocess
import sys
from datetime import date, timedelta

import polars as pl
import pytest

from noria.cli.init import make_project
from noria.core import DeclarationError
from noria.declarations import load_project


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_makes_the_same_project_everywhere(tmp_path):
    one, two = make_project(tmp_path / "a" / "parcels"), make_project(tmp_path / "b" / "parcels")
    assert files(one) == files(two)
    assert {str(path) for path in files(one)} == {
        "project.py",
        "noria.toml",
        ".gitignore",
        "tests/test_project.py",
        "data/couriers.csv",
        "data/parcels.csv",
    }


def test_the_project_loads_under_its_name(made_project):
    project = load_project(made_project)
    assert project.name == "parcels"
    assert {source.name for source in project.sources} == {"parcels", "couriers"}


def test_its_own_test_passes(made_project):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", made_project],
        capture_output=True,
        text=True,
        check=False,
        cwd=made_project,
    )
    assert done.returncode == 0, done.stdout


def test_every_line_of_the_project_that_chooses_has_a_comment(made_project):
    text = (made_project / "project.py").read_text()
    assert text.count("# ") >= 12


@pytest.mark.parametrize("name", ["1x", "a b", "ü"])
def test_a_name_that_cannot_be_is_refused(tmp_path, name):
    with pytest.raises(DeclarationError, match="not a name"):
        make_project(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_not_touched(tmp_path):
    (tmp_path / "parcels").mkdir()
    with pytest.raises(DeclarationError, match="there already"):
        make_project(tmp_path / "parcels")
    assert not list((tmp_path / "parcels").iterdir())


TABLE = pl.DataFrame({
    "customer": [f"c{n}" for n in range(400)],
    "Größe (cm)": [150 + n % 50 for n in range(400)],
    "plan": ["basic", "pro", "pro", "free"] * 100,
    "same": ["x"] * 400,
    "mail": [f"u{n}@x.org" for n in range(400)],
    "left": ["yes" if n * 7 % 10 < 3 else "No " for n in range(400)],
    "day": [date(2024, 1, 1) + timedelta(days=n // 2) for n in range(400)],
}).with_columns(told=pl.col("left") == "yes")  # fmt: skip


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(frame, name="data.csv"):
        getattr(frame, "write_parquet" if name.endswith("parquet") else "write_csv")(tmp_path / name)
        return name

    return write


@pytest.fixture
def init(capsys):
    from noria.cli import main

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["init", *arguments])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


def formatted(folder):
    command = [sys.executable, "-m", "ruff", "format", "--diff", "--line-length=120", folder]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["data.csv", "data.parquet"])
def test_a_table_becomes_a_project_that_loads_and_plans(tmp_path, table, init, name):
    code, out, err = init(table(TABLE, name), "--target", "left")
    assert (code, err) == (0, "")
    project = load_project(tmp_path / "data")
    assert project.spine.label == "LOWER(TRIM(left)) = 'yes'"
    assert project.spine.time == "day"
    assert project.spine.source.contract.key == ("customer",)
    assert {name for name, _ in project.spine.features} == {"Größe (cm)", "plan", "weekday"}
    for column, why in {"same": "always the same", "mail": "personal", "told": "tells the answer"}.items():
        assert f"left out: {column}: " in out
        assert why in out
    text = (tmp_path / "data" / "project.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 100
    assert text.count("# ") >= 10
    assert formatted(tmp_path / "data").stdout == ""
    from noria.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["plan", "data"])
    assert ended.value.code == 0


def test_without_a_time_rows_are_parted_at_random_and_those_of_one_thing_together(tmp_path, table, init):
    frame = TABLE.select("plan", "left", customer_id=pl.int_range(pl.len()) // 4)
    assert init(table(frame), "--target", "left")[0] == 0
    project = load_project(tmp_path / "data")
    assert project.spine.time is None
    assert project.search.split.by == ("customer_id",)


def test_a_wide_table_stays_a_short_project(tmp_path, table, init):
    frame = pl.DataFrame({f"column number {n}": [n * m % 17 for m in range(300)] for n in range(1, 200)})
    frame = frame.with_columns(y=pl.Series([m * 13 % 3 == 0 for m in range(300)]))
    assert init(table(frame), "--target", "y")[0] == 0
    assert len((tmp_path / "data" / "project.py").read_text().splitlines()) < 100
    assert formatted(tmp_path / "data").stdout == ""
    assert len(load_project(tmp_path / "data").spine.features) > 150


@pytest.mark.parametrize(("values", "label"), [
    ([True, False], "y"), ([0, 1], "y = 1"), ([1.0, 2.0], "y = 1.0"), (["ja", "nein"], "y = 'ja'"),
    (["it's", "so"], "y = 'so'"), (["so", "it's"], "y = 'it''s'"),
])  # fmt: skip
def test_any_two_answers_are_understood(tmp_path, table, init, values, label):
    frame = pl.DataFrame({"x": [n * 7919 % 101 for n in range(300)], "y": [values[n * 31 % 5 < 2] for n in range(300)]})
    assert init(table(frame), "--target", "y")[0] == 0
    assert load_project(tmp_path / "data").spine.label == label
    assert formatted(tmp_path / "data").stdout == ""


MISTAKES = {
    "a name that is near": (["--target", "Left"], 2, "did you mean 'left'?"),
    "no target": ([], 2, "--target COLUMN"),
    "one answer": (["--target", "same"], 3, "one answer only"),
    "many answers": (["--target", "plan"], 3, "--positive 'pro'"),
    "a value that is not there": (["--target", "plan", "--positive", "gold"], 2, "no such value"),
    "no such time": (["--target", "left", "--time", "plan"], 2, "day, or none"),
    "a date": (["--target", "day"], 3, "not an answer of yes or no"),
    "a bad folder": (["--target", "left", "--into", "1x"], 2, "not a name for a project"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_mend_and_nothing_is_left(tmp_path, table, init, mistake):
    arguments, exit_code, words = MISTAKES[mistake]
    code, _, err = init(table(TABLE), *arguments)
    assert code == exit_code
    assert words in err
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


WIDE = ",".join(f"c{n}" for n in range(30_000)).encode() + b"\n" + b",".join([b"1"] * 30_000) + b"\n"


@pytest.mark.parametrize(("content", "words"), [
    (b"", "empty"), (b"a,b\n", "no row"), ("a,ö\n1,2\n".encode("latin-1"), "UTF-8"),
    (b"a,b\n1,2\n3,4\n", "too few rows"), (WIDE, "too many columns"),
])  # fmt: skip
def test_a_bad_file_is_told(tmp_path, init, content, words):
    (tmp_path / "bad.csv").write_bytes(content)
    code, _, err = init(str(tmp_path / "bad.csv"), "--target", "a", "--into", str(tmp_path / "made"))
    assert code == 3
    assert words in err
    assert not (tmp_path / "made").exists()


def test_options_of_a_table_are_refused_without_one(tmp_path, init):
    code, _, err = init(str(tmp_path / "parcels"), "--positive", "x")
    assert code == 2
    assert "--positive says nothing" in err


@pytest.mark.parametrize(("separator", "given"), [(";", ";"), ("\t", "\\t")])
def test_another_separator_is_said_and_stands_in_the_project(tmp_path, monkeypatch, init, separator, given):
    monkeypatch.chdir(tmp_path)
    TABLE.write_csv(tmp_path / "data.csv", separator=separator)
    code, _, err = init(str(tmp_path / "data.csv"), "--target", "left")
    assert code == 3
    assert f"--separator '{given}'" in err
    code, _, err = init(str(tmp_path / "data.csv"), "--target", "left", "--separator", given)
    assert (code, err) == (0, "")
    assert load_project(tmp_path / "data").spine.source.origin.separator == separator
    assert formatted(tmp_path / "data").stdout == ""
    from noria.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["plan", "data"])
    assert ended.value.code == 0


def test_what_is_no_separator_is_refused(tmp_path, table, init):
    assert init(table(TABLE), "--target", "left", "--separator", ";;")[0] == 2
    assert init("somewhere", "--separator", ";")[0] == 2
    assert init(table(TABLE, "data.parquet"), "--target", "left", "--separator", ";", "--into", "made")[0] == 2


def test_words_among_numbers_are_taken_for_no_value(tmp_path, init, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{number % 50},{number % 7},{'yes' if number % 3 else 'no'}" for number in range(400)]
    rows[10], rows[20], rows[30] = "?,1,yes", "unknown,2,no", "4,12kg,yes"
    (tmp_path / "people.csv").write_text("age,weight,left\n" + "\n".join(rows) + "\n")
    _, said, _ = init("people.csv", "--target", "left")
    assert "look: 'age' is a number but for '?', 'unknown': taken for no value, in all columns" in said
    assert "'weight'" not in said.split("look:")[1]
    text = (tmp_path / "people" / "project.py").read_text()
    assert 'null_values=["?", "unknown"],' in text
    assert '"age": "int"' in text


@pytest.mark.parametrize("name", ["people.parquet", "people.jsonl"])
def test_words_of_a_format_that_says_what_is_null_are_left_alone(tmp_path, init, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    rows = pl.DataFrame({"age": [str(n % 50) for n in range(399)] + ["?"], "size": [n % 7 for n in range(400)],
                         "left": ["yes" if n % 3 else "no" for n in range(400)]})  # fmt: skip
    getattr(rows, "write_parquet" if name.endswith("parquet") else "write_ndjson")(name)
    code, said, _ = init(name, "--target", "left")
    assert code == 0
    assert "taken for no value" not in said
    assert "null_values" not in (tmp_path / "people" / "project.py").read_text()
