"""What is written down of a run, under which claim, and what is left when something fails in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection

from service.core import StopReason, TrainingConfig
from service.database import JOBS, Database, JobRow, SnapshotRow, job_rows, weight_rows
from service.errors import StorageFailed, StorageFull
from service.jobs import MAX_LOSSES, JobState, Recorder
from service.jobs.job import INTERNAL
from service.jobs.snapshots import MAX_SNAPSHOTS
from service.registry import Registry
from service.stores import LocalStore
from service.worker import (
    Checked,
    Checkpointed,
    Ended,
    MemberSpec,
    Message,
    StackSpec,
    Started,
    StopRequests,
    run_training,
)
from tests.jobs.job_system import SHORT, JobSystem
from tests.postgresql import only_sqlite


def messages_of(checkpoint: bytes | None = None, *, max_snapshots: int = 0, **hyperparameters: Any) -> list[Message]:
    """Train in this process and return what a worker says."""
    messages: list[Message] = []
    member = MemberSpec(
        job_id="", fence=1, config=TrainingConfig(**{**SHORT, **hyperparameters}), checkpoint=checkpoint
    )
    spec = StackSpec(dataset="mnist", members=(member,), max_snapshots=max_snapshots)
    run_training(spec, messages.append, StopRequests())
    return messages


@pytest.fixture(scope="module")
def messages() -> list[Message]:
    return messages_of()


def ended_of(messages: list[Message]) -> Ended:
    assert isinstance(messages[-1], Ended)
    return messages[-1]


def record_all(recorder: Recorder, claim: JobRow, messages: list[Message]) -> bool:
    """Write everything down but the end."""
    return recorder.record(
        claim,
        started=next(message for message in messages if isinstance(message, Started)),
        checks=[message for message in messages if isinstance(message, Checked)],
        checkpoint=next((message for message in reversed(messages) if isinstance(message, Checkpointed)), None),
    )


def claim_next(system: JobSystem, by: str = "engine") -> JobRow:
    with system.database.write() as connection:
        (claim,) = job_rows.claim_oldest(connection, claimed_by=by, lease_s=30, max_members=1)
    return claim


@pytest.fixture
def claim(idle: JobSystem) -> JobRow:
    """Return the claim of a job that was just handed in."""
    idle.submit()
    return claim_next(idle)


def row_of(database: Database, job_id: str) -> tuple[JobRow | None, bytes | None]:
    with database.read() as connection:
        return JOBS.find(connection, job_id), weight_rows.get_checkpoint(connection, job_id)


def everything(system: JobSystem, job_id: str) -> tuple[object, ...]:
    """Return all that is known of a job and of the models."""
    versions = {name: system.registry.versions(name) for name in system.registry.names()}
    return (*row_of(system.database, job_id), system.jobs.events(job_id).events, versions)


class Refusing(LocalStore):
    """A store that fails to create a blob, as on a full disk, until it is repaired."""

    error: Exception | None = None

    def create(self, key: str, data: bytes) -> None:
        if self.error is not None:
            raise self.error
        super().create(key, data)


@pytest.fixture
def refusing(idle: JobSystem) -> Iterator[Refusing]:
    yield Refusing(idle.folder / "model_store")


def test_a_run_is_recorded(idle: JobSystem, claim: JobRow, messages: list[Message]) -> None:
    assert record_all(idle.recorder, claim, messages)
    job = idle.jobs.get(claim.id)
    assert job.state is JobState.RUNNING and job.latest is not None and job.latest.step == 11
    assert len(idle.curve(claim.id)) == 12
    assert idle.recorder.finish(claim, ended_of(messages))
    assert idle.jobs.get(claim.id).state is JobState.SUCCEEDED


def test_repeated_checks_stay_as_they_are(idle: JobSystem, claim: JobRow, messages: list[Message]) -> None:
    """As after a crash: the next attempt begins at a checkpoint before the last recorded checks."""
    checks = [message for message in messages if isinstance(message, Checked)]
    assert idle.recorder.record(claim, checks=checks[:8])
    before = idle.jobs.events(claim.id).events
    assert idle.recorder.record(claim, checks=checks[3:])
    assert idle.jobs.events(claim.id).events[: len(before)] == before
    assert len(idle.curve(claim.id)) == 12
    lowest = min(idle.jobs.metrics(claim.id).checks, key=lambda check: check.validation_loss)
    assert idle.jobs.get(claim.id).best == lowest


@pytest.mark.slow
def test_of_many_checks_at_a_time_only_what_is_kept_of_their_weights_is_written(
    idle: JobSystem, claim: JobRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage leaves many; to write them all and drop most of them would need the room of all."""
    messages = messages_of(epochs=200, patience=None, validation_size=10, max_snapshots=MAX_SNAPSHOTS)
    append, written = weight_rows.append_snapshots, []

    def counted(connection: Connection, job_id: str, new: Sequence[tuple[SnapshotRow, bytes]]) -> None:
        written.append(len(new))
        append(connection, job_id, new)

    monkeypatch.setattr(weight_rows, "append_snapshots", counted)
    assert record_all(idle.recorder, claim, messages)
    with idle.database.read() as connection:
        places = weight_rows.list_snapshots(connection, claim.id)
    assert [place.number for place in places] == list(range(0, 800, 4))
    assert written == [200]


