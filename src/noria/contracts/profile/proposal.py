"""What a project could be that answers a question from one table: contract, features, split, with a reason for each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from noria.contracts.profile.answer import Answer, answer_of, leaks, quoted
from noria.contracts.profile.infer import inferred
from noria.contracts.profile.profiler import Profiler
from noria.contracts.profile.result import ColumnProfile, Profile
from noria.core import DataError, DeclarationError
from noria.declarations import Contract

if TYPE_CHECKING:
    import polars as pl

MOST_COLUMNS = 1000
"""Of a table that a project is proposed for."""
_MOST_LEVELS = 1000
_FEWEST_ROWS = 50
_TIMELY = re.compile(r"time|date|when|moment|created|opened|sent|at$|on$|zeit|datum|fecha|tag$", re.IGNORECASE)
_BIRTH = re.compile(r"birth|dob\b|geburt|nacimiento|naissance|nascita", re.IGNORECASE)
_NAMING = re.compile(r"(?:^|_|(?<=[a-z]))(?:id|ID|Id|key|number|nr|no|code|uuid|guid)$")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What could be declared.

    Attributes
    ----------
    answer : Answer
        What is asked.
    contract : Contract
        What rows must be.
    time : str
        The column that says when the question is asked; empty for a table without time.
    ends : tuple of datetime
        Of training, validation and test; empty where rows are parted at random.
    by : str
        Where they are parted at random: the column whose rows stay together, if any.
    features : tuple of (str, str)
        Names and row expressions.
    carried : tuple of str
        Columns that a request carries.
    left_out : tuple of (str, str)
        Columns that are no features, and why.
    slice_by : str
        A category by whose values scores are told; may be empty.
    warnings : tuple of str
        What a person should look at before trusting any of it.
    """

    answer: Answer
    contract: Contract
    time: str
    ends: tuple[datetime, ...]
    by: str
    features: tuple[tuple[str, str], ...]
    carried: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]
    slice_by: str
    warnings: tuple[str, ...]

    @property
    def asked_at(self) -> str:
        """The row expression of when the question is asked."""
        return quoted(self.time)


def propose(profiler: Profiler, target: str, *, positive: str | None = None, time: str | None = None) -> Proposal:
    """Propose what a project could be.

    Parameters
    ----------
    profiler : Profiler
        That has seen the table.
    target : str
        The column to predict.
    positive : str, optional
        The value that means yes; by default what such a word says, else the rarer one.
    time : str, optional
        The column that says when the question is asked, ``"none"`` for no time; by default what looks like one.

    Raises
    ------
    DeclarationError
        A column or value is not there.
    DataError
        The target has no two answers, or no column is left to answer from.

    Examples
    --------
    >>> import polars as pl
    >>> profiler = Profiler()
    >>> profiler.update(pl.DataFrame({"age": [30, 41, 52, 60, 71] * 40, "left": ["yes", "no", "no", "no"] * 50}))
    >>> found = propose(profiler, "left")
    >>> found.answer.label, found.answer.share, found.features
    ("left = 'yes'", 0.25, (('age', 'age'),))
    """
    profile = profiler.result()
    sample = profiler.sample
    assert sample is not None
    _refuse_size(profile)
    answer = answer_of(profile, target, positive)
    warnings = list(_about(profile, answer))
    at = _time_of(profile, target, time)
    truth = _truth(sample, answer, profile)
    left_out = dict(_useless(profile, target, at))
    if at:
        left_out |= _later(sample, profile, at, left_out)
    others = [column.name for column in profile.columns if column.name not in (target, at, *left_out)]
    for name, score in leaks(sample, truth, others).items():
        left_out[name] = f"alone it tells the answer (AUC {score:.3f}): it is probably known only afterwards"
        warnings.append(f"'{name}' almost gives the answer away (AUC {score:.3f}); it was left out. If a "
                        f"request can carry it, put it back")  # fmt: skip
    if at and (lost := profile.column(at).nulls):
        warnings.append(f"{lost:,} rows have no '{at}': they are never trained on")
    ends = _ends(sample, truth, at) if at else ()
    if at and not ends:
        warnings.append(
            f"'{at}' cannot part the rows into three that each have both answers; they are parted at random"
        )
        left_out[at], at = "it is a time, and the rows are parted at random", ""
    used = [column for column in profile.columns if column.name not in (target, at, *left_out)]
    features = tuple(_features(used, profile.column(at) if at else None))
    if not features:
        raise DataError("no column is left to answer from", value="; ".join(f"{a}: {b}" for a, b in left_out.items()))
    carried = tuple(column.name for column in used) + ((at,) if at else ())
    by = "" if at else _together(profile, target)
    contract = inferred(profile)
    if at:
        contract = contract.replace(types={**contract.types, at: "timestamp"})
    return Proposal(answer, contract, at, ends, by, features, carried, tuple(left_out.items()), _slice(used, profile),
                    tuple(warnings))  # fmt: skip


