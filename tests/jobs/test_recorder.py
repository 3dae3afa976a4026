"""What is written down of a run, under which claim, and what is left when something fails in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection

from service.core import StopReason, TrainingConfig
from service.database import ClaimRow, Database, JobRow, job_rows, weight_rows
from service.errors import StorageFailed, StorageFull
from service.jobs import MAX_LOSSES, JobState, Recorder
from service.jobs.recorder import INTERNAL
from service.jobs.snapshots import MAX_SNAPSHOTS, Snapshots
from service.registry import LocalStore, Registry
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
from tests.jobs.house import SHORT, House
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
def spoken() -> list[Message]:
    return messages_of()


def ended_of(messages: list[Message]) -> Ended:
    assert isinstance(messages[-1], Ended)
    return messages[-1]


def record_all(recorder: Recorder, claim: ClaimRow, messages: list[Message]) -> bool:
    """Write everything down but the end."""
    return recorder.record(
        claim,
        started=next(message for message in messages if isinstance(message, Started)),
        checks=[message for message in messages if isinstance(message, Checked)],
        checkpoint=next((message for message in reversed(messages) if isinstance(message, Checkpointed)), None),
    )


def claim_next(house: House, by: str = "engine") -> ClaimRow:
    with house.database.write() as connection:
        (claim,) = job_rows.claim_oldest(connection, claimed_by=by, lease_s=30, max_members=1)
    return claim


@pytest.fixture
def claim(desk: House) -> ClaimRow:
    """Return the claim of a job that was just handed in."""
    desk.submit()
    return claim_next(desk)


def row_of(database: Database, job_id: str) -> tuple[JobRow | None, bytes | None]:
    with database.read() as connection:
        return job_rows.get(connection, job_id), weight_rows.get_checkpoint(connection, job_id)


def everything(house: House, job_id: str) -> tuple[object, ...]:
    """Return all that is known of a job and of the models."""
    versions = {name: house.registry.versions(name) for name in house.registry.names()}
    return (*row_of(house.database, job_id), house.jobs.events(job_id).events, versions)


class Refusing(LocalStore):
    """A store that refuses to create a blob, as a full disk does, until it is told otherwise."""

    error: Exception | None = None

    def create(self, key: str, data: bytes) -> None:
        if self.error is not None:
            raise self.error
        super().create(key, data)


@pytest.fixture
def refusing(desk: House) -> Iterator[Refusing]:
    yield Refusing(desk.folder / "model_store")


def test_a_run_is_written_down(desk: House, claim: ClaimRow, spoken: list[Message]) -> None:
    assert record_all(desk.recorder, claim, spoken)
    job = desk.jobs.get(claim.id)
    assert job.state is JobState.RUNNING and job.latest is not None and job.latest.step == 11
    assert len(desk.curve(claim.id)) == 12
    assert desk.recorder.finish(claim, ended_of(spoken))
    assert desk.jobs.get(claim.id).state is JobState.SUCCEEDED


def test_checks_that_come_again_are_left_as_they_are(desk: House, claim: ClaimRow, spoken: list[Message]) -> None:
    """As after a crash: the next attempt begins at a checkpoint before the last recorded checks."""
    checks = [message for message in spoken if isinstance(message, Checked)]
    assert desk.recorder.record(claim, checks=checks[:8])
    before = desk.jobs.events(claim.id).events
    assert desk.recorder.record(claim, checks=checks[3:])
    assert desk.jobs.events(claim.id).events[: len(before)] == before
    assert len(desk.curve(claim.id)) == 12
    lowest = min(desk.jobs.metrics(claim.id).checks, key=lambda check: check.validation_loss)
    assert desk.jobs.get(claim.id).best == lowest


def test_of_many_checks_at_a_time_only_what_is_kept_of_their_weights_is_written(
    desk: House, claim: ClaimRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage leaves many; to write them all and drop most of them would need the room of all."""
    spoken = messages_of(epochs=200, patience=None, validation_size=10, max_snapshots=MAX_SNAPSHOTS)
    append, written = weight_rows.append_snapshots, []

    def counted(connection: Connection, job_id: str, new: Sequence[weight_rows.NewSnapshot]) -> None:
        written.append(len(new))
        append(connection, job_id, new)

    monkeypatch.setattr(weight_rows, "append_snapshots", counted)
    assert record_all(desk.recorder, claim, spoken)
    places = Snapshots(desk.database).list(claim.id).places
    assert [place.number for place in places] == list(range(0, 800, 4))
    assert written == [200]


