"""Metrics: plain counters on the request path, made into Prometheus's form only when somebody asks."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """What the server counts. Belongs to the server's one thread.

    Attributes
    ----------
    predictions : mapping of str to int
        By version.
    failures : mapping of str to int
        By what failed: ``routes`` (a version could not be loaded), ``features`` (could not be fetched), ``internal``.
    """

    def __init__(self) -> None:
        self.predictions: dict[str, int] = defaultdict(int)
        self.failures: dict[str, int] = defaultdict(int)
        self._requests: dict[tuple[str, int], int] = defaultdict(int)
        self._buckets: dict[str, list[int]] = defaultdict(lambda: [0] * (len(_BOUNDS) + 1))
        self._seconds: dict[str, float] = defaultdict(float)
        self._started = time.time()

    def count(self, route: str, status: int, seconds: float) -> None:
        """One answered request."""
        self._requests[route, status] += 1
        self._buckets[route][bisect_left(_BOUNDS, seconds)] += 1
        self._seconds[route] += seconds

    def exposition(self, log: Mapping[str, int], weights: Mapping[str, float]) -> bytes:
        """Everything in Prometheus's text form.

        Parameters
        ----------
        log : mapping of str to int
            What became of predictions in the log: ``written``, ``dropped``, ``waiting``.
        weights : mapping of str to float
            The share of each loaded version.
        """
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry()
        registry.register(_Collector(lambda: self._families(log, weights)))
        return generate_latest(registry)

    def _families(self, log: Mapping[str, int], weights: Mapping[str, float]) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        requests = CounterMetricFamily("noria_requests", "Answered requests", labels=["route", "status"])
        for (route, status), count in self._requests.items():
            requests.add_metric([route, str(status)], count)
        yield requests
        seconds = HistogramMetricFamily("noria_request_seconds", "From head to answer", labels=["route"])
        for route, buckets in self._buckets.items():
            seconds.add_metric([route], _cumulative(buckets), self._seconds[route])
        yield seconds
        logged = {what: count for what, count in log.items() if what != "waiting"}
        for name, text, label, counts in (
            ("noria_predictions", "Answered rows", "version", self.predictions),
            ("noria_failures", "Faults behind answers or routes that stayed as they were", "what", self.failures),
            ("noria_log", "Predictions by what became of them in the log", "what", logged),
        ):
            family = CounterMetricFamily(name, text, labels=[label])
            for value, count in counts.items():
                family.add_metric([value], count)
            yield family
        shares = GaugeMetricFamily("noria_route_share", "Share of requests", labels=["version"])
        for version, share in weights.items():
            shares.add_metric([version], share)
        yield shares
        yield GaugeMetricFamily("noria_log_waiting", "Predictions that are not yet in the log", value=log["waiting"])
        yield GaugeMetricFamily("noria_started_seconds", "When it started, seconds since 1970", value=self._started)


class _Collector:
    def __init__(self, collect: Callable[[], Iterator[Any]]):
        self.collect = collect


def _cumulative(buckets: list[int]) -> list[tuple[str, float]]:
    total, out = 0, []
    for bound, count in zip((*map(str, _BOUNDS), "+Inf"), buckets, strict=True):
        total += count
        out.append((bound, float(total)))
    return out
