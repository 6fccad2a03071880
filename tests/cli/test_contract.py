import json
import subprocess
import sys

import pytest
import yaml

from noria.cli.contract import _contract_at
from noria.declarations import load_project

ROWS = "id,town,mail,x\n" + "".join(f"{n},{'Köln' if n % 2 else 'Bonn'},u{n}@x.org,{n * 1.5}\n" for n in range(200))
PROJECT = """
import noria as nr

rows = nr.Source("things", "things.csv", known_before="x", contract=nr.Contract(
    key="id", types={"id": "int", "x": "float"}, rows=(1, 1000), rules=[
        nr.between("x", 0, 400), nr.one_of("town", ["Köln"], on_fail="warn"), nr.private("mail", "e-mail")]))
project = nr.Project(
    "things", spine=nr.Spine(rows, label="town = 'Köln'", features={"x": "x"}),
    search=nr.Search("binary", split=nr.RandomSplit()), gates=[nr.BeatsBaseline()], endpoint=nr.Endpoint("town"))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "things.csv").write_text(ROWS, encoding="utf-8")
    (tmp_path / "project.py").write_text(PROJECT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder, capsys):
    from noria.cli import main

    def command(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(one) for one in arguments])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return command


def test_infer_prints_python_that_is_the_contract(run, folder):
    code, out, _ = run("contract", "infer", "things.csv")
    assert code == 0
    namespace = {}
    exec(out, namespace)
    contract = namespace["contract"]
    assert contract.key == ("id",)
    assert 'nr.private("mail", "e-mail")' in out
    assert 'nr.one_of("town", ["Bonn", "Köln"], on_fail="warn")' in out
    (folder / "made.py").write_text(out)
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--check", "--line-length=120", "made.py"], check=False
    )
    assert done.returncode == 0


def test_a_table_that_keeps_the_contract_passes_and_leaves_nothing(run, folder):
    before = sorted(folder.rglob("*"))
    code, out, _ = run("contract", "test", "things.csv")
    assert code == 0
    assert "200 rows: 200 would be kept, 0 quarantined" in out
    assert [one for one in sorted(folder.rglob("*")) if "__pycache__" not in str(one)] == before


def test_a_table_that_breaks_a_rule_is_told_with_examples_and_exit_3(run, folder):
    (folder / "new.csv").write_text(ROWS + "200,Bonn,u@x.org,9999\n201,Bonn,u@x.org,abc\n", encoding="utf-8")
    code, out, _ = run("contract", "test", "new.csv")
    assert code == 3
    assert "9999" in out
    assert "1 quarantined" in out


def test_values_not_of_their_type_are_told_with_examples_and_exit_3(run, folder):
    bad = "200,Köln,u@x.org,abc\n201,Köln,u@x.org,\n2.5,Köln,u@x.org,x: y\n"
    (folder / "new.csv").write_text(ROWS + bad, encoding="utf-8")
    code, out, _ = run("contract", "test", "new.csv")
    assert code == 3
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "quarantine 2 of 203 x is of type float row 201: abc; row 203: x: y" in lines
    assert "quarantine 1 of 203 id is of type int row 203: 2.5" in lines
    assert lines[-1] == "203 rows: 201 would be kept, 2 quarantined"


def test_a_rule_that_only_quarantines_ends_with_0(run, folder):
    (folder / "project.py").write_text(PROJECT.replace("0, 400)", '0, 400, on_fail="quarantine")'), encoding="utf-8")
    (folder / "new.csv").write_text(ROWS + "200,Köln,u@x.org,9999\n", encoding="utf-8")
    code, out, _ = run("contract", "test", "new.csv")
    assert (code, "200 would be kept, 1 quarantined" in out) == (0, True)


def test_too_few_rows_fail(run, folder):
    (folder / "project.py").write_text(PROJECT.replace("rows=(1, 1000)", "rows=(500, 1000)"))
    code, out, _ = run("contract", "test", "things.csv")
    assert code == 3
    assert "500 to 1,000" in out


def test_export_and_import_bring_the_contract_back(run, folder):
    code, out, _ = run("contract", "export", "--to", "odcs")
    assert code == 0
    (folder / "things.yaml").write_text(out, encoding="utf-8")
    assert _contract_at("things.yaml", None)[0] == load_project(folder).spine.source.contract
    assert run("contract", "diff", "things.yaml", ".")[:2] == (0, "")
    code, out, _ = run("contract", "import", "things.yaml")
    assert code == 0
    assert 'nr.between("x", 0, 400)' in out


def test_other_exports_can_be_read(run):
    code, out, _ = run("contract", "export", "--to", "json-schema", "--source", "things")
    assert (code, json.loads(out)["properties"]["x"]) == (0, {"type": ["number", "null"], "minimum": 0, "maximum": 400})
    code, out, _ = run("contract", "export", "--to", "dbt", "--source", "things")
    (table,) = yaml.safe_load(out)["sources"][0]["tables"]
    assert (code, table["name"], [column["name"] for column in table["columns"]]) == (
        0, "things", ["id", "x", "town", "mail"],
    )  # fmt: skip


def test_diff_names_what_differs_and_ends_with_1(run, folder):
    (folder / "new.csv").write_text("id,town,y\n1,Köln,a\n2,Bonn,b\n")
    code, out, _ = run("contract", "diff", ".", "new.csv")
    assert code == 1
    assert "- x: float" in out
    assert "+ y: string" in out


def test_a_source_that_is_not_there_is_named(run):
    code, _, err = run("contract", "export", "--to", "dbt", "--source", "thing")
    assert code == 2
    assert "one of things" in err


def test_a_profile_is_told_and_compared(run, folder):
    code, out, _ = run("profile", "things.csv")
    assert code == 0
    assert "200 rows, 4 columns" in out
    assert "looks like e-mail" in out
    code, out, _ = run("profile", "things.csv", "--json")
    (folder / "before.json").write_text(out, encoding="utf-8")
    assert run("profile", "things.csv", "--diff", "before.json")[:2] == (0, "")
    (folder / "new.csv").write_text(ROWS.replace("x.org", ""), encoding="utf-8")
    code, out, _ = run("profile", "new.csv", "--diff", "before.json")
    assert code == 1
    assert "mail: personal: e-mail -> nothing" in out


def test_another_separator_is_named_and_said(run, folder):
    (folder / "one.csv").write_text("a;b\n1;2\n3;4\n", encoding="utf-8")
    (folder / "two.csv").write_text("a;b\n1,5;2,5\n", encoding="utf-8")
    for command in (["profile"], ["contract", "infer"]):
        for file in ("one.csv", "two.csv"):
            code, _, err = run(*command, file)
            assert (code, "--separator ';'" in err) == (3, True)
        assert run(*command, "two.csv", "--separator", ";")[0] == 0
    assert 'types={"a;b"' in run("contract", "infer", "one.csv", "--separator", ",")[1]


def test_a_table_is_tested_with_the_separator_of_its_source(run, folder):
    (folder / "project.py").write_text(PROJECT.replace('"things.csv"', 'nr.files("things.csv", separator=";")'))
    (folder / "new.csv").write_text(ROWS.replace(",", ";"), encoding="utf-8")
    code, out, _ = run("contract", "test", "new.csv")
    assert (code, "200 rows: 200 would be kept" in out) == (0, True)


def test_what_no_rule_says_is_refused_or_listed(run, folder):
    (folder / "others.yaml").write_text(
        "{kind: DataContract, apiVersion: v3.1.0, schema: [{name: orders, properties: ["
        "{name: x, logicalType: integer, required: true, logicalTypeOptions: {multipleOf: 5}}]}]}"
    )
    code, _, err = run("contract", "import", "others.yaml")
    assert (code, "orders.x: multipleOf 5" in err, "--lenient" in err) == (2, True, True)
    code, out, _ = run("contract", "import", "others.yaml", "--lenient")
    assert (code, "# left out: x: multipleOf 5" in out, 'nr.not_null("x")' in out) == (0, True, True)
