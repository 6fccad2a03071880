from __future__ import annotations

import gc
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core import DataError
from noria.declarations import Budget, Search
from noria.training import Baseline, Learner, LightGBM, LogisticRegression
from noria.training.calibration import Calibration
from noria.training.candidates import Fitted, Params
from noria.training.candidates.baseline import Rates
from noria.training.export import export
from noria.training.metrics import score
from noria.training.optuna import Tried, suggest
from noria.training.rows import Rows
from noria.training.search import Found, _plan, run_search

from .conftest import SPLIT

LIGHT = (LogisticRegression(rare=20), LightGBM(rounds=15, rare=20))
SEARCH = Search("binary", split=SPLIT, trials=6)

ALONE = """
import json, os, signal, sys
from pathlib import Path
from noria.training.rows import read_rows
from noria.training.splits import parts_of
sys.path.insert(0, str(Path(sys.argv[1]).parent))
from training.conftest import FEATURES
from training.test_search import LIGHT, SEARCH, left
from training.conftest import SPLIT
from noria.training.search import run_search
set_, journal, dies = Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
parts = parts_of(SPLIT)
train, validate = (read_rows(set_, FEATURES, part.rows()) for part in (parts.train, parts.validate))
began = []
def say(text):
    began.append(text)
    if len(began) > dies >= 0:
        os.kill(os.getpid(), signal.SIGKILL)
print(json.dumps(left(run_search(SEARCH, LIGHT, train, validate, journal, say=say), train)))
"""


def left(found: Found, train: Rows) -> list[Any]:
    """What must be the same whoever searched: the trials without their seconds, and the models' bytes."""
    trials = [[trial.candidate, trial.number, trial.params, trial.score, trial.facts] for trial in found.trials]
    models = [export(model, Calibration("none"), train) for model in (found.model, found.baseline_model)]
    return [trials, found.name(found.chosen), [hashlib.sha256(model).hexdigest() for model in models]]


def alone(training_set: Path, journal: Path, *, dies: int = -1, threads: str = "2") -> subprocess.CompletedProcess[str]:
    """The same search in a process of its own, which kills itself when it begins the trial after `dies`."""
    here = Path(__file__).parent
    given = [sys.executable, "-c", ALONE, str(here), str(training_set), str(journal), str(dies)]
    environment = {**os.environ, "PYTHONHASHSEED": threads, "OMP_NUM_THREADS": threads}
    return subprocess.run(given, capture_output=True, text=True, env=environment, timeout=300)


@pytest.fixture(scope="module")
def whole(parts: tuple[Rows, Rows, Rows], tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], bytes]:
    """What an undisturbed search leaves, and its journal."""
    journal = tmp_path_factory.mktemp("whole") / "trials.jsonl"
    return left(run_search(SEARCH, LIGHT, *parts[:2], journal), parts[0]), journal.read_bytes()


def test_another_process_makes_the_same_trials_and_the_same_model(
    whole: tuple[list[Any], bytes], training_set: Path, tmp_path: Path
) -> None:
    other = alone(training_set, tmp_path / "other.jsonl", threads="1")
    assert other.returncode == 0, other.stderr
    assert json.loads(other.stdout) == json.loads(json.dumps(whole[0]))


def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(
    whole: tuple[list[Any], bytes], training_set: Path, tmp_path: Path
) -> None:
    journal = tmp_path / "trials.jsonl"
    assert alone(training_set, journal, dies=3).returncode == -signal.SIGKILL
    assert len(journal.read_bytes().splitlines()) == 3
    again = alone(training_set, journal)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == json.loads(json.dumps(whole[0]))


TORN = {"half": b'{"candidate": 1, "numb', "zeros": b"\0" * 40, "lines": b"\0\0\n\n"}


@pytest.mark.parametrize(
    ("kept", "torn"), [*((kept, "") for kept in range(7)), *((kept, torn) for kept in (0, 2, 5) for torn in TORN)]
)
def test_wherever_the_journal_ends_the_rest_is_the_same(
    whole: tuple[list[Any], bytes], parts: tuple[Rows, Rows, Rows], tmp_path: Path, kept: int, torn: str
) -> None:
    lines = whole[1].splitlines(keepends=True)
    journal = tmp_path / "trials.jsonl"
    journal.write_bytes(b"".join(lines[:kept]) + TORN.get(torn, b""))
    said: list[str] = []
    assert left(run_search(SEARCH, LIGHT, *parts[:2], journal, say=said.append), parts[0]) == whole[0]
    assert len(said) == len(lines) - kept  # what was finished is not done again
    assert len(journal.read_bytes().splitlines()) == len(lines)


