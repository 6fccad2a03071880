"""units: numbers from one unit to another."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from noria.training.preprocessing.transform import Columns, Fit, Transform, blocks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noria.models import Graph
    from noria.training.rows import Rows

# What is measured, and how a value becomes one of the SI unit: value * factor + offset.
UNITS: dict[str, tuple[str, float, float]] = {
    **{name: ("temperature", *way) for name, way in {
        "K": (1.0, 0.0), "C": (1.0, 273.15), "F": (5 / 9, 459.67 * 5 / 9)}.items()},
    **{name: ("length", factor, 0.0) for name, factor in {
        "mm": 1e-3, "cm": 1e-2, "m": 1.0, "km": 1e3, "in": 0.0254, "ft": 0.3048, "yd": 0.9144, "mi": 1609.344,
        "nmi": 1852.0}.items()},
    **{name: ("mass", factor, 0.0) for name, factor in {
        "mg": 1e-6, "g": 1e-3, "kg": 1.0, "t": 1e3, "oz": 0.028349523125, "lb": 0.45359237}.items()},
    **{name: ("speed", factor, 0.0) for name, factor in {
        "m/s": 1.0, "km/h": 1 / 3.6, "mph": 0.44704, "kn": 1852 / 3600, "ft/s": 0.3048}.items()},
    **{name: ("pressure", factor, 0.0) for name, factor in {
        "Pa": 1.0, "hPa": 100.0, "kPa": 1e3, "mbar": 100.0, "bar": 1e5, "atm": 101325.0, "psi": 6894.757293168361,
        "inHg": 3386.389, "mmHg": 133.322387415}.items()},
    **{name: ("time", factor, 0.0) for name, factor in {
        "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}.items()},
    **{name: ("volume", factor, 0.0) for name, factor in {
        "ml": 1e-6, "l": 1e-3, "m3": 1.0, "gal": 3.785411784e-3, "ft3": 0.028316846592}.items()},
    **{name: ("energy", factor, 0.0) for name, factor in {
        "J": 1.0, "kJ": 1e3, "Wh": 3600.0, "kWh": 3.6e6, "cal": 4.184, "kcal": 4184.0, "BTU": 1055.05585262}.items()},
}  # fmt: skip
"""The units that are known by name."""


class Units(Transform):
    """Convert numbers from one unit to another: by the units' names, or ``value * factor + offset``.

    Parameters
    ----------
    columns : str or list of str
        Numbers, by name or pattern.
    given, wanted : str
        Units of one quantity, such as ``"F"`` and ``"C"``, ``"mi"`` and ``"km"``, ``"inHg"`` and ``"hPa"``.
    factor, offset : float
        Instead of names: 1 and 0 by default.

    Examples
    --------
    >>> units("distance", "mi", "km").way()
    (1.609344, 0.0)
    """

    given: str = Field(default="", kw_only=False)
    wanted: str = Field(default="", kw_only=False)
    factor: float = Field(default=1.0, allow_inf_nan=False)
    offset: float = Field(default=0.0, allow_inf_nan=False)

    @property
    def text(self) -> str:
        how = f"{self.given} to {self.wanted}" if self.given else f"times {self.factor:g} plus {self.offset:g}"
        return f"convert {', '.join(self.columns)} ({how})"

    def check(self, columns: Columns) -> None:
        for field in ("given", "wanted"):
            name = getattr(self, field)
            if name and name not in UNITS:
                near = difflib.get_close_matches(name, UNITS, n=1, cutoff=0.5)
                mend = f"did you mean '{near[0]}'?" if near else "factor=… and offset=…, or one of " + ", ".join(UNITS)
                raise self.refuse("this unit is not known", field=field, value=name, mend=mend)
        if bool(self.given) != bool(self.wanted):
            raise self.refuse("two units are needed", field="wanted", mend='as in units("temp", "F", "C")')
        named, bare = bool(self.given), self.factor != 1 or self.offset != 0
        if named == bare:
            message = "units and a factor say the same thing twice" if named else "this converts nothing"
            raise self.refuse(message, field="factor", mend="give two units, or factor=… and offset=…")
        if named and UNITS[self.given][0] != UNITS[self.wanted][0]:
            raise self.refuse(
                f"{self.given} is a {UNITS[self.given][0]}, {self.wanted} a {UNITS[self.wanted][0]}",
                field="wanted",
                value=self.wanted,
            )
        if not self.factor:
            raise self.refuse("a factor of 0 leaves nothing of a number", field="factor", value=self.factor)
        super().check(columns)

    def way(self) -> tuple[float, float]:
        """Factor and offset."""
        if not self.given:
            return self.factor, self.offset
        _, own, shift = UNITS[self.given]
        _, other, other_shift = UNITS[self.wanted]
        return own / other, (shift - other_shift) / other

    def fit(self, rows: Rows) -> tuple[Fit, Rows]:
        import numpy as np

        places, _ = self.chosen_of(rows)
        factor, offset = np.ones(len(rows.number_names)), np.zeros(len(rows.number_names))
        factor[places], offset[places] = self.way()
        fitted = Converted(rows.number_names, tuple(places), factor, offset)
        return fitted, fitted.apply(rows)


def units(
    columns: str | list[str], given: str = "", wanted: str = "", *, factor: float = 1.0, offset: float = 0.0
) -> Units:
    """Convert numbers from one unit to another, see `Units`.

    Examples
    --------
    >>> units("delay", factor=1 / 60).text
    'convert delay (times 0.0166667 plus 0)'
    """
    return Units(columns, given, wanted, factor=factor, offset=offset)


@dataclass(frozen=True, slots=True)
class Converted:
    """Factors and offsets of all numbers: 1 and 0 of those that stay as they are."""

    names: tuple[str, ...]
    places: tuple[int, ...]
    factor: NDArray[np.float64]
    offset: NDArray[np.float64]

    @property
    def origins(self) -> Mapping[str, str]:
        return {}

    def apply(self, rows: Rows) -> Rows:
        import numpy as np

        numbers = np.empty_like(rows.numbers)
        with np.errstate(over="ignore"):
            for block in blocks(len(rows)):
                numbers[block] = rows.numbers[block] * self.factor + self.offset
        return replace(rows, numbers=numbers)

    def draw(self, graph: Graph) -> None:
        scaled = graph.add("Mul", graph.doubles(), graph.constant(self.factor))
        graph.numbers = graph.single(graph.add("Add", scaled, graph.constant(self.offset)))

    def to_body(self) -> dict[str, Any]:
        return {
            self.names[place]: {"factor": float(self.factor[place]), "offset": float(self.offset[place])}
            for place in self.places
        }
