"""The recorded history of a job, whole or thinned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.charts import Curves, thin
from service.core import METRICS, Ints, StopReason
from service.database import CheckSeries, JobRow
from service.worker import Checked

from .job import RecordedCheck

Series: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Metrics:
    """Validation checks, and the training loss of every step.

    ``thinned`` says that points are left out; of each interval the lowest and the highest loss are kept.
    """

    checks: Sequence[RecordedCheck]
    loss_steps: Ints
    loss_values: Series
    thinned: bool

    @classmethod
    def of(cls, series: CheckSeries, max_points: int | None) -> Metrics:
        """Build from the recorded series, each thinned to ``max_points`` (at least 4) if that is given."""
        checks, losses = series.checks, Checked.unpack_losses(series.step_losses)
        n_points = max(len(checks), len(losses))
        if max_points is None:
            max_points = n_points
        checks = checks[thin(checks["validation_loss"], max_points)]
        kept = thin(losses, max_points)
        names = list(RecordedCheck.__dataclass_fields__)
        return cls(
            checks=[RecordedCheck(**dict(zip(names, row, strict=True))) for row in checks[names].tolist()],
            loss_steps=_steps_of(series, kept),
            loss_values=losses[kept].astype(np.float64),
            thinned=n_points > max_points,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "checks": [check.to_dict() for check in self.checks],
            "train_loss": {"steps": self.loss_steps.tolist(), "values": self.loss_values.tolist()},
            "thinned": self.thinned,
        }


def curves_of(job: JobRow, series: CheckSeries) -> Curves:
    """Return the same history as arrays for the charts, with their marks."""
    checks = series.checks
    losses = Checked.unpack_losses(series.step_losses)
    stopped_early = job.stop_reason == StopReason.EARLY_STOPPING
    return Curves(
        check_steps=checks["step"],
        checks={name: checks[name] for name in METRICS},
        train_loss_steps=_steps_of(series, np.arange(len(losses))),
        train_loss=losses.astype(np.float64),
        best_step=job.best_check.step if job.best_check else None,
        stop_step=job.latest_check.step if job.latest_check and stopped_early else None,
        batches_per_epoch=job.batches_per_epoch,
    )


def _steps_of(series: CheckSeries, places: NDArray[np.intp]) -> Ints:
    """Return the steps of the losses at some positions of a series; those of a check end at its step."""
    ends = np.cumsum(series.checks["n_losses"])
    checks = np.searchsorted(ends, places, side="right")
    steps: Ints = places + (series.checks["step"] + 1 - ends)[checks]
    return steps
