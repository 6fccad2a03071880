"""The public surface: each room's sorted ``__all__``, documented, and nothing else that others use."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import noria

PACKAGE = Path(noria.__file__).parent
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def all_sorted(names):
    """Constants, then classes, then functions, each in order: what ruff calls isort style."""

    def rank(name):
        return (0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2), name

    return sorted(names, key=rank)


@pytest.mark.parametrize("room", ["", *ROOMS])
def test_what_a_room_exports_is_there_sorted_and_documented(room):
    module = importlib.import_module(f"noria.{room}".rstrip("."))
    exported = list(getattr(module, "__all__", ()))
    assert exported, "a room says what others may use"
    assert exported == all_sorted(exported)
    for name in exported:
        thing = getattr(module, name)
        # A type alias says what it is at its line.
        assert not (inspect.isclass(thing) or inspect.isroutine(thing)) or inspect.getdoc(thing), name


def test_the_public_names_are_in_the_table_the_stub_block_and_all():
    assert set(noria._TABLE) == set(noria.__all__)
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {
        (node.module, alias.name) for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert typed == {(f"noria.{room}", name) for name, room in noria._TABLE.items()}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Sauce'"):
        noria.Sauce  # noqa: B018


def test_a_room_uses_others_only_through_what_they_export():
    reaching = []
    for file in sorted(PACKAGE.rglob("*.py")):
        here = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else ([node.module] if isinstance(node, ast.ImportFrom) and node.module else [])
            )
            for parts in (name.split(".") for name in names):
                if parts[0] == "noria" and len(parts) > 2 and parts[1] != here and tuple(parts) not in LIGHT_DOORS:
                    reaching.append(f"{file.relative_to(PACKAGE)}:{node.lineno} imports {'.'.join(parts)}")
    assert reaching == []


LIGHT_DOORS = {
    ("noria", "models", "package"),  # what serving needs of models, without the rest of it
}


def test_every_module_can_be_imported_and_says_what_it_is():
    for info in pkgutil.walk_packages([str(PACKAGE)], "noria."):
        assert importlib.import_module(info.name).__doc__, info.name
