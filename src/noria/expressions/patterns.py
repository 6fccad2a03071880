r"""Patterns, made to mean the same in every engine.

Regular expressions are the common part of Rust's, Python's, RE2's and Java's, with what they disagree on written out:
``\d`` is ``[0-9]``, ``$`` is the very end, a dot is any character but a line feed.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""(?P<escape>\\.)|(?P<open>\[\^?\]?)|(?P<group>\(\?.{0,2})|(?P<count>\{[0-9]+(?:,[0-9]*)?\})|(?P<one>.)""",
    re.DOTALL,
)
_SHORT = {"d": "0-9", "w": "0-9A-Za-z_", "s": " \\t\\n\\r\\f\\x0b"}
_CONTROL = {"n": r"\n", "t": r"\t", "r": r"\r", "f": r"\f"}
_SPECIAL = frozenset("\\.+*?()|[]{}^$")


def regular(pattern: str) -> str:
    r"""The pattern in the form that all engines read alike; ``\z`` is the end of the text.

    Raises
    ------
    ValueError
        It uses what engines disagree on or do not have.

    Examples
    --------
    >>> print(regular(r"^N\d+$"))
    ^N[0-9]+\z
    """
    made: list[str] = []
    place = 0
    quantified = False
    while place < len(pattern):
        token = _TOKEN.match(pattern, place)
        assert token is not None
        text, place = token.group(), token.end()
        if token["open"]:
            klass, place = _character_class(pattern, token.start())
            made.append(klass)
        elif token["group"]:
            if not text.startswith("(?:"):
                raise ValueError(f"'{text}' is not understood by every engine: use (?:…), and LOWER for either case")
            made.append("(?:")
            place = token.start() + 3
        elif token["escape"]:
            made.append(_escape(text[1]))
        elif text in ("{", "}"):
            raise ValueError(f"write '\\{text}' for a brace")
        elif text == "+" and quantified:
            raise ValueError("possessive quantifiers are not understood by every engine")
        elif text == "\\":
            raise ValueError("it ends with a backslash")
        else:
            made.append({".": r"[^\n]", "$": r"\z"}.get(text, text))
        quantified = bool(token["count"]) or text in ("*", "+", "?")
    whole = "".join(made)
    try:
        re.compile(for_python(whole))
    except re.error as error:
        raise ValueError(str(error)) from None
    return whole


def _escape(letter: str) -> str:
    if letter in _SHORT:
        return f"[{_SHORT[letter]}]"
    if letter.lower() in _SHORT:
        return f"[^{_SHORT[letter.lower()]}]"
    if letter.isalnum() and letter not in _CONTROL:
        raise ValueError(f"'\\{letter}' is not understood by every engine")
    return _CONTROL.get(letter) or _literal(letter)


def _literal(letter: str) -> str:
    # A backslash in hexadecimal keeps "\z" free of doubt.
    return r"\x5c" if letter == "\\" else f"\\{letter}" if letter in _SPECIAL else letter


def _character_class(pattern: str, start: int) -> tuple[str, int]:
    place = start + 1
    made = "["
    if pattern[place : place + 1] == "^":
        made, place = "[^", place + 1
    first = place
    while place < len(pattern):
        letter = pattern[place]
        if letter == "]" and place > first:
            return made + "]", place + 1
        if letter in "[]" or pattern[place : place + 2] in ("&&", "--", "~~", "||"):
            raise ValueError(f"write '\\{letter}' inside of a character class")
        if letter == "\\":
            place += 1
            letter = pattern[place : place + 1]
            if letter in _SHORT:
                made += _SHORT[letter]
            elif not letter or (letter.isalnum() and letter not in _CONTROL):
                raise ValueError(f"'\\{letter}' in a character class is not understood by every engine")
            else:
                made += _CONTROL.get(letter) or (
                    r"\x5c" if letter == "\\" else f"\\{letter}" if letter in "[]^-&~|" else letter
                )
        else:
            made += letter
        place += 1
    raise ValueError("a character class is not closed")


def for_python(regular_pattern: str) -> str:
    """The same pattern, as Python's `re` writes it."""
    return regular_pattern.replace(r"\z", r"\Z")


def like(pattern: str) -> str:
    r"""A LIKE pattern as a regular one: ``%`` is any text, ``_`` any character, a backslash takes away their meaning.

    >>> print(like(r"10\% of_%"))
    (?s)^10% of..*\z
    """
    made: list[str] = []
    letters = iter(pattern)
    for letter in letters:
        if letter == "\\":
            following = next(letters, None)
            if following is None:
                raise ValueError("it ends with a backslash")
            made.append(_literal(following))
        else:
            made.append({"%": ".*", "_": "."}.get(letter) or _literal(letter))
    return "(?s)^" + "".join(made) + r"\z"
