"""The flights example's windowed features by hand in Polars, as well as its authors know: the peer of a training set.

Sums and counts come from running totals read twice by an as-of join, at the window's head and at its tail; the latest
value is one as-of join; only the maximum needs a rolling window. The semantics are Noria's (strictly before, tails in
hops), so that the columns can be compared one by one.

Usage: polars_windows.py FLIGHTS.parquet WEATHER.parquet PLANES.parquet OUT.parquet REPEATS  ->  one JSON line.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import polars as pl

MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
WINDOWS = {"1h": HOUR, "6h": 6 * HOUR, "1d": DAY, "7d": 7 * DAY, "14d": 14 * DAY, "3h": 3 * HOUR}
LAG = 4 * HOUR


def hop(window: int) -> int:
    return DAY if window >= 12 * DAY else HOUR if window >= 12 * HOUR else 5 * MINUTE


def tail(at: pl.Expr, window: int) -> pl.Expr:
    return (at - window) // hop(window) * hop(window)


def totals(spine: pl.DataFrame, events: pl.DataFrame, key: str, windows: dict[str, list[str]]) -> pl.DataFrame:
    """Differences of running totals; `windows` says which of ``n``, ``late``, ``x``, ``xx`` each window needs."""
    running = events.select(
        key,
        "at",
        n=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over(key),
        rows=pl.col("late").is_not_null().cum_sum().over(key),
        late=pl.col("late").cast(pl.Int64).cum_sum().over(key),
        x=pl.col("arr_delay").cum_sum().over(key),
        xx=(pl.col("arr_delay") ** 2).cum_sum().over(key),
    ).sort("at")
    head = spine.select("row", key, "at").join_asof(
        running, on="at", by=key, strategy="backward", allow_exact_matches=False
    )
    made = []
    for name, kinds in windows.items():
        low = (
            spine.select("row", key, at=tail(pl.col("at"), WINDOWS[name]))
            .sort("at")
            .join_asof(running, on="at", by=key, strategy="backward", allow_exact_matches=False)
            .sort("row")
        )
        head_sorted = head.sort("row")
        n, late, x, xx = (head_sorted[c].fill_null(0) - low[c].fill_null(0) for c in ("n", "late", "x", "xx"))
        if "mean" in kinds:
            made.append(pl.select(pl.when(n > 0).then(late / n)).to_series().alias(f"{name}_mean"))
        if "count" in kinds:
            made.append(n.alias(f"{name}_count"))
        if "std" in kinds:
            made.append(
                pl.select(pl.when(n > 1).then(((xx - x * x / n) / (n - 1)).clip(0).sqrt()))
                .to_series()
                .alias(f"{name}_std")
            )
    return pl.DataFrame(made)


def training_set(flights: pl.DataFrame, weather: pl.DataFrame, planes: pl.DataFrame) -> pl.DataFrame:
    micros = pl.col("scheduled").dt.epoch("us") - HOUR - LAG
    spine = flights.with_row_index("row").with_columns(at=micros).sort("at")
    events = flights.filter(pl.col("landed").is_not_null()).with_columns(at=pl.col("landed").dt.epoch("us")).sort("at")
    late = {w: ["mean"] for w in ("1h", "6h", "1d", "7d", "14d")} | {"1h": ["mean", "count"], "1d": ["mean", "count"]}
    out: dict[str, pl.Series] = {}
    for view, key, windows in (
        ("carrier", "carrier", late),
        ("origin", "origin", late | {"6h": ["mean", "std"]}),
        ("dest", "dest", late),
        ("aircraft", "tailnum", {"1d": ["mean"], "14d": ["mean"]}),
    ):
        keyed = spine.filter(pl.col(key).is_not_null())
        made = totals(keyed, events.filter(pl.col(key).is_not_null()), key, windows)
        rows = keyed.sort("row")["row"]
        for series in made:
            window, kind = series.name.split("_")
            name = (
                f"{view}_count_{window}"
                if kind == "count"
                else f"{view}_{'arr_delay' if kind == 'std' else 'late'}_{kind}_{window}"
            )
            out[name] = pl.DataFrame({"row": spine["row"].sort()}).join(
                pl.DataFrame({"row": rows, name: series}), on="row", how="left", maintain_order="left"
            )[name]
    out |= aircraft_last_and_max(spine, events)
    out |= latest_weather(spine, weather)
    plane = spine.sort("row").join(
        planes.select("tailnum", plane_year="year", plane_seats="seats"),
        on="tailnum",
        how="left",
        maintain_order="left",
    )
    return pl.DataFrame([series.alias(name) for name, series in out.items()]).with_columns(
        plane["plane_year", "plane_seats"]
    )


def aircraft_last_and_max(spine: pl.DataFrame, events: pl.DataFrame) -> dict[str, pl.Series]:
    told = events.filter(pl.col("arr_delay").is_not_null()).select("tailnum", "at", "arr_delay", seen="at")
    last = spine.join_asof(told, on="at", by="tailnum", strategy="backward", allow_exact_matches=False).sort("row")
    kept = last["seen"] >= spine.sort("row").select(tail(pl.col("at"), DAY)).to_series()
    union = pl.concat(
        [
            told.select("tailnum", "at", "arr_delay", row=pl.lit(None, pl.UInt32)),
            spine.filter(pl.col("tailnum").is_not_null()).select(
                "tailnum", "at", arr_delay=pl.lit(None, pl.Int64), row="row"
            ),
        ]
    ).sort("at")
    # A rolling window has no tail in hops: each of the 25 hours before is a candidate, the exact tail is cut after.
    hours = union.with_columns(hour=pl.col("at") // HOUR).sort("tailnum", "at")
    peaks = (
        hours.filter(pl.col("row").is_null())
        .group_by("tailnum", "hour", maintain_order=True)
        .agg(pl.col("arr_delay").max())
    )
    asked = hours.filter(pl.col("row").is_not_null()).select("tailnum", "row", "at", "hour")
    whole = (
        asked.select("row", "tailnum", "at", low=pl.col("hour") - 24, high="hour")
        .join(peaks, on="tailnum", how="inner")
        .filter(pl.col("hour").is_between(pl.col("low"), pl.col("high") - 1))
    )
    part = asked.join(told.with_columns(hour=pl.col("at") // HOUR), on=["tailnum", "hour"], how="inner").filter(
        pl.col("seen") < pl.col("at")
    )
    peak = (
        pl.concat([whole.select("row", "arr_delay"), part.select("row", "arr_delay")])
        .group_by("row")
        .agg(pl.col("arr_delay").max())
    )
    most = spine.select(pl.col("row").sort()).join(peak, on="row", how="left", maintain_order="left")["arr_delay"]
    value = pl.select(pl.when(kept).then(last["arr_delay_right"])).to_series()
    return {"aircraft_arr_delay_last_1d": value, "aircraft_arr_delay_max_1d": most}


def latest_weather(spine: pl.DataFrame, weather: pl.DataFrame) -> dict[str, pl.Series]:
    out = {}
    asked = spine.select("row", "origin", at=pl.col("at") + LAG)
    low = asked.sort("row").select(tail(pl.col("at"), 3 * HOUR)).to_series()
    for column in ("temp", "wind_speed", "visib", "pressure", "precip"):
        told = (
            weather.filter(pl.col(column).is_not_null())
            .select("origin", column, at=pl.col("time_hour").dt.epoch("us"), seen=pl.col("time_hour").dt.epoch("us"))
            .sort("at")
        )
        last = asked.join_asof(told, on="at", by="origin", strategy="backward", allow_exact_matches=False).sort("row")
        out[f"weather_{column}_last_3h"] = pl.select(pl.when(last["seen"] >= low).then(last[column])).to_series()
    return out


if __name__ == "__main__":
    flights, weather, planes = (pl.read_parquet(path) for path in sys.argv[1:4])
    seconds = []
    for _ in range(int(sys.argv[5])):
        started = time.perf_counter()
        made = training_set(flights, weather, planes)
        seconds.append(time.perf_counter() - started)
    made.write_parquet(sys.argv[4])
    print(
        json.dumps(
            {"seconds": min(seconds), "all": seconds, "rows": len(made), "versions": {"polars": version("polars")}}
        )
    )
