"""The rules of a contract as one query of DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from noria.contracts.among import RowsRule
from noria.contracts.checker import columns_exist, key_rules, rules_of
from noria.contracts.condition import RowRule, Subject
from noria.contracts.data import BATCH, Rows
from noria.contracts.table import Moment, TableRule
from noria.contracts.tally import EXAMPLES, Tally, remembered
from noria.contracts.verdict import Verdict
from noria.contracts.wants import literal, quoted
from noria.core import DataError, require
from noria.declarations import Contract
from noria.expressions import Kind, polars_kinds

if TYPE_CHECKING:
    import polars as pl

_DIALECT = "duckdb"


def found_by_duckdb(
    rows: Rows,
    contract: Contract,
    references: Mapping[str, pl.DataFrame],
    place: str,
    memory: Mapping[str, Any] | None,
    now: datetime,
) -> tuple[int, tuple[Verdict, ...], Mapping[str, Any]]:
    """How many rows there are, what each rule found, and what is to be remembered.

    Parquet files are read by DuckDB itself; a lazy frame is collected first.
    """
    kinds = polars_kinds(rows.schema)
    _refuse_types(contract, kinds)
    rules = [*key_rules(contract), *rules_of(contract)]
    columns_exist(rules, list(kinds), contract, place)
    subject = Subject(place, kinds, references)
    tallies = [Tally(rule) for rule in rules]
    for tally in tallies:
        if isinstance(tally.rule, TableRule):
            tally.measure = tally.rule.measure(subject, Moment(now, (memory or {}).get(tally.rule.text, {})))
        elif isinstance(tally.rule, RowRule):
            tally.rule.broken(subject)  # refuses what does not fit, in the words of the rule
    with require("duckdb", extra="sql").connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        _tables(connection, rows, references)
        count = _count(connection, tallies, subject)
        for tally in tallies:
            if tally.measure is not None and tally.measure.columns:
                _feed(connection, tally)
    verdicts = tuple(tally.verdict(count) for tally in tallies)
    return count, verdicts, remembered(tallies)


def _refuse_types(contract: Contract, kinds: Mapping[str, Kind]) -> None:
    for column, kind in contract.types.items():
        if kinds.get(column, kind) not in (kind, "null"):
            raise contract.refuse(
                "DuckDB checks columns as they are", field=f"types.{column}", value=f"{kinds[column]}, not {kind}",
                mend="engine='polars', or cast the column",
            )  # fmt: skip


def _tables(connection: Any, rows: Rows, references: Mapping[str, pl.DataFrame]) -> None:
    import polars as pl

    for name, table in references.items():
        connection.register(f"reference {name}", table.to_arrow())
    if rows.parquet:
        files = ", ".join(map(literal, rows.parquet))
        number = "" if "_row" in pl.scan_parquet(list(rows.parquet), glob=False).collect_schema() else (
            ", CAST(ROW_NUMBER() OVER () AS BIGINT) AS _row")  # fmt: skip
        connection.execute(f"CREATE VIEW rows AS SELECT *{number} FROM read_parquet([{files}])")
        return
    frame = rows.frame if isinstance(rows.frame, pl.DataFrame) else rows.frame.collect(engine="streaming")
    connection.register("rows", frame.to_arrow())


def _count(connection: Any, tallies: Sequence[Tally], subject: Subject) -> int:
    """One query counts every rule, and takes what rules about the table want."""
    windows, asked, broken = [], ["COUNT(*)"], {}
    for index, tally in enumerate(tallies):
        rule = tally.rule
        if isinstance(rule, RowsRule):
            windows.append(f'{rule.broken_sql(subject, _DIALECT)} AS "broken {index}"')
            broken[index] = f'"broken {index}"'
        elif isinstance(rule, RowRule):
            broken[index] = rule.broken_sql(subject, _DIALECT)
    asked += [f"COUNT(*) FILTER (WHERE {text})" for text in broken.values()]
    measures = [tally.measure for tally in tallies if tally.measure is not None]
    asked += [want.sql(subject.kinds, _DIALECT) for measure in measures for want in measure.wants]
    inner = f"SELECT *, {', '.join(windows)} FROM rows" if windows else "SELECT * FROM rows"
    query = f"SELECT {', '.join(asked)} FROM ({inner})"
    [[count, *values]] = _telling(lambda: connection.sql(query).fetchall())
    for index in broken:
        tallies[index].rows = int(values.pop(0))
    for measure in measures:
        taken, values = values[: len(measure.wants)], values[len(measure.wants) :]
        if not measure.columns:
            measure.seen(int(count), taken)
    for index, text in broken.items():
        if tallies[index].rows:
            _show(connection, tallies[index], inner, text)
    return int(count)


def _show(connection: Any, tally: Tally, inner: str, broken: str) -> None:
    import polars as pl

    columns = ", ".join(quoted(name) for name in dict.fromkeys(["_row", *tally.rule.columns]))
    query = f"SELECT {columns} FROM ({inner}) WHERE {broken} ORDER BY _row LIMIT {EXAMPLES}"
    first = pl.DataFrame(_telling(lambda: connection.sql(query).to_arrow_table()))
    tally.show(first, pl.Series([True]).new_from_index(0, len(first)))


def _feed(connection: Any, tally: Tally) -> None:
    """Rows for a rule that looks at some columns row by row, batch by batch."""
    import polars as pl

    assert tally.measure is not None
    columns = ", ".join(quoted(name) for name in dict.fromkeys(tally.measure.columns))
    for batch in connection.sql(f"SELECT {columns} FROM rows").to_arrow_reader(BATCH):
        tally.measure.observe(pl.DataFrame(batch), [])


def _telling(ask: Callable[[], Any]) -> Any:
    """What DuckDB answers; what it cannot do is told."""
    import duckdb

    try:
        return ask()
    except duckdb.Error as error:
        raise DataError("DuckDB cannot check the contract", value=str(error).splitlines()[0]) from None
