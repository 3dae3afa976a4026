"""How often models were asked and how long they took, under Triton's names."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Metric

STAGES = ("queue", "compute_input", "compute_infer", "compute_output")
"""Of a request, in order: waiting for a thread, bytes to images, images to probabilities, those to an answer."""

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
    """The counters of all models. To record a request takes a few microseconds.

    Parameters
    ----------
    registry : of the library, which they are shown by.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
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
        self._by_version: dict[tuple[str, int], tuple[dict[str, Counter], Gauge]] = {}

    def succeeded(self, name: str, version: int, *, n_images: int, stages: Stages) -> None:
        """Record that a version told a batch of images, whose stages are all over."""
        counters, last = self._of(name, version)
        at_ns = stages.at_ns
        counters["request_success"].inc()
        counters["count"].inc(n_images)
        counters["exec_count"].inc()
        counters["request_duration_us"].inc((at_ns[4] - at_ns[0]) / 1000)
        counters["queue_duration_us"].inc((at_ns[1] - at_ns[0]) / 1000)
        counters["compute_input_duration_us"].inc((at_ns[2] - at_ns[1]) / 1000)
        counters["compute_infer_duration_us"].inc((at_ns[3] - at_ns[2]) / 1000)
        counters["compute_output_duration_us"].inc((at_ns[4] - at_ns[3]) / 1000)
        last.set(time.time())

    def failed(self, name: str, version: int) -> None:
        """Record that a version was asked and the request refused."""
        self._of(name, version)[0]["request_failure"].inc()

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
