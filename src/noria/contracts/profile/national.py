"""Numbers with check digits: of cards, accounts and people. A random number passes one in ten times, or less often."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence


def is_card(text: str) -> bool:
    """A payment card's number: 13 to 19 digits whose Luhn sum is right.

    Examples
    --------
    >>> is_card("4111 1111 1111 1111"), is_card("4111 1111 1111 1112")
    (True, False)
    """
    digits = re.sub(r"[ -]", "", text)
    return re.fullmatch(r"[2-6][0-9]{12,18}", digits) is not None and _luhn(digits)


def is_iban(text: str) -> bool:
    """An international bank account number: modulo 97 it is 1 (ISO 13616).

    Examples
    --------
    >>> is_iban("DE89 3704 0044 0532 0130 00"), is_iban("DE89 3704 0044 0532 0130 01")
    (True, False)
    """
    plain = text.replace(" ", "").upper()
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}", plain):
        return False
    return int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1


def national_country(texts: Sequence[str]) -> str:
    """The country whose numbers of people all but a few of these are; nothing if there is none.

    Examples
    --------
    >>> national_country(["12345678Z", "X2482300W"]), national_country(["12345678A"])
    ('Spain', '')
    """
    plain = [re.sub(r"[ ./-]", "", text).upper() for text in texts]
    few = plain[: len(plain) // 20 + 1]
    for country, (form, check) in _COUNTRIES.items():
        if not any(re.fullmatch(form, one) for one in few):
            continue  # more than a twentieth is not of this form: no need to look at the others
        fitting = [one for one in plain if re.fullmatch(form, one)]
        if len(fitting) >= 0.95 * len(plain) and sum(map(check, fitting)) >= 0.95 * len(plain):
            return country
    return ""


def _luhn(digits: str) -> bool:
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _weighed(text: str, weights: Sequence[int]) -> int:
    return sum(weight * int(digit) for weight, digit in zip(weights, text, strict=False))


def _brazil(text: str) -> bool:
    def digit(head: str) -> int:
        return _weighed(head, range(len(head) + 1, 1, -1)) * 10 % 11 % 10

    return len(set(text)) > 1 and digit(text[:9]) == int(text[9]) and digit(text[:10]) == int(text[10])


def _spain(text: str) -> bool:
    number = int(text[:-1].translate(str.maketrans("XYZ", "012")))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] == text[-1]


def _netherlands(text: str) -> bool:
    return int(text) > 0 and (_weighed(text[:8], range(9, 1, -1)) - int(text[8])) % 11 == 0


def _poland(text: str) -> bool:
    weighed = _weighed(text, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1))
    return weighed % 10 == 0 and 1 <= int(text[2:4]) % 20 <= 12 and 1 <= int(text[4:6]) <= 31


def _norway(text: str) -> bool:
    first = _weighed(text, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11
    return first == 0 and _weighed(text, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def _finland(text: str) -> bool:
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(text[:6] + text[-4:-1]) % 31] == text[-1]


def _france(text: str) -> bool:
    number = text[:13].replace("2A", "19").replace("2B", "18")
    return 97 - int(number) % 97 == int(text[13:])


def _belgium(text: str) -> bool:
    return int(text[9:]) in (97 - int(text[:9]) % 97, 97 - int("2" + text[:9]) % 97)


def _italy(text: str) -> bool:
    odd = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                   (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12,
                    14, 16, 10, 22, 25, 24, 23), strict=True))  # fmt: skip
    total = sum(
        odd[one] if place % 2 == 0 else int(one, 36) - 10 * one.isalpha() for place, one in enumerate(text[:15])
    )
    return chr(65 + total % 26) == text[15]


def _germany(text: str) -> bool:
    product = 10
    for digit in text[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(text[10]) and 8 <= len(set(text[:10])) <= 9


def _sweden(text: str) -> bool:
    return _luhn(text[-10:]) and 1 <= int(text[-8:-6]) <= 12 and 1 <= int(text[-6:-4]) % 60 <= 31


_COUNTRIES: dict[str, tuple[str, Callable[[str], bool]]] = {
    "Spain": (r"[0-9XYZ][0-9]{7}[A-Z]", _spain),
    "Italy": (r"[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]", _italy),
    "Finland": (r"[0-9]{6}[A-FU-Y+]?[0-9]{3}[0-9A-Y]", _finland),
    "France": (r"[12][0-9]{4}[0-9AB]{2}[0-9]{8}", _france),
    "Brazil": (r"[0-9]{11}", _brazil),
    "Belgium": (r"[0-9]{11}", _belgium),
    "Germany": (r"[1-9][0-9]{10}", _germany),
    "Norway": (r"[0-9]{11}", _norway),
    "Poland": (r"[0-9]{11}", _poland),
    "Sweden": (r"(?:19|20)?[0-9]{10}", _sweden),
    "Netherlands": (r"[0-9]{9}", _netherlands),
}
"""Country to the form of its numbers of people, without spaces and marks, and the check of one of that form."""