def _refuse_size(profile: Profile) -> None:
    if profile.rows < _FEWEST_ROWS:
        raise DataError(
            "there are too few rows to train, validate and test a model",
            value=f"{profile.rows} rows",
            mend=f"{_FEWEST_ROWS} at the very least, some thousand to learn much",
        )


def _about(profile: Profile, answer: Answer) -> Iterator[str]:
    known = profile.rows - answer.unknown
    rare = round(min(answer.share, 1 - answer.share) * known)
    if rare < 100:
        yield f"only {rare:,} rows have the rarer answer: scores will be rough, and no version may pass the gates"
    if answer.unknown:
        yield f"{answer.unknown:,} rows have no answer: they are counted and never trained on"


def _time_of(profile: Profile, target: str, wanted: str | None) -> str:
    if wanted == "none":
        return ""
    times = [column for column in profile.columns if column.kind in ("date", "timestamp") and column.name != target]
    if wanted is not None:
        if wanted not in [column.name for column in times]:
            known = ", ".join(column.name for column in times)
            mend = f"one of {known}, or none" if known else "the table has none: --time none"
            raise DeclarationError("there is no such column of times", place="--time", value=wanted, mend=mend)
        return wanted
    whole = [
        column for column in times if not column.nulls and column.distinct >= 10 and not _BIRTH.search(column.name)
    ]
    # In order: the file's own order, a name that says so, as many distinct moments as there can be.
    return max(whole, key=lambda c: (c.ascending, bool(_TIMELY.search(c.name)), c.distinct)).name if whole else ""


def _truth(sample: pl.DataFrame, answer: Answer, profile: Profile) -> pl.Series:
    from noria.expressions import parse, to_polars

    kinds = {answer.column: profile.column(answer.column).kind}
    return sample.select(to_polars(parse(answer.label), kinds).alias("y")).to_series()


def _useless(profile: Profile, target: str, at: str) -> Iterator[tuple[str, str]]:
    """Columns that cannot help, and why."""
    for column in profile.columns:
        if column.name in (target, at):
            continue
        if column.kind in ("null", "interval"):
            yield column.name, "it holds nothing" if column.kind == "null" else "it is a length of time"
        elif column.distinct <= 1 and not column.nulls:
            yield column.name, "it is always the same"
        elif column.personal:
            yield column.name, f"it looks personal ({column.personal})"
        elif column.is_key or (column.name,) in profile.keys:
            yield column.name, "it names the row"
        elif '"' in column.name:
            yield column.name, "its name has a double quote: rename it in the source's map"
        elif column.kind == "string" and column.distinct > min(_MOST_LEVELS, max(50, 0.3 * column.present)):
            yield column.name, f"a text with {column.distinct:,} values"
        elif column.kind == "int" and _NAMING.search(column.name) and column.distinct > 50:
            yield column.name, f"a number that names something, with {column.distinct:,} values"


