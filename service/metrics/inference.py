"""How often models were asked and how long they took, under Triton's names."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import add, sub
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Metric

STAGES = ("queue", "compute_input", "compute_infer", "compute_output")
"""Of a request, in order: waiting for a thread, bytes to images, images to probabilities, those to an answer."""

SETTLE_S = 0.2
"""Other processes do not know yet what was counted since then."""

_log = logging.getLogger(__name__)

_PREFIX = "inkling_inference_"
_LAST = f"{_PREFIX}last_timestamp_seconds"
_COUNTS = {
    "request_success": "inference requests that were answered",
    "request_failure": "inference requests to a model that were refused or failed",
    "count": "images that were told",
    "exec_count": "batches that went through a model",
}


class Stages:
    """The moments at which a request went from one stage to the next, in ns of the monotonic clock."""

    __slots__ = ("at_ns",)

    def __init__(self) -> None:
        self.at_ns = [time.perf_counter_ns()]

    def next(self) -> None:
        """Note that a stage of `STAGES` is over."""
        self.at_ns.append(time.perf_counter_ns())


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceFigures:
    """The figures of one version since the start.

    Parameters
    ----------
    counts : by the names of the counters, without prefix: ``request_success``, ``count`` ...
    duration_us : by stage, and for the whole ``request``.
    last_at_s : when it answered last, seconds since 1970; 0 for never.
    """

    counts: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    duration_us: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    last_at_s: float = 0.0


class InferenceCounters:
    """The counters of all models.

    An answered request is added to sums of our own, which takes a tenth of the time that the library's counters take.
    They go to the library before anybody reads, and soon where other processes may read.

    Parameters
    ----------
    registry : of the library, which they are shown by.
    is_shared : whether other processes show them too.
    """

    def __init__(self, registry: CollectorRegistry, *, is_shared: bool) -> None:
        from prometheus_client import Counter, Gauge  # noqa: PLC0415 - see the package

        labels = ("model", "version")
        helps = {
            **_COUNTS,
            "request_duration_us": "microseconds that answered requests took",
            **{f"{stage}_duration_us": f"of these, in the stage {stage}" for stage in STAGES},
        }
        self._counters = {
            name: Counter(_PREFIX + name, help_, labels, registry=registry) for name, help_ in helps.items()
        }
        self._last = Gauge(_LAST, "when a model answered last", labels, registry=registry, multiprocess_mode="max")
        self._lock, self._settling = Lock(), Lock()
        self._sums: dict[tuple[str, int], tuple[list[int], float]] = {}
        self._by_version: dict[tuple[str, int], tuple[dict[str, Counter], Gauge]] = {}
        self._news = Event() if is_shared else None
        if self._news is not None:
            Thread(target=self._keep_settling, args=(self._news,), name="figures", daemon=True).start()

    def succeeded(self, name: str, version: int, *, n_images: int, stages: Stages) -> None:
        """Record that a version told a batch of images, whose stages are all over."""
        at_ns = stages.at_ns
        new = 1, n_images, at_ns[-1] - at_ns[0], *map(sub, at_ns[1:], at_ns)
        key = name, version
        with self._lock:
            before = self._sums.get(key)
            self._sums[key] = list(map(add, before[0], new) if before else new), time.time()
        if self._news is not None:
            self._news.set()

    def failed(self, name: str, version: int) -> None:
        """Record that a version was asked and the request refused."""
        self._of(name, version)[0]["request_failure"].inc()

    def settle(self) -> None:
        """Hand all sums over to the library."""
        with self._settling:  # who waits here reads nothing before it is there
            try:
                self._settle()
            except OSError:  # the folder of shared files is gone
                _log.exception("figures of answered requests were lost")

    def _settle(self) -> None:
        with self._lock:
            sums, self._sums = self._sums, {}
        for key, ((n_requests, n_images, *durations_ns), last_s) in sums.items():
            counters, last = self._of(*key)
            amounts: dict[str, float] = {"request_success": n_requests, "exec_count": n_requests, "count": n_images}
            for stage, duration_ns in zip(("request", *STAGES), durations_ns, strict=True):
                amounts[f"{stage}_duration_us"] = duration_ns / 1000
            for kind, amount in amounts.items():
                counters[kind].inc(amount)
            last.set(last_s)

    def _keep_settling(self, news: Event) -> None:
        while news.wait():
            time.sleep(SETTLE_S)
            news.clear()
            self.settle()

    def _of(self, name: str, version: int) -> tuple[dict[str, Counter], Gauge]:
        found = self._by_version.get((name, version))
        if found is None:
            labels = name, str(version)
            children = {kind: counter.labels(*labels) for kind, counter in self._counters.items()}
            found = self._by_version[name, version] = children, self._last.labels(*labels)
        return found


def figures_of(metrics: Iterable[Metric]) -> dict[tuple[str, int], InferenceFigures]:
    """Pick the figures of each version that has any out of what the library collected."""
    figures: dict[tuple[str, int], InferenceFigures] = defaultdict(InferenceFigures)
    for metric in metrics:
        if not metric.name.startswith(_PREFIX):
            continue
        kind = metric.name.removeprefix(_PREFIX)
        for sample in metric.samples:
            key = sample.labels["model"], int(sample.labels["version"])
            if sample.name == _LAST:
                figures[key] = InferenceFigures(
                    counts=figures[key].counts, duration_us=figures[key].duration_us, last_at_s=sample.value
                )
            elif kind in _COUNTS:
                figures[key].counts[kind] += sample.value
            else:
                figures[key].duration_us[kind.removesuffix("_duration_us")] += sample.value
    return figures
