import pytest

from noria.core import DeclarationError
from noria.declarations import find_project, load_project, read_settings
from noria.workspace import workspace_of


def test_a_project_is_found_by_file_folder_and_from_within(project_file, monkeypatch):
    folder = project_file.parent
    assert find_project(project_file) == find_project(folder) == project_file
    monkeypatch.chdir(folder / "data")
    assert find_project() == project_file


def test_no_project_is_said_with_the_mend(tmp_path, monkeypatch):
    with pytest.raises(DeclarationError, match="no project there") as caught:
        find_project(tmp_path)
    assert "noria init NAME" in caught.value.mend
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DeclarationError, match="no project found"):
        find_project()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import noria as nr\nx = 1 / 0\n", ":2"),
        ("x = (\n", ":1"),
        ("x = 1\n", "holds 0 projects"),
        ("import noria as nr\n\nnr.Source('a', 'b', lagg=1)\n", ":3"),
    ],
)
def test_a_broken_project_is_named_with_its_line(tmp_path, text, said):
    (tmp_path / "project.py").write_text(text)
    with pytest.raises(DeclarationError) as caught:
        load_project(tmp_path)
    assert said in str(caught.value)
    assert str(tmp_path / "project.py") in str(caught.value)


def test_settings_that_cannot_be_read_are_refused(tmp_path):
    (tmp_path / "noria.toml").write_text("project = \n")
    with pytest.raises(DeclarationError, match=r"noria\.toml cannot be read"):
        read_settings(tmp_path)


def test_settings_that_name_no_file_are_refused(tmp_path):
    (tmp_path / "noria.toml").write_text("project = 'x.py'\n")
    with pytest.raises(DeclarationError, match="names no file"):
        find_project(tmp_path)


def test_an_unknown_part_of_a_workspace_is_refused(project_file):
    (project_file.parent / "noria.toml").write_text("[workspace]\nlaek = 'x'\n")
    with pytest.raises(DeclarationError, match="unknown part"):
        workspace_of(project_file)


def test_a_workspace_lies_beside_its_project_unless_told(project_file, tmp_path, monkeypatch):
    monkeypatch.delenv("NORIA_WORKSPACE", raising=False)
    assert workspace_of(project_file).root == project_file.parent / ".noria"
    monkeypatch.setenv("NORIA_WORKSPACE", str(tmp_path / "elsewhere"))
    assert workspace_of(project_file).root == tmp_path / "elsewhere"
    assert workspace_of(project_file).ledger == f"sqlite:///{tmp_path}/elsewhere/ledger.db"