def test_a_finished_trial_without_its_line_end_is_done_again(
    whole: tuple[list[Any], bytes], parts: tuple[Rows, Rows, Rows], tmp_path: Path
) -> None:
    journal = tmp_path / "trials.jsonl"
    journal.write_bytes(whole[1][:-1])
    assert left(run_search(SEARCH, LIGHT, *parts[:2], journal), parts[0]) == whole[0]
    assert journal.read_bytes().count(b"\n") == 6


def test_a_journal_of_another_search_is_refused(parts: tuple[Rows, Rows, Rows], tmp_path: Path) -> None:
    journal = tmp_path / "trials.jsonl"
    run_search(SEARCH.replace(trials=3), LIGHT[:1], *parts[:2], journal)
    with pytest.raises(DataError, match="another search"):
        run_search(SEARCH, LIGHT, *parts[:2], journal)


class Flat(Learner):
    """Trials that all score the same but are not the same model."""

    most_trials = None

    def first(self) -> dict[str, Any]:
        return {"rate": 0.3}

    def space(self, trial: Any) -> dict[str, Any]:
        return {"rate": trial.suggest_float("rate", 0.1, 0.9)}

    def trainer(self, train: Rows, validate: Rows, metric: str, seed: int) -> Callable[[Params], Fitted]:
        return lambda params: Rates((), params["rate"], {}, train.number_names, train.category_names)


def test_of_equal_scores_the_first_trial_wins_also_after_a_kill(parts: tuple[Rows, Rows, Rows], tmp_path: Path) -> None:
    search = SEARCH.replace(trials=4)
    whole = run_search(search, (Baseline("carrier"), Flat()), *parts[:2], tmp_path / "whole.jsonl")
    lines = (tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)
    # Without the baseline's groups the flat models are the best.
    lines[0] = lines[0].replace(json.dumps(whole.trials[0].score).encode(), b"0.0")
    (tmp_path / "half.jsonl").write_bytes(b"".join(lines[:2]))
    found = run_search(search, (Baseline("carrier"), Flat()), *parts[:2], tmp_path / "half.jsonl")
    assert (found.chosen.candidate, found.chosen.number) == (1, 0)
    assert found.model.facts["rate"] == found.chosen.params["rate"] == 0.3


@pytest.mark.parametrize("budget", [Budget(seconds=1e-9), Budget(money=1e-15)], ids=["seconds", "money"])
def test_a_budget_cuts_it_short_and_says_so_but_everyone_gets_a_trial(
    parts: tuple[Rows, Rows, Rows], tmp_path: Path, budget: Budget
) -> None:
    found = run_search(SEARCH.replace(budget=budget), LIGHT, *parts[:2], tmp_path / "j")
    assert sorted(trial.candidate for trial in found.trials) == [0, 1, 2]
    assert found.planned == 6
    assert found.cut_short.startswith("after 3 of 6 trials: ")
    assert ("s of" in found.cut_short) is (budget.seconds is not None)


@pytest.mark.parametrize(("seconds", "cut"), [(35, True), (40, True), (1000, False)])
def test_what_was_used_before_a_kill_counts(
    whole: tuple[list[Any], bytes], parts: tuple[Rows, Rows, Rows], tmp_path: Path, seconds: float, cut: bool
) -> None:
    trials = [json.loads(line) | {"seconds": 10.0} for line in whole[1].splitlines()[:4]]
    journal = tmp_path / "trials.jsonl"
    journal.write_text("".join(json.dumps(trial) + "\n" for trial in trials))
    found = run_search(SEARCH.replace(budget=Budget(seconds=seconds)), LIGHT, *parts[:2], journal)
    assert len(found.trials) == (4 if cut else 6)
    assert found.cut_short == (f"after 4 of 6 trials: 40 s of {seconds} s were used" if cut else "")


def test_money_is_priced_by_the_book(
    whole: tuple[list[Any], bytes], parts: tuple[Rows, Rows, Rows], tmp_path: Path
) -> None:
    from noria.cost import Meters, PriceBook

    trials = [json.loads(line) | {"seconds": 10.0, "cpu_seconds": 3600.0} for line in whole[1].splitlines()[:4]]
    spent = PriceBook.load().price(Meters(wall_seconds=40.0, cpu_seconds=4 * 3600.0))
    for money, short in ((spent * 0.99, True), (spent * 2, False)):
        journal = tmp_path / f"{money}.jsonl"
        journal.write_text("".join(json.dumps(trial) + "\n" for trial in trials))
        found = run_search(SEARCH.replace(budget=Budget(money=money)), LIGHT, *parts[:2], journal)
        assert bool(found.cut_short) is short
        assert (PriceBook.load().currency in found.cut_short) is short


