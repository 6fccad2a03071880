"""The answer of a question: which column, which of its values means yes, and which other columns know it already."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from noria.contracts import wants
from noria.contracts.profile.result import ColumnProfile, Profile
from noria.core import DataError, DeclarationError
from noria.expressions import parse

if TYPE_CHECKING:
    import polars as pl

_YES_WORDS = (
    "true yes y t 1 1.0 ja j si sí oui sim da positive churned churn bad default fraud late bought clicked died failed "
    "failure won spam sick"
)
_YES = frozenset(_YES_WORDS.split())
_SURE = 0.995
"""How well one column alone may tell the answer (area under the ROC curve) before it counts as a leak."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model is to answer.

    Attributes
    ----------
    column : str
        The target.
    label : str
        A row expression that is true where the answer is yes; null where it is not known.
    yes, no : str
        The values that mean so.
    why : str
        Why this one means yes.
    share : float
        How many of the known answers are yes.
    unknown : int
        Rows without an answer.
    """

    column: str
    label: str
    yes: str
    no: str
    why: str
    share: float
    unknown: int


def quoted(name: str) -> str:
    """A column as it stands in a row expression: in double quotes only where it must.

    Examples
    --------
    >>> quoted("age"), quoted("Monthly bill")
    ('age', '"Monthly bill"')
    """
    if name.isascii() and name.isidentifier() and name == name.lower():
        try:
            if parse(name).columns == {name}:
                return name
        except DeclarationError:
            pass
    return wants.quoted(name)


def answer_of(profile: Profile, target: str, positive: str | None = None) -> Answer:
    """What the target says, once it is sure that it has two answers.

    Raises
    ------
    DeclarationError
        There is no such column, or the value that was said to mean yes does not stand in it.
    DataError
        It has one answer only, or more than two.
    """
    column = _column(profile, target)
    groups = _groups(column, positive)
    if len(groups) < 2:
        only = next(iter(groups), "no value at all")
        raise DataError(
            f"the target '{target}' has one answer only, and nothing can be learned from that",
            value=only,
            mend="is it the right column? are rows with the other answer missing?",
        )
    if positive is None and len(groups) > 2:
        raise _too_many(column, groups)
    wanted = positive.strip().lower() if positive is not None else None
    if wanted is not None and wanted not in groups:
        near = difflib.get_close_matches(wanted, groups, n=1)
        raise DeclarationError(
            f"the target '{target}' has no such value"
            + (" among its most frequent ones" * (column.distinct > len(column.top))),
            place="--positive",
            value=positive,
            mend=f"did you mean '{near[0]}'?" if near else "one of " + ", ".join(list(groups)[:10]),
        )
    yes, why = (wanted, "it was said so") if wanted is not None else _yes(groups)
    others = [value for value in groups if value != yes]
    counted = sum(sum(counts.values()) for counts in groups.values())
    return Answer(
        target, _label(column, groups, yes), _whole(groups[yes]),
        _whole(groups[others[0]]) if len(others) == 1 else "another value",
        why, sum(groups[yes].values()) / counted, column.nulls,
    )  # fmt: skip


def _column(profile: Profile, target: str) -> ColumnProfile:
    names = [column.name for column in profile.columns]
    if target not in names:
        near = difflib.get_close_matches(target.lower(), {name.lower(): name for name in names}, n=1)
        found = next((name for name in names if near and name.lower() == near[0]), None)
        raise DeclarationError(
            "there is no such column to predict",
            place="--target",
            value=target,
            mend=f"did you mean '{found}'?"
            if found
            else "one of " + ", ".join(names[:20]) + ("…" if len(names) > 20 else ""),
        )
    column = profile.column(target)
    if column.kind in ("date", "timestamp", "interval"):
        raise DataError(
            f"the target '{target}' is a {column.kind}, not an answer of yes or no",
            mend="make a column that is true or false of it, such as 'came within 30 days'",
        )
    return column


def _groups(column: ColumnProfile, positive: str | None) -> dict[str, dict[str, int]]:
    """The answers, written alike (case and outer spaces do not count), to how they are written and how often."""
    groups: dict[str, dict[str, int]] = {}
    for value, count in column.top:
        groups.setdefault(value.strip().lower(), {})[value] = count
    groups.pop("", None)
    if column.distinct > len(column.top) and positive is None:
        groups |= {f"… {column.distinct - len(column.top):,} more": {}}
    return groups


def _too_many(column: ColumnProfile, groups: dict[str, dict[str, int]]) -> DataError:
    shown = ", ".join(list(groups)[:5]) + ("…" if len(groups) > 5 else "")
    if column.kind in ("int", "float") and column.distinct > 10:
        return DataError(
            f"the target '{column.name}' has {column.distinct:,} numbers, and questions are of yes or no so far",
            value=f"{column.low} to {column.high}",
            mend=f"make a column that is true or false of it, such as {column.name} > {column.quantiles['0.5']:g}",
        )
    return DataError(
        f"the target '{column.name}' has {column.distinct:,} values, and questions are of yes or no so far",
        value=shown,
        mend=f"ask for one of them against the rest: --positive '{next(iter(groups))}'",
    )


def _yes(groups: dict[str, dict[str, int]]) -> tuple[str, str]:
    known = [value for value in groups if value in _YES]
    if len(known) == 1:
        return known[0], "the word says so"
    rarer = min(groups, key=lambda value: (sum(groups[value].values()), value))
    return rarer, "it is the rarer one, so probably the event"


def _whole(written: dict[str, int]) -> str:
    return max(written, key=lambda value: (written[value], value))


def _label(column: ColumnProfile, groups: dict[str, dict[str, int]], yes: str) -> str:
    name = quoted(column.name)
    if column.kind == "bool":
        return name if yes == "true" else f"NOT {name}"
    if column.kind in ("int", "float"):
        return f"{name} = {yes}"
    if all(len(written) == 1 and next(iter(written)) == next(iter(written)).strip() for written in groups.values()):
        return f"{name} = {wants.literal(_whole(groups[yes]))}"
    return f"LOWER(TRIM({name})) = {wants.literal(yes)}"


def leaks(sample: pl.DataFrame, answer: pl.Series, columns: list[str]) -> dict[str, float]:
    """The columns that alone tell the answer almost surely, with how well: the area under the ROC curve.

    Of texts each value is judged by the other rows that have it.

    Parameters
    ----------
    sample : DataFrame
        Rows.
    answer : Series
        Whether the answer is yes, of the same rows.
    columns : list of str
        Which to look at.
    """
    import polars as pl

    known = answer.is_not_null()
    truth = answer.filter(known).cast(pl.Float64)
    if truth.n_unique() < 2:
        return {}
    found = {}
    for name in columns:
        score = _score(sample[name].filter(known), truth)
        if score is not None and score >= _SURE:
            found[name] = score
    return found


def _score(values: pl.Series, truth: pl.Series) -> float | None:
    import polars as pl

    frame = pl.DataFrame({"v": values, "y": truth})
    if values.dtype == pl.String:
        by = pl.col("y").sum().over("v"), pl.len().over("v")
        # What a row says of itself is no evidence; where it is the only one of its kind there is none.
        frame = frame.with_columns(x=pl.when(by[1] > 1).then((by[0] - pl.col("y")) / (by[1] - 1)))
    elif values.dtype == pl.Boolean or values.dtype.is_numeric():
        frame = frame.with_columns(x=pl.col("v").cast(pl.Float64).fill_nan(None))
    else:
        return None
    # No value may be what tells the answer: it ranks below all values.
    ranks = frame.select(pl.col("x").fill_null(-float("inf")).rank("average"), "y")
    yes = float(truth.sum())
    no = len(truth) - yes
    total = ranks.select((pl.col("x") * pl.col("y")).sum()).item()
    area = (total - yes * (yes + 1) / 2) / (yes * no)
    # Of texts, leaving a row out turns the order round where a value says nothing: below a half is no evidence there.
    return float(area if values.dtype == pl.String else max(area, 1 - area))
