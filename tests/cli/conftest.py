"""A small project that was run, with people who decide, for the commands that look at it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def noria(*arguments, **environment):
    """Run the command as a user does."""
    return subprocess.run(
        [sys.executable, "-c", "from noria.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NORIA_ACTOR": "ann", **{name: str(value) for name, value in environment.items()}},
    )


@pytest.fixture(scope="session")
def lived(made_project, tmp_path_factory):
    """The folder of a project that ann has run, whose version waits for bob's decision. Nobody writes into it."""
    folder = tmp_path_factory.mktemp("lived") / "parcels"
    shutil.copytree(made_project, folder)
    file = folder / "project.py"
    team = 'team=nr.Team([nr.Member("ann", "lead"), nr.Member("bob", "expert")]),\n    gates=[nr.Approval("expert"), '
    text = file.read_text().replace("    gates=[", f"    {team}")
    file.write_text(text)
    done = noria("run", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def own(lived, tmp_path):
    """A copy of it that a test may change."""
    return Path(shutil.copytree(lived, tmp_path / "parcels"))
