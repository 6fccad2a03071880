"""``noria key``: the keys of those who may ask the server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from noria.security import ApiKeys

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_Project = Annotated[str | None, typer.Option("--project", help="Its file or folder; by default the one around here.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    keys = typer.Typer(help="Keys of those who may ask the server.", no_args_is_help=True, rich_markup_mode=None)
    keys.command("create")(_create)
    keys.command("list")(_list)
    keys.command("revoke")(_revoke)
    app.add_typer(keys, name="key")


def _create(
    label: Annotated[str, typer.Argument(help="Who will use it: letters, digits and . _ @ -")],
    project: _Project = None,
) -> None:
    """Make a key and show it, once. From the first key on, every request needs one."""
    from noria.core import DeclarationError

    if not _LABEL.fullmatch(label):
        mend = "letters, digits and . _ @ -, up to 64, a letter or digit first"
        raise DeclarationError("not a label", value=label, mend=mend)
    key = _keys(project).create(label)
    typer.echo(key)
    typer.echo("shown only now; a client sends it as the header  Authorization: Bearer KEY", err=True)


def _list(project: _Project = None) -> None:
    """The labels of all keys; the keys themselves are not kept."""
    for label in _keys(project).labels():
        typer.echo(label)


def _revoke(label: Annotated[str, typer.Argument(help="Whose key.")], project: _Project = None) -> None:
    """Refuse a key from now on, in a running server too."""
    keys = _keys(project)
    keys.revoke(label)
    typer.echo(f"revoked {label}" + ("" if len(keys) else "; no key is left: a running server refuses every request"))


def _keys(project: str | None) -> ApiKeys:
    from noria.security import ApiKeys
    from noria.workspace import workspace_of

    return ApiKeys(workspace_of(project).keys / "api-keys.json")
