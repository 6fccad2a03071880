"""What is imported when, which is what makes ``import noria``, ``noria --help`` and a run with nothing to do quick."""

import subprocess
import sys

import pytest

HEAVY = (
    "numpy",
    "polars",
    "pyarrow",
    "pandas",
    "scipy",
    "sklearn",
    "lightgbm",
    "optuna",
    "mlflow",
    "deltalake",
    "onnx",
    "onnxruntime",
    "skl2onnx",
    "onnxmltools",
    "sqlglot",
    "sqlalchemy",
    "granian",
    "lmdb",
    "duckdb",
    "jinja2",
    "cryptography",
    "prometheus_client",
)


def imported_by(code: str) -> set[str]:
    """The modules that are there after a fresh interpreter ran some code."""
    caught = f"try:\n    {code}\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
    whole = f"import sys\n{caught}print('\\n' + ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_importing_noria_imports_none_of_its_rooms():
    found = imported_by("import noria")
    assert not found & {*HEAVY, "pydantic", "typer", "rich"}
    assert {name for name in found if name.startswith("noria")} == {"noria"}


def test_help_imports_no_library_but_typer():
    found = imported_by("import noria.cli; noria.cli.main(['--help'])")
    assert "typer" in found
    assert not found & {*HEAVY, "pydantic", "rich"}


@pytest.mark.parametrize("which", ["example", "project_file"])
def test_loading_a_project_imports_nothing_heavy(which, request):
    place = request.getfixturevalue(which)
    found = imported_by(f"import noria; noria.load_project({str(place)!r})")
    assert not found & {*HEAVY, "typer", "rich"}
