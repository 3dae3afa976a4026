"""All instruments of one service, and the text in which Prometheus reads them."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .inference import InferenceCounters, InferenceFigures, figures_of
from .shared import SHARED

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Histogram, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """Counters and histograms that cost about a microsecond each time.

    Parameters
    ----------
    version : of the program, for ``inkling_build_info``.
    """

    def __init__(self, version: str) -> None:
        from prometheus_client import (  # noqa: PLC0415 - see the package
            CollectorRegistry,
            Counter,
            Histogram,
            disable_created_metrics,
        )

        disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each, of the time it began
        self._version = version
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "inkling_http_requests", "answered requests", ("method", "route", "status"), registry=self._registry
        )
        self._durations = Histogram(
            "inkling_http_request_duration_seconds",
            "from the head of a request to the end of its answer",
            ("method", "route"),
            registry=self._registry,
            buckets=_BUCKETS_S,
        )
        self._worker_restarts = Counter(
            "inkling_worker_restarts", "worker processes that died and were replaced", registry=self._registry
        )
        self.inference = InferenceCounters(self._registry, is_shared=SHARED in os.environ)
        self._by_route: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def request(self, method: str, route: str, status: int, duration_s: float) -> None:
        """Record an answered request.

        Parameters
        ----------
        method, route : one of few; never what a stranger can make up. The route is the template of the address.
        """
        key = method, route, status
        found = self._by_route.get(key)
        if found is None:
            children = self._requests.labels(method, route, str(status)), self._durations.labels(method, route)
            found = self._by_route[key] = children
        found[0].inc()
        found[1].observe(duration_s)

    def settle(self) -> None:
        """Let other processes know all that was counted; what they may not know yet is 0.2 s old at most."""
        self.inference.settle()

    def worker_restarted(self) -> None:
        """Record that a worker process died and was replaced."""
        self._worker_restarts.inc()

    def inference_figures(self) -> dict[tuple[str, int], InferenceFigures]:
        """Return the figures of each version that was asked, by its model's name and its number."""
        return figures_of(self._shared().collect())

    def exposition(self, gauges: Mapping[str, tuple[str, str, Mapping[str, float]]]) -> bytes:
        """Return everything as Prometheus reads it.

        Parameters
        ----------
        gauges : what is true now, by name: a help text, the name of a label, and a value for each of its values;
            without a label, its name is empty and so is the key of its only value.
        """
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - see the package
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415

        build = GaugeMetricFamily("inkling_build_info", "always 1", labels=("version", "python"))
        build.add_metric((self._version, platform.python_version()), 1)
        families = [build]
        for name, (help_, label, values) in gauges.items():
            family = GaugeMetricFamily(name, help_, labels=(label,) if label else ())
            for of, value in values.items():
                family.add_metric((of,) if label else (), value)
            families.append(family)
        now = CollectorRegistry()
        now.register(_Families(families))
        return generate_latest(self._shared()) + generate_latest(now)

    def _shared(self) -> CollectorRegistry:
        """Return what this process knows, or all processes together."""
        self.settle()
        folder = os.environ.get(SHARED)
        if folder is None or not Path(folder).is_dir():  # nobody else has figures, or somebody removed them
            return self._registry
        from prometheus_client import CollectorRegistry, multiprocess  # noqa: PLC0415 - see the package

        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return registry


class _Families:
    """What the library collects from, where the values are known already."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Sequence[Metric]:
        """See the library's ``Collector``."""
        return self._families
