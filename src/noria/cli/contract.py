"""``noria contract``: infer, compare, test, export and import contracts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from noria.cli.reading import Separator

if TYPE_CHECKING:
    import polars as pl

    from noria.contracts import Verdict
    from noria.declarations import Contract, Project, Source

_Read = TypeVar("_Read")
_ProjectPlace = Annotated[
    str | None, typer.Option("--project", help="Its file or folder; by default the one around here.")
]
_SourceName = Annotated[str | None, typer.Option("--source", help="Which source; by default that of the spine.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Infer, compare, test, export and import contracts.")
    group.command("infer")(_infer)
    group.command("diff")(_diff)
    group.command("test")(_test)
    group.command("export")(_export)
    group.command("import")(_import)
    app.add_typer(group, name="contract")


def _infer(
    place: Annotated[str, typer.Argument(metavar="FILE", help="A file, a glob or a URL.")],
    on_fail: Annotated[
        Literal["warn", "quarantine", "fail"],
        typer.Option(help="What a guess does."),
    ] = "warn",
    separator: Separator = None,
) -> None:
    """Print the contract that a table keeps, as Python: types, key, nulls, ranges, sets, what is personal."""
    from noria.cli.profile import profile_at
    from noria.contracts import contract_source, inferred

    contract = inferred(profile_at(place, separator), on_fail, datetime.now(UTC))
    typer.echo("import noria as nr\n\ncontract = " + contract_source(contract))


def _diff(
    before: Annotated[str, typer.Argument(help="A project, a contract's YAML, or a table.")],
    after: Annotated[str, typer.Argument(help="Another; of a table its columns, types and key are compared.")],
    source: _SourceName = None,
) -> None:
    """Say what differs between two contracts, or between a contract and a table; exit 1 if anything does."""
    from noria.contracts import contract_differences

    one, two = (_contract_at(place, source) for place in (before, after))
    of_data = one[1] or two[1]
    found = contract_differences(one[0], two[0], rules=not of_data)
    for line in found:
        typer.echo(line)
    raise typer.Exit(1 if found else 0)


def _test(
    place: Annotated[str, typer.Argument(metavar="FILE", help="A file, a glob or a URL.")],
    project: _ProjectPlace = None,
    source: _SourceName = None,
) -> None:
    """Check a table against the contract of a project's source, and touch nothing; exit 3 if values are not of their
    type or a rule that says fail is broken."""
    from noria.core import DataError

    declared, base = _project(project)
    named = _source(declared, source)
    mistyped, verdicts, read, aside, late = _tested(declared, named, place, base)
    verdicts = (*mistyped, *verdicts)
    width = max([len(one.rule) for one in verdicts] + [4])
    for one in verdicts:
        word = "holds" if not one.failed else one.on_fail
        line = f"{word:<10}  {one.failed:>10,} of {one.checked:,}  {one.rule:<{min(width, 60)}}"
        typer.echo((line + ("  " + "; ".join(one.examples) if one.examples else "")).rstrip())
    typer.echo(f"{read:,} rows: {read - aside:,} would be kept, {aside:,} quarantined")
    if late:
        typer.echo(late)
    if late or mistyped or any(one.failed and one.on_fail == "fail" for one in verdicts):
        raise typer.Exit(DataError.exit_code)


def _export(
    to: Annotated[Literal["odcs", "json-schema", "dbt"], typer.Option("--to", help="The format.")],
    project: _ProjectPlace = None,
    source: _SourceName = None,
) -> None:
    """Print the contract of a source as YAML of the Open Data Contract Standard, as JSON Schema, or as dbt tests."""
    from noria.contracts import to_dbt, to_json_schema, to_odcs

    named = _source(_project(project)[0], source)
    if to == "json-schema":
        typer.echo(json.dumps(to_json_schema(named.contract, named.name), ensure_ascii=False, indent=2))
    else:
        written = to_odcs(named.contract, named.name) if to == "odcs" else to_dbt(named.contract, named.name)
        typer.echo(written, nl=False)


def _import(
    file: Annotated[Path, typer.Argument(help="YAML of the Open Data Contract Standard, version 3.")],
    table: Annotated[str | None, typer.Option(help="One table alone.")] = None,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="List what no rule says in comments, where else it is refused.")
    ] = False,
) -> None:
    """Print the contracts in a YAML of the Open Data Contract Standard, as Python."""
    from noria.contracts import contract_source, read_odcs

    read = _read_yaml(file, read_odcs)
    found = {name: one for name, (one, _) in read.items()} if lenient else _from_yaml(file)
    left_out = {name: lines for name, (_, lines) in read.items()}
    chosen = {table: _of(found, table, file)} if table is not None else found
    typer.echo("import noria as nr")
    for name, contract in chosen.items():
        typer.echo(f"\n# {' '.join(name.split())}")
        for line in left_out[name]:
            typer.echo(f"# left out: {' '.join(line.split())}")
        typer.echo(f"contract = {contract_source(contract)}")


def _project(place: str | None) -> tuple[Project, Path]:
    from noria.declarations import find_project, load_project

    file = find_project(place)
    return load_project(file), file.parent


def _source(project: Project, name: str | None) -> Source:
    from noria.core import DeclarationError

    if name is None:
        return project.spine.source
    for source in project.sources:
        if source.name == name:
            return source
    known = ", ".join(source.name for source in project.sources)
    raise DeclarationError("the project has no such source", value=name, mend=f"one of {known}")


def _contract_at(place: str, source: str | None) -> tuple[Contract, bool]:
    """The contract at a place, and whether it was inferred from a table."""
    from noria.cli.profile import profile_at
    from noria.contracts import inferred

    path = Path(place)
    if path.suffix in (".yaml", ".yml"):
        return _of(_from_yaml(path), source, path), False
    if path.is_dir() or path.suffix == ".py":
        return _source(_project(place)[0], source).contract, False
    return inferred(profile_at(place)), True


def _from_yaml(file: Path) -> dict[str, Contract]:
    from noria.contracts import from_odcs

    return _read_yaml(file, from_odcs)


def _read_yaml(file: Path, read: Callable[[str, str], _Read]) -> _Read:
    from noria.core import DataError

    try:
        return read(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("no contract can be read there", place=str(file), value=str(error)) from None


def _of(found: dict[str, Contract], table: str | None, file: Path) -> Contract:
    from noria.core import DeclarationError

    if table is None and len(found) == 1:
        return next(iter(found.values()))
    if table not in found:
        known = ", ".join(found) or "no table"
        raise DeclarationError("which table of the contract?", place=str(file), value=table, mend=f"it has {known}")
    return found[table]


def _tested(
    project: Project, source: Source, place: str, base: Path
) -> tuple[tuple[Verdict, ...], tuple[Verdict, ...], int, int, str]:
    """Which columns have values not of their type, what each rule found, how many rows were read and would be set
    aside, and what is wrong of the whole table."""
    from noria.contracts import check, rules_of
    from noria.ingest import prepared
    from noria.sources import Files, read

    origin = place if "://" in place else str(Path(place).resolve())
    if isinstance(source.origin, Files) and Path(origin).suffix == Path(source.origin.url).suffix:
        tested = source.replace(origin=source.origin.replace(url=origin))  # with its separator, encoding and the like
    else:
        tested = source.replace(origin=origin)
    raw = read(tested, base)
    by_name = {one.name: one for one in project.sources}
    references = {
        name: prepared(by_name[name], read(by_name[name], base)).select(*by_name[name].contract.key, "_row")
        for rule in rules_of(source.contract)
        for name in rule.refers_to
    }
    # All verdicts are wanted, so that none may end the test; each is judged by what it says afterwards.
    lenient = source.contract.replace(
        rows=None, rules=tuple(r.replace(on_fail="warn") if r.on_fail == "fail" else r for r in source.contract.rules)
    )
    rows = prepared(source, raw)
    checked = check(rows, lenient, references, f"source '{source.name}'")
    keyed = int(bool(source.contract.key))  # the key comes first, then the rules, then what looks private
    told = [one.on_fail for one in checked.verdicts]
    told[keyed : keyed + len(source.contract.rules)] = [rule.on_fail for rule in source.contract.rules]
    verdicts = tuple(replace(one, on_fail=on_fail) for one, on_fail in zip(checked.verdicts, told, strict=True))
    late = _of_whole(source.contract, len(raw))
    return tuple(_mistyped(source.contract, rows)), verdicts, len(raw), len(checked.quarantined), late


def _mistyped(contract: Contract, rows: pl.DataFrame) -> Iterator[Verdict]:
    """The types of a contract that some values are not of."""
    from noria.contracts import Verdict, type_reason

    if "_reasons" not in rows.columns:
        return
    reasons = rows.select("_row", "_reasons").explode("_reasons").drop_nulls()
    for column, kind in contract.types.items():
        head = column + type_reason(kind)
        found = reasons.filter(reasons["_reasons"].str.starts_with(head))
        if len(found):
            examples = tuple(f"row {row}: {reason.removeprefix(head)}" for row, reason in found.head(3).rows())
            yield Verdict(f"{column} is of type {kind}", column, "quarantine", len(rows), len(found), examples)


def _of_whole(contract: Contract, rows: int) -> str:
    """What is wrong with so many rows; empty where nothing is."""
    if contract.rows is not None and not contract.rows[0] <= rows <= contract.rows[1]:
        return f"fail: {rows:,} rows, where {contract.rows[0]:,} to {contract.rows[1]:,} were declared"
    return ""
