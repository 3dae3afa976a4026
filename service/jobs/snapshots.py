"""Looking back at a run: its weights at each check, and what they say of the validation images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from weakref import ref

import numpy as np

from service.core import N_FEATURES, Floats, Ints, TrainingConfig, design_matrix, output_names, probabilities
from service.database import ClaimRow, Database, JobRow, SnapshotRow, snapshot_rows
from service.datasets import PACKAGED, Dataset, Datasets, validation_images
from service.errors import NotFound
from service.worker import snapshot_stride, unpack_weights

from .submission import job_row

MAX_SNAPSHOTS = 256
"""As many checks as 50 epochs of five have; 8 MB a job at most."""
MAX_OF_MEMBER = 16
"""A sweep may have a thousand members."""

_BLOCK_SIZE = 1000
_N_KEPT = 2048


def max_snapshots(job: JobRow | ClaimRow) -> int:
    """Return how many snapshots of a job are kept; none of a verification, whose weights are those of another job."""
    if job.verification is not None:
        return 0
    return MAX_SNAPSHOTS if job.sweep_id is None else MAX_OF_MEMBER


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotList:
    """Which snapshots there are of a job, the oldest first; ``labels`` say what each output is for."""

    job: JobRow
    config: TrainingConfig
    labels: Sequence[str]
    places: Sequence[SnapshotRow]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        limit, batches_per_epoch = max_snapshots(self.job), self.job.batches_per_epoch or 1
        n_checks = self.places[-1].number + 1 if self.places else 0
        return {
            "job": self.job.id,
            "every_checks": snapshot_stride(n_checks, limit) if n_checks else 1,
            "max_snapshots": limit,
            "shape": [N_FEATURES, self.config.n_outputs],
            "outputs": list(self.labels),
            "snapshots": [
                {"step": place.step, "epoch": place.step // batches_per_epoch, "check": place.check_id}
                for place in self.places
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class SnapshotWeights:
    """The weights of a job after a step, (785, n_outputs) float32; ``labels`` say what each output is for."""

    job: JobRow
    config: TrainingConfig
    labels: Sequence[str]
    step: int
    weights: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Confusion:
    """How many validation images are taken for which class.

    ``counts`` is (n_classes, n_classes): a row for each true class, a column for each predicted one.
    """

    job: JobRow
    config: TrainingConfig
    class_names: Sequence[str]
    step: int
    counts: Ints

    @property
    def n_right(self) -> int:
        """How many are told right."""
        return int(self.counts.trace())

    @property
    def n_images(self) -> int:
        """How many there are."""
        return int(self.counts.sum())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "job": self.job.id,
            "step": self.step,
            "epoch": self.step // (self.job.batches_per_epoch or 1),
            "classes": list(self.config.classes),
            "n_images": self.n_images,
            "accuracy": self.n_right / self.n_images,
            "confusion": self.counts.tolist(),
        }


class Snapshots:
    """The desk where the past of jobs is asked about. A snapshot, once there, never changes."""

    def __init__(self, database: Database, datasets: Datasets = PACKAGED):
        self._database = database
        self._datasets = datasets

    def list(self, job_id: str) -> SnapshotList:
        """Return which snapshots there are; raise `JobNotFound`."""
        with self._database.read() as connection:
            row = job_row(connection, job_id)
            places = snapshot_rows.places(connection, job_id)
        config = TrainingConfig.from_dict(row.config)
        return SnapshotList(job=row, config=config, labels=self._labels(row, config), places=places)

    def weights(self, job_id: str, step: int) -> SnapshotWeights:
        """Return the weights after the check at a step.

        Raises
        ------
        JobNotFound, NotFound
            There is no such job, or no snapshot of that step.
        """
        with self._database.read() as connection:
            row = job_row(connection, job_id)
            body = snapshot_rows.body(connection, job_id, step)
        if body is None:
            raise NotFound("There is no snapshot of that step; the list of snapshots says which there are.")
        config = TrainingConfig.from_dict(row.config)
        weights = unpack_weights(body, config.n_outputs)
        return SnapshotWeights(job=row, config=config, labels=self._labels(row, config), step=step, weights=weights)

    def file(self, job_id: str, *, since: int = -1) -> tuple[Sequence[int], bytes]:
        """Return the steps of all snapshots after a step, and their weights, (n, 785, n_outputs), as packed."""
        with self._database.read() as connection:
            job_row(connection, job_id)
            found = snapshot_rows.bodies(connection, job_id, since=since)
        return [step for step, _ in found], b"".join(body for _, body in found)

    def confusion(self, job_id: str, step: int) -> Confusion:
        """Hold the weights of a snapshot against the validation images of its job; errors as `weights`."""
        found = self.weights(job_id, step)
        dataset = self._datasets.get(found.job.dataset)
        counts = _confusion(_Question(job_id, step, ref(found), ref(dataset)))
        names = dataset.names_of(found.config.classes)
        return Confusion(job=found.job, config=found.config, class_names=names, step=step, counts=counts)

    def _labels(self, row: JobRow, config: TrainingConfig) -> Sequence[str]:
        return output_names(config.model, self._datasets.class_names(row.dataset, config.classes))


@dataclass(frozen=True, slots=True)
class _Question:
    """Job and step, by which an answer is known; and what it takes to find it, which is not kept with it."""

    job_id: str
    step: int
    found: ref[SnapshotWeights] = field(compare=False)
    dataset: ref[Dataset] = field(compare=False)


@lru_cache(maxsize=_N_KEPT)
def _confusion(question: _Question) -> Ints:
    found, dataset = question.found(), question.dataset()
    assert found is not None and dataset is not None  # whoever asks holds them
    config, weights = found.config, found.weights
    images, true = validation_images(dataset, config)
    n_classes = len(config.classes)
    counts = np.zeros(n_classes * n_classes, np.int64)
    for start in range(0, len(images), _BLOCK_SIZE):
        part = slice(start, start + _BLOCK_SIZE)
        predicted = probabilities(config.model, weights, design_matrix(images[part])).argmax(axis=1)
        counts += np.bincount(true[part] * n_classes + predicted, minlength=len(counts))
    counts.flags.writeable = False
    return counts.reshape(n_classes, n_classes)
