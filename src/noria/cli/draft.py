"""A proposal as the text of a project: formatted, short, with a comment for each choice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from noria.cli.reading import name_of, tab

if TYPE_CHECKING:
    from noria.contracts import Proposal

_WIDTH = 120
_MOST_LINES = 99
_LEFT_OUT = 8
_WIDE = 60
_SKIP = "  # fmt: skip"


def project_text(
    proposal: Proposal, name: str, origin: str, separator: str | None = None, null_values: Sequence[str] = ()
) -> str:
    """The text of ``project.py``.

    Parameters
    ----------
    proposal : Proposal
        What to write down.
    name : str
        Of the project.
    origin : str
        Where the rows are, as it stands in the source.
    separator : str, optional
        What parts the columns of a CSV file, where it is no comma.
    null_values : sequence of str, optional
        Words that stand where there is no value.
    """
    before, after = [*_head(proposal), *_columns(proposal)], list(_rest(proposal, name))
    room = _MOST_LINES - len(before) - len(after)
    source = list(_source(proposal, origin, separator, null_values, room))
    return "\n".join([*before, *source, *after]) + "\n"


def _head(proposal: Proposal) -> Iterator[str]:
    answer = proposal.answer
    asked = f"Is {answer.column} {answer.yes}?".replace("\\", "/").replace('"', "'")
    asked = _cut(" ".join(asked.split()), 50)
    yield f'"""{asked} Proposed by `noria init`: read it, and change what you know better."""'
    yield ""
    yield "import noria as nr"
    yield ""


def _columns(proposal: Proposal) -> Iterator[str]:
    from noria.contracts import text

    if plain := _plain(proposal):
        yield "# What a request carries, and the model sees as it is."
        yield from _packed("COLUMNS = [", [text(column) for column in plain], "]")
    if proposal.left_out:
        yield "# Left out, and why:"
        for column, why in proposal.left_out[:_LEFT_OUT]:
            yield _short(f"#   {' '.join(column.split())}: {why}")
        if more := proposal.left_out[_LEFT_OUT:]:
            yield _short(f"#   and {len(more)} more: {', '.join(' '.join(column.split()) for column, _ in more)}")
    types = _types(proposal)
    yield "# What each column is. A value that is not of its type sets its row aside, into quarantine."
    if len(types) < len(proposal.contract.types):
        yield "# The table is wide: columns that are not named keep the type that they are read as."
    yield from _packed("TYPES = {", [f"{text(column)}: {text(kind)}" for column, kind in types.items()], "}")
    yield ""


def _source(
    proposal: Proposal, origin: str, separator: str | None, null_values: Sequence[str], room: int
) -> Iterator[str]:
    from noria.contracts import text

    others = [column for column in proposal.carried if column not in _plain(proposal)]
    known = " + ".join(["COLUMNS"] * bool(_plain(proposal)) + [f"[{', '.join(map(text, others))}]"] * bool(others))
    yield "rows = nr.Source("
    yield f"    {text(name_of(origin))},"
    if separator is not None:
        given = [text(origin), f"separator={text(tab(separator))}"]
        line = f"    nr.files({', '.join(given)}),"
        yield from [line] if len(line) <= _WIDTH else ["    nr.files(", *(f"        {one}," for one in given), "    ),"]
    else:
        yield f"    {text(origin)},  # beside this file; or s3://, postgresql://, https://…"
    if null_values:
        yield "    # What stands where there is no value."
        yield f"    null_values=[{', '.join(map(text, null_values))}],"
    if proposal.time:
        yield '    # When a row\'s outcome is known. If it is known later, say so: lag="7d".'
        yield f"    event_time={text(proposal.time)},"
    yield "    # What is known when the question is asked. Take out what is not: it would be a leak."
    yield f"    known_before={known},"
    yield "    contract=nr.Contract("
    if proposal.contract.key:
        key = [text(column) for column in proposal.contract.key]
        yield "        # No null and no repetition, in all rows so far: the key."
        yield f"        key={key[0] if len(key) == 1 else '[' + ', '.join(key) + ']'},"
    yield "        types=TYPES,"
    yield from _rules(
        proposal, room - 16 - 2 * bool(null_values) - 2 * bool(proposal.time) - 2 * bool(proposal.contract.key)
    )
    yield "    ),"
    yield ")"
    yield ""


def _rules(proposal: Proposal, room: int) -> Iterator[str]:
    from noria.contracts import rule_source

    rules = [rule_source(rule, indent=12).splitlines() for rule in proposal.contract.rules]
    rules = [lines for lines in rules if all(len(line) < _WIDTH - 13 for line in lines)]
    if not rules:
        return
    kept: list[list[str]] = []
    while rules and sum(map(len, kept)) + len(rules[0]) <= room:
        kept.append(rules.pop(0))
    yield '        # What held so far, with slack. A guess only warns: on_fail="quarantine" or "fail" for what is sure.'
    yield "        rules=["
    for lines in kept:
        yield f"            {lines[0]}" if len(lines) > 1 else f"            {lines[0]},"
        yield from [*lines[1:-1], f"{lines[-1]},"] if len(lines) > 1 else ()
    if rules:
        yield f"            # {len(rules):,} more are known: noria contract infer writes all of them."
    yield "        ],"


def _rest(proposal: Proposal, name: str) -> Iterator[str]:
    from noria.contracts import text

    answer = proposal.answer
    yield "project = nr.Project("
    yield f"    {text(name)},"
    yield f"    question={text(f'Is {answer.column} {answer.yes}?')},"
    yield _short(f"    # Yes is {answer.yes}, not {answer.no}: {answer.why}. So are {answer.share:.1%} of the rows.")
    yield "    spine=nr.Spine("
    yield "        rows,"
    if proposal.time:
        yield "        # When the question is asked: at the time of the row. Features see nothing later."
        yield f"        time={text(proposal.asked_at)},"
    yield f"        label={text(answer.label)},"
    yield from _features(proposal)
    yield "    ),"
    yield from _search(proposal)
    yield "    # What a model must show before it takes requests. Each gate leaves its evidence in the ledger."
    gates = ("ContractKept()", "BeatsBaseline()", "GeneralisationGap()", "Latency(p99_ms=20)", "Parity()")
    yield f"    gates=[{', '.join(f'nr.{gate}' for gate in gates)}],"
    yield f'    # How it is served: `noria serve`, then POST /v1/{_endpoint(proposal)} {{"rows": [{{…}}]}}.'
    yield f"    endpoint=nr.Endpoint({text(_endpoint(proposal))}),"
    yield ")"


def _features(proposal: Proposal) -> Iterator[str]:
    from noria.contracts import text

    others = [pair for pair in proposal.features if not _is_itself(*pair)]
    plain = "**{name: f'\"{name}\"' for name in COLUMNS}" if _plain(proposal) else ""
    yield "        # Features are SQL over what a request carries; add your own."
    if plain and not others:
        yield "        features={name: f'\"{name}\"' for name in COLUMNS},"
        return
    parts = [plain] * bool(plain) + [f"{text(column)}: {text(expression)}" for column, expression in others]
    line = f"        features={{{', '.join(parts)}}},"
    if len(line) <= _WIDTH:
        yield line
        return
    yield "        features={"
    for part in parts:
        yield f"            {part},"
    yield "        },"


def _search(proposal: Proposal) -> Iterator[str]:
    from noria.contracts import text

    metric = "average_precision" if proposal.answer.share < 0.2 else "roc_auc"
    rare = (
        "yes is rare, so how pure the top of the list is"
        if metric == "average_precision"
        else "how well yes ranks above no"
    )
    yield f"    # Maximised: {rare}. A baseline, logistic regression and LightGBM compete."
    yield "    search=nr.Search("
    yield '        "binary",'
    yield f'        metric="{metric}",'
    yield "        trials=6,"
    yield "        budget=nr.Budget(seconds=40),"
    if proposal.slice_by:
        yield f"        slices={text(proposal.slice_by)},  # scores are told by its values, too"
    if proposal.ends:
        train, validate, test = (f'"{end:%Y-%m-%d}"' if _is_day(end) else f'"{end.replace(tzinfo=None).isoformat()}"'
                                 for end in proposal.ends)  # fmt: skip
        yield "        # By time, as in life: 70% of the rows train, 15% choose, the last are opened once, at the end."
        yield f"        split=nr.TimeSplit(train_until={train}, validate_until={validate}, test_until={test}),"
    elif proposal.by:
        yield _short(
            f"        # At random, for lack of a time; all rows of one {' '.join(proposal.by.split())} stay together."
        )
        yield f"        split=nr.RandomSplit(validation=0.15, test=0.15, by={text(proposal.by)}),"
    else:
        yield "        # At random, for lack of a time: 15% of the rows choose, 15% are opened once, at the end."
        yield "        split=nr.RandomSplit(validation=0.15, test=0.15),"
    yield "    ),"


def _types(proposal: Proposal) -> dict[str, str]:
    """The types that are written down: of a wide table those that matter most."""
    types: dict[str, str] = dict(proposal.contract.types)
    if len(types) <= _WIDE:
        return types
    first = (*proposal.contract.key, proposal.time, proposal.answer.column)
    return {column: kind for column, kind in types.items() if column in first}


def _is_day(moment: object) -> bool:
    return f"{moment:%H%M%S%f}" == "000000000000"


def _is_itself(column: str, expression: str) -> bool:
    return expression in (column, f'"{column}"')


def _plain(proposal: Proposal) -> list[str]:
    return [column for column, expression in proposal.features if _is_itself(column, expression)]


def _endpoint(proposal: Proposal) -> str:
    return name_of(proposal.answer.column)


def _packed(head: str, items: Sequence[str], tail: str) -> Iterator[str]:
    """Many short items, as many a line as there is room for: one a line would bury the rest."""
    whole = head + ", ".join(items) + tail
    if len(whole) <= _WIDTH:
        yield whole
        return
    yield head
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > _WIDTH and line.strip():
            yield line
            line = "   "
        line += f" {item},"
    yield line
    yield tail + _SKIP


def _short(line: str) -> str:
    return _cut(line, _WIDTH)


def _cut(line: str, most: int) -> str:
    return line if len(line) <= most else line[: most - 1] + "…"
