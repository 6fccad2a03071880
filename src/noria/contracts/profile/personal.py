"""Which columns look as if they held something of people: by what stands in them, and by their names.

A false alarm costs trust, so that values decide wherever they can: a form with a check digit, or one that nothing
else has. A name alone tells only what has no form of its own, such as a surname. A flag is a hint, never a proof.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from noria.contracts.profile.national import is_card, is_iban, national_country

if TYPE_CHECKING:
    import polars as pl

_LOOKED_AT = 500
_FEW = 5

_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[A-Za-z]{2,}")
_ABROAD = re.compile(r"\+[1-9][0-9 ()./-]{6,20}")
_SOCIAL = re.compile(r"(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}")
_STREET = re.compile(
    r"\d+[a-z]?,? .*\b(?:st|street|ave|avenue|rd|road|blvd|boulevard|ln|lane|dr|drive|way|court|ct|place|sq)\b"
    r"|.*(?:str\.|straße|strasse|gasse|weg|platz|allee|straat|laan|gatan|vägen) ?\d+"
    r"|(?:\d+,? ?)?(?:rue|avenue|boulevard|calle|avenida|via|viale|piazza|rua|ul\.) .*\w+",
    re.IGNORECASE,
)
_NAMES = {
    "e-mail": r"e_?mail(?:_?addr(?:ess)?)?",
    "phone": r"(?:tele)?phone(?:_?(?:no|number|nr))?|mobile(?:_?(?:no|number|phone))?|msisdn|telefon(?:nummer)?|"
    r"handy(?:nummer)?|fax",
    "card number": r"(?:credit_?)?card_?(?:no|number|num)|cc_?(?:no|num|number)|pan|kreditkarte(?:nnummer)?",
    "national number": r"ssn|social_?security(?:_?(?:no|number))?|national_?(?:id|number)|tax_?id|cpf|dni|nie|nif|bsn|"
    r"pesel|nino|steuer_?id|personnummer|passport(?:_?(?:no|number))?|codice_?fiscale",
    "name": r"(?:first|last|middle|given|family|full|maiden|sur)_?name|fname|lname|forename|vorname|nachname|"
    r"familienname|nom_?de_?famille|prenom|prénom|apellidos?|nombre_?completo|cognome|customer_?name|patient_?name|"
    r"cardholder(?:_?name)?",
    "address": r"(?:street|home|postal|mailing|billing|shipping|customer)_?addr(?:ess)?|addr(?:ess)?(?:_?line)?_?[12]?|"
    r"street(?:_?name)?|stra(?:ss|ß)e|anschrift|adresse|direccion|dirección|indirizzo|endere[cç]o",
}
_GIVEN_NAMES = (
    "james mary john patricia robert jennifer michael linda william elizabeth david barbara richard susan joseph "
    "jessica thomas sarah charles karen christopher lisa daniel nancy matthew betty anthony sandra mark ashley "
    "donald emily steven paul kimberly andrew donna joshua michelle kenneth carol kevin amanda brian melissa george "
    "deborah edward stephanie anna anne maria jose juan carlos luis ana sofia lucia pedro javier pablo hans peter "
    "klaus wolfgang jürgen stefan andreas sabine monika ursula petra claudia julia katharina pierre jean marie "
    "françois philippe nathalie isabelle giuseppe giovanni francesca giulia marco luca lars erik sven ingrid karin "
    "anders olga ivan dmitri natalia sergei wei li ming yuki hiroshi kenji mohammed ahmed fatima omar ali aisha "
    "priya raj amit anil sunita joão paulo fernanda emma olivia noah liam sophia mia lucas leon lena lukas finn "
)
_GIVEN = frozenset(_GIVEN_NAMES.split())


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A column that looks personal and is not declared to be: its name, of what kind, and how one can tell.

    Attributes
    ----------
    column, kind : str
        ``"email"`` and ``"e-mail"``.
    rows : int
        How many of the rows that were looked at have a value there.
    """

    column: str
    kind: str
    rows: int


