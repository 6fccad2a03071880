"""The data of a new project: parcels that come late for reasons that can be learned, the same on every machine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

_START = datetime(2025, 1, 1)
_DAYS = 115
_A_DAY = 60
_DEPOTS = ("north", "south", "harbour")
_COURIERS = tuple(f"c{number:02d}" for number in range(12))


def couriers() -> Iterator[str]:
    """Lines of ``couriers.csv``."""
    yield "courier,vehicle,since"
    for number, courier in enumerate(_COURIERS):
        yield f"{courier},{'bike' if number % 3 else 'van'},{2014 + number % 9}"


def parcels() -> Iterator[str]:
    """Lines of ``parcels.csv``: couriers have better and worse weeks, the harbour jams in the afternoon.

    A few weights are negative and a few parcels were never delivered, as in real files.
    """
    chance = random.Random(2025)
    form = {courier: chance.uniform(-1.0, 1.0) for courier in _COURIERS}
    yield "parcel,depot,courier,distance_km,weight_kg,sent,promised,delivered"
    for number in range(_DAYS * _A_DAY):
        day, turn = divmod(number, _A_DAY)
        if turn == 0:
            form = {courier: 0.9 * value + chance.gauss(0.0, 0.35) for courier, value in form.items()}
        sent = _START + timedelta(days=day, hours=7, minutes=11 * turn + chance.randrange(10))
        depot, courier = chance.choice(_DEPOTS), chance.choice(_COURIERS)
        distance, weight = round(chance.uniform(0.5, 18.0), 1), round(chance.expovariate(0.3), 2)
        jam = 25.0 if depot == "harbour" and sent.hour >= 14 else 0.0
        minutes = 20 + 4 * distance + jam + 30 * form[courier] + chance.gauss(0.0, 20.0)
        promised = sent + timedelta(minutes=40 + 5 * distance)
        delivered = f"{sent + timedelta(minutes=max(5.0, round(minutes, 1)))}" if chance.random() > 0.01 else ""
        weight = -weight if chance.random() < 0.004 else weight
        yield f"p{number:05d},{depot},{courier},{distance},{weight},{sent},{promised},{delivered}"
