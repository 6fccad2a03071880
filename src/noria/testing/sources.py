"""What every kind of source must do."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from noria.core import NoriaError
from noria.declarations import Source
from noria.sources import fingerprint, read


class SourceSuite:
    """The tests of a source's backend; give it the fixtures ``source`` and ``change``, and ``gone`` where it can go."""

    @pytest.fixture
    def source(self) -> Source:
        """A source with at least two rows."""
        raise NotImplementedError("the suite needs a fixture 'source'")

    @pytest.fixture
    def change(self) -> Callable[[], object]:
        """Changes what the source holds."""
        raise NotImplementedError("the suite needs a fixture 'change'")

    @pytest.fixture
    def gone(self) -> Callable[[], object]:
        """Takes away what the source holds."""
        pytest.skip("what it holds cannot go")

    def test_rows_are_numbered_from_1_in_their_order(self, source: Source, tmp_path: Path) -> None:
        frame = read(source, tmp_path)
        assert frame.schema["_row"] == pl.Int64
        assert frame["_row"].to_list() == list(range(1, len(frame) + 1))
        assert len(frame) > 1

    def test_reading_again_gives_the_same(self, source: Source, tmp_path: Path) -> None:
        assert_frame_equal(read(source, tmp_path), read(source, tmp_path))

    @pytest.mark.parametrize("cached", [False, True])
    def test_the_fingerprint_changes_with_the_content_alone(
        self, source: Source, change: Callable[[], object], tmp_path: Path, cached: bool
    ) -> None:
        cache = tmp_path / "cache" if cached else None
        before = fingerprint(source, tmp_path, cache)
        assert fingerprint(source, tmp_path, cache) == fingerprint(source, tmp_path) == before
        assert before.reads
        change()
        changed = fingerprint(source, tmp_path, cache)
        assert changed.digest != before.digest
        assert changed == fingerprint(source, tmp_path)

    def test_a_fingerprint_imports_no_frame_library(self, source: Source, tmp_path: Path) -> None:
        """It is asked for on every plan, also where there is nothing to do."""
        given = pickle.dumps((sys.path, source, tmp_path))
        code = (
            "import pickle, sys; sys.path[:], source, base = pickle.loads(sys.stdin.buffer.read()); "
            "from noria.sources import fingerprint; fingerprint(source, base); "
            "sys.exit('polars' in sys.modules or 'pyarrow' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], input=given, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()

    def test_what_is_gone_is_one_error_that_names_the_source(
        self, source: Source, gone: Callable[[], object], tmp_path: Path
    ) -> None:
        gone()
        for ask in (fingerprint, read):
            with pytest.raises(NoriaError, match=source.name):
                ask(source, tmp_path)
