"""Charts as inline SVG: no script, no network, colours from the page's style so that light and dark both work.

Every chart is drawn for a width, in units of about a pixel, so that its texts are as large on a phone as on a desk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from noria.console.figures import readable

WIDE, NARROW = 880, 340

_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 18, 30
_LETTER = 6.7
"""The width of an average letter of 12 units."""

_FAR = 1e300
"""Values beyond are drawn here: their differences stay finite."""

_Scale = Callable[[float], float]
_Point = tuple[float, float | None, str]


@dataclass(frozen=True, slots=True)
class Series:
    """A named line or cloud of points; a value that is None or not finite is a gap.

    Attributes
    ----------
    name : str
        For people.
    points : sequence of (float, float or None, str)
        x, y and the text shown on hover.
    colour : int
        Which of the page's series colours, from 1.
    line, dots : bool
        Joined by a line; with a dot at each point.
    dashed : bool
        So that colour is not all that tells it from others.
    step : bool
        The line goes level and then up or down.
    """

    name: str
    points: Sequence[_Point]
    colour: int = 1
    line: bool = True
    dots: bool = True
    dashed: bool = False
    step: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at x: a vertical line, or without one a small triangle above the frame.

    Attributes
    ----------
    x : float
        Where.
    text : str
        Shown on hover.
    colour : int
        As of a series.
    line : bool
        Whether a line goes down from it.
    """

    x: float
    text: str
    colour: int = 5
    line: bool = True


@dataclass(frozen=True, slots=True)
class Bars:
    """Vertical intervals at some points: ``(x, low, high)``."""

    spans: Sequence[tuple[float, float, float]]
    colour: int = 1


def plot(
    series: Sequence[Series],
    *,
    label: str,
    width: int = WIDE,
    height: int = 260,
    x_ticks: Sequence[tuple[float, str]] | None = None,
    marks: Sequence[Mark] = (),
    bars: Sequence[Bars] = (),
    diagonal: bool = False,
) -> str:
    """Lines and points over a shared frame, as one ``<svg>`` element; a sentence where there is nothing to draw.

    Parameters
    ----------
    series : sequence of Series
        What is drawn.
    label : str
        What a screen reader says.
    width, height : int
        Of the drawing.
    x_ticks : sequence of (float, str), optional
        Where the x axis may be labelled, by default at round values; as many are shown as there is room for.
    marks : sequence of Mark
        Events.
    bars : sequence of Bars
        Intervals.
    diagonal : bool
        Draw y = x, for calibration.
    """
    drawn = [(one, [point for point in one.points if _finite(point[0])]) for one in series]
    xs = [_near(x) for _, points in drawn for x, y, _ in points if _finite(y)]
    ys = [_near(y) for _, points in drawn for _, y, _ in points if y is not None and _finite(y)]
    if not xs:
        return '<p class="quiet">There is nothing to draw.</p>'
    xs += [_near(mark.x) for mark in marks if _finite(mark.x)]
    ys += [_near(y) for bar in bars for _, *ends in bar.spans for y in ends if _finite(y)]
    y_ticks = round_ticks(min(ys), max(ys))
    x_round = round_ticks(min(xs), max(xs))
    x_low, x_high = (min(xs), max(xs)) if x_ticks is not None and min(xs) < max(xs) else (x_round[0], x_round[-1])
    px = _scale(x_low, x_high, _LEFT, width - _RIGHT)
    py = _scale(y_ticks[0], y_ticks[-1], height - _BOTTOM, _TOP)
    labelled = x_ticks if x_ticks is not None else list(zip(x_round, tick_texts(x_round), strict=True))
    parts = [
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{_text(label)}">',
        *_y_axis(y_ticks, py, width),
        *_x_axis([(x, text) for x, text in labelled if x_low <= x <= x_high], px, width, height),
    ]
    if diagonal:
        low, high = max(x_low, y_ticks[0]), min(x_high, y_ticks[-1])
        if low < high:
            parts.append(f'<line class="ideal" {_ends(px(low), py(low), px(high), py(high))}/>')
    parts += [_marked(mark, px, height) for mark in marks if _finite(mark.x)]
    for bar in bars:
        parts += [f'<g class="spans s{bar.colour}">', *_spans(bar, px, py), "</g>"]
    parts += [_drawn(one, points, px, py, width) for one, points in drawn]
    return "".join([*parts, "</svg>"])


