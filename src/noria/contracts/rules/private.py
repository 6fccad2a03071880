"""private: a column holds something of people, and is declared to."""

from __future__ import annotations

from pydantic import Field, field_validator

from noria.contracts.condition import RowRule, Subject
from noria.contracts.wants import literal, quoted
from noria.declarations import OnFail

FORMS = {
    "personal": r"\S",
    "e-mail": r"^[^@\s,;]+@[^@\s,;]+\.[A-Za-z]{2,}$",
    "phone": r"^\+?[0-9(][0-9 ()./-]{5,20}$",
    "card number": r"^[2-6][0-9 -]{11,22}[0-9]$",
    "IBAN": r"^[A-Za-z]{2}[0-9]{2}[0-9A-Za-z ]{11,37}$",
    "national number": r"^[0-9A-Za-z][0-9A-Za-z ./+-]{5,24}$",
    "name": r"\S",
    "address": r"\S",
}
"""Each kind of what is personal, and the form that its values have."""


class Private(RowRule):
    """A column holds something of people. Declared, it is not flagged; a row breaks it where the form is another.

    Columns that look personal and are not declared so are flagged when a table is profiled and checked.

    Parameters
    ----------
    column : str
        A column of texts or whole numbers.
    kind : str
        ``"e-mail"``, ``"phone"``, ``"card number"``, ``"IBAN"``, ``"national number"``, ``"name"``, ``"address"``, or
        ``"personal"`` for anything else. Only the form is looked at; check digits are not.

    Examples
    --------
    >>> private("contact", "e-mail").text
    'contact is private: e-mail'
    """

    on_fail: OnFail = "warn"
    column: str = Field(kw_only=False)
    kind: str = Field(default="personal", kw_only=False)

    @field_validator("kind")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in FORMS:
            raise ValueError("one of " + ", ".join(FORMS))
        return value

    @property
    def text(self) -> str:
        return f"{self.column} is private" + (f": {self.kind}" if self.kind != "personal" else "")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def condition(self, subject: Subject) -> str:
        self.needs(subject, self.column, "string", "int")
        if subject.kinds[self.column] == "null":
            return f"{quoted(self.column)} IS NULL"
        return f"REGEXP_LIKE(CAST({quoted(self.column)} AS text), {literal(FORMS[self.kind])})"


def private(column: str, kind: str = "personal", *, on_fail: OnFail = "warn", at_most: float | None = None) -> Private:
    """A rule: a column holds something of people, so it is not flagged for looking like it.

    Examples
    --------
    >>> private("contact", "e-mail")
    Private(on_fail='warn', column='contact', kind='e-mail')
    """
    return Private(column, kind, on_fail=on_fail, at_most=at_most)