def test_finishing_twice_makes_one_version(desk: House, claim: ClaimRow, spoken: list[Message]) -> None:
    record_all(desk.recorder, claim, spoken)
    assert desk.recorder.finish(claim, ended_of(spoken)) is True
    before = everything(desk, claim.id)
    assert desk.recorder.finish(claim, ended_of(spoken)) is False
    assert everything(desk, claim.id) == before
    assert desk.registry.versions("mnist-softmax") == (1,)


def test_the_first_finish_does_not_search_the_versions(
    desk: House, spoken: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        desk.submit()
        desk.recorder.finish(claim_next(desk), ended_of(spoken))
    read = []
    original = LocalStore.read

    def counted(store: LocalStore, key: str, *, max_bytes: int) -> bytes:
        read.append(key)
        return original(store, key, max_bytes=max_bytes)

    desk.submit()
    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "read", counted)
        assert desk.recorder.finish(claim_next(desk), ended_of(spoken))
    assert read == []
    assert desk.registry.versions("mnist-softmax") == (1, 2, 3, 4), "equal weights of other jobs are other versions"


def test_a_crash_between_the_model_and_its_row_makes_one_version(
    desk: House, claim: ClaimRow, spoken: list[Message]
) -> None:
    """The model is stored and the job is still running when the power goes; the next engine comes to the same end."""
    record_all(desk.recorder, claim, spoken)
    with pytest.raises(StorageFailed):
        Recorder(_FailsAtTheSecondWrite(desk.database), desk.registry).finish(claim, ended_of(spoken))
    assert desk.registry.versions("mnist-softmax") == (1,)
    assert desk.jobs.get(claim.id).state is JobState.RUNNING

    assert desk.recorder.lose(claim, "the power went")
    again = claim_next(desk, "next engine")
    _, checkpoint = row_of(desk.database, claim.id)
    assert checkpoint == ended_of(spoken).checkpoint, "it has nothing left to train"
    second = messages_of(checkpoint)
    assert not any(isinstance(message, Checked) for message in second)
    record_all(desk.recorder, again, second)
    assert desk.recorder.finish(again, ended_of(second))
    job = desk.jobs.get(claim.id)
    assert job.model == {"name": "mnist-softmax", "version": 1}
    assert desk.registry.versions("mnist-softmax") == (1,)


def test_a_crash_while_a_cancelled_model_is_stored_makes_one_version(
    desk: House, claim: ClaimRow, spoken: list[Message]
) -> None:
    """Also where the worker had come further than its last checkpoint of before."""
    first = next(message for message in spoken if isinstance(message, Checkpointed))
    desk.recorder.record(claim, started=spoken[0], checkpoint=first)  # type: ignore[arg-type]
    desk.jobs.cancel(claim.id)
    ended = ended_of(spoken)
    cancelled = Ended(member=0, stop_reason=StopReason.CANCELLED, checkpoint=ended.checkpoint)
    with pytest.raises(StorageFailed):
        Recorder(_FailsAtTheSecondWrite(desk.database), desk.registry).finish(claim, cancelled)
    assert desk.recorder.lose(claim, "the power went")
    job = desk.jobs.get(claim.id)
    assert job.state is JobState.CANCELLED and job.model == {"name": "mnist-softmax", "version": 1}
    assert desk.registry.versions("mnist-softmax") == (1,)


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


