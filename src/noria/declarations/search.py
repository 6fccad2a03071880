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


class Preprocessor(Declaration):
    """A kind of preprocessing. Kinds live in `noria.training.preprocessing`, one file each."""


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


class RandomSplit(Declaration):
    """Training, validation and sealed test by the hash of a row's key: the same row always falls into the same part.

    For tables without time, and for questions whose answer does not change with it. A model that will be asked about
    the future is tested more honestly by a `TimeSplit`.

    Parameters
    ----------
    validation, test : float
        Shares of the rows; the rest trains.
    by : str or list of str
        Columns of the spine's source: rows with the same values fall into the same part, such as all rows of a
        customer. By default the key of the source's contract, or the row's number where it has none.
    stratify : bool
        Give every part exactly its share of each answer, for small tables. A row's part then hangs on the others too.
    seed : int
        Another seed is another split.

    Examples
    --------
    >>> RandomSplit(test=0.1, by="customer_id")
    RandomSplit(validation=0.2, test=0.1, by=('customer_id',), stratify=False, seed=0)
    """

    validation: float = Field(default=0.2, gt=0, lt=1)
    test: float = Field(default=0.2, gt=0, lt=1, validate_default=True)
    by: Names = ()
    stratify: bool = False
    seed: int = Field(default=0, ge=0, lt=2**32)

    @field_validator("test")
    @classmethod
    def _leaves_rows(cls, value: float, info: object) -> float:
        if getattr(info, "data", {}).get("validation", 0) + value >= 1:
            raise ValueError("validation and test leave no rows to train on: their sum must be below 1")
        return value

    @field_validator("stratify")
    @classmethod
    def _alone(cls, value: bool, info: object) -> bool:
        if value and getattr(info, "data", {}).get("by"):
            raise ValueError("rows that stay together cannot be cut into exact shares: leave out by or stratify")
        return value


class Search(Declaration):
    """What is trained, on which split, under which budget.

    Parameters
    ----------
    task : str
        ``"binary"`` so far.
    metric : str
        What is maximised on the validation rows: ``"average_precision"``, ``"roc_auc"`` or ``"log_loss"`` (negated).
    split : TimeSplit or RandomSplit
        Which rows train, validate and test.
    candidates : list of Candidate, optional
        By default baseline, logistic regression and LightGBM.
    preprocessing : list of Preprocessor
        What is done to the features before every candidate but a baseline, in this order; each sees the columns as
        those before it left them. Fitted to the training rows, and part of the model's graph.
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
    split: TimeSplit | RandomSplit
    candidates: tuple[SerializeAsAny[Candidate], ...] = ()
    preprocessing: tuple[SerializeAsAny[Preprocessor], ...] = ()
    trials: int = Field(default=12, ge=1)
    budget: Budget = Budget()
    slices: Names = ()
    seed: int = Field(default=0, ge=0)
