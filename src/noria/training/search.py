"""Search: try candidates until the counted work is done, and choose the best by the validation rows.

The work is counted in trials, not seconds, and every random choice is drawn from the seed and the trial's number;
finished trials are written to a journal at once. So a search that is killed and started again makes the same model.
The budget only cuts it short, and then the search says so.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from noria.core import DataError
from noria.cost import Meters, PriceBook
from noria.declarations import Budget, Search
from noria.training.calibration import Calibration
from noria.training.candidates import Baseline, Fitted, Learner, Params
from noria.training.metrics import score
from noria.training.optuna import Tried, suggest
from noria.training.preprocessing import Pipeline, Prepared
from noria.training.rows import Rows


@dataclass(frozen=True, slots=True)
class Trial:
    """A finished trial.

    Attributes
    ----------
    candidate : int
        Which candidate, by its place.
    number : int
        Of the candidate's trials, from 0.
    params : dict
        What was tried.
    score : float
        On the validation rows, in the direction that is maximised.
    facts : dict
        Of the fitted model: plain JSON.
    seconds, cpu_seconds : float
        What it took.
    """

    candidate: int
    number: int
    params: dict[str, Any]
    score: float
    facts: dict[str, Any]
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes
    ----------
    candidates : tuple of Learner
        What was searched, in order; the last may be a baseline that nobody declared.
    trials : tuple of Trial
        In the order of the work.
    planned : int
        How many were meant.
    cut_short : str
        Why some were not done; empty otherwise.
    chosen, baseline : Trial
        The best of all, and the best baseline.
    model, baseline_model : Fitted
        Theirs.
    """

    candidates: tuple[Learner, ...]
    trials: tuple[Trial, ...]
    planned: int
    cut_short: str
    chosen: Trial
    baseline: Trial
    model: Fitted
    baseline_model: Fitted

    def name(self, trial: Trial) -> str:
        """The candidate's kind, numbered where it was declared more than once."""
        return names_of(self.candidates)[trial.candidate]


@dataclass(frozen=True, slots=True)
class Preparation:
    """Rows after preprocessing.

    Attributes
    ----------
    pipeline : Pipeline
        What was done to them.
    train, validate : Rows
        What it left.
    """

    pipeline: Pipeline
    train: Rows
    validate: Rows


def takes_prepared(learner: Learner) -> bool:
    """Whether a candidate is trained on preprocessed rows: a baseline goes by features as people know them."""
    return not isinstance(learner, Baseline)


def names_of(candidates: tuple[Learner, ...]) -> list[str]:
    """Names for people: ``LightGBM``, or ``LightGBM 2`` for the second of a kind."""
    kinds = [type(candidate).__name__ for candidate in candidates]
    return [
        kind if kinds.count(kind) == 1 else f"{kind} {kinds[: place + 1].count(kind)}"
        for place, kind in enumerate(kinds)
    ]


def shares(candidates: tuple[Learner, ...], trials: int) -> list[int]:
    """How many trials each candidate gets: the cheap ones a few, the others what is left, in turn.

    Examples
    --------
    >>> from noria.training import Baseline, LightGBM, LogisticRegression
    >>> shares((Baseline(), LogisticRegression(), LightGBM()), 12), shares((LightGBM(), LightGBM()), 5)
    ([1, 2, 9], [3, 2])
    """
    given = [0] * len(candidates)
    while trials > 0:
        open_ = [
            place
            for place, candidate in enumerate(candidates)
            if candidate.most_trials is None or given[place] < candidate.most_trials
        ]
        if not open_:
            break
        for place in open_[:trials]:
            given[place] += 1
        trials -= min(trials, len(open_))
    return given


