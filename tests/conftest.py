"""What tests of several rooms share."""

from pathlib import Path

import pytest
from hypothesis import settings

from noria.cli.init import make_project

settings.register_profile("noria", deadline=None)  # how long an example takes says more of the machine than of us
settings.load_profile("noria")


@pytest.fixture(scope="session")
def made_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project as ``noria init`` makes it; nobody writes into it."""
    return make_project(tmp_path_factory.mktemp("made") / "parcels")


@pytest.fixture
def project_file(tmp_path: Path) -> Path:
    """The file of such a project that a test may change."""
    return make_project(tmp_path / "parcels") / "project.py"


@pytest.fixture
def example() -> Path:
    """The example's project file."""
    return Path(__file__).parent.parent / "examples" / "flights" / "project.py"