def test_finishing_twice_makes_one_version(idle: JobSystem, claim: JobRow, messages: list[Message]) -> None:
    record_all(idle.recorder, claim, messages)
    assert idle.recorder.finish(claim, ended_of(messages)) is True
    before = everything(idle, claim.id)
    assert idle.recorder.finish(claim, ended_of(messages)) is False
    assert everything(idle, claim.id) == before
    assert idle.registry.versions("mnist-softmax") == (1,)


def test_the_first_finish_does_not_search_the_versions(
    idle: JobSystem, messages: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        idle.submit()
        idle.recorder.finish(claim_next(idle), ended_of(messages))
    read = []
    original = LocalStore.read

    def counted(store: LocalStore, key: str, *, max_bytes: int) -> bytes:
        read.append(key)
        return original(store, key, max_bytes=max_bytes)

    idle.submit()
    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "read", counted)
        assert idle.recorder.finish(claim_next(idle), ended_of(messages))
    assert read == []
    assert idle.registry.versions("mnist-softmax") == (1, 2, 3, 4), "equal weights of other jobs are other versions"


def test_a_crash_between_the_model_and_its_row_makes_one_version(
    idle: JobSystem, claim: JobRow, messages: list[Message]
) -> None:
    """The model is stored and the job is still running when the power goes; the next engine comes to the same end."""
    record_all(idle.recorder, claim, messages)
    with pytest.raises(StorageFailed):
        Recorder(_FailsAtTheSecondWrite(idle.database), idle.registry).finish(claim, ended_of(messages))
    assert idle.registry.versions("mnist-softmax") == (1,)
    assert idle.jobs.get(claim.id).state is JobState.RUNNING

    assert idle.recorder.lose(claim, "the power went")
    again = claim_next(idle, "next engine")
    _, checkpoint = row_of(idle.database, claim.id)
    assert checkpoint == ended_of(messages).checkpoint, "it has nothing left to train"
    second = messages_of(checkpoint)
    assert not any(isinstance(message, Checked) for message in second)
    record_all(idle.recorder, again, second)
    assert idle.recorder.finish(again, ended_of(second))
    job = idle.jobs.get(claim.id)
    assert job.model == {"name": "mnist-softmax", "version": 1}
    assert idle.registry.versions("mnist-softmax") == (1,)


def test_a_crash_while_a_cancelled_model_is_stored_makes_one_version(
    idle: JobSystem, claim: JobRow, messages: list[Message]
) -> None:
    """Also where the worker had come further than its last checkpoint of before."""
    first = next(message for message in messages if isinstance(message, Checkpointed))
    idle.recorder.record(claim, started=messages[0], checkpoint=first)  # type: ignore[arg-type]
    idle.jobs.cancel(claim.id)
    ended = ended_of(messages)
    cancelled = Ended(member=0, stop_reason=StopReason.CANCELLED, checkpoint=ended.checkpoint)
    with pytest.raises(StorageFailed):
        Recorder(_FailsAtTheSecondWrite(idle.database), idle.registry).finish(claim, cancelled)
    assert idle.recorder.lose(claim, "the power went")
    job = idle.jobs.get(claim.id)
    assert job.state is JobState.CANCELLED and job.model == {"name": "mnist-softmax", "version": 1}
    assert idle.registry.versions("mnist-softmax") == (1,)


class _FailsAtTheSecondWrite:
    """A database that goes away after the first transaction that writes."""

    def __init__(self, database: Database):
        self._database = database
        self._writes = 0
        self.read = database.read

    def write(self) -> Any:
        self._writes += 1
        if self._writes == 2:
            raise StorageFailed("The database does not answer.")
        return self._database.write()


