"""What can be asked of sweeps: submit, look, cancel. Their members are ordinary jobs and are asked about as such."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import Connection
from ulid import ULID

from service.core import Floats, Ints, Model, TrainingConfig, completed, norm
from service.database import (
    JobRow,
    NewJob,
    NewSweep,
    SweepRow,
    event_rows,
    job_rows,
    sweep_rows,
    weight_rows,
)
from service.datasets import Dataset, plan_split, with_its_classes
from service.errors import InvalidField, JobNotFound, NoDataYet
from service.registry import check_model_name
from service.worker import decode_checkpoint

from .job import Job
from .metrics import Series
from .submission import SubmissionService, cancel_row, check_capacity, fingerprint, parse_cursor
from .sweep import Member, Sweep, SweepRequest, SweepSummary

T = TypeVar("T")


class Sweeps(SubmissionService):
    """The service of sweeps; see `SubmissionService` for the parameters."""

    def submit(self, request: SweepRequest, *, idempotency_key: str | None = None) -> Sweep:
        """Accept a sweep with all its members, or return the one accepted under the same key before.

        Members that share data and batch order get the same stack key, by which the engine trains them together.

        Raises
        ------
        InvalidField
            A member cannot be, or does not fit the data set, or the name cannot be a model's.
        QueueFull, IdempotencyMismatch
        """
        dataset = self._datasets.requested(request.dataset)  # first: the name of the model may be made of it
        check_model_name(request.model_name)
        configs = [with_its_classes(config, dataset) for config in request.configs()]
        _check_fit(request, configs, dataset)
        request_sha256 = _fingerprint(request, configs)
        sweep = new_sweep(request, idempotency_key=idempotency_key, request_sha256=request_sha256)

        def insert(connection: Connection) -> Sweep:
            check_capacity(connection, len(configs), self._max_queue_length)
            sweep_rows.insert(connection, sweep)
            job_rows.insert(connection, member_rows(sweep, configs))
            return _sweep(connection, sweep.id)

        return self._accept("sweeps", idempotency_key, sweep.request_sha256, insert, _sweep)

    def get(self, sweep_id: str) -> Sweep:
        """Return a sweep; raise `JobNotFound`."""
        with self._database.read() as connection:
            return _sweep(connection, sweep_id)

    def page(self, *, limit: int = 50, before: str | None = None) -> tuple[list[SweepSummary], str | None]:
        """Return the newest sweeps first and, if there are more, the cursor to ask for them with."""
        with self._database.read() as connection:
            rows = sweep_rows.page(connection, before=parse_cursor(before), limit=limit + 1)
            states = job_rows.count_members_by_state(connection, [row.id for row in rows[:limit]])
        summaries = [
            SweepSummary(id=row.id, request=_request(row), created_at=row.created_at, states=states.get(row.id, {}))
            for row in rows[:limit]
        ]
        return summaries, str(rows[limit - 1].number) if len(rows) > limit else None

    def cancel(self, sweep_id: str) -> Sweep:
        """Ask every member that is not over to stop. Asking again changes nothing."""
        with self._database.write() as connection:
            _row(connection, sweep_id)
            for row in job_rows.members(connection, sweep_id):
                cancel_row(connection, row.id)
        self._wake_engine()
        return self.get(sweep_id)

    def series(self, sweep: Sweep, metric: str) -> dict[str, tuple[Ints, Series]]:
        """Return steps and values of a metric at all checks of each member, by job, as of when the sweep was read."""
        newest = max((m.job.latest.id for m in sweep.members if m.job.latest), default=0)
        with self._database.read() as connection:
            found = event_rows.checks_of_sweep(connection, sweep.id, up_to=newest)
        wanted = [member.job.id for member in sweep.members if len(found.get(member.job.id, ()))]
        return {job_id: (found[job_id]["step"], found[job_id][metric]) for job_id in wanted}

    def tiles(self, sweep: Sweep, which: str) -> list[Floats | None]:
        """Return pictures of the ``best`` or ``last`` weights of each member, None where there are none yet.

        Raises
        ------
        NoDataYet
            There are none of any member.
        """
        return _some([found and found[0].tiles(found[1]) for found in self._parameters(sweep, which)])

    def norms(self, sweep: Sweep) -> list[float | None]:
        """Return the Frobenius norm of the last weights of each member, biases included; as `tiles`."""
        return _some([found and norm(found[1]) for found in self._parameters(sweep, "last")])

    def provenance(self, sweep: Sweep) -> Mapping[str, str]:
        """Return what a picture of this sweep should say about where it comes from.

        Raises
        ------
        NoDataYet
            No member has been checked yet, so there is nothing that could be pictured.
        """
        begun = next((member.job for member in sweep.members if member.job.latest), None)
        if begun is None:
            raise NoDataYet("No member has anything to show yet; it is there after the first validation checks.")
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
        """Return what to call each picture of the weights of its members."""
        config = sweep.members[0].job.config
        return config.build_model().tile_names(self._datasets.class_names(sweep.request.dataset, config.classes))

    def _parameters(self, sweep: Sweep, which: str) -> Iterator[tuple[Model, Floats] | None]:
        """Yield one after the other: a thousand checkpoints at a time would fill a small machine's memory."""
        with self._database.read() as connection:
            for member in sweep.members:
                body = weight_rows.get_checkpoint(connection, member.job.id)
                yield None if body is None else _decode(body, member.job.config, which)


