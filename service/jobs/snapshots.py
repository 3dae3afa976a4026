"""Snapshots: the weights of a job at its checks, and their confusion of the validation images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
import orjson

from service.answers import Doc
from service.core import Floats, Ints, Model, TrainingConfig, design_matrix
from service.core.tables import weights_csv
from service.database import JOBS, Database, JobRow, JobState, weight_rows
from service.datasets import PACKAGED, Datasets, select
from service.errors import NotFound
from service.worker import unpack_snapshot

MAX_SNAPSHOTS = 256
"""The checks of 50 epochs with five each; at most 8 MB a job."""
MAX_OF_MEMBER = 16
"""A sweep may have a thousand members."""
MAX_BYTES, MAX_BYTES_OF_MEMBER = 2**24, 2**20
"""Of all snapshots of a job; the larger the network, the fewer."""

LayerValues: TypeAlias = Literal["weights", "gradient"]

_BLOCK_SIZE = 1000
_N_KEPT = 2048
_NUMBERS_AT_ONCE = 100_000
"""Written within 10 ms, for which everybody else waits."""


def max_snapshots(job: JobRow) -> int:
    """Return how many snapshots of a job are kept; none of a verification, which repeats another job's weights."""
    if job.verification is not None:
        return 0
    n_bytes = 4 * TrainingConfig.from_record(job.config).build_model().layout.size
    if job.sweep_id is None:
        return min(MAX_SNAPSHOTS, max(2, MAX_BYTES // n_bytes))
    return min(MAX_OF_MEMBER, max(1, MAX_BYTES_OF_MEMBER // n_bytes))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JobWeights:
    """Parameters of a job before a step, (n_parameters,), of a snapshot or of the newest checkpoint.

    `pictures` are what is drawn of them, named by ``class_names``; ``final`` once the job is over.
    """

    job: JobRow
    config: TrainingConfig
    model: Model
    class_names: Sequence[str]
    parameters: Floats
    next_step: int

    @classmethod
    def of(
        cls, job: JobRow, config: TrainingConfig, parameters: Floats, *, next_step: int, datasets: Datasets
    ) -> JobWeights:
        """Name the classes as the data set does."""
        return cls(
            job=job,
            config=config,
            model=config.build_model(),
            class_names=datasets.class_names(job.dataset, config.classes),
            parameters=parameters,
            next_step=next_step,
        )

    @property
    def final(self) -> bool:
        """Whether the job is over."""
        return JobState(self.job.state).final

    def pictures(self, layer: int = 1) -> dict[str, Any]:
        """Return ``tiles``, ``labels``, ``importance`` of a layer for `weights_picture`, or raise `InvalidField`."""
        self.model.check_layer(layer)
        return {
            "tiles": self.model.tiles(self.parameters, layer),
            "labels": self.model.tile_names(self.class_names, layer),
            "importance": self.model.importance(self.parameters, layer),
        }

    def numbers(self, row: Floats, layer: int) -> LayerNumbers:
        """Return what leads into a layer, of parameters or their gradient, (n_parameters,), or raise `InvalidField`."""
        self.model.check_layer(layer)
        values = list(self.model.layout.views(row).values())[layer - 1]
        names = self.model.tile_names(self.class_names, layer)
        return LayerNumbers(job=self.job.id, step=self.next_step, layer=layer, outputs=names, values=values)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerNumbers:
    """What leads into a layer, parameters of a job or their gradient, as numbers."""

    job: str
    step: Annotated[int, Doc("The one that comes next.")]
    layer: int
    outputs: Annotated[Sequence[str], Doc("The classes, or the numbers of hidden units: one a column.", list[str])]
    values: Annotated[
        Floats, Doc("A row for each input: of layer 1 a pixel, row after row. The bias is last.", list[list[float]])
    ]

    def to_json(self) -> bytes:
        """Return it as JSON, each number as short as its dtype allows."""
        found = {"job": self.job, "step": self.step, "layer": self.layer, "outputs": self.outputs}
        values = b",".join(rows[1:-1] for rows in self._rows_as_json())
        return b'%s,"values":[%s]}' % (orjson.dumps(found)[:-1], values)

    def to_csv(self) -> str:
        """Return it as `weights_csv` writes it, each number as in the JSON."""
        return weights_csv(self.outputs, [row for rows in self._rows_as_json() for row in orjson.loads(rows)])

    def _rows_as_json(self) -> Iterator[bytes]:
        """Yield lists of rows, few at a time: orjson does not release the lock of the interpreter while it writes."""
        n_rows = max(1, _NUMBERS_AT_ONCE // self.values.shape[1])
        for start in range(0, len(self.values), n_rows):
            rows = np.ascontiguousarray(self.values[start : start + n_rows])
            yield orjson.dumps(rows, option=orjson.OPT_SERIALIZE_NUMPY)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Confusion:
    """The confusion matrix of the validation images under the weights of a snapshot."""

    job: str
    step: int
    epoch: int
    classes: tuple[int, ...]
    n_images: int
    accuracy: float
    confusion: Annotated[Ints, Doc("A row for each true class, a column for each predicted one.", list[list[int]])]


class Snapshots:
    """The service of snapshots, which are immutable."""

    def __init__(self, database: Database, datasets: Datasets = PACKAGED):
        self._database = database
        self._datasets = datasets
        self._counts = lru_cache(_N_KEPT)(self._count)

    def list(self, job_id: str) -> dict[str, Any]:
        """Return which snapshots there are, oldest first, and the model, as in an answer; raise `JobNotFound`."""
        with self._database.read() as connection:
            row = JOBS.get(connection, job_id)
            places = weight_rows.list_snapshots(connection, job_id)
        config = TrainingConfig.from_record(row.config)
        model = config.build_model()
        tensors = model.layout.tensors
        first, second = (place.number for place in places[:2]) if len(places) > 1 else (0, 1)
        return {
            "job": row.id,
            "every_checks": second - first,
            "max_snapshots": max_snapshots(row),
            "shape": [*tensors[0].shape] if len(tensors) == 1 else [model.layout.size],
            "tensors": [{"name": tensor.name, "shape": [*tensor.shape]} for tensor in tensors],
            "operations": [operation.to_dict() for operation in model.operations()],
            "outputs": model.output.names(self._datasets.class_names(row.dataset, config.classes)),
            "snapshots": [
                {"step": place.step, "epoch": place.step // (row.batches_per_epoch or 1), "check": place.check_id}
                for place in places
            ],
        }

    def weights(self, job_id: str, step: int) -> JobWeights:
        """Return the weights after the check at a step; raise `JobNotFound`, or `NotFound` without a snapshot of it."""
        with self._database.read() as connection:
            row = JOBS.get(connection, job_id)
            body = weight_rows.snapshot_body(connection, job_id, step)
        if body is None:
            raise NotFound("There is no snapshot of that step; see the list of snapshots.")
        config = TrainingConfig.from_record(row.config)
        parameters = unpack_snapshot(config.build_model().layout, body)
        return JobWeights.of(row, config, parameters, next_step=step + 1, datasets=self._datasets)

    def file(self, job_id: str, *, since: int = -1) -> tuple[Sequence[int], bytes]:
        """Return the steps of all snapshots after a step, and their parameters, (n, n_parameters), as packed."""
        with self._database.read() as connection:
            JOBS.get(connection, job_id)
            found = weight_rows.snapshot_bodies(connection, job_id, since=since)
        return [step for step, _ in found], b"".join(body for _, body in found)

    def confusion(self, job_id: str, step: int) -> Confusion:
        """Classify the validation images of a job by a snapshot; errors as `weights`."""
        found, counts = self.weights(job_id, step), self._counts(job_id, step)
        n_images = int(counts.sum())
        return Confusion(
            job=job_id,
            step=step,
            epoch=step // (found.job.batches_per_epoch or 1),
            classes=found.config.classes,
            n_images=n_images,
            accuracy=int(counts.trace()) / n_images,
            confusion=counts,
        )

    def _count(self, job_id: str, step: int) -> Ints:
        """Return how many validation images of each class are classified as each, (n_classes, n_classes)."""
        found = self.weights(job_id, step)
        config, model = found.config, found.model
        _, validation = select(self._datasets.get(found.job.dataset), config)
        images, true = validation.images, validation.columns
        n_classes = len(config.classes)
        counts = np.zeros(n_classes * n_classes, np.int64)
        for start in range(0, len(images), _BLOCK_SIZE):
            part = slice(start, start + _BLOCK_SIZE)
            x = design_matrix(images[part], np.float32, model.scaling)
            predicted = model.probabilities(found.parameters, x).argmax(axis=1)
            counts += np.bincount(true[part] * n_classes + predicted, minlength=len(counts))
        counts.flags.writeable = False
        return counts.reshape(n_classes, n_classes)
