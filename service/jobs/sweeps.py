"""Sweeps: a grid of hyperparameters, with an ordinary job for each of its points."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from sqlalchemy import Connection
from ulid import ULID

from service.answers import Doc
from service.core import BY_NAME, METRICS, Floats, Ints, Model, StopReason, TrainingConfig, norm
from service.database import (
    EVERYTHING,
    JOBS,
    SWEEPS,
    Annotation,
    GroupState,
    JobState,
    NewJob,
    Search,
    SweepRow,
    annotation_rows,
    event_rows,
    in_state,
    job_rows,
    of_sweep,
    report_of_sweep,
    weight_rows,
)
from service.datasets import Dataset, select, with_its_classes
from service.errors import InUse, InvalidField, InvalidJobTransition, NoDataYet
from service.registry import Registry, check_model_name
from service.worker import Progress, decode_checkpoint

from .derived_jobs import ModelVersion, started
from .job import Failure, Job, LatestAndBest, Series, in_words
from .submission import SubmissionService, check_capacity, fingerprint

MAX_MEMBERS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRequest(Annotation):
    """A request for a sweep: members are all combinations of the values in ``grid``, the last name changing fastest.

    They share the hyperparameters of ``base``; the others have their defaults. Raises `InvalidField` at construction,
    of ``base.learning_rate``, ``grid.seed`` or ``grid``: a name is unknown or in both, a value is outside its range, or
    the grid is empty or holds a value twice.
    """

    base: Annotated[Mapping[str, Any], Doc("What all members share, as far as it was given.", dict[str, Any])]
    grid: Annotated[Mapping[str, Sequence[Any]], Doc(written_as=dict[str, list[Any]])]
    dataset: str = "mnist"
    name: str | None = None

    def __post_init__(self) -> None:
        Annotation.__post_init__(self)
        base = {name: _check("base", name, value) for name, value in self.base.items()}
        grid = {name: tuple(_check("grid", name, value) for value in values) for name, values in self.grid.items()}
        for name, values in grid.items():
            if name in base:
                raise InvalidField(f"{name} is in the grid too.", field=f"base.{name}", allowed="in one of the two")
            if not values or len(set(values)) != len(values):
                allowed = "one value or more, each once"
                raise InvalidField(f"The grid must hold {allowed}, of {name}.", field=f"grid.{name}", allowed=allowed)
        if not grid:
            raise _wrong_size()
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "grid", grid)

    @property
    def varied(self) -> tuple[str, ...]:
        """The hyperparameters of the grid that have several values."""
        return tuple(name for name, values in self.grid.items() if len(values) > 1)

    def configs(self, registry: Registry | None = None) -> list[TrainingConfig]:
        """Return each member's configuration, of a model where it starts from one; raise `InvalidField` as above."""
        if math.prod(map(len, self.grid.values())) > MAX_MEMBERS:
            raise _wrong_size()
        points = itertools.product(*self.grid.values())
        members = [{**self.base, **dict(zip(self.grid, point, strict=True))} for point in points]
        try:
            return [TrainingConfig(**started(values, registry)) for values in members]
        except InvalidField as error:
            raise self.placed(error) from None

    def placed(self, error: InvalidField) -> InvalidField:
        """Return the error of a member with its field named as in this request."""
        place = "grid" if error.field in self.grid else "base"
        return InvalidField(error.message, field=f"{place}.{error.field}", allowed=error.allowed)

    @property
    def model_name(self) -> str:
        """The given name, or one made of data set and model."""
        if self.name is not None:
            return self.name
        return f"{self.dataset}-{self.base.get('model', 'softmax')}-sweep"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        grid = {name: list(values) for name, values in self.grid.items()}
        return {"base": dict(self.base), "grid": grid, "dataset": self.dataset, "name": self.model_name}


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSummary(SweepRequest):
    """A sweep without its members, for a listing."""

    id: str
    name: Annotated[str, Doc("The model of which every member becomes a version.")]
    state: Annotated[Literal["running", "finished"], Doc("finished: every member is over.")]
    states: Annotated[Mapping[str, int], Doc("How many members are in each state.", dict[JobState, int])]
    created_at: datetime

    @staticmethod
    def fields_of(row: SweepRow, states: Mapping[str, int], annotation: Annotation) -> dict[str, Any]:
        """Return them of a row, the states of the members, and what was written about it."""
        return {
            **{name: getattr(row, name) for name in ("id", "base", "grid", "dataset", "name", "created_at")},
            "state": "finished" if all(JobState(state).final for state in states) else "running",
            "states": states,
            **annotation.texts(),
        }

    @property
    def summary(self) -> SweepSummary:
        """What a listing has of it."""
        return SweepSummary(**{name: getattr(self, name) for name in SweepSummary.__dataclass_fields__})


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedMember:
    """A member of a sweep: a job like any other, and the values in which it differs from the rest."""

    rank: Annotated[int, Doc("1 is the best; those without a check come last.")]
    values: Annotated[Mapping[str, Any], Doc("Of the hyperparameters in the grid.", dict[str, Any])]
    job: Annotated[str, Doc("The id of its job, which has everything else.")]
    state: JobState
    progress: Progress
    metrics: LatestAndBest
    stop_reason: Annotated[str | None, Doc(written_as=StopReason | None)]
    error: Annotated[Mapping[str, Any] | None, Doc(written_as=Failure | None)]
    model: Annotated[Mapping[str, Any] | None, Doc(written_as=ModelVersion | None)]
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, member: Job, rank: int, grid: Iterable[str]) -> RankedMember:
        """Build from a member, its rank, and the names in the grid."""
        shown = ("state", "progress", "metrics", "stop_reason", "error", "model", "started_at", "finished_at")
        values = member.hyperparameters()
        return cls(
            rank=rank,
            values={name: values[name] for name in grid},
            job=member.id,
            **{name: getattr(member, name) for name in shown},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedSweep(SweepSummary):
    """A sweep with its members, the best first."""

    fraction: Annotated[float, Doc("The mean over the members; those that are over count whole.")]
    ranked_by: Annotated[str, Doc(written_as=Literal[tuple(METRICS)])]
    best: Annotated[str | None, Doc("The job of the best member; null before the first check.")]
    members: tuple[RankedMember, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep(SweepSummary):
    """A sweep with its members, in the order of the grid. Members whose job was deleted are missing.

    ``batches_per_epoch`` is None unless all members that have begun agree in it.
    """

    members: tuple[Job, ...]
    batches_per_epoch: int | None

    @property
    def fraction(self) -> float:
        """The mean progress of the members, 1 for those that are finished."""
        done = [1.0 if m.state.final else m.progress.fraction for m in self.members]
        return sum(done) / len(done) if done else 1.0

    @property
    def caption(self) -> str:
        """The caption of a picture of the sweep."""
        config = TrainingConfig(**{**self.base, **{name: values[0] for name, values in self.grid.items()}})
        fixed = [words for name, words in in_words(config).items() if name not in self.varied]
        model = "" if "model" in self.varied else f"{config.model} "
        n_finished, n_members = sum(member.state.final for member in self.members), len(self.members)
        return f"{model}on {self.dataset}, {', '.join(fixed)}; {n_finished:,} of {n_members:,} members finished"

    def ranked(self, metric: str) -> list[Job]:
        """Return the members, best first; those without a check come last."""
        sign = METRICS[metric].sign

        def key(member: Job) -> tuple[bool, float]:
            value = member.metric(metric)
            return (value is None, sign * (value or 0.0))

        return sorted(self.members, key=key)

    def grouped(self, names: Collection[str]) -> dict[tuple[Any, ...], list[Job]]:
        """Return the members in groups that agree in these hyperparameters, by their values."""
        groups: dict[tuple[Any, ...], list[Job]] = defaultdict(list)
        for member in self.members:
            groups[tuple(getattr(member.config, name) for name in names)].append(member)
        return groups

    def ranking(self, metric: str = "validation_loss") -> RankedSweep:
        """Return it as an answer, with the members ranked by a metric."""
        ranked = self.ranked(metric)
        best = ranked[0] if ranked and ranked[0].best else None
        return RankedSweep(
            **{name: getattr(self, name) for name in SweepSummary.__dataclass_fields__},
            fraction=self.fraction,
            ranked_by=metric,
            best=best.id if best else None,
            members=tuple(RankedMember.of(member, rank, self.grid) for rank, member in enumerate(ranked, start=1)),
        )


T = TypeVar("T")


class Sweeps(SubmissionService):
    """The service of sweeps; see `SubmissionService` for the parameters."""

    def submit(self, request: SweepRequest, *, idempotency_key: str | None = None) -> Sweep:
        """Accept a sweep with all its members, or return the one accepted under the same key before.

        Raises `InvalidField` if a member is invalid or does not fit the data set, or the name cannot be a model's;
        `QueueFull`, `IdempotencyMismatch`.
        """
        dataset = self._datasets.requested(request.dataset)  # first: the default name of the model contains it
        check_model_name(request.model_name)
        configs = [with_its_classes(config, dataset) for config in request.configs(self._registry)]
        _check_fit(request, configs, dataset)
        request_sha256 = _fingerprint(request, configs)

        def insert(connection: Connection) -> Sweep:
            check_capacity(connection, len(configs), self._max_queue_length)
            sweep_id, members = insert_sweep(connection, request, configs, request_sha256, idempotency_key)
            job_rows.insert(connection, members)
            return _sweep(connection, sweep_id)

        return self._accept(SWEEPS, idempotency_key, request_sha256, insert, _sweep)

    def get(self, sweep_id: str) -> Sweep:
        """Return a sweep; raise `JobNotFound`."""
        with self._database.read() as connection:
            return _sweep(connection, sweep_id)

    def page(
        self,
        *,
        state: GroupState | None = None,
        search: Search = EVERYTHING,
        limit: int = 50,
        before: str | None = None,
    ) -> tuple[list[SweepSummary], str | None]:
        """Return the newest sweeps first and, if there are more, the cursor of the next page."""
        with self._database.read() as connection:
            conditions = in_state(state, of_sweep)
            rows, following = SWEEPS.page(connection, *conditions, search=search, limit=limit, before=before)
            ids = [row.id for row in rows]
            states = job_rows.count_members_by_state(connection, ids)
            annotations = annotation_rows.get(connection, "sweeps", ids)
        summaries = [
            SweepSummary(**SweepSummary.fields_of(row, states.get(row.id, {}), annotations[row.id])) for row in rows
        ]
        return summaries, following

    def cancel(self, sweep_id: str) -> Sweep:
        """Cancel every member that is not finished. Idempotent."""
        with self._database.write() as connection:
            SWEEPS.get(connection, sweep_id)
            job_rows.cancel(connection, sweep_ids=[sweep_id])
        self._wake_engine()
        return self.get(sweep_id)

    def delete(self, sweep_id: str) -> None:
        """Delete a sweep with all its members, but not their models; `InvalidJobTransition` unless all are finished.

        Raises `InUse` if a report needs it.
        """
        with self._database.write() as connection:
            SWEEPS.get(connection, sweep_id)
            if report_id := report_of_sweep(connection, sweep_id):
                raise InUse(f"Report {report_id} needs this sweep; delete that first.")
            delete_sweep(connection, sweep_id)

    def series(self, sweep: Sweep, metric: str) -> dict[str, tuple[Ints, Series]]:
        """Return steps and values of a metric at all checks of each member, by job, as of when the sweep was read."""
        newest = max((m.latest.id for m in sweep.members if m.latest), default=0)
        with self._database.read() as connection:
            found = event_rows.checks_of_sweep(connection, sweep.id, up_to=newest)
        wanted = [member.id for member in sweep.members if len(found.get(member.id, ()))]
        return {job_id: (found[job_id]["step"], found[job_id][metric]) for job_id in wanted}

    def tiles(self, sweep: Sweep, which: str) -> list[Floats | None]:
        """Return pictures of the ``best`` or ``last`` weights of each member, None where it has none yet.

        Of a network they are the hidden units that matter most, as many as the member with the fewest tiles has, and at
        most 10. Raises `NoDataYet` if no member has any.
        """
        found = _some([found and _tiles_in_order(*found) for found in self._parameters(sweep, which)])
        n_tiles = min(len(tiles) for tiles in found if tiles is not None)
        return [tiles if tiles is None else tiles[:n_tiles] for tiles in found]

    def norms(self, sweep: Sweep) -> list[float | None]:
        """Return the Frobenius norm of the last weights of each member, biases included; as `tiles`."""
        return _some([found and norm(found[1]) for found in self._parameters(sweep, "last")])

    def provenance(self, sweep: Sweep) -> Mapping[str, str]:
        """Return the provenance that a picture of this sweep contains; raise `NoDataYet` before the first check."""
        begun = next((member for member in sweep.members if member.latest), None)
        if begun is None:
            raise NoDataYet("No member has results yet; they follow the first validation checks.")
        with self._database.read() as connection:
            row = JOBS.find(connection, begun.id)
        environment: Mapping[str, Any] = (row.environment if row else None) or {}
        grid = {name: list(values) for name, values in sweep.grid.items()}
        return {
            "sweep": sweep.id,
            "states": json.dumps(dict(sweep.states)),
            **{name: json.dumps(value) for name, value in {**begun.hyperparameters(), **grid}.items()},
            "dataset": sweep.dataset,
            "dataset_sha256": (row.dataset_sha256 if row else None) or "",
            **{name: str(value) for name, value in environment.items()},
        }

    def tile_names(self, sweep: Sweep) -> list[str]:
        """Return the names of the pictures of a member's weights: none if there are hidden units among them."""
        config = sweep.members[0].config
        if any(len(member.config.build_model().layout.tensors) > 1 for member in sweep.members):
            return []
        return config.build_model().tile_names(self._datasets.class_names(sweep.dataset, config.classes))

    def _parameters(self, sweep: Sweep, which: str) -> Iterator[tuple[Model, Floats] | None]:
        """Yield one at a time: a thousand checkpoints would fill the memory of a small machine."""
        with self._database.read() as connection:
            for member in sweep.members:
                body = weight_rows.get_checkpoint(connection, member.id)
                yield None if body is None else _decode(body, member.config, which)


def _check_fit(request: SweepRequest, configs: Sequence[TrainingConfig], dataset: Dataset) -> None:
    """Raise `InvalidField` unless the data set is sufficient for every member; the seed does not matter."""
    for config in {replace(config, seed=0).stack_key(): config for config in configs}.values():
        try:
            select(dataset, config)
        except InvalidField as error:
            raise request.placed(error) from None


def _fingerprint(request: SweepRequest, configs: Sequence[TrainingConfig]) -> str:
    """Return the fingerprint of a request, equal also if defaults are written out or the grid is reordered."""
    members = sorted(json.dumps(config.to_record(), sort_keys=True) for config in configs)
    about = {"dataset": request.dataset, "name": request.model_name, **request.given()}
    return fingerprint({"members": members, **about})


def insert_sweep(
    connection: Connection,
    request: SweepRequest,
    configs: Sequence[TrainingConfig],
    request_sha256: str,
    idempotency_key: str | None = None,
) -> tuple[str, list[NewJob]]:
    """Insert a sweep; return its id and its members, to be inserted after it.

    Members that can be trained together have the same stack key.
    """
    sweep_id = str(ULID())
    columns = {**request.to_dict(), "idempotency_key": idempotency_key, "request_sha256": request_sha256}
    SWEEPS.insert(connection, id=sweep_id, **columns)
    annotation_rows.put(connection, "sweeps", sweep_id, request)
    return sweep_id, [
        NewJob(
            name=request.model_name,
            dataset=request.dataset,
            config=config.to_record(),
            request_sha256=request_sha256,
            sweep_id=sweep_id,
            stack_key=hashlib.sha256(f"{sweep_id} {config.stack_key()!r}".encode()).hexdigest(),
        )
        for config in configs
    ]


def delete_sweep(connection: Connection, sweep_id: str) -> None:
    """Delete a sweep with its members; raise `InvalidJobTransition` if one of them is not finished."""
    if n_unfinished := len(job_rows.unfinished(connection, sweep_id=sweep_id)):
        raise InvalidJobTransition(f"{n_unfinished:,} members of the sweep are not over; cancel it first.")
    job_rows.remove_members(connection, sweep_id)
    SWEEPS.delete(connection, sweep_id)
    annotation_rows.delete(connection, "sweeps", [sweep_id])


def _sweep(connection: Connection, sweep_id: str) -> Sweep:
    row = SWEEPS.get(connection, sweep_id)
    annotation = annotation_rows.get(connection, "sweeps", [row.id])[row.id]
    rows = JOBS.all(connection, sweep_id=row.id)
    paces = {member.batches_per_epoch for member in rows} - {None}
    return Sweep(
        **SweepSummary.fields_of(row, Counter(member.state for member in rows), annotation),
        members=tuple(Job.of(member, ()) for member in rows),
        batches_per_epoch=paces.pop() if len(paces) == 1 else None,
    )


def _tiles_in_order(model: Model, row: Floats) -> Floats:
    importance = model.importance(row)
    return model.tiles(row) if importance is None else model.tiles(row)[(-importance).argsort(kind="stable")[:10]]


def _some(found: list[T | None]) -> list[T | None]:
    if not any(one is not None for one in found):
        raise NoDataYet("No member has weights yet; they follow the first validation checks.")
    return found


def _decode(body: bytes, config: TrainingConfig, which: str) -> tuple[Model, Floats]:
    state = decode_checkpoint(body, config)
    return config.build_model(), state.best if which == "best" else state.last


def _wrong_size() -> InvalidField:
    allowed = f"1 to {MAX_MEMBERS:,} members"
    return InvalidField(f"A sweep has {allowed}, the product of its grid.", field="grid", allowed=allowed)


def _check(place: str, name: str, value: Any) -> Any:
    field = f"{place}.{name}"
    if name not in BY_NAME:
        raise InvalidField("There is no hyperparameter of that name.", field=field, allowed=", ".join(BY_NAME))
    try:
        return BY_NAME[name].check(value)
    except InvalidField as error:
        raise InvalidField(error.message, field=field, allowed=error.allowed) from None