def run_search(
    search: Search,
    candidates: tuple[Learner, ...],
    train: Rows,
    validate: Rows,
    journal: Path,
    *,
    prepared: Preparation | None = None,
    start_from: Params | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Found:
    """Train candidates and choose.

    Parameters
    ----------
    search : Search
        Metric, trials, budget and seed.
    candidates : tuple of Learner
        At least one; a `Baseline` is added where there is none.
    train, validate : Rows
        Both with both answers.
    journal : Path
        Takes a line for each finished trial; the lines of an earlier try are not done again.
    prepared : Preparation, optional
        The same rows after preprocessing: what all candidates but baselines are trained on.
    start_from : mapping, optional
        ``{"chosen": name, "params": {…}}``, what an earlier search chose: only that is trained, beside the baselines.
    say : callable
        Told what is being tried.
    """
    if not any(isinstance(candidate, Baseline) for candidate in candidates):
        candidates = (*candidates, Baseline())
    names = names_of(candidates)
    plan = _plan(candidates, search.trials, start_from)
    done = list(_read(journal, plan))
    trainers: dict[int, Callable[[Params], Fitted]] = {}

    def rows_of(place: int) -> tuple[Rows, Rows]:
        """Training and validation rows as a candidate takes them."""
        if prepared is not None and takes_prepared(candidates[place]):
            return prepared.train, prepared.validate
        return train, validate

    best: dict[int, tuple[Trial, Fitted]] = {}
    cut_short = ""
    with open(journal, "ab") as file:
        for order, place in enumerate(plan[len(done) :], start=len(done)):
            if cut_short := _over(
                search.budget, done, order, len(plan), needed=place not in {t.candidate for t in done}
            ):
                break
            say(f"{names[place]}, trial {order + 1} of {len(plan)}")
            trial, fitted = _try(candidates[place], place, done, trainers, *rows_of(place), search, start_from)
            if place not in best or trial.score > best[place][0].score:
                best[place] = (trial, fitted)
            file.write(json.dumps(asdict(trial)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
            done.append(trial)

    def again(trial: Trial) -> Fitted:
        place = trial.candidate
        if place in best and best[place][0] is trial:
            fitted = best[place][1]
        else:
            fitted = _trainer(candidates[place], place, trainers, *rows_of(place), search)(trial.params)
        return Prepared(prepared.pipeline, fitted) if prepared and takes_prepared(candidates[place]) else fitted

    chosen = max(done, key=lambda trial: trial.score)
    baseline = max(
        (trial for trial in done if isinstance(candidates[trial.candidate], Baseline)), key=lambda trial: trial.score
    )
    return Found(candidates, tuple(done), len(plan), cut_short, chosen, baseline, again(chosen), again(baseline))


def _plan(candidates: tuple[Learner, ...], trials: int, start_from: Params | None) -> list[int]:
    """Which candidate each trial is of: first every one once, the baselines before all, then what is left in turn."""
    order = sorted(range(len(candidates)), key=lambda place: not isinstance(candidates[place], Baseline))
    if start_from is not None:
        names = names_of(candidates)
        kept = [
            place for place in order if isinstance(candidates[place], Baseline) or names[place] == start_from["chosen"]
        ]
        return kept
    given = shares(candidates, trials)
    return [place for turn in range(max(given)) for place in order if turn < max(given[place], turn == 0)]


def _try(
    learner: Learner,
    place: int,
    done: list[Trial],
    trainers: dict[int, Callable[[Params], Fitted]],
    train: Rows,
    validate: Rows,
    search: Search,
    start_from: Params | None,
) -> tuple[Trial, Fitted]:
    wall, cpu = time.perf_counter(), time.process_time()
    own = [Tried(trial.params, trial.score) for trial in done if trial.candidate == place]
    given = start_from is not None and not isinstance(learner, Baseline)
    params = dict(start_from["params"]) if given and start_from is not None else suggest(learner, own, search.seed)
    fitted = _trainer(learner, place, trainers, train, validate, search)(params)
    margin = fitted.margin(validate)
    result = score(search.metric, validate.labels, Calibration("none").probability(margin))
    if not (np.isfinite(margin).all() and np.isfinite(result)):
        raise DataError("the answers of a trial are not numbers", place=type(learner).__name__, value=params)
    facts = dict(fitted.facts)
    seconds = time.perf_counter() - wall
    return Trial(place, len(own), params, result, facts, round(seconds, 3), round(time.process_time() - cpu, 3)), fitted


def _trainer(
    learner: Learner,
    place: int,
    trainers: dict[int, Callable[[Params], Fitted]],
    train: Rows,
    validate: Rows,
    search: Search,
) -> Callable[[Params], Fitted]:
    """The candidate's trainer; only the last one is kept, because each holds the prepared rows."""
    if place not in trainers:
        trainers.clear()
        trainers[place] = learner.trainer(train, validate, search.metric, search.seed)
    return trainers[place]


def _over(budget: Budget, done: list[Trial], order: int, planned: int, *, needed: bool) -> str:
    """Why the next trial would go over the budget; a candidate's first trial is always made."""
    if needed:
        return ""
    seconds = sum(trial.seconds for trial in done)
    if budget.seconds is not None and seconds >= budget.seconds:
        return f"after {order} of {planned} trials: {seconds:.0f} s of {budget.seconds:g} s were used"
    if budget.money is not None:
        cpu = sum(trial.cpu_seconds for trial in done)
        prices = PriceBook.load()
        spent = prices.price(Meters(wall_seconds=seconds, cpu_seconds=cpu))
        if spent >= budget.money:
            return f"after {order} of {planned} trials: {spent:.4f} of {budget.money:g} {prices.currency} were used"
    return ""


def _read(journal: Path, plan: list[int]) -> Iterator[Trial]:
    """Finished trials of an earlier try; from a line that was torn by a kill on, the journal is cut off."""
    if not journal.exists():
        return
    whole = 0
    with open(journal, "r+b") as file:
        for line, place in zip(file, plan, strict=False):
            try:
                trial = Trial(**json.loads(line))
            except (ValueError, TypeError):
                break
            if trial.candidate != place:
                raise DataError("the journal is of another search", place=str(journal), mend="remove it and run again")
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            yield trial
        file.truncate(whole)
        os.fsync(file.fileno())