@given(
    st.lists(st.sampled_from([Baseline(), LogisticRegression(), LightGBM()]), min_size=1, max_size=5),
    st.integers(1, 20),
)
def test_a_larger_search_begins_with_the_smaller_one(candidates: list[Learner], trials: int) -> None:
    """So more work is never worse on the validation rows, and each candidate gets its first trial first."""
    small, large = (_plan(tuple(candidates), count, None) for count in (trials, trials + 1))
    assert large[: len(small)] == small
    assert sorted(small[: len(candidates)]) == list(range(len(candidates)))
    baselines = sum(isinstance(candidate, Baseline) for candidate in candidates)
    assert all(isinstance(candidates[place], Baseline) for place in small[:baselines])


def test_more_work_is_never_worse_and_the_winner_is_scored_on_all_rows(
    parts: tuple[Rows, Rows, Rows], tmp_path: Path
) -> None:
    small, large = (
        run_search(SEARCH.replace(trials=trials), LIGHT, *parts[:2], tmp_path / f"{trials}") for trials in (3, 9)
    )
    assert [trial.score for trial in large.trials[:3]] == [trial.score for trial in small.trials]
    assert large.chosen.score >= small.chosen.score
    validate = parts[1]
    probability = Calibration("none").probability(large.model.margin(validate))
    assert large.chosen.score == score("average_precision", validate.labels, probability)


def test_a_baseline_is_always_there(parts: tuple[Rows, Rows, Rows], tmp_path: Path) -> None:
    found = run_search(SEARCH.replace(trials=1), LIGHT[1:], *parts[:2], tmp_path / "j")
    assert [found.name(trial) for trial in found.trials] == ["Baseline", "LightGBM"]
    assert found.baseline_model.facts["rate"] == pytest.approx(parts[0].labels.mean())


def test_a_retraining_trains_only_what_was_chosen(parts: tuple[Rows, Rows, Rows], tmp_path: Path) -> None:
    params = {**LIGHT[1].first(), "leaves": 9}
    start = {"chosen": "LightGBM", "params": params}
    found = run_search(SEARCH, LIGHT, *parts[:2], tmp_path / "j", start_from=start)
    assert [(found.name(trial), trial.params) for trial in found.trials] == [("Baseline", {}), ("LightGBM", params)]


class Broken(Flat):
    """A model that answers with something that is not a number, for one row."""

    def trainer(self, train: Rows, validate: Rows, metric: str, seed: int) -> Callable[[Params], Fitted]:
        fit = super().trainer(train, validate, metric, seed)

        class One(Rates):
            def margin(self, rows: Rows) -> Any:
                margin = np.linspace(-1, 1, len(rows))
                margin[0] = np.nan
                return margin

        return lambda params: One(*(getattr(fit(params), name) for name in Rates.__slots__))


@pytest.mark.parametrize("metric", ["average_precision", "roc_auc", "log_loss"])
def test_answers_that_are_not_numbers_are_refused(parts: tuple[Rows, Rows, Rows], tmp_path: Path, metric: str) -> None:
    search = SEARCH.replace(metric=metric)
    with pytest.raises(DataError, match="not numbers") as caught:
        run_search(search, (Baseline(), Broken()), *parts[:2], tmp_path / "j")
    assert caught.value.place == "Broken"


def test_a_score_that_is_not_defined_is_refused(parts: tuple[Rows, Rows, Rows], tmp_path: Path) -> None:
    alike = replace(parts[1], labels=np.zeros(len(parts[1]), np.int8))
    with pytest.raises(DataError, match="not numbers"):
        run_search(SEARCH, (Baseline(),), parts[0], alike, tmp_path / "j")


@pytest.mark.parametrize("learner", LIGHT, ids=lambda learner: type(learner).__name__)
def test_a_suggestion_is_a_function_of_what_was_tried(learner: Learner) -> None:
    finished: list[Tried] = []
    for place in range(8):
        params = suggest(learner, finished, 3)
        assert params == suggest(learner, finished, 3)
        finished.append(Tried(params, float(np.sin(place))))
    assert finished[0].params == learner.first()
    assert suggest(learner, finished, 4) != suggest(learner, finished, 3)
    assert set(finished[0].params) == set(finished[-1].params)


@pytest.mark.parametrize("learner", [LogisticRegression(), LightGBM()], ids=lambda learner: type(learner).__name__)
def test_the_first_trial_lies_in_the_space(learner: Learner) -> None:
    from noria.training.optuna import _space

    space = _space(learner)
    first = learner.first()
    assert set(first) == set(space)
    assert all(space[name].low <= value <= space[name].high for name, value in first.items())


def test_suggestions_keep_no_study_alive() -> None:
    """Memory does not grow with the trials that were suggested."""
    import optuna

    learner = LightGBM()
    tried = [Tried(learner.first(), 0.1 * place) for place in range(30)]
    for count in range(1, 31):
        suggest(learner, tried[:count], 0)
    gc.collect()
    assert not [thing for thing in gc.get_objects() if type(thing) is optuna.Study]
