import sys
from importlib.metadata import version
from pathlib import Path

from noria.cli import doctor

sys.path.insert(0, str(Path(__file__).parent))
from conftest import noria


def test_a_project_that_was_run(lived):
    done = noria("doctor", lived)
    assert done.returncode == 0, done.stdout
    for said in (
        f"polars {version('polars')}",
        "you act as ann",
        "source 'parcels': 1 file",
        "events, the last at",
        "3 tables",
    ):
        assert said in " ".join(done.stdout.split()), said
    assert done.stdout.splitlines()[-1] == "all that is needed is there"


def test_before_anything_was_run_nothing_is_made(project_file):
    done = noria("doctor", project_file)
    assert done.returncode == 0
    assert "noria run makes it" in done.stdout
    assert not (project_file.parent / ".noria").exists()


def test_a_source_that_is_gone_is_missing(project_file):
    (project_file.parent / "data" / "parcels.csv").unlink()
    done = noria("doctor", project_file)
    assert done.returncode == 1
    assert "MISSING  source 'parcels': " in done.stdout
    assert done.stdout.splitlines()[-1] == "1 thing is missing"


def test_a_ledger_that_cannot_be_read_is_missing(own):
    (own / ".noria" / "ledger.db").write_bytes(b"x" * 4096)
    done = noria("doctor", own)
    assert done.returncode == 1
    assert "MISSING  ledger sqlite:///" in done.stdout


def test_without_a_project_it_tells_the_rest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = noria("doctor")
    assert done.returncode == 0
    assert "noria init NAME" in done.stdout


def test_libraries_that_are_missing_or_too_old(monkeypatch):
    needs = [
        "polars>=999.1",
        "no-such-library-anywhere>=1",
        "pytest>=1",
        "no-such-extra>=2; extra == 'kafka'",
        "httpx>=999; extra == 'test'",
        "noria[docs]; extra == 'test'",
        "no-such-tool>=2.5; (sys_platform == 'linux' or sys_platform != 'linux') and extra == 'test'",
        "elsewhere>=1; sys_platform == 'nowhere' and extra == 'test'",
        "elsewhere>=1; sys_platform == 'nowhere'",
    ]
    monkeypatch.setattr(doctor, "requires", lambda name: needs)
    assert list(doctor._libraries()) == [
        ("MISSING", f"polars 999.1, {version('polars')} is too old: pip install -U polars"),
        ("MISSING", "no-such-library-anywhere 1: pip install -U no-such-library-anywhere"),
        ("ok", f"pytest {version('pytest')}"),
        ("absent", "extra 'kafka' (no-such-extra): pip install -e '.[kafka]'"),
        ("absent", "extra 'test' (httpx, no-such-tool): pip install -e '.[test]'"),
    ]


def test_prices_that_cannot_be_read_are_missing(tmp_path):
    done = noria("doctor", NORIA_PRICES=tmp_path / "none")
    assert done.returncode == 1
    assert "MISSING  the price book cannot be read" in done.stdout
