"""Evidence: what is known about a version when its gates look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noria.declarations import Project
from noria.ledger import Ledger
from noria.steps import Outcome, file_of
from noria.workspace import Workspace

if TYPE_CHECKING:
    from noria.models import Package


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95% interval.

    Examples
    --------
    >>> print(Interval(0.41234, 0.4, 0.42))
    0.412 [0.400, 0.420]
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def to_body(self) -> dict[str, float]:
        """As plain JSON."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Slice:
    """The sealed test's rows of one value of a feature.

    Attributes
    ----------
    value : str
        The value.
    rows : int
        How many rows.
    score, baseline : Interval, optional
        The model's score and the baseline's on these rows; None where all answers are the same.
    """

    value: str
    rows: int
    score: Interval | None
    baseline: Interval | None


@dataclass(frozen=True)
class Evidence:
    """What is known about one version.

    Attributes
    ----------
    version : str
        The version that wants to be promoted.
    project : Project
        What was declared.
    workspace : Workspace
        Where its files are.
    ledger : Ledger
        What people decided.
    outcomes : mapping of str to Outcome
        What the steps before left: ``ingest:…``, ``training-set``, ``train``, ``evaluate``, ``package``.
    """

    version: str
    project: Project
    workspace: Workspace
    ledger: Ledger
    outcomes: Mapping[str, Outcome]

    @property
    def ingested(self) -> dict[str, Mapping[str, Any]]:
        """By source: ``read``, ``kept``, ``quarantined``, ``verdicts``."""
        prefix = "ingest:"
        return {name.removeprefix(prefix): outcome.facts for name, outcome in self.outcomes.items()
                if name.startswith(prefix)}  # fmt: skip

    @property
    def metric(self) -> str:
        """What the search maximised."""
        return self.project.search.metric

    @property
    def score(self) -> Interval:
        """The model's score on the sealed test."""
        return _interval(self._evaluation["score"])

    @property
    def baseline(self) -> Interval:
        """The baseline's score on the sealed test."""
        return _interval(self._evaluation["baseline"])

    @property
    def difference(self) -> Interval:
        """By how much the model is better than the baseline, over the same resamples of the same rows."""
        return _interval(self._evaluation["difference"])

    @property
    def slices(self) -> dict[str, list[Slice]]:
        """The sealed test by the values of each of the search's slices."""
        return {column: [_slice(part) for part in parts] for column, parts in self._evaluation["slices"].items()}

    @property
    def skill(self) -> float:
        """The score on the sealed test, on a scale where chance is 0 and perfection 1."""
        return float(self._evaluation["skill"])

    @property
    def validation_skill(self) -> float:
        """The same on the validation rows."""
        return float(self._evaluation["validation_skill"])

    @property
    def _evaluation(self) -> Mapping[str, Any]:
        return self.outcomes["evaluate"].facts

    @property
    def training_set(self) -> Path:
        """The parquet file of all spine rows with their features."""
        return file_of(self.workspace, self.outcomes["training-set"].outputs["set"])

    def open_package(self) -> Package:
        """The signed package, verified and opened as the server does it."""
        from noria.models import open_package
        from noria.security import public_key

        return open_package(
            file_of(self.workspace, self.outcomes["package"].outputs["package"]), public_key(self.workspace.keys)
        )

    def sample(self, rows: int) -> dict[str, Any]:
        """Up to `rows` rows of the training set, spread over it: every feature as the package takes it.

        Returns
        -------
        dict
            Feature to a float32 array (NaN is null), or to a list of texts and None.
        """
        import polars as pl

        features = self.outcomes["training-set"].facts["features"]
        lazy = pl.scan_parquet(self.training_set).select(feature["name"] for feature in features)
        count = int(lazy.select(pl.len()).collect().item())
        frame = lazy.gather_every(max(1, count // rows)).head(rows).collect()
        return {
            feature["name"]: frame[feature["name"]].cast(pl.Float32).fill_null(float("nan")).to_numpy()
            if feature["kind"] == "number"
            else frame[feature["name"]].to_list()
            for feature in features
        }


def _interval(form: Mapping[str, float]) -> Interval:
    return Interval(form["value"], form["low"], form["high"])


def _slice(form: Mapping[str, Any]) -> Slice:
    pair = (form["score"], form["baseline"])
    score, baseline = (_interval(one) for one in pair) if None not in pair else (None, None)
    return Slice(form["value"], form["rows"], score, baseline)
