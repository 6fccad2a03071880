"""One test over all kinds of declarations, found by import: a new kind is tested unasked."""

import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from types import UnionType
from typing import Any, get_args, get_origin

import pytest

import noria
from noria.core import DeclarationError
from noria.declarations import (
    Aggregate,
    Candidate,
    Gate,
    Monitor,
    Origin,
    Preprocessor,
    Rule,
    Secret,
    SignIn,
    dump,
    restore,
)

NOUNS = (Aggregate, Candidate, Gate, Monitor, Preprocessor, Rule, Origin, SignIn)
WHAT_IT_NEEDS = {"windows": ["1h"], "keys": "k"}
"""Values for required fields that their type alone does not tell."""
OF_KIND = {
    "Dlt": {"url": "shop.sources:orders"}, "Rest": {"url": "https://shop.example"},
    "Sql": {"url": "sqlite:///shop.db#orders"}, "SqlLog": {"url": "postgresql://db/shop#orders"},
    "ApiKey": {"key": noria.secret("S"), "header": "X-Key"},
    "OAuth2": {"token_url": "https://shop.example/token", "client": "me", "secret": noria.secret("S")},
}  # fmt: skip
"""Values for kinds whose fields hang together."""


def found() -> list[type]:
    for room in ("contracts", "sources", "features", "training", "gates", "monitoring"):
        package = importlib.import_module(f"noria.{room}")
        for info in pkgutil.walk_packages(package.__path__, f"noria.{room}."):
            importlib.import_module(info.name)

    def below(kind: type) -> list[type]:
        return [deeper for child in kind.__subclasses__() for deeper in (child, *below(child))]

    kinds = {kind for noun in NOUNS for kind in below(noun) if kind.__module__.startswith("noria.")}
    leaves = (kind for kind in kinds if not kind.__subclasses__() and not kind.__name__.startswith("_"))
    return sorted(leaves, key=str)


KINDS = found()
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__qualname__)


def value_for(name: str, annotation: Any) -> Any:
    if name in WHAT_IT_NEEDS:
        return WHAT_IT_NEEDS[name]
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation in (int, float):
        return 1
    if annotation is Secret:
        return noria.secret("S")
    if origin is tuple or annotation is tuple:
        return ["a", "b"] if str in inner else [1, 2]
    if origin is UnionType or type(None) in inner:
        return value_for(name, inner[0])
    return "a"


def needed_by(kind: type) -> dict[str, Any]:
    if kind.__name__ in OF_KIND:
        return OF_KIND[kind.__name__]
    return {name: value_for(name, info.annotation) for name, info in kind.model_fields.items() if info.is_required()}


def example_of(kind: type) -> Any:
    return kind(**needed_by(kind))


def test_every_room_has_kinds():
    rooms = {kind.__module__.split(".")[1] for kind in KINDS}
    assert rooms == {"contracts", "sources", "features", "training", "gates", "monitoring"}


@every_kind
def test_it_is_documented_with_an_example(kind):
    doc = inspect.getdoc(kind) or ""
    assert doc.splitlines()[0].endswith("."), "the first line is a sentence"
    ancestors = [ancestor for ancestor in kind.__mro__ if ancestor.__module__.startswith("noria.")]
    documented = " ".join(inspect.getdoc(ancestor) or "" for ancestor in ancestors)
    for name in kind.model_fields:
        assert name in documented, f"parameter {name} is not documented"
    makers = [inspect.getdoc(maker) or "" for maker in _makers(kind)]
    assert any(map(doctest.DocTestParser().get_examples, [doc, *makers])), "an example shows how it is written"


@every_kind
def test_it_survives_being_stored(kind):
    one = example_of(kind)
    assert restore(dump(one)) == one
    assert hash(restore(dump(one))) == hash(one)


@every_kind
def test_a_parameter_that_is_not_there_is_refused(kind):
    with pytest.raises(DeclarationError, match=f"{kind.__name__} has no 'no_such_parameter'") as caught:
        kind(**needed_by(kind), no_such_parameter=1)
    assert __file__ in str(caught.value.place)


@every_kind
def test_a_value_of_a_wrong_type_is_refused(kind):
    for name in kind.model_fields:
        with pytest.raises(DeclarationError) as caught:
            kind(**{**needed_by(kind), name: object()})
        assert name in str(caught.value)


@every_kind
def test_it_is_reached_from_the_top(kind):
    """What users declare is in ``noria`` itself: under its own name, or as the function that makes it."""
    room = importlib.import_module("noria." + kind.__module__.split(".")[1])
    public = [getattr(noria, name) for name in noria.__all__]
    assert kind in public or _makers(kind) or kind.__name__ in room.__all__


def _makers(kind: type) -> list[Any]:
    """The public functions that make one."""
    functions = [thing for name in noria.__all__ if inspect.isfunction(thing := getattr(noria, name))]
    return [function for function in functions if function.__annotations__.get("return") in (kind, kind.__name__)]


def test_all_cross_processes_whole(tmp_path):
    """Pickled here, opened, compared with its own dump and pickled again in a fresh interpreter."""
    import pickle

    ones = [example_of(kind) for kind in KINDS]
    (tmp_path / "there").write_bytes(pickle.dumps([(one, dump(one)) for one in ones]))
    code = (
        "import pickle, sys, pathlib\nfrom noria.declarations import dump\nhere = pathlib.Path(sys.argv[1])\n"
        "pairs = pickle.loads((here / 'there').read_bytes())\nassert all(dump(one) == form for one, form in pairs)\n"
        "(here / 'back').write_bytes(pickle.dumps([one for one, _ in pairs]))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert pickle.loads((tmp_path / "back").read_bytes()) == ones
