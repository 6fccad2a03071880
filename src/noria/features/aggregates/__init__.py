"""The kinds of aggregates, one file each, over one algebra."""

from noria.features.aggregates.algebra import WindowAggregate
from noria.features.aggregates.count import Count, count
from noria.features.aggregates.first import First, first
from noria.features.aggregates.last import Last, last
from noria.features.aggregates.max import Max, max
from noria.features.aggregates.mean import Mean, mean
from noria.features.aggregates.min import Min, min
from noria.features.aggregates.std import Std, std
from noria.features.aggregates.sum import Sum, sum

__all__ = [
    "Count",
    "First",
    "Last",
    "Max",
    "Mean",
    "Min",
    "Std",
    "Sum",
    "WindowAggregate",
    "count",
    "first",
    "last",
    "max",
    "mean",
    "min",
    "std",
    "sum",
]
