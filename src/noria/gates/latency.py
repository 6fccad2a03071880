"""Latency: one row is answered fast enough."""

from __future__ import annotations

import time

from pydantic import Field

from noria.gates.check import Check, Finding
from noria.gates.evidence import Evidence

_WARM_UP = 100


class Latency(Check):
    """The signed package, opened as the server opens it, answers one row fast enough.

    Parameters
    ----------
    p99_ms : float
        The most milliseconds that 99 of 100 single rows may take, model only.
    rows : int
        How many rows of the training set are asked, one by one, after 100 that warm it up.

    Examples
    --------
    >>> Latency(p99_ms=5)
    Latency(p99_ms=5.0, rows=1000)
    """

    p99_ms: float = Field(gt=0)
    rows: int = Field(default=1000, ge=100)

    def check(self, evidence: Evidence) -> Finding:
        import numpy as np

        package = evidence.open_package()
        asked = evidence.sample(self.rows)
        names = [feature.name for feature in package.manifest.features]
        rows = [{name: asked[name][row : row + 1] for name in names} for row in range(len(asked[names[0]]))]
        for row in rows[:_WARM_UP]:
            package.predict(row)
        taken = np.empty(len(rows))
        for index, row in enumerate(rows):
            began = time.perf_counter_ns()
            package.predict(row)
            taken[index] = (time.perf_counter_ns() - began) / 1e6
        p50, p99 = (float(value) for value in np.quantile(taken, [0.5, 0.99]))
        return Finding(
            p99 <= self.p99_ms,
            f"one row takes {p50:.3f} ms, 99 of 100 at most {p99:.3f} ms; {self.p99_ms:g} ms are allowed",
            {"rows": len(rows), "p50_ms": p50, "p99_ms": p99, "limit_ms": self.p99_ms},
        )
