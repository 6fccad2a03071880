"""Gates that open the package and the online store, over a project that has really been trained."""

from __future__ import annotations

import re

import polars as pl
import pytest

from noria.core import IntegrityError
from noria.gates import BeatsBaseline, ContractKept, GeneralisationGap, Latency, Parity


def test_every_row_is_timed_through_the_signed_package(life):
    finding = life.check(Latency(p99_ms=1000, rows=200))
    assert finding.passed
    assert finding.facts["rows"] == 200
    assert 0 < finding.facts["p50_ms"] <= finding.facts["p99_ms"]


def test_a_limit_that_no_machine_keeps_fails_with_its_figures(life):
    finding = life.check(Latency(p99_ms=1e-6, rows=100))
    assert not finding.passed
    assert finding.facts["p99_ms"] > finding.facts["limit_ms"]
    assert re.search(r"99 of 100 at most [0-9.]+ ms", finding.text)


def test_a_package_with_a_changed_byte_is_not_timed_but_refused(life, tmp_path):
    import shutil

    from noria.steps import Outcome

    folder = life.workspace.root / life.outcomes["package"].outputs["package"].removeprefix("file:")
    bent = tmp_path / folder.name
    shutil.copytree(folder, bent)
    model = bytearray((bent / "model.onnx").read_bytes())
    model[len(model) // 2] ^= 1
    (bent / "model.onnx").write_bytes(model)
    with pytest.raises(IntegrityError):
        life.check(Latency(p99_ms=1000), package=Outcome({"package": f"file:{bent}"}))


def test_what_is_served_is_what_was_trained_on(life):
    finding = life.check(Parity(rows=60, moments=5))
    assert finding.passed, finding.text
    assert finding.facts["rows"] > 0
    assert finding.facts["features"] == len(life.outcomes["training-set"].facts["features"])
    assert finding.facts["mismatches"] == 0


def test_a_training_set_that_knew_more_is_found(life, changed_set):
    features = life.outcomes["training-set"].facts["features"]
    name = next(feature["name"] for feature in features if feature["kind"] == "number" and feature["view"])
    finding = life.check(Parity(rows=20), training_set=changed_set(**{name: pl.col(name).fill_null(0) + 0.01}))
    assert not finding.passed
    assert list(finding.facts["by_feature"]) == [name]
    assert name in finding.text
    assert finding.facts["examples"][0]["offline"] != finding.facts["examples"][0]["online"]


def test_the_same_questions_are_asked_every_time(life):
    assert life.check(Parity(rows=30)).facts == life.check(Parity(rows=30)).facts


def test_real_outcomes_are_evidence_for_the_other_gates(life):
    assert life.check(BeatsBaseline()).facts["difference"]["low"] > 0
    assert life.check(GeneralisationGap(limit=1)).facts["validation"] > 0
    assert life.check(ContractKept(quarantined=0.5)).facts["rows"] > 1000
    assert not life.check(ContractKept(quarantined=0)).passed  # some weights are negative
