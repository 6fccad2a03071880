"""How texts are mended: declared one by one, done in that order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator

from noria.declarations import OnFail

if TYPE_CHECKING:
    import polars as pl

TextMend = Literal["trim", "lower", "upper"]
TextMends = Annotated[
    tuple[TextMend, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)
]
"""One mend or several: ``"trim"`` or ``["trim", "upper"]``."""


def mended_text(column: str, mends: Sequence[TextMend]) -> pl.Expr:
    """A column of texts, mended."""
    import polars as pl

    text = pl.col(column)
    for mend in mends:
        each = {"trim": text.str.strip_chars, "lower": text.str.to_lowercase, "upper": text.str.to_uppercase}
        text = each[mend]()
    return text


def refuse_lone_mend(on_fail: OnFail, mends: Sequence[object], name: str = "fix") -> None:
    """Raise a ValueError where a fix is asked for and not said, or said and not asked for."""
    if (on_fail == "fix") != bool(mends):
        raise ValueError(f"on_fail='fix' and {name}=… go together")
