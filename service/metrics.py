"""What the service counts and times, for Prometheus and for the statistics of the inference protocol.

With the variable ``PROMETHEUS_MULTIPROC_DIR`` set, every process keeps its metrics in files in that folder, and each
can report those of all. prometheus_client reads the variable when it is imported, so it is imported by `Metrics` only.
"""

from __future__ import annotations

import fcntl
import logging
import os
import platform
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from operator import add, sub
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

import numpy as np

from service.core import Floats, Ints
from service.errors import StorageFailed

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric

logger = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

STAGES = ("queue", "compute_input", "compute_infer", "compute_output")
"""Of a request, in order: waiting for a thread, bytes to images, images to predictions, and those to an answer. What is
predicted with other requests takes as long as all of them."""

SETTLE_S = 0.2
"""Other processes may lack what was counted in the last 0.2 s."""

_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_CERTAINTY = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_MAX_PENDING = 1024
"""Predictions whose digits and probabilities are kept until they are counted together."""
_INFERENCE = "inkling_inference_"
_LAST = f"{_INFERENCE}last_timestamp_seconds"
_COUNTS = {
    "request_success": "inference requests that were answered",
    "request_failure": "inference requests to a model that were rejected or failed",
    "count": "images that were classified",
    "exec_count": "batches that a model classified",
}
_SHARED_DIR = "PROMETHEUS_MULTIPROC_DIR"
_LOCK = "lock"
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder with an unpredictable name is made in it


class Metrics:
    """All metrics of a service of a ``version``. Recording a request takes about a microsecond."""

    def __init__(self, version: str) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics  # noqa: PLC0415 - see the module

        if folder := os.environ.get(_SHARED_DIR):
            Path(folder).mkdir(mode=0o700, exist_ok=True)  # it may have been removed
        disable_created_metrics()  # type: ignore[no-untyped-call] # a second series of each, with its time of creation
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
        self.worker_restarts = Counter(
            "inkling_worker_restarts", "worker processes that died and were replaced", registry=self._registry
        )
        self._deliveries = Counter(
            "inkling_deliveries",
            "what became of attempts to send what ended to another program",
            ("target", "outcome"),
            registry=self._registry,
        )
        self.inference = InferenceCounters(self._registry, is_shared=folder is not None)
        self._by_route: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def request(self, method: str, route: str, status: int, duration_s: float) -> None:
        """Record an answered request; ``route`` is a template, never a client's text, so that there are few."""
        key = method, route, status
        found = self._by_route.get(key)
        if found is None:
            children = self._requests.labels(method, route, str(status)), self._durations.labels(method, route)
            found = self._by_route[key] = children
        found[0].inc()
        found[1].observe(duration_s)

    def delivery(self, target: str, outcome: str, number: int) -> None:
        """Record that so many were ``delivered`` to a target, ``failed``, or were ``given up``."""
        self._deliveries.labels(target, outcome).inc(number)

    def inference_figures(self) -> dict[tuple[str, int], InferenceFigures]:
        """Return the figures of each version that has any, by the model's name and the version."""
        return _figures_of(self._collected().collect())

    def exposition(self, gauges: Mapping[str, tuple[str, str, Mapping[str, float]]]) -> bytes:
        """Return everything in the text format of Prometheus.

        Gauges are current values, by name: a help text, the name of a label, and a value for each of its values;
        without a label, its name is empty and so is the key of its only value.
        """
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest  # noqa: PLC0415 - see the module
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
        ProcessCollector(registry=now)  # memory, processor time and open files of the process that answers
        return generate_latest(self._collected()) + generate_latest(now)

    def _collected(self) -> CollectorRegistry:
        """Return the metrics of this process, or of all processes that share them."""
        self.inference.settle()
        folder = os.environ.get(_SHARED_DIR)
        if folder is None or not Path(folder).is_dir():  # not shared, or the folder was removed
            return self._registry
        from prometheus_client import CollectorRegistry, multiprocess  # noqa: PLC0415 - see the module

        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return registry


