"""A job in an answer: its request, state, progress and results, and its recorded history, whole or thinned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.charts import Curves, thin
from service.core import METRICS, Ints, StopReason, TrainingConfig
from service.database import CheckSeries, EventRow, JobRow, JobState, NewJob, RecordedCheck, StateRow, Transition
from service.registry import utc_text
from service.worker import Checked, Progress

from .derived_jobs import INHERITED, StartingPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """A request for training: hyperparameters, a data set, and the name of the model.

    ``start_from`` is what was asked for, where ``config`` has the version that it meant.
    """

    config: TrainingConfig
    dataset: str = "mnist"
    name: str | None = None
    start_from: str | None = None

    @property
    def model_name(self) -> str:
        """The given name, or one made of data set and model."""
        return f"{self.dataset}-{self.config.model}" if self.name is None else self.name

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: the hyperparameters flat, as in a request."""
        return {**self.config.to_dict(), "dataset": self.dataset, "name": self.model_name}

    def to_record(self) -> dict[str, Any]:
        """Return the data by which equal requests are recognised, wherever an alias points meanwhile."""
        record = self.config.to_record()
        if self.start_from is not None:
            record = {name: value for name, value in record.items() if name not in INHERITED}
            record["start_from"] = self.start_from
        return {**record, "dataset": self.dataset, "name": self.model_name}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event of a job: a state or a check. Ids ascend over all jobs."""

    id: int
    kind: str
    data: Mapping[str, Any]

    @classmethod
    def of(cls, row: EventRow) -> Event:
        """Build from a row."""
        if isinstance(row, StateRow):
            return cls(id=row.id, kind="state", data=_shown_move(row.move))
        return cls(id=row.id, kind="check", data={**row.to_dict(), "progress": dict(row.detail)})


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBatch:
    """Events of a job, oldest first; ``complete`` says that no more will follow."""

    events: tuple[Event, ...]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job without its curves and weights."""

    id: str
    name: str
    dataset: str
    config: TrainingConfig
    state: JobState
    progress: Progress
    latest: RecordedCheck | None = None
    best: RecordedCheck | None = None
    stop_reason: str | None = None
    error: Mapping[str, Any] | None = None
    model: Mapping[str, Any] | None = None
    continues: Mapping[str, Any] | None = None
    verification: Mapping[str, Any] | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    history: tuple[Transition, ...]

    @classmethod
    def accepted(cls, new: NewJob, at: datetime) -> Job:
        """Build from what was inserted just now, without reading it again."""
        return cls(
            id=new.id,
            name=new.name,
            dataset=new.dataset,
            config=TrainingConfig.from_record(new.config),
            state=JobState.QUEUED,
            progress=Progress(),
            continues=new.continues,
            verification=_shown(new.verification),
            created_at=at,
            history=(Transition(state=JobState.QUEUED, at=at, reason=None),),
        )

    @classmethod
    def of(cls, row: JobRow, history: Sequence[StateRow]) -> Job:
        """Build from a row and its recorded moves."""
        state = JobState(row.state)
        progress = Progress(**row.latest_check.detail) if row.latest_check else Progress()
        if state is JobState.SUCCEEDED:
            progress = replace(progress, fraction=1.0)
        if state.final:
            progress = replace(progress, eta_s=0.0)
        return cls(
            id=row.id,
            name=row.name,
            dataset=row.dataset,
            config=TrainingConfig.from_record(row.config),
            state=state,
            progress=progress,
            latest=row.latest_check,
            best=row.best_check,
            stop_reason=row.stop_reason,
            error=row.error,
            model={"name": row.name, "version": row.model_version} if row.model_version else None,
            continues=row.continues,
            verification=_shown(row.verification),
            created_at=row.created_at,
            started_at=row.started_at,
            finished_at=row.finished_at,
            history=tuple(row.move for row in history),
        )

    @property
    def caption(self) -> str:
        """The caption of a picture of the job."""
        config = self.config
        order = "shuffled" if config.shuffle else "in file order"
        return (
            f"{config.model} on {self.dataset}, learning rate {config.learning_rate:g}, "
            f"batch size {config.batch_size}, L2 penalty {config.l2_penalty:g}, {order}, "
            f"seed {config.seed}; {self.state}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as in an answer."""
        start = StartingPoint.of(self.config)
        return {
            "id": self.id,
            "state": self.state.value,
            "config": {
                **JobRequest(config=self.config, dataset=self.dataset, name=self.name).to_dict(),
                "start_from": f"{start.name}/{start.version}" if start else None,
            },
            "starts_from": asdict(start) if start else None,
            "progress": self.progress.to_dict(),
            "metrics": {
                "latest": self.latest.to_dict() if self.latest else None,
                "best": self.best.to_dict() if self.best else None,
            },
            "stop_reason": self.stop_reason,
            "error": dict(self.error) if self.error else None,
            "model": dict(self.model) if self.model else None,
            "continues": dict(self.continues) if self.continues else None,
            "verification": dict(self.verification) if self.verification else None,
            "created_at": utc_text(self.created_at),
            "started_at": utc_text(self.started_at) if self.started_at else None,
            "finished_at": utc_text(self.finished_at) if self.finished_at else None,
            "history": list(map(_shown_move, self.history)),
        }


def _shown_move(move: Transition) -> dict[str, Any]:
    return {"state": move.state.value, "at": utc_text(move.at), "reason": move.reason}


def _shown(verification: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return {name: verification[name] for name in ("job", "model", "outcome")} if verification else None


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
