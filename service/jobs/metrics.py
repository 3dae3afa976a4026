"""The recorded history of a job, whole or thinned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.charts import Curves, thin
from service.core import Ints, StopReason
from service.database import CheckTuple, JobRow
from service.worker import Checked

from .job import RecordedCheck

Series: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Metrics:
    """Validation checks, and the training loss of every step.

    ``thinned`` says that points were left out; of each stretch of them the lowest and highest loss stayed.
    """

    checks: Sequence[RecordedCheck]
    loss_steps: Ints
    loss_values: Series
    thinned: bool

    @classmethod
    def of(cls, rows: Sequence[CheckTuple], max_points: int | None) -> Metrics:
        """Build from rows; with ``max_points`` (at least 4) neither series is longer than that."""
        steps, values = _step_losses(rows)
        thinned = max_points is not None and max(len(rows), len(values)) > max_points
        if thinned and max_points is not None:
            validation_losses = np.array([row.validation_loss for row in rows])
            rows = [rows[index] for index in thin(validation_losses, max_points)]
            kept = thin(values, max_points)
            steps, values = steps[kept], values[kept]
        return cls(
            checks=[RecordedCheck.of(row) for row in rows], loss_steps=steps, loss_values=values, thinned=thinned
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "checks": [check.to_dict() for check in self.checks],
            "train_loss": {"steps": self.loss_steps.tolist(), "values": self.loss_values.tolist()},
            "thinned": self.thinned,
        }


def curves_of(job: JobRow, rows: Sequence[CheckTuple]) -> Curves:
    """Return the same history as arrays for the charts, with the marks that belong into them."""

    def series(name: str) -> Series:
        return np.array([getattr(row, name) for row in rows], dtype=np.float64)

    loss_steps, losses = _step_losses(rows)
    stopped_early = job.stop_reason == StopReason.EARLY_STOPPING
    return Curves(
        check_steps=series("step").astype(np.int64),
        validation_loss=series("validation_loss"),
        validation_accuracy=series("validation_accuracy"),
        train_accuracy=series("train_accuracy"),
        train_loss_steps=loss_steps,
        train_loss=losses,
        best_step=job.best.step if job.best else None,
        stop_step=job.latest.step if job.latest and stopped_early else None,
        batches_per_epoch=job.batches_per_epoch,
    )


def _step_losses(rows: Sequence[CheckTuple]) -> tuple[Ints, Series]:
    """Lay the blocks of losses end to end; each ends at the step of its check."""
    losses = Checked.unpack_losses(b"".join(row.step_losses for row in rows))
    lengths = np.array([len(row.step_losses) for row in rows], dtype=np.int64) // Checked.LOSS_BYTES
    ends = np.array([row.step for row in rows], dtype=np.int64)
    # How far each step number is ahead of its place in the series: 0, unless the series begins in the middle.
    ahead = ends + 1 - np.cumsum(lengths)
    return np.arange(len(losses)) + np.repeat(ahead, lengths), losses
