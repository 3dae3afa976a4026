"""Sweeps: `Sweeps` submits, reads and cancels them; their members are ordinary jobs."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection
from ulid import ULID

from service.core import METRICS, Floats, Ints, Model, TrainingConfig, completed, norm
from service.database import (
    EVERYTHING,
    Annotation,
    GroupState,
    JobRow,
    JobState,
    NewJob,
    Search,
    SweepRow,
    annotation_rows,
    event_rows,
    found_sweeps,
    job_rows,
    report_of_sweep,
    sweep_rows,
    weight_rows,
)
from service.datasets import Dataset, select, with_its_classes
from service.errors import InUse, InvalidField, InvalidJobTransition, JobNotFound, NoDataYet
from service.registry import check_model_name, utc_text
from service.worker import decode_checkpoint

from .job import Job, Series, in_words
from .submission import SubmissionService, check_capacity, cut_page, fingerprint, parse_cursor
from .sweep_request import SweepRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSummary:
    """A sweep without its members, for a listing; ``states`` counts the members in each state."""

    id: str
    request: SweepRequest
    created_at: datetime
    states: Mapping[str, int]

    @property
    def over(self) -> bool:
        """Whether every member is finished."""
        return all(JobState(state).final for state in self.states)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "id": self.id,
            **self.request.annotation.to_dict(),
            **self.request.to_dict(),
            "state": "finished" if self.over else "running",
            "states": dict(self.states),
            "created_at": utc_text(self.created_at),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One job of a sweep, without its history, and its values of the grid."""

    values: Mapping[str, Any]
    job: Job

    def metric(self, name: str) -> float | None:
        """Return a metric at the member's best check, None before its first."""
        return None if self.job.best is None else float(getattr(self.job.best, name))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as in an answer."""
        job = self.job.to_dict()
        shown = ("state", "progress", "metrics", "stop_reason", "error", "model", "started_at", "finished_at")
        return {"values": dict(self.values), "job": self.job.id, **{name: job[name] for name in shown}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep(SweepSummary):
    """A sweep with its members, in the order of the grid. Members whose job was deleted are missing.

    ``batches_per_epoch`` is None unless all members that have begun agree in it.
    """

    members: tuple[Member, ...]
    batches_per_epoch: int | None

    @property
    def fraction(self) -> float:
        """The mean progress of the members, 1 for those that are finished."""
        done = [1.0 if m.job.state.final else m.job.progress.fraction for m in self.members]
        return sum(done) / len(done) if done else 1.0

    @property
    def caption(self) -> str:
        """The caption of a picture of the sweep."""
        config = TrainingConfig(
            **{**self.request.base, **{name: values[0] for name, values in self.request.grid.items()}}
        )
        fixed = [words for name, words in in_words(config).items() if name not in self.request.varied]
        model = "" if "model" in self.request.varied else f"{config.model} "
        n_finished, n_members = sum(member.job.state.final for member in self.members), len(self.members)
        return f"{model}on {self.request.dataset}, {', '.join(fixed)}; {n_finished:,} of {n_members:,} members finished"

    def ranked(self, metric: str) -> list[Member]:
        """Return the members, best first; those without a check come last."""
        sign = METRICS[metric].sign

        def key(member: Member) -> tuple[bool, float]:
            value = member.metric(metric)
            return (value is None, sign * (value or 0.0))

        return sorted(self.members, key=key)

    def grouped(self, names: Collection[str]) -> dict[tuple[Any, ...], list[Member]]:
        """Return the members in groups that agree in these hyperparameters, by their values."""
        groups: dict[tuple[Any, ...], list[Member]] = defaultdict(list)
        for member in self.members:
            groups[tuple(getattr(member.job.config, name) for name in names)].append(member)
        return groups

    def to_dict(self, metric: str = "validation_loss") -> dict[str, Any]:
        """Return plain data, as in an answer, with the members ranked."""
        ranked = self.ranked(metric)
        best = ranked[0] if ranked and ranked[0].job.best else None
        return {
            **SweepSummary.to_dict(self),
            "fraction": self.fraction,
            "ranked_by": metric,
            "best": best.job.id if best else None,
            "members": [{**member.to_dict(), "rank": rank} for rank, member in enumerate(ranked, start=1)],
        }


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

        return self._accept("sweeps", idempotency_key, request_sha256, insert, _sweep)

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
            conditions = found_sweeps(search, state)
            found = sweep_rows.page(connection, *conditions, before=parse_cursor(before), limit=limit + 1)
            rows, following = cut_page(found, limit)
            ids = [row.id for row in rows]
            states = job_rows.count_members_by_state(connection, ids)
            annotations = annotation_rows.get(connection, "sweeps", ids)
        summaries = [
            SweepSummary(
                id=row.id,
                request=_request(row, annotations[row.id]),
                created_at=row.created_at,
                states=states.get(row.id, {}),
            )
            for row in rows
        ]
        return summaries, following

    def cancel(self, sweep_id: str) -> Sweep:
        """Cancel every member that is not finished. Idempotent."""
        with self._database.write() as connection:
            _row(connection, sweep_id)
            job_rows.cancel(connection, sweep_ids=[sweep_id])
        self._wake_engine()
        return self.get(sweep_id)

    def delete(self, sweep_id: str) -> None:
        """Delete a sweep with all its members, but not their models; `InvalidJobTransition` unless all are finished.

        Raises `InUse` if a report needs it.
        """
        with self._database.write() as connection:
            _row(connection, sweep_id)
            if report_id := report_of_sweep(connection, sweep_id):
                raise InUse(f"Report {report_id} needs this sweep; delete that first.")
            delete_sweep(connection, sweep_id)

    def series(self, sweep: Sweep, metric: str) -> dict[str, tuple[Ints, Series]]:
        """Return steps and values of a metric at all checks of each member, by job, as of when the sweep was read."""
        newest = max((m.job.latest.id for m in sweep.members if m.job.latest), default=0)
        with self._database.read() as connection:
            found = event_rows.checks_of_sweep(connection, sweep.id, up_to=newest)
        wanted = [member.job.id for member in sweep.members if len(found.get(member.job.id, ()))]
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
        begun = next((member.job for member in sweep.members if member.job.latest), None)
        if begun is None:
            raise NoDataYet("No member has results yet; they follow the first validation checks.")
        with self._database.read() as connection:
            row = job_rows.get(connection, begun.id)
        environment: Mapping[str, Any] = (row.environment if row else None) or {}
        grid = {name: list(values) for name, values in sweep.request.grid.items()}
        return {
            "sweep": sweep.id,
            "states": json.dumps(dict(sweep.states)),
            **{name: json.dumps(value) for name, value in {**begun.config.to_dict(), **grid}.items()},
            "dataset": sweep.request.dataset,
            "dataset_sha256": (row.dataset_sha256 if row else None) or "",
            **{name: str(value) for name, value in environment.items()},
        }

    def tile_names(self, sweep: Sweep) -> list[str]:
        """Return the names of the pictures of a member's weights: none if there are hidden units among them."""
        config = sweep.members[0].job.config
        if any(len(member.job.config.build_model().layout.tensors) > 1 for member in sweep.members):
            return []
        return config.build_model().tile_names(self._datasets.class_names(sweep.request.dataset, config.classes))

    def _parameters(self, sweep: Sweep, which: str) -> Iterator[tuple[Model, Floats] | None]:
        """Yield one at a time: a thousand checkpoints would fill the memory of a small machine."""
        with self._database.read() as connection:
            for member in sweep.members:
                body = weight_rows.get_checkpoint(connection, member.job.id)
                yield None if body is None else _decode(body, member.job.config, which)


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
    about = {"dataset": request.dataset, "name": request.model_name, **request.annotation.given()}
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
    sweep_rows.insert(connection, id=sweep_id, **columns)
    annotation_rows.put(connection, "sweeps", sweep_id, request.annotation)
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
    sweep_rows.delete(connection, sweep_id)
    annotation_rows.delete(connection, "sweeps", [sweep_id])


def _row(connection: Connection, sweep_id: str) -> SweepRow:
    row = sweep_rows.get(connection, sweep_id)
    if row is None:
        raise JobNotFound("There is no sweep of that id.")
    return row


def _request(row: SweepRow, annotation: Annotation) -> SweepRequest:
    return SweepRequest(base=row.base, grid=row.grid, dataset=row.dataset, name=row.name, annotation=annotation)


def _sweep(connection: Connection, sweep_id: str) -> Sweep:
    row = _row(connection, sweep_id)
    annotation = annotation_rows.get(connection, "sweeps", [row.id])[row.id]
    rows, request = job_rows.members(connection, row.id), _request(row, annotation)
    paces = {member.batches_per_epoch for member in rows} - {None}
    return Sweep(
        id=row.id,
        request=request,
        created_at=row.created_at,
        states=Counter(member.state for member in rows),
        members=tuple(_shown_member(request, member) for member in rows),
        batches_per_epoch=paces.pop() if len(paces) == 1 else None,
    )


def _shown_member(request: SweepRequest, row: JobRow) -> Member:
    config = completed(row.config)
    return Member(values={name: config[name] for name in request.grid}, job=Job.of(row, ()))


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
