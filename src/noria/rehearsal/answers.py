"""Answers: what the server answered, read from its prediction log while it runs."""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noria.core import IntegrityError, from_micros
from noria.monitoring import Window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noria.serving import Logged

_PATIENCE = 60.0


@dataclass(slots=True)
class Answers:
    """The predictions so far, in the order in which they were asked.

    Attributes
    ----------
    folder : Path
        Where the server writes its log.
    times : list of int
        When each was asked, as the server saw it.
    versions, scores, features : list
        The version that answered, its probability, and the features that it was given, by name.
    """

    folder: Path
    times: list[int] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    features: list[Mapping[str, Any]] = field(default_factory=list)
    _read: dict[str, int] = field(default_factory=dict)
    _early: dict[int, Logged] = field(default_factory=dict)

    def read(self, asked: Sequence[int]) -> None:
        """Read on until everything that was asked so far is there; the server writes its log off the request path.

        Parameters
        ----------
        asked : sequence of int
            When each question was asked: the log must say the same.

        Raises
        ------
        IntegrityError
            The log does not say what was asked, or lacks some of it for a minute.
        """
        deadline = time.monotonic() + _PATIENCE
        while len(self.times) < len(asked):
            before = len(self.times)
            self._read_on()
            if len(self.times) == before:
                if time.monotonic() > deadline:
                    raise IntegrityError(
                        "the prediction log lacks questions that were answered",
                        place=str(self.folder),
                        value=f"{len(self.times)} of {len(asked)}",
                    )
                time.sleep(0.02)
        if self.times != list(asked):
            wrong = next(n for n, pair in enumerate(zip(self.times, asked, strict=False)) if pair[0] != pair[1])
            raise IntegrityError(
                "the prediction log tells another time than the question was asked at",
                place=str(self.folder),
                value=f"prediction {wrong + 1}: {from_micros(self.times[wrong])}, not {from_micros(asked[wrong])}",
            )

    def _read_on(self) -> None:
        from noria.serving import read_log

        for told in read_log(self.folder, self._read):
            self._early[_number(told.id)] = told
        while (next_one := self._early.pop(len(self.times), None)) is not None:
            self.times.append(next_one.at)
            self.versions.append(next_one.version)
            self.scores.append(math.nan if next_one.probability is None else next_one.probability)
            self.features.append(next_one.features)

    def window(
        self,
        now: int,
        length: int,
        labels: Sequence[float],
        known: Sequence[int],
        kinds: Mapping[str, str],
        reference: Mapping[str, Any],
        metric: str,
        skill: float,
    ) -> Window:
        """What a monitor sees at a moment: the questions of the last `length` microseconds, and the answers by then.

        Parameters
        ----------
        labels, known : sequence
            Of all questions, in order: the answer, and when it became known.
        kinds : mapping of str to str
            The features to show: ``number`` or ``category``.
        reference, metric, skill
            As in `Window`.
        """
        import numpy as np

        first, last = bisect_left(self.times, now - length), bisect_left(self.times, now)
        part = self.features[first:last]
        answers = np.asarray(labels[first:last], np.float64)
        return Window(
            now=from_micros(now),
            times=np.asarray(self.times[first:last], np.int64),
            columns={name: column(part, name, kind) for name, kind in kinds.items()},
            scores=np.asarray(self.scores[first:last], np.float64),
            labels=np.where(np.asarray(known[first:last], np.int64) < now, answers, np.nan),
            reference=reference,
            metric=metric,
            skill=skill,
        )


def _number(prediction: str) -> int:
    """Which question a prediction's id means: ``17``, or ``17/2`` for the third of the request that began with 17."""
    first, _, row = prediction.partition("/")
    return int(first) + int(row or 0)


def column(features: Sequence[Mapping[str, Any]], name: str, kind: str) -> NDArray[np.float64] | list[str | None]:
    """One logged feature of many predictions: an array with NaN for null, or a list of texts."""
    import numpy as np

    values = [row.get(name) for row in features]
    return values if kind == "category" else np.array(values, dtype=np.float64)
