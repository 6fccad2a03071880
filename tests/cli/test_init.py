import subprocess
import sys

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