def _later(sample: pl.DataFrame, profile: Profile, at: str, known: dict[str, str]) -> dict[str, str]:
    """Other times that lie after the question in some rows: they were not known when it was asked."""
    import polars as pl

    found = {}
    asked = sample[at].cast(pl.Datetime("us", "UTC"))
    for column in profile.columns:
        if column.kind in ("date", "timestamp") and column.name != at and column.name not in known:
            after = (sample[column.name].cast(pl.Datetime("us", "UTC")) > asked).sum()
            if after > 0.01 * len(sample):
                found[column.name] = f"it lies after '{at}' in some rows: not known yet when the question is asked"
    return found


def _ends(sample: pl.DataFrame, truth: pl.Series, at: str) -> tuple[datetime, ...]:
    """Where training, validation and test end: after 70%, 85% and all of the rows, at midnight where that fits."""
    import polars as pl

    rows = pl.DataFrame({"t": sample[at].cast(pl.Datetime("us", "UTC")), "y": truth}).drop_nulls()
    last = rows["t"].max()
    if rows.is_empty() or not isinstance(last, datetime):
        return ()
    ordered = rows["t"].sort().to_list()
    exact: list[datetime] = [ordered[int(share * len(ordered))] for share in (0.7, 0.85)]
    exact.append(last + timedelta(microseconds=1))
    for ends in ([_midnight(end) for end in exact], exact):
        part = pl.lit(0)
        for number, end in enumerate(ends[:-1], 1):
            part = pl.when(pl.col("t") >= end).then(number).otherwise(part)
        answers = rows.group_by(part.alias("part")).agg(pl.col("y").n_unique())
        if answers["y"].to_list() == [2, 2, 2]:
            return tuple(end.astimezone(UTC) for end in ends)
    return ()


def _midnight(moment: datetime) -> datetime:
    """The next midnight, or this one."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return day if day == moment else day + timedelta(days=1)


def _features(used: list[ColumnProfile], at: ColumnProfile | None) -> Iterator[tuple[str, str]]:
    for column in used:
        name = quoted(column.name)
        if column.kind not in ("date", "timestamp"):
            yield column.name, name
        elif at is not None:
            yield f"days since {column.name}", f"EXTRACT(EPOCH FROM ({_moment(at)} - {_moment(column)})) / 86400"
        else:
            yield f"day of {column.name}", f"FLOOR(EXTRACT(EPOCH FROM {_moment(column)}) / 86400)"
    if at is not None:
        taken = {column.name for column in used}
        parts = [("weekday", "ISODOW"), *([("hour", "HOUR")] if at.kind == "timestamp" else [])]
        for name, part in parts:
            if name not in taken:
                yield name, f"EXTRACT({part} FROM {_moment(at, told=True)})"


def _moment(column: ColumnProfile, told: bool = False) -> str:
    """A time as a moment; that of the question is one already, as the contract says."""
    name = quoted(column.name)
    return name if told or column.kind == "timestamp" else f"CAST({name} AS timestamp)"


def _together(profile: Profile, target: str) -> str:
    """A column that names what several rows are about: they must not be parted, or the test would know its rows."""
    likely = [
        column
        for column in profile.columns
        if column.name != target and column.kind in ("int", "string") and _NAMING.search(column.name)
        and not column.nulls and column.unique is False and 50 <= column.distinct <= 0.9 * profile.rows
    ]  # fmt: skip
    return max(likely, key=lambda column: column.distinct).name if likely else ""


def _slice(used: list[ColumnProfile], profile: Profile) -> str:
    """A category with a few values that each have many rows."""
    for column in used:
        if (
            column.kind == "string"
            and 2 <= column.distinct <= 12
            and column.top
            and column.top[-1][1] >= profile.rows / 100
        ):
            return column.name
    return ""
