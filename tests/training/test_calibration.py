from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.training.calibration import Calibration, calibrate
from noria.training.metrics import score


def _rows(slope: float, shift: float, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    margin = random.normal(0, 2, count)
    return margin, (random.random(count) < 1 / (1 + np.exp(-(slope * margin + shift)))).astype(np.int8)


def test_margins_that_are_right_stay_as_they_are() -> None:
    assert calibrate(*_rows(1.0, 0.0)).way == "none"


def test_margins_that_are_too_bold_are_tamed() -> None:
    found = calibrate(*_rows(0.5, -1.0))
    assert found.way == "platt"
    assert found.slopes[0] == pytest.approx(0.5, abs=0.03)
    assert found.shift == pytest.approx(-1.0, abs=0.06)
    assert found.log_loss["platt"] < found.log_loss["none"]


def test_a_crooked_map_needs_beta() -> None:
    random = np.random.default_rng(0)
    margin = random.normal(0, 2, 20_000)
    odds = 2 * -np.logaddexp(0, -margin) + 0.2 * np.logaddexp(0, margin) + 0.5
    assert calibrate(margin, (random.random(20_000) < 1 / (1 + np.exp(-odds))).astype(np.int8)).way == "beta"


def test_margins_that_are_upside_down_are_never_turned_round() -> None:
    margin, labels = _rows(-1.0, 0.0)
    ordered = calibrate(margin, labels).probability(np.linspace(-5, 5, 50))
    assert (np.diff(ordered) >= 0).all()


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=20), st.floats(0, 5), st.floats(0, 5), st.floats(-5, 5))
def test_every_way_keeps_the_order_and_stays_between_0_and_1(
    margins: list[float], a: float, b: float, c: float
) -> None:
    ordered = np.sort(np.array(margins))
    for way, slopes in (("none", ()), ("platt", (a,)), ("beta", (a, b))):
        found = Calibration(way, slopes, c).probability(ordered)
        assert ((found >= 0) & (found <= 1)).all()
        assert (np.diff(found) >= -1e-12).all()


@pytest.mark.parametrize(("slope", "shift"), [(0.4, 0.0), (1.0, -1.5), (2.5, 0.5)])
def test_rows_that_it_never_saw_have_a_better_log_loss(slope: float, shift: float) -> None:
    margin, labels = _rows(slope, shift)
    half = len(margin) // 2
    found = calibrate(margin[:half], labels[:half])
    before, after = (
        score("log_loss", labels[half:], way.probability(margin[half:])) for way in (Calibration("none"), found)
    )
    assert found.way != "none"
    assert after > before + 0.01
    best = 1 / (1 + np.exp(-(slope * margin[half:] + shift)))
    assert after == pytest.approx(score("log_loss", labels[half:], best), abs=0.002)


def test_rows_with_one_answer_are_not_calibrated() -> None:
    assert calibrate(np.linspace(-1, 1, 50), np.ones(50, np.int8)).way == "none"