class _Families:
    """A collector of known values."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Sequence[Metric]:
        return self._families


class Stages:
    """The moments at which a request passed from one stage to the next, in ns of the monotonic clock."""

    __slots__ = ("at_ns",)

    def __init__(self) -> None:
        self.at_ns = [time.perf_counter_ns()]

    def next(self) -> None:
        """Record that a stage of `STAGES` is over."""
        self.at_ns.append(time.perf_counter_ns())

    def undo(self) -> None:
        """Record that the last of them is not over."""
        self.at_ns.pop()


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceFigures:
    """The figures of one version since the start, under Triton's names.

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
    """The counters of all models; ``is_shared``: other processes report them too.

    An answered request is added to sums of our own, in a tenth of the time that the library's counters take. The sums
    go to the library before anything is collected, after `_MAX_PENDING` predictions, and within `SETTLE_S` where other
    processes may collect. There are as many label values as versions that have answered since the start.
    """

    def __init__(self, registry: CollectorRegistry, *, is_shared: bool) -> None:
        from prometheus_client import Counter, Gauge, Histogram  # noqa: PLC0415 - see the module

        labels = ("model", "version")
        helps = {
            **_COUNTS,
            "request_duration_us": "microseconds that answered requests took",
            **{f"{stage}_duration_us": f"of these, in the stage {stage}" for stage in STAGES},
        }
        self._counters = {
            name: Counter(_INFERENCE + name, help_, labels, registry=registry) for name, help_ in helps.items()
        }
        self._digits = Counter(
            "inkling_predicted_digits", "images by the digit that was predicted", (*labels, "digit"), registry=registry
        )
        self._certainty = Histogram(
            "inkling_predicted_probability",
            "probability of the digit that was predicted",
            labels,
            registry=registry,
            buckets=_CERTAINTY,
        )
        self._last = Gauge(_LAST, "when a model answered last", labels, registry=registry, multiprocess_mode="max")
        self._lock, self._settling = Lock(), Lock()
        self._sums: dict[tuple[str, int], tuple[list[int], float]] = {}
        self._n_batches: dict[tuple[str, int], int] = defaultdict(int)
        self._predicted: dict[tuple[str, int], list[tuple[Ints, Floats]]] = defaultdict(list)
        self._n_pending = 0
        self._by_version: dict[tuple[str, int], tuple[dict[str, Counter], Gauge]] = {}
        self._changed = Event() if is_shared else None
        if self._changed is not None:
            Thread(target=self._keep_settling, args=(self._changed,), name="metrics", daemon=True).start()

    def executed(self, name: str, version: int) -> None:
        """Record that a batch, of one request or several, was classified. Its requests succeed after it."""
        with self._lock:
            self._n_batches[name, version] += 1

    def succeeded(self, name: str, version: int, prediction: tuple[Ints, Floats], stages: Stages) -> None:
        """Record the labels, (n,), and probabilities, (n, n_classes), of a batch, which must not change any more."""
        at_ns, n_images = stages.at_ns, len(prediction[0])
        new = 1, n_images, at_ns[-1] - at_ns[0], *map(sub, at_ns[1:], at_ns)
        key = name, version
        with self._lock:
            before = self._sums.get(key)
            self._sums[key] = list(map(add, before[0], new) if before else new), time.time()
            self._predicted[key].append(prediction)
            self._n_pending += n_images
        if self._n_pending > _MAX_PENDING:
            self.settle()
        if self._changed is not None:
            self._changed.set()

    def failed(self, name: str, version: int) -> None:
        """Record that a request to a version was rejected or failed."""
        self._of(name, version)[0]["request_failure"].inc()

    def settle(self) -> None:
        """Add all sums to the library's counters, where other processes see them too."""
        with self._settling:  # a second caller waits until the sums have arrived
            try:
                self._settle()
            except OSError:  # the folder of shared files was removed
                logger.exception("metrics of answered requests were lost")

    def _settle(self) -> None:
        with self._lock:
            sums, self._sums = self._sums, {}
            n_batches, self._n_batches = self._n_batches, defaultdict(int)
            predicted, self._predicted, self._n_pending = self._predicted, defaultdict(list), 0
        for key, number in n_batches.items():
            self._of(*key)[0]["exec_count"].inc(number)
        for key, ((n_requests, n_images, *durations_ns), last_s) in sums.items():
            counters, last = self._of(*key)
            amounts: dict[str, float] = {"request_success": n_requests, "count": n_images}
            for stage, duration_ns in zip(("request", *STAGES), durations_ns, strict=True):
                amounts[f"{stage}_duration_us"] = duration_ns / 1000
            for kind, amount in amounts.items():
                counters[kind].inc(amount)
            last.set(last_s)
        for key, predictions in predicted.items():
            self._count_predictions(*key, *map(np.concatenate, zip(*predictions, strict=True)))

    def _count_predictions(self, name: str, version: int, labels: Ints, probabilities: Floats) -> None:
        for digit, number in enumerate(np.bincount(labels)):
            if number:
                self._digits.labels(name, str(version), str(digit)).inc(int(number))
        highest = probabilities.max(axis=1).astype(np.float64)
        histogram = self._certainty.labels(name, str(version))
        # Private parts of the library, since its `observe` takes one value at a time, a microsecond each.
        for bucket, number in enumerate(np.bincount(np.searchsorted(_CERTAINTY, highest))):
            histogram._buckets[bucket].inc(int(number))
        histogram._sum.inc(float(highest.sum()))

    def _keep_settling(self, changed: Event) -> None:
        while changed.wait():
            time.sleep(SETTLE_S)
            changed.clear()
            self.settle()

    def _of(self, name: str, version: int) -> tuple[dict[str, Counter], Gauge]:
        found = self._by_version.get((name, version))
        if found is None:
            labels = name, str(version)
            children = {kind: counter.labels(*labels) for kind, counter in self._counters.items()}
            found = self._by_version[name, version] = children, self._last.labels(*labels)
        return found


