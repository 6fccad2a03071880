"""Verdict: what one rule found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from noria.core import DataError


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule found.

    Attributes
    ----------
    rule : str
        In words.
    column : str
        The first column that it reads; empty where it reads none.
    on_fail : str
        What happens to rows that break it.
    checked, failed : int
        Rows; of a rule about the table as a whole, 1 and whether it is broken. Rows that a tolerance lets pass have not
        failed.
    examples : tuple of str
        The first rows that break it: ``row 5: 1048.36``.
    tolerated : int
        Rows that break it and are kept, because there are no more of them than its ``at_most`` allows.
    detail : str
        What was found, of a rule about the table as a whole: ``newest 3d old``.
    """

    rule: str
    column: str
    on_fail: str
    checked: int
    failed: int
    examples: tuple[str, ...] = ()
    tolerated: int = 0
    detail: str = ""

    def to_body(self) -> dict[str, Any]:
        """As plain JSON."""
        return {**asdict(self), "examples": list(self.examples)}


def refuse_failures(verdicts: Sequence[Verdict], place: str) -> None:
    """Raise a DataError where a rule that says ``fail`` is broken."""
    failed = [verdict for verdict in verdicts if verdict.on_fail == "fail" and verdict.failed]
    if not failed:
        return
    first = failed[0]
    others = f" (and {len(failed) - 1} more rules fail)" if len(failed) > 1 else ""
    if first.detail:
        message, other = f"{place}: the table breaks the rule '{first.rule}'{others}", "'warn'"
    else:
        message = f"{place}: {first.failed:,} of {first.checked:,} rows break the rule '{first.rule}'{others}"
        other = "'quarantine' or 'warn'"
    raise DataError(
        message, value=first.detail or "; ".join(first.examples), mend=f"mend the data, or say on_fail={other}"
    )