def figure(series: Sequence[Series], *, label: str, **options: Any) -> str:
    """A plot drawn twice, for a desk and for a phone; the page shows the one that fits.

    Parameters
    ----------
    series, label, **options
        As of `plot`. On a phone nothing hovers, so that the small one has no hover texts.
    """
    silent = [replace(one, points=[(x, y, "") for x, y, _ in one.points]) for one in series]
    return (
        f'<div class="wide">{plot(series, label=label, width=WIDE, **options)}</div>'
        f'<div class="narrow">{plot(silent, label=label, width=NARROW, **options)}</div>'
    )


def whisker(low: float, value: float, high: float, other: float | None, frame: tuple[float, float]) -> str:
    """A dot with its interval, and a small line for what it is compared with, for one row of a table.

    The figures stand in the row beside it, so that it is hidden from screen readers.

    Parameters
    ----------
    low, value, high : float
        The interval.
    other : float, optional
        What it is compared with.
    frame : (float, float)
        What the ends of the drawing stand for.
    """
    px = _scale(*frame, 6, 154)
    other_line = f'<line class="other" {_ends(px(other), 3, px(other), 15)}/>' if other is not None else ""
    return (
        '<svg class="whisker" viewBox="0 0 160 18" aria-hidden="true">'
        f'<line class="grid" {_ends(2, 9, 158, 9)}/>{other_line}'
        f'<g class="spans s1"><line {_ends(px(low), 9, px(high), 9)}/></g>'
        f'<g class="series s1"><circle cx="{px(value):.1f}" cy="9" r="4"/></g></svg>'
    )


def bar(part: float) -> str:
    """A bar as long as a share of the whole, for one row of a table; hidden from screen readers."""
    width = 100 * min(max(part, 0.0), 1.0) if _finite(part) else 0.0
    return (
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{width:.2f}" height="8"/></svg>'
    )


def sparkline(heights: Sequence[float]) -> str:
    """Bars side by side as one path, for one row of a table; hidden from screen readers. Nothing where all are none.

    Parameters
    ----------
    heights : sequence of float
        In any unit: the highest fills the drawing, and what is not nothing can be seen.
    """
    largest = max((height for height in heights if _finite(height)), default=0.0)
    if largest <= 0:
        return ""
    wide = 120 / max(len(heights), 8)
    path = "".join(
        f"M{place * wide:.1f},24v{-max(24 * height / largest, 1):.1f}h{wide * 0.85:.1f}V24z"
        for place, height in enumerate(heights)
        if _finite(height) and height > 0
    )
    return f'<svg class="spark" viewBox="0 0 120 24" aria-hidden="true"><path d="{path}"/></svg>'