def suspected(frame: pl.DataFrame, declared: Iterable[str] = ()) -> tuple[Suspicion, ...]:
    """The columns of some rows that look personal, but for those that are declared.

    It looks at the names, and at some hundred values spread over the rows, whatever their number.

    Parameters
    ----------
    frame : DataFrame
        Rows.
    declared : iterable of str
        Columns that are known to be personal: those of rules `private`.

    Examples
    --------
    >>> import polars as pl
    >>> rows = pl.DataFrame({"contact": ["a@example.org", "b@example.org"], "carrier": ["UA", "B6"]})
    >>> suspected(rows)
    (Suspicion(column='contact', kind='e-mail', rows=2),)
    >>> suspected(rows, declared=["contact"])
    ()
    """
    known = set(declared)
    found = []
    for name in frame.columns:
        if not name.startswith("_") and name not in known and (kind := personal_kind(name, frame[name])):
            found.append(Suspicion(name, kind, len(frame) - frame[name].null_count()))
    return tuple(found)


def personal_kind(name: str, values: pl.Series) -> str:
    """What of people a column seems to hold: a key of `noria.contracts.private`'s kinds, or nothing."""
    import polars as pl

    dtype = values.dtype
    if not (dtype == pl.String or dtype.is_integer() or isinstance(dtype, pl.Categorical | pl.Enum)):
        return ""
    present = values.drop_nulls()
    if present.is_empty():
        return ""
    some = present.gather_every(max(1, len(present) // _LOOKED_AT)).head(_LOOKED_AT).cast(pl.String)
    texts = [text for text in some.unique(maintain_order=True).str.strip_chars() if text]
    if not texts:
        return ""
    hinted = _hinted(name)
    return _by_form(texts, hinted, number=dtype.is_integer()) or (
        _by_name(texts, hinted) if not dtype.is_integer() else ""
    )


def _hinted(name: str) -> str:
    """The kind that a column's name hints at: ``customerEmail`` and ``e-mail address`` are e-mails."""
    plain = re.sub(r"[\s.-]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).lower()
    plain = re.sub(r"^e_mail", "email", plain)
    for kind, pattern in _NAMES.items():
        if re.fullmatch(rf"(?:.*_)?(?:{pattern})(?:_[0-9]+)?", plain):
            return kind
    return ""


def _by_form(texts: list[str], hinted: str, *, number: bool) -> str:
    """What the values' own form says."""

    def share(fits: Iterable[bool]) -> float:
        return sum(map(bool, fits)) / len(texts)

    if not number:
        if share(bool(_EMAIL.fullmatch(text)) for text in texts) >= 0.5:
            return "e-mail"
        if share(map(is_iban, texts)) >= 0.9:
            return "IBAN"
        if share(bool(_ABROAD.fullmatch(text)) and 8 <= _digits(text) <= 15 for text in texts) >= 0.8:
            return "phone"
        if share(bool(_SOCIAL.fullmatch(text)) for text in texts) >= 0.9:
            return "national number"
        if share(bool(_STREET.fullmatch(text)) and any(map(str.isdigit, text)) for text in texts) >= 0.5:
            return "address"
    # Of few values with one check digit, some pass by chance.
    if (len(texts) >= _FEW or hinted == "card number") and share(map(is_card, texts)) >= 0.9:
        return "card number"
    if (len(texts) >= 4 * _FEW or hinted == "national number") and national_country(texts):
        return "national number"
    if (
        hinted == "phone"
        and share(7 <= _digits(text) <= 15 and not re.search("[A-Za-z]{4}", text) for text in texts) >= 0.8
    ):
        return "phone"
    return hinted if hinted in ("national number", "e-mail") and not number and len(texts) >= _FEW else ""


def _by_name(texts: list[str], hinted: str) -> str:
    """What the column's name says of texts, and texts that are people's names."""
    if hinted in ("name", "address") and share_of_words(texts) >= 0.5:
        return hinted
    # Rue, Via and Straße are addresses; a given name before another word is a person.
    people = [
        words for text in texts if 2 <= len(words := text.split()) <= 3 and all(word[0].isupper() for word in words)
    ]
    given = sum(words[0].lower() in _GIVEN or words[-1].lower() in _GIVEN for words in people)
    return "name" if len(texts) >= _FEW and given >= 0.4 * len(texts) else ""


def share_of_words(texts: list[str]) -> float:
    """How many of some texts hold a word of letters."""
    return sum(any(map(str.isalpha, text)) for text in texts) / len(texts)


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))


def kinds_declared(rules: Iterable[object]) -> Mapping[str, str]:
    """Column to kind, of the rules `private` among some rules."""
    from noria.contracts.rules.private import Private

    return {rule.column: rule.kind for rule in rules if isinstance(rule, Private)}