def stale_acts(recorder: Recorder, claim: JobRow, messages: list[Message]) -> dict[str, Callable[[], bool]]:
    ended = ended_of(messages)
    return {
        "record": lambda: record_all(recorder, claim, messages),
        "finish": lambda: recorder.finish(claim, ended),
        "hand back": lambda: recorder.finish(
            claim,
            Ended(member=0, stop_reason=StopReason.CANCELLED, checkpoint=ended.checkpoint, handed_back=True),
        ),
        "cancelled": lambda: recorder.finish(
            claim, Ended(member=0, stop_reason=StopReason.CANCELLED, checkpoint=ended.checkpoint)
        ),
        "diverged": lambda: recorder.finish(
            claim,
            Ended(member=0, stop_reason=StopReason.NON_FINITE_LOSS, checkpoint=ended.checkpoint, failed_step=5),
        ),
        "fail": lambda: recorder.fail(claim, INTERNAL),
        "lose": lambda: recorder.lose(claim, "late"),
    }


ACTS = ["record", "finish", "hand back", "cancelled", "diverged", "fail", "lose"]


@pytest.mark.slow
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("since", ["queued", "running", "cancelling", "succeeded", "failed", "cancelled"])
def test_an_older_claim_changes_nothing(
    idle: JobSystem, claim: JobRow, messages: list[Message], act: str, since: str
) -> None:
    """Whatever a late engine says, and whatever has become of the job since it lost it."""
    idle.recorder.lose(claim, "its engine was thought dead")
    if since != "queued":
        newer = claim_next(idle, "newer engine")
        if since in ("cancelling", "cancelled"):
            idle.jobs.cancel(claim.id)
        if since == "succeeded":
            idle.recorder.finish(newer, ended_of(messages))
        if since == "failed":
            idle.recorder.fail(newer, INTERNAL)
        if since == "cancelled":
            idle.recorder.lose(newer, "dead too")
    assert idle.jobs.get(claim.id).state == since
    before = everything(idle, claim.id)
    assert stale_acts(idle.recorder, claim, messages)[act]() is False
    assert everything(idle, claim.id) == before


@pytest.mark.parametrize("act", ACTS)
def test_a_job_that_was_deleted_meanwhile_stays_deleted(
    idle: JobSystem, claim: JobRow, messages: list[Message], act: str
) -> None:
    idle.recorder.fail(claim, INTERNAL)
    idle.jobs.delete(claim.id)
    assert stale_acts(idle.recorder, claim, messages)[act]() is False
    assert idle.registry.names() == ()


def test_the_third_loss_is_the_last(idle: JobSystem, claim: JobRow) -> None:
    for loss in range(1, MAX_LOSSES):
        assert idle.recorder.lose(claim, f"loss {loss}")
        assert idle.jobs.get(claim.id).state is JobState.QUEUED
        claim = claim_next(idle)
        assert (claim.losses, claim.fence) == (loss, loss + 1)
    assert idle.recorder.lose(claim, "loss 3")
    job = idle.jobs.get(claim.id)
    assert job.state is JobState.FAILED and job.error is not None and job.stop_reason is None
    assert job.error["type"] == "/problems/worker-lost"
    assert [move.reason for move in job.history if move.state is JobState.QUEUED] == [None, "loss 1", "loss 2"]
    assert idle.states(claim.id) == ["queued", "running"] * 3 + ["failed"]


def test_a_lost_job_that_was_to_stop_is_cancelled_with_what_it_had(
    idle: JobSystem, claim: JobRow, messages: list[Message]
) -> None:
    record_all(idle.recorder, claim, messages)
    idle.jobs.cancel(claim.id)
    assert idle.recorder.lose(claim, "its worker died")
    job = idle.jobs.get(claim.id)
    assert (job.state, job.stop_reason) == (JobState.CANCELLED, "cancelled")
    assert job.model == {"name": "mnist-softmax", "version": 1}


def test_a_lost_job_that_was_to_stop_and_had_nothing_is_cancelled(idle: JobSystem, claim: JobRow) -> None:
    idle.jobs.cancel(claim.id)
    assert idle.recorder.lose(claim, "its worker died")
    job = idle.jobs.get(claim.id)
    assert (job.state, job.model) == (JobState.CANCELLED, None)
    assert idle.registry.names() == ()


