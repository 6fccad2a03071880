"""The documentation builds with one command, without a warning, and holds a page for each capability."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_it_builds_without_a_warning(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", ROOT / "docs", tmp_path / "html", "-d", tmp_path / "trees"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = {path.stem for path in (tmp_path / "html").glob("*.html")}
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} <= made
    reference = (tmp_path / "html" / "reference.html").read_text(encoding="utf-8")
    for name in ("noria.Source", "noria.between", "noria.LightGBM", "noria.testing.LedgerSuite"):
        assert f'id="{name}"' in reference, name


def test_every_page_is_reached_from_the_first():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8").splitlines()
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    assert pages <= {line.strip() for line in index}