def _check_fit(request: SweepRequest, configs: Sequence[TrainingConfig], dataset: Dataset) -> None:
    """Raise `InvalidField` unless the data set has what every member asks for; the seed makes no difference."""
    for config in {replace(config, seed=0).stack_key(): config for config in configs}.values():
        try:
            plan_split(dataset, config)
        except InvalidField as error:
            raise request.placed(error) from None


def _fingerprint(request: SweepRequest, configs: Sequence[TrainingConfig]) -> str:
    """Return what tells whether two requests are the same: defaults may be written out, and grids reordered."""
    members = sorted(json.dumps(config.to_record(), sort_keys=True) for config in configs)
    return fingerprint({"members": members, "dataset": request.dataset, "name": request.model_name})


def new_sweep(request: SweepRequest, *, idempotency_key: str | None = None, request_sha256: str) -> NewSweep:
    """Return the row of a sweep, with an id of its own."""
    return NewSweep(
        id=str(ULID()),
        name=request.model_name,
        dataset=request.dataset,
        base=request.base,
        grid={name: list(values) for name, values in request.grid.items()},
        idempotency_key=idempotency_key,
        request_sha256=request_sha256,
    )


def member_rows(sweep: NewSweep, configs: Sequence[TrainingConfig]) -> list[NewJob]:
    """Return the rows of a sweep's members; those that can be trained together have the same stack key."""
    return [
        NewJob(
            id=str(ULID()),
            name=sweep.name,
            dataset=sweep.dataset,
            config=config.to_record(),
            request_sha256=sweep.request_sha256,
            sweep_id=sweep.id,
            stack_key=hashlib.sha256(f"{sweep.id} {config.stack_key()!r}".encode()).hexdigest(),
        )
        for config in configs
    ]


def _row(connection: Connection, sweep_id: str) -> SweepRow:
    row = sweep_rows.get(connection, sweep_id)
    if row is None:
        raise JobNotFound("There is no sweep of that id.")
    return row


def _request(row: SweepRow) -> SweepRequest:
    return SweepRequest(base=row.base, grid=row.grid, dataset=row.dataset, name=row.name)


def _sweep(connection: Connection, sweep_id: str) -> Sweep:
    row = _row(connection, sweep_id)
    rows, request = job_rows.members(connection, row.id), _request(row)
    paces = {member.batches_per_epoch for member in rows} - {None}
    return Sweep(
        id=row.id,
        request=request,
        created_at=row.created_at,
        members=tuple(_shown_member(request, member) for member in rows),
        batches_per_epoch=paces.pop() if len(paces) == 1 else None,
    )


def _shown_member(request: SweepRequest, row: JobRow) -> Member:
    config = completed(row.config)
    return Member(values={name: config[name] for name in request.grid}, job=Job.of(row, ()))


def _some(found: list[T | None]) -> list[T | None]:
    if not any(one is not None for one in found):
        raise NoDataYet("No member has weights yet; they are there after the first validation checks.")
    return found


def _decode(body: bytes, config: TrainingConfig, which: str) -> tuple[Model, Floats]:
    state = decode_checkpoint(body, config)
    return config.build_model(), state.best if which == "best" else state.last
