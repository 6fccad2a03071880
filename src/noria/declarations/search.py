"""Search: what is trained, on which split, under which budget."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, SerializeAsAny, field_validator

from noria.core import UTC
from noria.declarations.budget import Budget
from noria.declarations.declaration import Declaration, Micros, Names


class Candidate(Declaration):
    """A kind of model that the search may choose. Kinds live in `noria.training.candidates`, one file each."""


class TimeSplit(Declaration):
    """Training, validation and sealed test, one after the other in time.

    A row belongs to a part by the time of its question, and only if its answer was known when the part ended.

    Parameters
    ----------
    train_until, validate_until, test_until : datetime
        Ends, exclusive, in UTC.
    retrain_validate, retrain_test : duration
        How long the last two parts are when a model is retrained at a later moment: the test ends at that moment.
    """

    train_until: datetime
    validate_until: datetime
    test_until: datetime
    retrain_validate: Micros = 7 * 86400 * 10**6
    retrain_test: Micros = 7 * 86400 * 10**6

    @field_validator("train_until", "validate_until", "test_until")
    @classmethod
    def _utc(cls, value: datetime) -> datetime:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    @field_validator("test_until")
    @classmethod
    def _ordered(cls, value: datetime, info: object) -> datetime:
        ends = [*list(getattr(info, "data", {}).values())[:2], value]
        if ends != sorted(ends):
            raise ValueError("the ends must be in order: train_until <= validate_until <= test_until")
        return value


class Search(Declaration):
    """What is trained, on which split, under which budget.

    Parameters
    ----------
    task : str
        ``"binary"`` so far.
    metric : str
        What is maximised on the validation rows: ``"average_precision"``, ``"roc_auc"`` or ``"log_loss"`` (negated).
    split : TimeSplit
        Which rows train, validate and test.
    candidates : list of Candidate, optional
        By default baseline, logistic regression and LightGBM.
    trials : int
        The work that is done: trials over all candidates. Work is counted, so the same search gives the same model.
    budget : Budget
        The most seconds and money that the trials may take; a search cut short by it says so.
    slices : list of str
        Categorical features by whose values scores are reported.
    seed : int
        Of every random choice.
    """

    task: Literal["binary"] = Field(default="binary", kw_only=False)
    metric: Literal["average_precision", "roc_auc", "log_loss"] = "average_precision"
    split: TimeSplit
    candidates: tuple[SerializeAsAny[Candidate], ...] = ()
    trials: int = Field(default=12, ge=1)
    budget: Budget = Budget()
    slices: Names = ()
    seed: int = Field(default=0, ge=0)
