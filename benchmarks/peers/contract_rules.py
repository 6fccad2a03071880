"""Peers that check fifty rules: pandera, Pointblank, Great Expectations, and a Polars scan written by hand.

Usage: contract_rules.py PEER ROWS.parquet RULES.json REPEATS  ->  one JSON line {"seconds", "failed", "versions"}.
RULES.json holds [kind, column, arguments]; ``failed`` counts rows by rule, in that order; pandera
only tells how many there are of all rules together.
"""

import json
import sys
import time
from importlib.metadata import version


def by_hand(rows, rules):
    import polars as pl

    frame = pl.read_parquet(rows)
    kinds = {
        "not_null": lambda name: pl.col(name).is_null(),
        "between": lambda name, low, high: (pl.col(name) < low) | (pl.col(name) > high),
        "one_of": lambda name, *values: ~pl.col(name).is_in(values),
        "matches": lambda name, pattern: ~pl.col(name).str.contains(f"^(?:{pattern})$"),
        "length": lambda name, low, high: ~pl.col(name).str.len_chars().is_between(low, high),
        "at_most": lambda one, two: pl.col(one) > pl.col(two),
    }

    def check():
        wrong = [kinds[kind](name, *rest).sum().alias(str(at)) for at, (kind, name, *rest) in enumerate(rules)]
        return list(frame.select(wrong).row(0))

    return check, ("polars",)


def pandera(rows, rules):
    import pandera.polars as pa
    import polars as pl

    frame = pl.read_parquet(rows)
    kinds = {
        "between": lambda low, high: pa.Check.in_range(low, high),
        "one_of": lambda *values: pa.Check.isin(values),
        "matches": lambda pattern: pa.Check.str_matches(f"^(?:{pattern})$"),
        "length": lambda low, high: pa.Check.str_length(low, high),
    }
    columns, whole = {}, []
    for kind, name, *rest in rules:
        if kind == "at_most":
            whole.append(
                pa.Check(lambda data, one=name, two=rest[0]: data.lazyframe.select(pl.col(one) <= pl.col(two)))
            )
            continue
        checks, nullable = columns.get(name, ([], True))
        columns[name] = ([*checks, kinds[kind](*rest)], nullable) if kind in kinds else (checks, False)
    made = {name: pa.Column(checks=checks, nullable=nullable) for name, (checks, nullable) in columns.items()}
    schema = pa.DataFrameSchema(made, checks=whole)

    def check():
        try:
            schema.validate(frame, lazy=True)
        except pa.errors.SchemaErrors as error:
            return [len(error.failure_cases)]
        return [0]

    return check, ("pandera", "polars")


def pointblank(rows, rules):
    import pointblank as pb
    import polars as pl

    frame = pl.read_parquet(rows)

    def check():
        made = pb.Validate(frame)
        for kind, name, *rest in rules:
            if kind == "not_null":
                made = made.col_vals_not_null(name)
            elif kind == "between":
                made = made.col_vals_between(name, *rest, na_pass=True)
            elif kind == "one_of":
                made = made.col_vals_in_set(name, rest)
            elif kind == "matches":
                made = made.col_vals_regex(name, f"^(?:{rest[0]})$", na_pass=True)
            elif kind == "length":
                made = made.col_vals_expr(pl.col(name).str.len_chars().is_between(*rest))
            else:
                made = made.col_vals_le(name, pb.col(rest[0]), na_pass=True)
        failed = made.interrogate().n_failed()
        return [failed[at] for at in sorted(failed)]

    return check, ("pointblank", "polars")


def great_expectations(rows, rules):
    import great_expectations as gx
    import pandas as pd

    frame = pd.read_parquet(rows)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    suite = gx.ExpectationSuite("fifty")
    e = gx.expectations
    for at, (kind, name, *rest) in enumerate(rules):
        made = {
            "not_null": lambda name: e.ExpectColumnValuesToNotBeNull(column=name),
            "between": lambda name, low, high: e.ExpectColumnValuesToBeBetween(column=name, min_value=low, max_value=high),  # noqa: E501
            "one_of": lambda name, *values: e.ExpectColumnValuesToBeInSet(column=name, value_set=list(values)),
            "matches": lambda name, pattern: e.ExpectColumnValuesToMatchRegex(column=name, regex=f"^(?:{pattern})$"),
            "length": lambda name, low, high: e.ExpectColumnValueLengthsToBeBetween(column=name, min_value=low, max_value=high),  # noqa: E501
            "at_most": lambda one, two: e.ExpectColumnPairValuesAToBeGreaterThanB(column_A=two, column_B=one, or_equal=True),  # noqa: E501
        }[kind](name, *rest)  # fmt: skip
        made.meta = {"at": at}
        suite.add_expectation(made)

    def check():
        results = batch.validate(suite, result_format="SUMMARY").results
        results.sort(key=lambda result: result.expectation_config.meta["at"])  # they come grouped by column
        return [result.result.get("unexpected_count", 0) for result in results]

    return check, ("great_expectations", "pandas")


if __name__ == "__main__":
    peer, rows, path, repeats = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        check, libraries = globals()[peer](rows, json.load(file))
    seconds = []
    for _ in range(int(repeats)):
        began = time.perf_counter()
        failed = check()
        seconds.append(time.perf_counter() - began)
    versions = {name: version(name) for name in libraries}
    print(json.dumps({"seconds": min(seconds), "failed": failed, "versions": versions}))
