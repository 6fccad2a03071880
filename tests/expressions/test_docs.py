"""The table of functions in docs/expressions.md is the one that the compilers use.

``python tests/expressions/test_docs.py`` writes it anew.
"""

import re
from pathlib import Path

from noria.expressions import FUNCTIONS
from noria.expressions.function import Fixed, Overload, Parameter

PAGE = Path(__file__).parent.parent.parent / "docs" / "expressions.md"
BLOCK = re.compile(r"(?<=<!-- the table of functions -->\n).*?(?=<!-- end of the table -->)", re.DOTALL)


def table() -> str:
    """Functions that take and give the same stand in one row; forms that differ in one kind alone in one line."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for name, overloads in FUNCTIONS.items():
        rows.setdefault(tuple(lines(overloads)), []).append(name)
    text = "| function | takes → gives |\n|---|---|\n"
    for forms, names in rows.items():
        shown = ", ".join(f"`{name}`".replace("|", r"\|") for name in names)
        text += f"| {shown} | {'<br>'.join(forms)} |\n"
    return text


def lines(overloads: tuple[Overload, ...]) -> list[str]:
    alike: dict[str, list[str]] = {}
    for one in overloads:
        kind = form(one.takes[-1]).removeprefix("literal ")
        whole = f"({', '.join(map(form, one.takes))}{', …' if one.repeat else ''}) → {one.gives}"
        alike.setdefault(re.sub(rf"\b{kind}\b(?!$)" if one.gives == "bool" else rf"\b{kind}\b", "x", whole), []).append(
            kind
        )
    return [
        f"{pattern}, x: {', '.join(kinds)}" if len(kinds) > 3 else line
        for pattern, kinds in alike.items()
        for line in ([""] if len(kinds) > 3 else [re.sub(r"\bx\b", kind, pattern) for kind in kinds])
    ]


def form(parameter: Parameter) -> str:
    return f"literal {parameter.type}" if isinstance(parameter, Fixed) else parameter or "anything"


def test_the_page_shows_the_table_that_is_used():
    (shown,) = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert shown == table(), "python tests/expressions/test_docs.py"


if __name__ == "__main__":
    PAGE.write_text(BLOCK.sub(lambda _: table(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
