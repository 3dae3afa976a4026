"""A job in an answer: its request, state, progress and results, and its recorded history, whole or thinned."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.answers import Doc
from service.charts import BlockAverage, Curves, Thinning, steps_averaged
from service.core import METRICS, Check, Floats, Ints, StopReason, TrainingConfig, completed
from service.core.tables import csv_text
from service.database import (
    CHECK,
    NO_ANNOTATION,
    Annotation,
    CheckSeries,
    Event,
    JobRow,
    JobState,
    NewJob,
    RecordedCheck,
    Transition,
)
from service.errors import ServiceError
from service.worker import Progress

from .derived_jobs import INHERITED, Continuation, ModelVersion, StartingPoint, Verification
from .submission import fingerprint

MAX_CLAIMS = 500
"""In so many parts a job can be trained: each adds lines to its history, which is in every answer about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """A request for training: hyperparameters, a data set, and the name of the model.

    ``start_from`` is what was asked for, where ``config`` has the version that it meant. With ``paused`` it waits to be
    continued before its first step. The annotation changes nothing about the training.
    """

    config: TrainingConfig
    dataset: str = "mnist"
    name: str | None = None
    start_from: str | None = None
    paused: bool = False
    annotation: Annotation = NO_ANNOTATION

    @property
    def model_name(self) -> str:
        """The given name, or one made of data set and model."""
        return f"{self.dataset}-{self.config.model}" if self.name is None else self.name

    def to_record(self) -> dict[str, Any]:
        """Return the data by which equal requests are recognised, wherever an alias points meanwhile."""
        record = self.config.to_record()
        if self.start_from is not None:
            record = {name: value for name, value in record.items() if name not in INHERITED}
            record["start_from"] = self.start_from
        record |= {"paused": True} if self.paused else {}
        return {**record, "dataset": self.dataset, "name": self.model_name, **self.annotation.given()}

    def new_job(self, idempotency_key: str | None = None) -> NewJob:
        """Return the job to be inserted."""
        return NewJob(
            name=self.model_name,
            dataset=self.dataset,
            config=self.config.to_record(),
            idempotency_key=idempotency_key,
            request_sha256=fingerprint(self.to_record()),
            annotation=self.annotation,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBatch:
    """Events of a job, oldest first; ``complete`` says that no more will follow."""

    events: tuple[Event, ...]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a job failed, as in its answer. ``type`` is that of a problem, as in ``/problems/worker-lost``."""

    type: str
    title: str
    detail: str

    @classmethod
    def of(cls, error: Exception, title: str) -> Failure:
        """Build from an error of the service; any other error is internal."""
        if isinstance(error, ServiceError):
            return cls(type=f"/problems/{error.code}", title=title, detail=error.message)
        return INTERNAL


INTERNAL = Failure(
    type="/problems/internal-error", title="An internal error", detail="A bug stopped the training; see the log."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobConfig(TrainingConfig):
    """The request for a job: its hyperparameters, its data set and the name of its model; a version to start from."""

    dataset: str
    name: str

    @classmethod
    def of(cls, row: JobRow, start: StartingPoint | None) -> JobConfig:
        """Build from a row and where it begins."""
        start_from = f"{start.name}/{start.version}" if start else None
        return cls(**{**completed(row.config), "start_from": start_from}, dataset=row.dataset, name=row.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestAndBest:
    """The newest check, and the one with the lowest validation loss."""

    latest: RecordedCheck | None = None
    best: RecordedCheck | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Annotation):
    """A training job."""

    id: str
    state: JobState
    config: Annotated[JobConfig, Doc("The request, with everything that it left open.", dict[str, Any])]
    progress: Progress
    pause_at_step: Annotated[
        int | None, Doc("It pauses before this step, or does; 0 while it runs: after the current one. null: never.")
    ] = None
    can_pause: Annotated[
        bool,
        Doc(
            "Now or later: it is neither over nor being cancelled, no member of a sweep, and was trained in fewer than "
            f"{MAX_CLAIMS} parts."
        ),
    ]
    metrics: LatestAndBest
    stop_reason: Annotated[str | None, Doc("Why training ended.", StopReason | None)] = None
    error: Annotated[Mapping[str, Any] | None, Doc(written_as=Failure | None)] = None
    model: Annotated[
        Mapping[str, Any] | None, Doc("What it made, once it is over; a verification makes none.", ModelVersion | None)
    ] = None
    continues: Annotated[Mapping[str, Any] | None, Doc("Of a resumed job.", Continuation | None)]
    starts_from: Annotated[StartingPoint | None, Doc("Of a job with `start_from`.")]
    sweep: Annotated[str | None, Doc("The sweep of which it is a member: trained with others, it cannot be paused.")]
    verification: Annotated[Mapping[str, Any] | None, Doc("Of a job that verifies another.", Verification | None)]
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    history: tuple[Transition, ...]

    @classmethod
    def of(cls, row: JobRow, history: Iterable[Transition], annotation: Annotation = NO_ANNOTATION) -> Job:
        """Build from a row, its recorded moves, and what was written about it."""
        state, latest = JobState(row.state), row.latest_check
        progress = Progress(**latest["detail"]) if latest else Progress()
        if state is JobState.SUCCEEDED:
            progress = replace(progress, fraction=1.0)
        if state.final or state is JobState.PAUSED:
            progress = replace(progress, eta_s=0.0 if state.final else None)
        start = StartingPoint.of(row.config.get("start_from"))
        is_ending = state.final or state is JobState.CANCELLING
        return cls(
            id=row.id,
            config=JobConfig.of(row, start),
            state=state,
            progress=progress,
            pause_at_step=None if state.final else row.pause_at_step,
            can_pause=not is_ending and row.sweep_id is None and row.fence < MAX_CLAIMS,
            metrics=LatestAndBest(latest=_recorded(latest), best=_recorded(row.best_check)),
            stop_reason=row.stop_reason,
            error=row.error,
            model={"name": row.name, "version": row.model_version} if row.model_version else None,
            continues=row.continues,
            starts_from=start,
            sweep=row.sweep_id,
            verification=_shown(row.verification),
            created_at=row.created_at,
            started_at=row.started_at,
            finished_at=row.finished_at,
            history=tuple(history),
            **annotation.texts(),
        )

    @property
    def latest(self) -> RecordedCheck | None:
        """The newest check."""
        return self.metrics.latest

    @property
    def best(self) -> RecordedCheck | None:
        """The check of the lowest validation loss."""
        return self.metrics.best

    def metric(self, name: str) -> float | None:
        """Return a metric at its best check, None before its first."""
        return None if self.best is None else float(getattr(self.best, name))

    @property
    def caption(self) -> str:
        """The caption of a picture of the job."""
        words = ", ".join(in_words(self.config).values())
        return f"{self.config.model} on {self.config.dataset}, {words}; {self.state}"

    def hyperparameters(self) -> dict[str, Any]:
        """Return them by name, with the checksum of the weights that it starts from."""
        return {**self.config.to_dict(), "start_from": self.starts_from and str(self.starts_from)}


def in_words(config: TrainingConfig) -> dict[str, str]:
    """Return what a caption says about a configuration, by the names of hyperparameters."""
    return {
        "learning_rate": f"learning rate {config.learning_rate:g}",
        "batch_size": f"batch size {config.batch_size}",
        "l2_penalty": f"L2 penalty {config.l2_penalty:g}",
        "shuffle": "shuffled" if config.shuffle else "in file order",
        "seed": f"seed {config.seed}",
    }


def _recorded(check: Mapping[str, Any] | None) -> RecordedCheck | None:
    return RecordedCheck(**{name: check[name] for name in _SHOWN}) if check else None


def _shown(verification: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return {name: verification[name] for name in ("job", "model", "outcome")} if verification else None


Series: TypeAlias = NDArray[np.float64]

MAX_POINTS = 1_000_000
DEFAULT_POINTS = 100_000
"""Checks, and losses, in an answer that asks for no number: more than most jobs have."""

_PIECE = 5_000
"""Points that are written as one piece of text."""
_EXACT_LOSSES = 200_000
"""Steps up to which charts get every loss."""
_LOSS = np.dtype([("step", "<i8"), ("value", "<f8")])
_SHOWN = ["id", *Check.__dataclass_fields__]

ReadPieces: TypeAlias = Callable[..., Iterable[CheckSeries]]
"""Reads a history in pieces, from its beginning at each call; with ``losses=False`` without them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Metrics:
    """Validation checks, and the training loss of every step.

    ``thinned`` says that points are left out; of each interval the lowest and the highest of every metric are kept.
    """

    recorded: NDArray[np.void]
    loss_steps: Ints
    loss_values: Floats
    thinned: bool

    @classmethod
    def of(cls, read: ReadPieces, later: NDArray[np.void], max_points: int = DEFAULT_POINTS) -> Metrics:
        """Build from the recorded history, checks and losses each thinned to ``max_points``; see `losses_after`."""
        n_checks, n_losses = _lengths(read, later)
        checks, losses = _thin_checks(n_checks, max_points), Thinning(n_losses, max_points, _LOSS)
        for piece in read():
            checks.add([piece.checks[name] for name in METRICS], piece.checks)
            rows = _losses_of(piece)
            losses.add([rows["value"]], rows)
        losses.add([later["value"]], later)
        kept = losses.items()
        return cls(
            recorded=checks.items()[_SHOWN],
            loss_steps=kept["step"],
            loss_values=kept["value"],
            thinned=max(n_checks, n_losses) > max_points,
        )

    @property
    def checks(self) -> list[RecordedCheck]:
        """The checks, oldest first."""
        return [RecordedCheck(**row) for row in self.rows()]

    def rows(self, places: slice = slice(None)) -> list[dict[str, Any]]:
        """Return checks as plain data, ready for JSON."""
        return [dict(zip(_SHOWN, row, strict=True)) for row in self.recorded[places].tolist()]

    def json_pieces(self) -> Iterator[str]:
        """Yield it as JSON, ``checks``, ``train_loss`` and ``thinned``, so that no piece takes long or much memory."""
        yield '{"checks":['
        yield from self._joined(len(self.recorded), self.rows)
        for opening, values in (('],"train_loss":{"steps":[', self.loss_steps), ('],"values":[', self.loss_values)):
            yield opening
            yield from self._joined(len(values), partial(_listed, values))
        yield f']}},"thinned":{json.dumps(self.thinned)}}}'

    def csv_pieces(self) -> Iterator[str]:
        """Yield the checks as CSV."""
        yield csv_text(_SHOWN, ())
        for start in range(0, len(self.recorded), _PIECE):
            yield csv_text(_SHOWN, self.rows(slice(start, start + _PIECE)), header=False)

    @staticmethod
    def _joined(length: int, part_of: Callable[[slice], list[Any]]) -> Iterator[str]:
        for start in range(0, length, _PIECE):
            part = json.dumps(part_of(slice(start, start + _PIECE)), allow_nan=False, separators=(",", ":"))
            yield ("," if start else "") + part[1:-1]


def losses_after(step: int, losses: Floats) -> NDArray[np.void]:
    """Return the losses of the steps after a check, as the history has those up to it."""
    rows = np.zeros(len(losses), _LOSS)
    rows["step"], rows["value"] = np.arange(step + 1, step + 1 + len(losses)), losses
    return rows


def curves_of(job: JobRow, read: ReadPieces, later: NDArray[np.void]) -> Curves:
    """Return the same history as arrays for the charts, with their marks; of a long one what a chart can show."""
    n_checks, n_losses = _lengths(read, later)
    checks = _thin_checks(n_checks, DEFAULT_POINTS)
    losses = Thinning(n_losses if n_losses <= _EXACT_LOSSES else 0, _EXACT_LOSSES, _LOSS)
    average = BlockAverage(steps_averaged(n_losses))
    for piece in chain(read(), [None]):
        if piece is not None:
            checks.add([piece.checks[name] for name in METRICS], piece.checks)
        rows = later if piece is None else _losses_of(piece)
        if n_losses <= _EXACT_LOSSES:
            losses.add([rows["value"]], rows)
        else:
            average.add(rows["step"], rows["value"])
    found, kept = checks.items(), losses.items()
    loss: dict[str, Any] = {"train_loss_steps": kept["step"], "train_loss": kept["value"]}
    if n_losses > _EXACT_LOSSES:
        middle, mean, deviation = average.statistics()
        band = np.maximum(mean - deviation, average.lowest), mean + deviation
        loss = {"train_loss_steps": middle, "train_loss": mean, "n_averaged": average.length, "train_loss_band": band}
    stopped_early = job.stop_reason == StopReason.EARLY_STOPPING
    return Curves(
        check_steps=found["step"],
        checks={name: found[name] for name in METRICS},
        **loss,
        best_step=job.best_check["step"] if job.best_check else None,
        stop_step=job.latest_check["step"] if job.latest_check and stopped_early else None,
        batches_per_epoch=job.batches_per_epoch,
    )


def _listed(values: NDArray[Any], places: slice) -> list[Any]:
    return list(values[places].tolist())


def _thin_checks(length: int, max_points: int) -> Thinning:
    return Thinning(length, max_points, CHECK, n_columns=len(METRICS))


def _lengths(read: ReadPieces, later: NDArray[np.void]) -> tuple[int, int]:
    """Return the number of checks and of losses."""
    counts = [(len(piece.checks), int(piece.checks["n_losses"].sum())) for piece in read(losses=False)]
    return sum(n for n, _ in counts), sum(n for _, n in counts) + len(later)


def _losses_of(piece: CheckSeries) -> NDArray[np.void]:
    """Return the step and the loss of each; the steps of a check end at its own."""
    n_losses = piece.checks["n_losses"]
    losses = np.zeros(int(n_losses.sum()), _LOSS)
    losses["value"] = piece.step_losses
    losses["step"] = np.arange(len(losses)) + np.repeat(piece.checks["step"] + 1 - np.cumsum(n_losses), n_losses)
    return losses