def test_handing_back_a_job_that_was_to_stop_cancels_it(
    idle: JobSystem, claim: JobRow, messages: list[Message]
) -> None:
    """The service was stopped between the request and its effect."""
    record_all(idle.recorder, claim, messages)
    idle.jobs.cancel(claim.id)
    ended = ended_of(messages)
    handed_back = Ended(member=0, stop_reason=StopReason.CANCELLED, checkpoint=ended.checkpoint, handed_back=True)
    assert idle.recorder.finish(claim, handed_back)
    job = idle.jobs.get(claim.id)
    assert job.state is JobState.CANCELLED and job.model == {"name": "mnist-softmax", "version": 1}


def test_a_job_that_ends_before_the_cancel_arrives_has_succeeded(
    idle: JobSystem, claim: JobRow, messages: list[Message]
) -> None:
    record_all(idle.recorder, claim, messages)
    idle.jobs.cancel(claim.id)
    assert idle.recorder.finish(claim, ended_of(messages))
    assert idle.states(claim.id) == ["queued", "running", "cancelling", "succeeded"]


def test_a_job_cancelled_before_its_first_check_has_no_model(idle: JobSystem, claim: JobRow) -> None:
    messages: list[Message] = []
    stop = StopRequests()
    stop.cancel(0)
    member = MemberSpec(job_id="", fence=1, config=TrainingConfig(**SHORT))
    run_training(StackSpec(dataset="mnist", members=(member,)), messages.append, stop)
    idle.jobs.cancel(claim.id)
    assert idle.recorder.finish(claim, ended_of(messages))
    job = idle.jobs.get(claim.id)
    assert (job.state, job.model, job.error) == (JobState.CANCELLED, None, None)


def test_weights_that_are_not_finite_are_no_obstacle(idle: JobSystem, claim: JobRow) -> None:
    messages = messages_of(learning_rate=10.0, l2_penalty=100.0, epochs=50, patience=None)
    record_all(idle.recorder, claim, messages)
    assert idle.recorder.finish(claim, ended_of(messages))
    job = idle.jobs.get(claim.id)
    assert job.error is not None and job.error["type"] == "/problems/non-finite-loss"
    assert np.isfinite(idle.jobs.weights(claim.id, "last").parameters).all()


def test_a_damaged_checkpoint_fails_the_job(idle: JobSystem, claim: JobRow) -> None:
    assert idle.recorder.finish(claim, Ended(member=0, stop_reason=StopReason.MAX_EPOCHS, checkpoint=b"damaged"))
    job = idle.jobs.get(claim.id)
    assert job.state is JobState.FAILED and job.error is not None
    assert job.error["type"] == "/problems/corrupted"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StorageFull("No space is left for the model store."), "storage-full"),
        (StorageFailed("The model store cannot be read or written."), "storage-failed"),
        (RuntimeError("division by cucumber"), "internal-error"),
    ],
)
def test_a_model_that_cannot_be_stored_fails_its_job_alone(
    idle: JobSystem, refusing: Refusing, messages: list[Message], error: Exception, code: str
) -> None:
    idle.submit()
    idle.recorder.finish(claim_next(idle), ended_of(messages))
    refusing.error = error
    recorder = Recorder(idle.database, Registry(refusing))
    idle.submit()
    claim = claim_next(idle)
    record_all(recorder, claim, messages)
    assert recorder.finish(claim, ended_of(messages))
    job = idle.jobs.get(claim.id)
    assert job.state is JobState.FAILED and job.error is not None and job.model is None
    assert job.error["type"] == f"/problems/{code}" and "cucumber" not in job.error["detail"]
    assert idle.jobs.weights(claim.id, "best").final, "they are still there to be looked at"
    assert idle.registry.versions("mnist-softmax") == (1,)
    idle.registry.load("mnist-softmax", 1)

    refusing.error = None
    idle.submit()
    assert recorder.finish(claim_next(idle), ended_of(messages))
    assert idle.registry.versions("mnist-softmax") == (1, 2)


@only_sqlite
def test_an_unavailable_database_fails_no_job(idle: JobSystem, claim: JobRow, messages: list[Message]) -> None:
    """Neither recording nor finishing is lost: it is tried again."""
    impatient = Database(str(idle.database.engine.url), busy_timeout_ms=20)
    recorder = Recorder(impatient, idle.registry)
    with idle.database.write():
        for act in stale_acts(recorder, claim, messages).values():
            with pytest.raises(StorageFailed):
                act()
    assert idle.states(claim.id) == ["queued", "running"]
    assert record_all(recorder, claim, messages)
    assert recorder.finish(claim, ended_of(messages))
    assert idle.jobs.get(claim.id).state is JobState.SUCCEEDED
    impatient.close()