def stale_acts(recorder: Recorder, claim: ClaimRow, spoken: list[Message]) -> dict[str, Callable[[], bool]]:
    ended = ended_of(spoken)
    return {
        "record": lambda: record_all(recorder, claim, spoken),
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


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("since", ["queued", "running", "cancelling", "succeeded", "failed", "cancelled"])
def test_an_older_claim_changes_nothing(
    desk: House, claim: ClaimRow, spoken: list[Message], act: str, since: str
) -> None:
    """Whatever a late engine says, and whatever has become of the job since it lost it."""
    desk.recorder.lose(claim, "its engine was thought dead")
    if since != "queued":
        newer = claim_next(desk, "newer engine")
        if since in ("cancelling", "cancelled"):
            desk.jobs.cancel(claim.id)
        if since == "succeeded":
            desk.recorder.finish(newer, ended_of(spoken))
        if since == "failed":
            desk.recorder.fail(newer, INTERNAL)
        if since == "cancelled":
            desk.recorder.lose(newer, "gone too")
    assert desk.jobs.get(claim.id).state == since
    before = everything(desk, claim.id)
    assert stale_acts(desk.recorder, claim, spoken)[act]() is False
    assert everything(desk, claim.id) == before


@pytest.mark.parametrize("act", ACTS)
def test_a_job_that_was_deleted_meanwhile_stays_deleted(
    desk: House, claim: ClaimRow, spoken: list[Message], act: str
) -> None:
    desk.recorder.fail(claim, INTERNAL)
    desk.jobs.delete(claim.id)
    assert stale_acts(desk.recorder, claim, spoken)[act]() is False
    assert desk.registry.names() == ()


def test_the_third_loss_is_the_last(desk: House, claim: ClaimRow) -> None:
    for loss in range(1, MAX_LOSSES):
        assert desk.recorder.lose(claim, f"loss {loss}")
        assert desk.jobs.get(claim.id).state is JobState.QUEUED
        claim = claim_next(desk)
        assert (claim.losses, claim.fence) == (loss, loss + 1)
    assert desk.recorder.lose(claim, "loss 3")
    job = desk.jobs.get(claim.id)
    assert job.state is JobState.FAILED and job.error is not None and job.stop_reason is None
    assert job.error["type"] == "/problems/worker-lost"
    assert [move.reason for move in job.history if move.state is JobState.QUEUED] == [None, "loss 1", "loss 2"]
    assert desk.states(claim.id) == ["queued", "running"] * 3 + ["failed"]


def test_a_lost_job_that_was_to_stop_is_cancelled_with_what_it_had(
    desk: House, claim: ClaimRow, spoken: list[Message]
) -> None:
    record_all(desk.recorder, claim, spoken)
    desk.jobs.cancel(claim.id)
    assert desk.recorder.lose(claim, "its worker died")
    job = desk.jobs.get(claim.id)
    assert (job.state, job.stop_reason) == (JobState.CANCELLED, "cancelled")
    assert job.model == {"name": "mnist-softmax", "version": 1}


def test_a_lost_job_that_was_to_stop_and_had_nothing_is_cancelled(desk: House, claim: ClaimRow) -> None:
    desk.jobs.cancel(claim.id)
    assert desk.recorder.lose(claim, "its worker died")
    job = desk.jobs.get(claim.id)
    assert (job.state, job.model) == (JobState.CANCELLED, None)
    assert desk.registry.names() == ()


def test_handing_back_a_job_that_was_to_stop_cancels_it(desk: House, claim: ClaimRow, spoken: list[Message]) -> None:
    """The service was stopped between the request and its effect."""
    record_all(desk.recorder, claim, spoken)
    desk.jobs.cancel(claim.id)
    ended = ended_of(spoken)
    handed_back = Ended(member=0, stop_reason=StopReason.CANCELLED, checkpoint=ended.checkpoint, handed_back=True)
    assert desk.recorder.finish(claim, handed_back)
    job = desk.jobs.get(claim.id)
    assert job.state is JobState.CANCELLED and job.model == {"name": "mnist-softmax", "version": 1}


def test_a_job_that_ends_before_it_hears_of_the_cancel_has_succeeded(
    desk: House, claim: ClaimRow, spoken: list[Message]
) -> None:
    record_all(desk.recorder, claim, spoken)
    desk.jobs.cancel(claim.id)
    assert desk.recorder.finish(claim, ended_of(spoken))
    assert desk.states(claim.id) == ["queued", "running", "cancelling", "succeeded"]


def test_a_job_cancelled_before_its_first_check_has_no_model(desk: House, claim: ClaimRow) -> None:
    messages: list[Message] = []
    stop = StopRequests()
    stop.cancel(0)
    member = MemberSpec(job_id="", fence=1, config=TrainingConfig(**SHORT))
    run_training(StackSpec(dataset="mnist", members=(member,)), messages.append, stop)
    desk.jobs.cancel(claim.id)
    assert desk.recorder.finish(claim, ended_of(messages))
    job = desk.jobs.get(claim.id)
    assert (job.state, job.model, job.error) == (JobState.CANCELLED, None, None)


def test_weights_that_are_not_finite_do_not_stand_in_the_way(desk: House, claim: ClaimRow) -> None:
    messages = messages_of(learning_rate=10.0, l2_penalty=100.0, epochs=50, patience=None)
    record_all(desk.recorder, claim, messages)
    assert desk.recorder.finish(claim, ended_of(messages))
    job = desk.jobs.get(claim.id)
    assert job.error is not None and job.error["type"] == "/problems/non-finite-loss"
    assert np.isfinite(desk.jobs.weights(claim.id, "last").parameters).all()


def test_a_damaged_checkpoint_fails_the_job(desk: House, claim: ClaimRow) -> None:
    assert desk.recorder.finish(claim, Ended(member=0, stop_reason=StopReason.MAX_EPOCHS, checkpoint=b"damaged"))
    job = desk.jobs.get(claim.id)
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
    desk: House, refusing: Refusing, spoken: list[Message], error: Exception, code: str
) -> None:
    desk.submit()
    desk.recorder.finish(claim_next(desk), ended_of(spoken))
    refusing.error = error
    recorder = Recorder(desk.database, Registry(refusing))
    desk.submit()
    claim = claim_next(desk)
    record_all(recorder, claim, spoken)
    assert recorder.finish(claim, ended_of(spoken))
    job = desk.jobs.get(claim.id)
    assert job.state is JobState.FAILED and job.error is not None and job.model is None
    assert job.error["type"] == f"/problems/{code}" and "cucumber" not in job.error["detail"]
    assert desk.jobs.weights(claim.id, "best").final, "they are still there to be looked at"
    assert desk.registry.versions("mnist-softmax") == (1,)
    desk.registry.load("mnist-softmax", 1)

    refusing.error = None
    desk.submit()
    assert recorder.finish(claim_next(desk), ended_of(spoken))
    assert desk.registry.versions("mnist-softmax") == (1, 2)


@only_sqlite
def test_a_database_that_is_away_fails_no_job(desk: House, claim: ClaimRow, spoken: list[Message]) -> None:
    """Neither recording nor finishing is lost: it is tried again."""
    impatient = Database(str(desk.database.engine.url), busy_timeout_ms=20)
    recorder = Recorder(impatient, desk.registry)
    with desk.database.write():
        for act in stale_acts(recorder, claim, spoken).values():
            with pytest.raises(StorageFailed):
                act()
    assert desk.states(claim.id) == ["queued", "running"]
    assert record_all(recorder, claim, spoken)
    assert recorder.finish(claim, ended_of(spoken))
    assert desk.jobs.get(claim.id).state is JobState.SUCCEEDED
    impatient.close()
