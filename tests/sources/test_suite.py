"""Files do what every source must do; and so does a kind of source from somebody else's package."""

import sys
from importlib.metadata import distributions

import pytest

from noria.core import DeclarationError
from noria.declarations import Source
from noria.sources import read
from noria.testing import SourceSuite


class TestFile(SourceSuite):
    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "planes.csv"
        path.write_text("tailnum,seats\nN1,20\nN2,180\n")
        return path

    @pytest.fixture
    def source(self, file):
        return Source("planes", file.name)

    @pytest.fixture
    def change(self, file):
        return lambda: file.write_text("tailnum,seats\nN1,20\nN2,181\n")

    @pytest.fixture
    def gone(self, file):
        return file.unlink


COUNTER = '''
import hashlib
from pathlib import Path

from noria.sources import Batch, Connector, Fingerprint


class Counter(Connector):
    """Counts to the number in a file: ``counter:///path``."""

    def _number(self):
        return int(Path(self.url.removeprefix("counter://")).read_text())

    def fingerprint(self, ask):
        number = self._number()
        return Fingerprint(hashlib.blake2b(b"%d" % number).hexdigest(), f"{number} numbers")

    def batches(self, ask, since=None):
        import polars as pl

        yield Batch(pl.DataFrame({"number": range(self._number())}), self.url)
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package that adds a kind of source by an entry point."""
    site = tmp_path / "site"
    info = site / "noria_counter-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "noria_counter.py").write_text(COUNTER)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: noria-counter\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[noria.sources]\ncounter = noria_counter:Counter\n")
    monkeypatch.syspath_prepend(str(site))
    assert any(one.metadata["Name"] == "noria-counter" for one in distributions())
    yield
    sys.modules.pop("noria_counter", None)


class TestSomebodyElses(SourceSuite):
    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "number"
        path.write_text("3")
        return path

    @pytest.fixture
    def source(self, file, package):
        return Source("numbers", f"counter://{file}")

    @pytest.fixture
    def change(self, file):
        return lambda: file.write_text("4")


def test_a_scheme_that_nobody_adds_is_refused(tmp_path):
    with pytest.raises(DeclarationError, match="no backend for scheme 'counter://'"):
        read(Source("numbers", "counter:///number"), tmp_path)
