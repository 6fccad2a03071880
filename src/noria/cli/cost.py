"""``noria cost``: what was spent on what."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from noria.ledger import Ledger


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("cost")(_cost)


def _cost(
    project: Annotated[str | None, typer.Argument(help="Its file or folder; by default the one around here.")] = None,
    by: Annotated[str, typer.Option(help="step, model, or the name of a tag.")] = "step",
) -> None:
    """Say what was spent since the beginning, on what, and what one prediction costs."""
    from noria.core import DeclarationError
    from noria.declarations import load_project
    from noria.ledger import open_ledger
    from noria.workspace import workspace_of

    workspace = workspace_of(project)
    known = ("step", "model", *load_project(workspace.project_file).tags)
    if by not in known:
        raise DeclarationError("no such tag", place="--by", value=by, mend="one of " + ", ".join(known))
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        for line in _lines(ledger, by):
            typer.echo(line)


def _lines(ledger: Ledger, by: str) -> Iterator[str]:
    from noria.cost import PriceBook, per_prediction, totals

    spent = totals(ledger.events(), by=by)
    currency = PriceBook.load().currency
    width = max((len(group) for group in (*spent, "(none)")), default=0)
    for group, money in sorted(spent.items(), key=lambda pair: -pair[1]):
        yield f"{money:12.6f} {currency}  {group or '(none)':<{width}}".rstrip()
    yield f"{sum(spent.values()):12.6f} {currency}  since the beginning"
    if (prediction := per_prediction(ledger)) is not None:
        yield f"{prediction[0]:12.9f} {prediction[1]}  a prediction, by the last rehearsal"
