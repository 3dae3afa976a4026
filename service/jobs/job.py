"""A job in an answer: its request, state, progress and results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from service.core import Check, TrainingConfig
from service.database import CheckRow, EventRow, JobRow, JobState, NewJob, StateRow
from service.registry import utc_text
from service.worker import Progress

from .starting_point import INHERITED, StartingPoint


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
class RecordedCheck(Check):
    """A validation check with the id of its event."""

    id: int

    @classmethod
    def of(cls, row: CheckRow) -> RecordedCheck:
        """Build from a row."""
        return cls(**{name: getattr(row, name) for name in cls.__dataclass_fields__})

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON, the id first."""
        return {"id": self.id, **Check.to_dict(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One line of a job's history."""

    state: JobState
    at: datetime
    reason: str | None

    @classmethod
    def of(cls, row: StateRow) -> Transition:
        """Build from a row."""
        return cls(state=JobState(row.state), at=row.at, reason=row.reason)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {"state": self.state.value, "at": utc_text(self.at), "reason": self.reason}


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
            return cls(id=row.id, kind="state", data=Transition.of(row).to_dict())
        return cls(id=row.id, kind="check", data={**RecordedCheck.of(row).to_dict(), "progress": dict(row.detail)})


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
            latest=RecordedCheck.of(row.latest_check) if row.latest_check else None,
            best=RecordedCheck.of(row.best_check) if row.best_check else None,
            stop_reason=row.stop_reason,
            error=row.error,
            model={"name": row.name, "version": row.model_version} if row.model_version else None,
            continues=row.continues,
            verification=_shown(row.verification),
            created_at=row.created_at,
            started_at=row.started_at,
            finished_at=row.finished_at,
            history=tuple(Transition.of(move) for move in history),
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
            "starts_from": start.to_dict() if start else None,
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
            "history": [move.to_dict() for move in self.history],
        }


def _shown(verification: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return {name: verification[name] for name in ("job", "model", "outcome")} if verification else None
