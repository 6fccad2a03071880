"""Charts as inline SVG: no script, no network, colours from the page's style so that light and dark both work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 14, 30


@dataclass(frozen=True, slots=True)
class Series:
    """A named line or cloud of points; a value of None is a gap.

    Attributes
    ----------
    name : str
        For the legend.
    points : sequence of (float, float or None, str)
        x, y and the text shown on hover.
    colour : int
        Which of the page's series colours, from 1.
    line : bool
        Joined by a line, or points only.
    """

    name: str
    points: Sequence[tuple[float, float | None, str]]
    colour: int = 1
    line: bool = True


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical mark at x, with a text."""

    x: float
    text: str
    kind: str = "note"


def plot(
    series: Sequence[Series],
    *,
    label: str,
    x_ticks: Sequence[tuple[float, str]] | None = None,
    marks: Sequence[Mark] = (),
    diagonal: bool = False,
    y_range: tuple[float, float] | None = None,
) -> str:
    """Lines or points over a shared frame.

    Parameters
    ----------
    series : sequence of Series
        What is drawn.
    label : str
        What a screen reader says.
    x_ticks : sequence of (float, str), optional
        Where the x axis is labelled; by default at round values.
    marks : sequence of Mark
        Vertical marks, for events.
    diagonal : bool
        Draw y = x, for calibration.
    y_range : (float, float), optional
        By default round values around the data.
    """
    xs = [x for one in series for x, y, _ in one.points if y is not None]
    ys = [y for one in series for _, y, _ in one.points if y is not None]
    if not xs:
        return '<p class="quiet">Nothing to draw.</p>'
    x_low, x_high = min(xs), max(xs)
    if x_low == x_high:
        x_low, x_high = x_low - 0.5, x_high + 0.5
    y_ticks = _round_ticks(*(y_range or (min(ys), max(ys))))
    y_low, y_high = y_ticks[0], y_ticks[-1]

    def px(x: float) -> float:
        return _LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - _LEFT - _RIGHT)

    def py(y: float) -> float:
        return HEIGHT - _BOTTOM - (y - y_low) / (y_high - y_low) * (HEIGHT - _TOP - _BOTTOM)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">']
    for y in y_ticks:
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{py(y):.1f}" y2="{py(y):.1f}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{py(y) + 4:.1f}" text-anchor="end">{_number(y)}</text>')
    for x, text in x_ticks if x_ticks is not None else [(x, _number(x)) for x in _round_ticks(x_low, x_high)]:
        if x_low <= x <= x_high:
            parts.append(
                f'<text class="tick" x="{px(x):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(text)}</text>'
            )
    if diagonal:
        low, high = max(x_low, y_low), min(x_high, y_high)
        parts.append(
            f'<line class="ideal" x1="{px(low):.1f}" y1="{py(low):.1f}" x2="{px(high):.1f}" y2="{py(high):.1f}"/>'
        )
    for mark in marks:
        parts.append(
            f'<g class="mark {mark.kind}"><line x1="{px(mark.x):.1f}" x2="{px(mark.x):.1f}" y1="{_TOP}" '
            f'y2="{HEIGHT - _BOTTOM}"/><circle cx="{px(mark.x):.1f}" cy="{_TOP}" r="4"/>'
            f"<title>{escape(mark.text)}</title></g>"
        )
    for one in series:
        parts.append(_drawn(one, px, py))
    parts.append("</svg>")
    return "".join(parts)


def _drawn(one: Series, px: object, py: object) -> str:
    assert callable(px) and callable(py)
    parts = [f'<g class="series s{one.colour}">']
    if one.line:
        path, pen = [], "M"
        for x, y, _ in one.points:
            if y is None:
                pen = "M"
                continue
            path.append(f"{pen}{px(x):.1f},{py(y):.1f}")
            pen = "L"
        parts.append(f'<path d="{"".join(path)}"/>')
    for x, y, text in one.points:
        if y is not None:
            parts.append(f'<circle cx="{px(x):.1f}" cy="{py(y):.1f}" r="3.5"><title>{escape(text)}</title></circle>')
    return "".join([*parts, "</g>"])


def intervals(
    rows: Sequence[tuple[str, float, float, float, str]], *, label: str, reference: float | None = None
) -> str:
    """A dot with its interval for each row: ``(name, low, value, high, hover text)``; a vertical line at `reference`."""
    if not rows:
        return '<p class="quiet">Nothing to draw.</p>'
    values = [value for _, low, _, high, _ in rows for value in (low, high)] + (
        [reference] if reference is not None else []
    )
    ticks = _round_ticks(min(values), max(values))
    low, high = ticks[0], ticks[-1]
    left, step = 110, 22
    height = _TOP + step * len(rows) + 24

    def px(x: float) -> float:
        return left + (x - low) / (high - low) * (WIDTH - left - _RIGHT)

    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">']
    for tick in ticks:
        parts.append(f'<line class="grid" x1="{px(tick):.1f}" x2="{px(tick):.1f}" y1="{_TOP - 6}" y2="{height - 22}"/>')
        parts.append(
            f'<text class="tick" x="{px(tick):.1f}" y="{height - 6}" text-anchor="middle">{_number(tick)}</text>'
        )
    if reference is not None:
        parts.append(
            f'<line class="ideal" x1="{px(reference):.1f}" x2="{px(reference):.1f}" y1="{_TOP - 6}" y2="{height - 22}"/>'
        )
    for index, (name, row_low, value, row_high, text) in enumerate(rows):
        y = _TOP + step * index + step / 2
        parts.append(
            f'<g class="series s1"><text class="tick" x="{left - 8}" y="{y + 4}" text-anchor="end">{escape(name)}</text>'
            f'<line class="span" x1="{px(row_low):.1f}" x2="{px(row_high):.1f}" y1="{y}" y2="{y}"/>'
            f'<circle cx="{px(value):.1f}" cy="{y}" r="4.5"/><title>{escape(text)}</title></g>'
        )
    return "".join([*parts, "</svg>"])


def _round_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round values that enclose the range (Heckbert, "Nice numbers for graph labels", Graphics Gems, 1990)."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return [0.0, 1.0]
    if low == high:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _number(value: float) -> str:
    if value != 0 and (abs(value) >= 1e6 or abs(value) < 1e-4):
        return f"{value:.2g}"
    return f"{value:,.6f}".rstrip("0").rstrip(".")
