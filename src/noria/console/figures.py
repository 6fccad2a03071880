"""Figures: numbers, times and texts as people read them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

NONE = "–"
"""What stands where there is no figure."""

_METRICS = {"roc_auc": "ROC AUC", "log_loss": "log loss", "brier": "Brier score"}
_SIZES = ("B", "kB", "MB", "GB", "TB")


def count(value: float | None) -> str:
    """A number of things.

    Examples
    --------
    >>> count(336776), count(None)
    ('336,776', '–')
    """
    return NONE if value is None else f"{value:,.0f}"


def number(value: float) -> str:
    """A value of any size, to four digits; whole numbers whole. A year has no comma.

    Examples
    --------
    >>> number(336776), number(0.123456), number(-1234.5), number(2e20), number(4.0), number(2013)
    ('336,776', '0.1235', '−1234', '2e+20', '4', '2013')
    """
    size = abs(value)
    if not 1000 <= size < 1e15:
        text = f"{value:.4g}"
    else:
        text = f"{value:.0f}" if size < 10_000 else f"{value:,.0f}"
    return text.replace("-", "−", 1) if value < 0 else text


def share(part: float | None, whole: float = 1.0) -> str:
    """A part as a percentage; small parts are not rounded to nothing.

    Examples
    --------
    >>> share(1, 4), share(0.0004), share(0, 10), share(1e-6), share(1, 0)
    ('25.0%', '0.04%', '0.0%', '<0.01%', '–')
    """
    if part is None or not whole:
        return NONE
    percent = 100 * part / whole
    if percent == 0 or abs(percent) >= 1:
        return f"{percent:.1f}%"
    return f"{percent:.2f}%" if abs(percent) >= 0.01 else "<0.01%"


def score(value: float | None) -> str:
    """A score, to three decimals.

    Examples
    --------
    >>> score(0.71236), score(-1.5), score(None)
    ('0.712', '−1.500', '–')
    """
    return NONE if value is None or not math.isfinite(value) else f"{value:.3f}".replace("-", "−")


def signed(value: float | None) -> str:
    """A difference, with its sign.

    Examples
    --------
    >>> signed(0.0123), signed(-0.0123)
    ('+0.012', '−0.012')
    """
    return NONE if value is None or not math.isfinite(value) else f"{value:+.3f}".replace("-", "−")


def span(estimate: Mapping[str, float] | None) -> str:
    """The 95% interval of an estimate.

    Examples
    --------
    >>> span({"value": 0.5, "low": 0.45, "high": 0.55})
    '0.450 to 0.550'
    """
    return NONE if estimate is None else f"{score(estimate['low'])} to {score(estimate['high'])}"


def seconds(value: float | None) -> str:
    """A duration.

    Examples
    --------
    >>> seconds(0.0312), seconds(12.34), seconds(125), seconds(7325)
    ('0.03 s', '12.3 s', '2 min 05 s', '2 h 02 min')
    """
    if value is None:
        return NONE
    if value < 99.95:
        return f"{value:.2f} s" if value < 9.995 else f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60:02d} min"


def milliseconds(value: float | None) -> str:
    """A latency.

    Examples
    --------
    >>> milliseconds(0.834), milliseconds(23.4), milliseconds(None)
    ('0.83 ms', '23.4 ms', '–')
    """
    if value is None:
        return NONE
    return f"{value:.2f} ms" if value < 9.995 else f"{value:,.1f} ms"


def size(value: float) -> str:
    """Bytes, in powers of 1000.

    Examples
    --------
    >>> size(512), size(8_741_512), size(1.5e9)
    ('512 B', '8.7 MB', '1.5 GB')
    """
    power = 0
    while abs(value) >= 999.5 and power < len(_SIZES) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.0f} B" if power == 0 else f"{value:,.1f} {_SIZES[power]}"


class Money:
    """Amounts of one currency that stand under each other: all with as many decimals as the largest needs.

    Parameters
    ----------
    currency : str
        Of the price book.
    amounts : iterable of float
        All that will be shown together.

    Examples
    --------
    >>> money = Money("USD", [0.00123, 0.0000004])
    >>> money(0.00123), money(0.0000004), money(0)
    ('0.00123 USD', '<0.00001 USD', '0.00000 USD')
    """

    def __init__(self, currency: str, amounts: Iterable[float]) -> None:
        largest = max((abs(amount) for amount in amounts), default=0.0)
        digits = 2 - math.floor(math.log10(largest)) if largest > 0 and math.isfinite(largest) else 2
        self.currency, self.decimals = currency, min(max(digits, 2), 9)

    def __call__(self, amount: float | None) -> str:
        text = self.bare(amount)
        return text if text == NONE else f"{text} {self.currency}"

    def bare(self, amount: float | None) -> str:
        """Without the currency, for a column whose head names it."""
        if amount is None:
            return NONE
        least = 10.0**-self.decimals
        return f"{amount:,.{self.decimals}f}" if amount == 0 or amount >= least / 2 else f"<{least:.{self.decimals}f}"


def day(moment: str | datetime) -> str:
    """The day of an ISO 8601 time.

    Examples
    --------
    >>> day("2013-12-01T00:00:00+00:00")
    '1 Dec 2013'
    """
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{at.day} {at:%b} {at.year}"


def minute(moment: str | datetime) -> str:
    """A time to the minute.

    Examples
    --------
    >>> minute("2013-12-01T06:30:00+00:00")
    '1 Dec 2013, 06:30'
    """
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{day(at)}, {at:%H:%M}"


def metric_name(metric: str) -> str:
    """A metric, as people write it.

    Examples
    --------
    >>> metric_name("average_precision"), metric_name("roc_auc")
    ('average precision', 'ROC AUC')
    """
    return _METRICS.get(metric, metric.replace("_", " "))


def maximised(metric: str) -> str:
    """The name of a metric whose figures are in the direction that is maximised."""
    return metric_name(metric) + (" (negated)" if metric in ("log_loss", "brier") else "")


def parameters(params: Mapping[str, Any]) -> str:
    """Parameters in one line, by name: the ledger keeps no order.

    Examples
    --------
    >>> parameters({"leaves": 31, "learning_rate": 0.1234567, "by": ["carrier"]})
    'by=[carrier], learning_rate=0.1235, leaves=31'
    """
    return ", ".join(f"{name}={_parameter(value)}" for name, value in sorted(params.items())) or "none"


def _parameter(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_parameter(item) for item in value) + "]"
    return str(value)


def many(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun.

    Examples
    --------
    >>> many(1, "alarm"), many(1200, "alarm"), many(2, "query", "queries")
    ('1 alarm', '1,200 alarms', '2 queries')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def readable(text: str) -> str:
    """A text without what neither HTML nor XML may hold: control characters and lone surrogates become ``�``."""
    return "".join(letter if _may_stand(ord(letter)) else "�" for letter in text)


def _may_stand(code: int) -> bool:
    if code < 0x20:
        return code in (0x09, 0x0A, 0x0D)
    return not (0x7F <= code <= 0x9F or 0xD800 <= code <= 0xDFFF or code & 0xFFFE == 0xFFFE)
