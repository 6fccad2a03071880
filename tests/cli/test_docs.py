"""The page of the command line names the commands that there are, no more and no less."""

import re
from pathlib import Path

import typer

from noria.cli import app
from noria.cli.app import _app

PAGE = (Path(__file__).parent.parent.parent / "docs" / "cli.md").read_text(encoding="utf-8")


def commands(group, before=()):
    """Every command with its words, from the app itself."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*before, name))
        else:
            yield " ".join((*before, name)), command


KNOWN = dict(commands(typer.main.get_command(_app([]))))
BLOCK = [line.split("  ")[0].split() for line in PAGE.partition("```\n")[2].partition("```")[0].splitlines()]


def is_word(word):
    return re.fullmatch("[a-z]+", word) is not None


def test_the_page_names_every_command_once():
    assert sorted(" ".join(filter(is_word, line[1:])) for line in BLOCK) == sorted(KNOWN)


def test_the_page_names_their_arguments():
    for line in BLOCK:
        command = KNOWN[" ".join(filter(is_word, line[1:]))]
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        told = [word for word in line[1:] if not is_word(word)]
        assert len(told) == len(arguments), line
        for word, argument in zip(told, arguments, strict=True):
            assert word.startswith("[") != argument.required, line


def test_every_option_on_the_page_is_one_of_a_command():
    options = {word for command in KNOWN.values() for one in command.params for word in one.opts}
    assert {word for word in re.findall(r"(?<![\w-])--[a-z][a-z-]*", PAGE) if word != "--help"} <= options


def test_the_table_of_modules_has_every_command():
    assert {name.split()[0] for name in KNOWN} == set(app._MODULES)


def test_the_page_has_every_exit_code_and_variable():
    from noria.core import NoriaError

    def tree(kind):
        return [kind, *(deeper for child in kind.__subclasses__() for deeper in tree(child))]

    told = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    assert told == {0, 130, *(kind.exit_code for kind in tree(NoriaError))}
    source = Path(app.__file__).parent.parent
    used = {name for file in source.rglob("*.py") for name in re.findall(r"\bNORIA_[A-Z_]+\b", file.read_text("utf-8"))}
    assert used == set(re.findall(r"\bNORIA_[A-Z_]+\b", PAGE))