def _figures_of(metrics: Iterable[Metric]) -> dict[tuple[str, int], InferenceFigures]:
    figures: dict[tuple[str, int], InferenceFigures] = defaultdict(InferenceFigures)
    for metric in metrics:
        if not metric.name.startswith(_INFERENCE):
            continue
        kind = metric.name.removeprefix(_INFERENCE)
        for sample in metric.samples:
            key = sample.labels["model"], int(sample.labels["version"])
            if sample.name == _LAST:
                figures[key] = replace(figures[key], last_at_s=sample.value)
            elif kind in _COUNTS:
                figures[key].counts[kind] += sample.value
            else:
                figures[key].duration_us[kind.removesuffix("_duration_us")] += sample.value
    return figures


@contextmanager
def share_metrics(data_dir: Path) -> Iterator[None]:
    """Have the processes that this one starts keep their metrics in a common folder.

    The folder is in memory if possible: its files are mapped, and a process that writes to a mapped page without room
    on the disk is killed. It is locked, and folders of services that were killed, whose locks are free, are removed.
    Raise `StorageFailed` if there is no room in memory, and the data folder is not writable.
    """
    _remove_abandoned([*_MEMORY.glob("inkling-*"), *data_dir.glob("metrics-*")])
    try:
        folder = tempfile.mkdtemp(prefix="inkling-", dir=_MEMORY)
    except OSError:
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            folder = tempfile.mkdtemp(prefix="metrics-", dir=data_dir)
        except OSError as error:
            raise StorageFailed("The data folder is not writable; choose another with --data-dir.") from error
    os.environ[_SHARED_DIR] = folder
    try:
        with Path(folder, _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        del os.environ[_SHARED_DIR]


def _remove_abandoned(folders: Iterable[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            if folder.lstat().st_uid == os.geteuid():
                with (folder / _LOCK).open("rb") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
