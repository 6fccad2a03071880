"""Small random worlds: a source with events, views of it, and rows that are asked about."""

from datetime import timedelta

import polars as pl
from hypothesis import strategies as st

import noria as nr
from noria.core import from_micros
from noria.expressions import polars_kinds

MINUTE = 60 * 10**6
START = 1_385_856_000 * 10**6  # 1 December 2013: a multiple of every hop
COLUMNS = {"key": pl.String, "part": pl.Int64, "whole": pl.Int64, "real": pl.Float64, "truth": pl.Boolean}
WINDOWS = ["5m", "7m", "1h", "12h", "1d", "12d"]
KINDS = {
    "sum": nr.sum,
    "mean": nr.mean,
    "min": nr.min,
    "max": nr.max,
    "std": nr.std,
    "first": nr.first,
    "last": nr.last,
}

# Few values, so that events meet events and questions.
keys = st.sampled_from(["a", "a", "a", "b", "", "Zürich 東京 🛫", None])
parts = st.sampled_from([1, 1, -3, None])
reals = st.floats(-1e6, 1e6) | st.sampled_from([float("nan"), 0.1, -0.0]) | st.none()
# Many times are equal; the others lie at the edges of windows and tiles, or beside them.
_EDGES = [minutes * MINUTE for minutes in (0, 3, 5, 7, 60, 65, 720, 1440, 11 * 1440, 12 * 1440, 13 * 1440)]
moments = st.builds(
    lambda edge, beside, sign: START + sign * edge + beside,
    st.sampled_from(_EDGES), st.sampled_from([0, 0, 1, -1, MINUTE]), st.sampled_from([1, 1, -1]),
)  # fmt: skip


@st.composite
def rows(draw, most=40):
    """A source's rows, in order of arrival; event times in microseconds."""
    one = st.fixed_dictionaries({
        "key": keys, "part": parts, "whole": st.integers(-(2**40), 2**40) | st.none(), "real": reals,
        "truth": st.booleans() | st.none(), "time": moments | st.none(),
    })  # fmt: skip
    return draw(st.lists(one, max_size=most))


@st.composite
def aggregates(draw):
    """A few aggregates, so that windows, hops and filters meet in one view."""
    found = []
    for number in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["count", *KINDS]))
        windows = draw(st.lists(st.sampled_from(WINDOWS), min_size=1, max_size=3, unique=True))
        hop = draw(st.sampled_from([None, None, "1m", "5m"]))
        where = draw(st.sampled_from([None, None, "truth", "real > 0", "NOT truth OR whole IS NULL"]))
        name = f"n{number}"
        if kind == "count":
            column = draw(st.sampled_from(["", "real", "truth", "key"]))
            found.append(nr.count(column, windows=windows, hop=hop, where=where, name=name))
        else:
            column = draw(st.sampled_from(["whole", "real", "truth", "real * 2 + part"]))
            found.append(KINDS[kind](column, windows=windows, hop=hop, where=where, name=name))
    return found


def world(aggregates, lag=0, view_keys=("key",), features=None):
    """A project over one source of events that is also asked about: at ``asked``, of ``key`` and ``part``."""
    events = nr.Source("events", "events.parquet", event_time="time", lag=timedelta(microseconds=lag))
    asked = nr.Source("asked", "asked.parquet", known_before=["asked", "key", "part"], event_time="known")
    view = nr.FeatureView("v", events, keys=list(view_keys), aggregates=aggregates)
    spine = nr.Spine(asked, time="asked", label="label", features=features or {"part": "part"})
    return nr.Project(
        "small", spine=spine, features=[view], search=nr.Search("binary", split=_SPLIT), endpoint=nr.Endpoint("small")
    )


_SPLIT = nr.TimeSplit(train_until="2013-01-01", validate_until="2013-02-01", test_until="2013-03-01")


def event_frame(rows):
    """Rows as a table; a null time stays null."""
    times = [None if row["time"] is None else from_micros(row["time"]) for row in rows]
    return pl.DataFrame(rows, schema={**COLUMNS, "time": pl.Int64}).with_columns(
        pl.Series("time", times, pl.Datetime("us", "UTC"))
    ).with_row_index("_row", 1)  # fmt: skip


def asked_frame(questions):
    """What is asked: (time, key, part)."""
    times = [from_micros(at) for at, _, _ in questions]
    return pl.DataFrame({
        "asked": pl.Series(times, dtype=pl.Datetime("us", "UTC")),
        "key": pl.Series([key for _, key, _ in questions], dtype=pl.String),
        "part": pl.Series([part for _, _, part in questions], dtype=pl.Int64),
        "label": pl.Series([True] * len(questions), dtype=pl.Boolean),
        "known": pl.Series(times, dtype=pl.Datetime("us", "UTC")),
    }).with_row_index("_row", 1)  # fmt: skip


SCHEMAS = {
    "events": polars_kinds(event_frame([]).schema),
    "asked": polars_kinds(asked_frame([]).schema),
}