def round_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round values that enclose the range (Heckbert, "Nice numbers for graph labels", Graphics Gems, 1990).

    Examples
    --------
    >>> round_ticks(0.13, 0.38)
    [0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4]
    """
    low, high = _near(low), _near(high)
    around = max(abs(low), abs(high))
    if high - low <= around * 1e-9 or high - low < 1e-290:
        room = around * 0.05 or 0.5
        low, high = _near(low - room), _near(high + room)
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999), 10 * power)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]


def tick_texts(ticks: Sequence[float]) -> list[str]:
    """Ticks as texts, all with as many decimals as they need to differ.

    Examples
    --------
    >>> tick_texts([0.0, 0.05, 0.1]), tick_texts([0.0, 1e6, 2e6]), tick_texts([0.0, 1e-7])
    (['0.00', '0.05', '0.10'], ['0', '1,000,000', '2,000,000'], ['0', '1e-07'])
    """
    largest = max(abs(tick) for tick in ticks)
    if largest >= 1e7 or largest < 1e-4:
        return [f"{tick:.6g}" for tick in ticks]
    decimals = max((len(f"{tick:.9f}".rstrip("0").partition(".")[2]) for tick in ticks), default=0)
    return [f"{tick:,.{decimals}f}".replace("-", "−") for tick in ticks]


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _near(value: float) -> float:
    return min(max(value, -_FAR), _FAR)


def _scale(low: float, high: float, start: float, end: float) -> _Scale:
    """Values to places; ``high`` equal to ``low`` puts all in the middle."""
    low, high = _near(low), _near(high)

    def place(value: float) -> float:
        part = (_near(value) - low) / (high - low) if high > low else 0.5
        return start + min(max(part, -1.0), 2.0) * (end - start)

    return place


def _text(text: str) -> str:
    return escape(readable(text))


def _ends(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'


def _y_axis(ticks: Sequence[float], py: _Scale, width: int) -> Iterator[str]:
    for y, text in zip(ticks, tick_texts(ticks), strict=True):
        yield f'<line class="grid" {_ends(_LEFT, py(y), width - _RIGHT, py(y))}/>'
        yield f'<text class="tick" x="{_LEFT - 8}" y="{py(y) + 4:.1f}" text-anchor="end">{_text(text)}</text>'


def _x_axis(ticks: Sequence[tuple[float, str]], px: _Scale, width: int, height: int) -> Iterator[str]:
    if not ticks:
        return
    room = max(len(text) for _, text in ticks) * _LETTER + 14
    every = max(1, math.ceil(len(ticks) * room / (width - _LEFT - _RIGHT)))
    for x, text in ticks[::every]:
        half = len(text) * _LETTER / 2
        place = min(max(px(x), half), width - half)
        yield f'<text class="tick" x="{place:.1f}" y="{height - 9}" text-anchor="middle">{_text(text)}</text>'


def _marked(mark: Mark, px: _Scale, height: int) -> str:
    x = px(mark.x)
    line = f"<line {_ends(x, _TOP - 8, x, height - _BOTTOM)}/>" if mark.line else ""
    top = _TOP - 6
    triangle = f'<path d="M{x - 5:.1f},{top - 8}L{x + 5:.1f},{top - 8}L{x:.1f},{top}Z"/>'
    return f'<g class="mark s{mark.colour}">{line}{triangle}<title>{_text(mark.text)}</title></g>'


def _spans(bar: Bars, px: _Scale, py: _Scale) -> Iterator[str]:
    for x, low, high in bar.spans:
        if _finite(x) and _finite(low) and _finite(high):
            yield f"<line {_ends(px(x), py(low), px(x), py(high))}/>"


def _drawn(one: Series, points: Sequence[_Point], px: _Scale, py: _Scale, width: int) -> str:
    parts = [f'<g class="series s{one.colour}{" dashed" if one.dashed else ""}">']
    if one.line and (path := _path(points, px, py, one.step)):
        parts.append(f'<path d="{path}"/>')
    radius = 3.5 if len(points) * 9 < width else 2
    for x, y, text in points if one.dots else ():
        if y is not None and _finite(y):
            hover = f"<title>{_text(text)}</title>" if text else ""
            parts.append(f'<circle cx="{px(x):.1f}" cy="{py(y):.1f}" r="{radius}">{hover}</circle>')
    return "".join([*parts, "</g>"])


def _path(points: Sequence[_Point], px: _Scale, py: _Scale, step: bool) -> str:
    path, pen = [], "M"
    for x, y, _ in points:
        if y is None or not _finite(y):
            pen = "M"
            continue
        if step and pen == "L":
            path.append(f"H{px(x):.1f}V{py(y):.1f}")
        else:
            path.append(f"{pen}{px(x):.1f},{py(y):.1f}")
        pen = "L"
    return "".join(path)
