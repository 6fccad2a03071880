"""date_format: a column's texts are dates or times of one form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field, field_validator, model_validator

from noria.contracts.condition import Subject
from noria.contracts.texts import TextRule, refuse_lone_mend
from noria.contracts.wants import literal, quoted
from noria.declarations import Names, OnFail

if TYPE_CHECKING:
    import polars as pl

_PARTS = {
    "%Y": "[0-9]{4}", "%m": "(?:0[1-9]|1[0-2])", "%d": "(?:0[1-9]|[12][0-9]|3[01])", "%H": "(?:[01][0-9]|2[0-3])",
    "%M": "[0-5][0-9]", "%S": "[0-5][0-9]",
}  # fmt: skip


class DateFormat(TextRule):
    """Texts are dates of the calendar (no 30 February), written in one form; null passes.

    Parameters
    ----------
    column : str
        A column of texts.
    format : str
        ``%Y``, ``%m``, ``%d``, ``%H``, ``%M``, ``%S``, each with all of its digits; other characters stand for
        themselves.
    also : str or list of str, optional
        Forms that are read and written anew in `format` where ``on_fail="fix"``; the first that fits is taken. What is
        of none of them is set aside.

    Examples
    --------
    >>> date_format("day", "%d.%m.%Y").text
    'day is a date as %d.%m.%Y'
    """

    format: str = Field(default="%Y-%m-%d", kw_only=False)
    also: Names = ()

    @field_validator("format")
    @classmethod
    def _understood(cls, value: str) -> str:
        _refuse_format(value)
        return value

    @model_validator(mode="after")
    def _fix_is_said(self) -> DateFormat:
        refuse_lone_mend(self.on_fail, self.also, "also")
        for form in self.also:
            _refuse_format(form)
        wanted = set(_directives(self.format))
        if any(not wanted <= set(_directives(form)) for form in self.also):
            raise ValueError("a form in also=… lacks a part that the format has")
        return self

    @property
    def text(self) -> str:
        return f"{self.column} is a date as {self.format}"

    def right(self, column: str) -> str:
        return f"{column} IS NULL OR ({_of_form(column, self.format)})"

    def mended(self, subject: Subject) -> pl.Expr:
        import polars as pl

        from noria.expressions import parse, to_polars

        written = pl.col(self.column)
        for form in reversed(self.also):
            fits = to_polars(parse(_of_form(quoted(self.column), form)), {self.column: "string"})
            groups = {directive: f"${{{number}}}" for number, directive in enumerate(_directives(form), 1)}
            anew = "".join(groups.get(part, part.replace("$", "$$")) for part in _split(self.format))
            made = pl.col(self.column).str.replace(_pattern(form, groups=True), anew)
            written = pl.when(fits).then(made).otherwise(written)
        return written


def date_format(
    column: str, format: str = "%Y-%m-%d", *, on_fail: OnFail = "fail", at_most: float | None = None,
    also: str | Iterable[str] = (),
) -> DateFormat:  # fmt: skip
    """A rule: texts of a column are dates of one form.

    Examples
    --------
    >>> date_format("day", "%Y-%m-%d", on_fail="fix", also="%d/%m/%Y")
    DateFormat(on_fail='fix', column='day', format='%Y-%m-%d', also=('%d/%m/%Y',))
    """
    return DateFormat(column, format, on_fail=on_fail, at_most=at_most, also=also)


def _refuse_format(form: str) -> None:
    found = _directives(form)
    if unknown := [part for part in re.findall("%.?", form) if part not in _PARTS]:
        raise ValueError(f"{unknown[0]} is not among {', '.join(_PARTS)}")
    if not {"%Y", "%m", "%d"} <= set(found) or len(set(found)) < len(found):
        raise ValueError("a form has %Y, %m and %d, and each part once")


def _split(form: str) -> list[str]:
    return re.findall("%.|[^%]", form, re.DOTALL)


def _directives(form: str) -> list[str]:
    return [part for part in _split(form) if part in _PARTS]


def _pattern(form: str, *, groups: bool = False) -> str:
    parts = (
        (f"({_PARTS[part]})" if groups else _PARTS[part]) if part in _PARTS else re.escape(part)
        for part in _split(form)
    )
    return f"^{''.join(parts)}$"


def _of_form(column: str, form: str) -> str:
    """True of texts of a form whose day is in the calendar."""
    at, year, month, day = 1, "", "", ""
    for part in _split(form):
        size = 4 if part == "%Y" else 2 if part in _PARTS else 1
        taken = f"SUBSTR({column}, {at}, {size})"
        year, month, day = (
            taken if part == directive else old for directive, old in (("%Y", year), ("%m", month), ("%d", day))
        )
        at += size
    iso = f"{year} || '-' || {month} || '-' || {day}"
    return f"REGEXP_LIKE({column}, {literal(_pattern(form))}) AND CAST({iso} AS date) IS NOT NULL"
