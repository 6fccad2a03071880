"""Every second has a price: meters, the price book, and what was spent on what."""

from noria.cost.history import expected, per_prediction, totals
from noria.cost.meters import Meters
from noria.cost.price_book import PriceBook

__all__ = ["Meters", "PriceBook", "expected", "per_prediction", "totals"]
