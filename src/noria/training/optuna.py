"""Suggest the parameters of the next trial: Optuna's tree-structured Parzen estimator.

A suggestion is a pure function of the finished trials, the seed and the trial's number. So a search that was killed
goes on with exactly what it would have done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import optuna

from noria.training.candidates import Learner

_STARTUP = 4


@dataclass(frozen=True, slots=True)
class Tried:
    """A finished trial, as plain values.

    Attributes
    ----------
    params : dict
        What was tried.
    score : float
        What came of it; higher is better.
    """

    params: dict[str, Any]
    score: float


def suggest(learner: Learner, finished: Sequence[Tried], seed: int) -> dict[str, Any]:
    """Parameters for the trial after `finished`.

    Parameters
    ----------
    learner : Learner
        Whose space; its first trial is the parameters that it starts from.
    finished : sequence of Tried
        Its earlier trials, in order.
    seed : int
        Of the search.
    """
    if not finished:
        return learner.first()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    name = f"{seed}:{type(learner).__qualname__}:{len(finished)}"
    drawn = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big")
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=drawn, n_startup_trials=_STARTUP)
    )
    space = _space(learner)
    for tried in finished:
        study.add_trial(optuna.trial.create_trial(params=tried.params, distributions=space, value=tried.score))
    return learner.space(study.ask())


def _space(learner: Learner) -> dict[str, optuna.distributions.BaseDistribution]:
    """The distributions that the learner asks for."""
    asked = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    learner.space(asked)
    return dict(asked.distributions)
