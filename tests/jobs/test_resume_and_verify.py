"""Going on where another job ended, and training one again to compare every bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from service.core import HYPERPARAMETERS, TrainingConfig
from service.database import JOBS, job_rows
from service.errors import IdempotencyMismatch, InvalidField, InvalidJobTransition, JobNotFound
from service.jobs import InlineExecutor, Job, JobState, SweepRequest, Sweeps
from service.jobs.job import INTERNAL
from service.worker import Checked, Checkpointed, MemberSpec, Message, StackSpec, Started, StopRequests, run_training
from tests.database.histories import check_series
from tests.jobs.job_system import ENDLESS, LONG, SHORT, JobSystem

STOPPING: dict[str, Any] = {"learning_rate": 0.5, "patience": 3, "epochs": 100}


@pytest.fixture
def inline(make_system: Callable[..., JobSystem]) -> JobSystem:
    """Return a system whose engine trains in a thread."""
    system = make_system(lambda: InlineExecutor(1))
    system.engine.start()
    return system


def resume(system: JobSystem, job: Job, **changes: Any) -> Job:
    return system.wait(system.jobs.resume(job.id, changes).id)


def verify(system: JobSystem, job: Job) -> Job:
    return system.wait(system.jobs.verify(job.id).id)


def assert_as_one_long_run(system: JobSystem, resumed: Job, whole: Job) -> None:
    assert resumed.config == whole.config
    assert system.weights_sha256(resumed.id) == system.weights_sha256(whole.id)
    assert system.curve(resumed.id) == system.curve(whole.id)
    ends = [(job.state, job.stop_reason, job.progress.fraction, job.progress.patience_left) for job in (resumed, whole)]
    assert ends[0] == ends[1]
    for one, other in ((resumed.best, whole.best), (resumed.latest, whole.latest)):
        assert one is not None and other is not None and one.step == other.step


class TestResume:
    @pytest.mark.slow
    def test_more_epochs_are_one_long_run(self, system: JobSystem) -> None:
        first, whole = system.train(epochs=2), system.train(epochs=5)
        before = system.jobs.get(first.id)
        resumed = resume(system, first, epochs=5)
        assert_as_one_long_run(system, resumed, whole)
        assert resumed.continues == {"job": first.id, "step": 8}
        assert system.jobs.get(first.id) == before
        assert system.states(resumed.id) == ["queued", "running", "succeeded"]
        assert resumed.model is not None and first.model is not None
        assert resumed.model["version"] > first.model["version"]

    def test_more_patience_is_one_long_run(self, inline: JobSystem) -> None:
        first, whole = inline.train(**STOPPING), inline.train(**{**STOPPING, "patience": 6})
        assert first.stop_reason == "early_stopping"
        assert_as_one_long_run(inline, resume(inline, first, patience=6), whole)

    @pytest.mark.slow
    def test_a_cancelled_job_resumes(self, inline: JobSystem) -> None:
        job_id = inline.submit(**{**LONG, "epochs": 10_000})
        inline.wait_for_step(job_id, 40)
        inline.jobs.cancel(job_id)
        cancelled = inline.wait(job_id)
        n_epochs = cancelled.progress.epoch + 3
        resumed = resume(inline, cancelled, epochs=n_epochs)
        assert_as_one_long_run(inline, resumed, inline.train(**{**LONG, "epochs": n_epochs}))

    def test_a_failed_job_resumes_from_its_checkpoint(self, idle: JobSystem) -> None:
        """And not from the checks that it made after that."""
        idle.submit()
        with idle.database.write() as connection:
            (claim,) = job_rows.claim_oldest(connection, claimed_by="engine", lease_s=30, max_members=1)
        messages: list[Message] = []
        member = MemberSpec(job_id=claim.id, fence=1, config=TrainingConfig(**SHORT))
        run_training(StackSpec(dataset="mnist", members=(member,)), messages.append, StopRequests())
        idle.recorder.record(
            claim,
            started=next(message for message in messages if isinstance(message, Started)),
            checks=[message for message in messages if isinstance(message, Checked)],
            checkpoint=next(message for message in messages if isinstance(message, Checkpointed)),
        )
        idle.recorder.fail(claim, INTERNAL)
        waiting = idle.jobs.resume(claim.id, {})
        assert waiting.state is JobState.QUEUED and waiting.continues is not None
        assert waiting.latest is not None and waiting.latest.step == waiting.continues["step"] - 1
        idle.engine.start()
        assert_as_one_long_run(idle, idle.wait(waiting.id), idle.train())

    @pytest.mark.slow
    def test_resumed_repeatedly(self, inline: JobSystem) -> None:
        job = inline.train(epochs=1)
        for epochs in (2, 3, 4):
            job = resume(inline, job, epochs=epochs)
        assert_as_one_long_run(inline, job, inline.train(epochs=4))

    def test_the_old_job_may_be_deleted(self, inline: JobSystem) -> None:
        first = inline.train(epochs=1)
        waiting = inline.jobs.resume(first.id, {"epochs": 3})
        inline.jobs.delete(first.id)
        assert_as_one_long_run(inline, inline.wait(waiting.id), inline.train(epochs=3))

    def test_progress_is_by_the_new_plan(self, inline: JobSystem) -> None:
        first = inline.train(epochs=2, patience=10)
        inline.engine.stop()
        waiting = inline.jobs.resume(first.id, {"epochs": 8, "patience": 15})
        assert waiting.progress.fraction == 0.25
        assert waiting.progress.patience_left == 15
        checks = [event for event in inline.jobs.events(waiting.id).events if event.kind == "check"]
        assert checks[-1].data["progress"]["fraction"] == 0.25

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({}, "epochs"),
            ({"epochs": 2}, "epochs"),
            ({"epochs": 1}, "epochs"),
            ({"epochs": 10_001}, "epochs"),
            ({"epochs": 5, "patience": 9}, "patience"),
        ],
    )
    def test_what_would_be_no_longer_run_is_refused(self, inline: JobSystem, changes: Any, field: str) -> None:
        first = inline.train(epochs=2)
        with pytest.raises(InvalidField) as refusal:
            inline.jobs.resume(first.id, changes)
        assert refusal.value.field == field and refusal.value.allowed

    def test_patience_that_has_run_out_must_grow(self, inline: JobSystem) -> None:
        first = inline.train(**STOPPING)
        with pytest.raises(InvalidField, match="4 or more, or null"):
            inline.jobs.resume(first.id, {"epochs": 200})

    def test_jobs_without_an_end_or_a_beginning_are_refused(self, inline: JobSystem) -> None:
        running, queued = inline.submit(**ENDLESS), inline.submit()
        inline.wait_for_step(running, 1)
        with pytest.raises(InvalidJobTransition, match="running"):
            inline.jobs.resume(running, {})
        inline.jobs.cancel(queued)
        with pytest.raises(InvalidJobTransition, match="checkpoint"):
            inline.jobs.resume(queued, {})
        inline.jobs.cancel(running)
        with pytest.raises(JobNotFound):
            inline.jobs.resume("0" * 26, {})

    def test_a_job_that_diverged_would_again(self, inline: JobSystem) -> None:
        diverged = inline.train(learning_rate=10, l2_penalty=100, epochs=50, patience=None)
        assert diverged.stop_reason == "non_finite_loss"
        with pytest.raises(InvalidJobTransition, match="learning rate"):
            inline.jobs.resume(diverged.id, {"epochs": 100})

    def test_the_same_key_is_the_same_job(self, inline: JobSystem) -> None:
        first = inline.train(epochs=1)
        resumed = inline.jobs.resume(first.id, {"epochs": 2}, idempotency_key="more")
        assert inline.jobs.resume(first.id, {"epochs": 2}, idempotency_key="more").id == resumed.id
        with pytest.raises(IdempotencyMismatch):
            inline.jobs.resume(first.id, {"epochs": 3}, idempotency_key="more")


class TestVerify:
    def test_the_same_bits_come_out(self, system: JobSystem) -> None:
        job = system.train()
        verified = verify(system, job)
        assert verified.state is JobState.SUCCEEDED and verified.model is None
        assert verified.verification is not None and verified.verification["job"] == job.id
        assert verified.verification["model"] == job.model
        found = verified.verification["outcome"]
        assert found["identical"] and found["recorded_sha256"] == found["retrained_sha256"]
        assert found["largest_difference"] == {"best": 0.0, "last": 0.0}
        assert found["differences"] == []
        assert system.registry.versions(job.config.name) == (job.model["version"],) if job.model else False

    @pytest.mark.slow
    def test_a_cancelled_and_a_resumed_job(self, inline: JobSystem) -> None:
        job_id = inline.submit(**ENDLESS)
        inline.wait_for_step(job_id, 40)
        inline.jobs.cancel(job_id)
        cancelled = inline.wait(job_id)
        resumed = resume(inline, cancelled, epochs=cancelled.progress.epoch + 2)
        for job in (cancelled, resumed):
            verified = verify(inline, job)
            assert verified.state is JobState.SUCCEEDED
            assert verified.verification is not None and verified.verification["outcome"]["identical"]
            assert verified.stop_reason == job.stop_reason

    def test_differences_are_reported(self, inline: JobSystem) -> None:
        """Of a record that says another seed than the model was made with."""
        job = inline.train()
        with inline.database.write() as connection:
            connection.execute(text("UPDATE jobs SET config = json_set(config, '$.seed', 7)"))
        found = (verify(inline, job).verification or {})["outcome"]
        assert not found["identical"] and found["recorded_sha256"] != found["retrained_sha256"]
        assert found["differences"] == [{"what": "config.seed", "recorded": 0, "now": 7}]
        assert job.model is not None
        again = inline.train(seed=7)
        model, other = inline.registry.load(**job.model), inline.registry.load(**(again.model or {}))
        assert found["largest_difference"]["last"] == np.abs(model.last.astype(float) - other.last).max() > 0

    def test_a_member_of_a_sweep(self, inline: JobSystem) -> None:
        sweeps = Sweeps(inline.database, max_queue_length=10, wake_engine=inline.engine.wake)
        sweep = sweeps.submit(SweepRequest(base=SHORT, grid={"l2_penalty": [0.0, 0.1]}))
        found = (verify(inline, inline.wait(sweep.members[1].id)).verification or {})["outcome"]
        assert found["identical"] and found["differences"] == []

    def test_a_cancelled_verification_has_no_outcome(self, inline: JobSystem) -> None:
        job_id = inline.submit(**ENDLESS)
        inline.wait_for_step(job_id, 1)
        with pytest.raises(InvalidJobTransition, match="running"):
            inline.jobs.verify(job_id)
        inline.jobs.cancel(job_id)
        inline.wait(job_id)
        blocking = inline.submit(**ENDLESS)
        verifying = inline.jobs.verify(job_id)
        inline.jobs.cancel(verifying.id)
        inline.jobs.cancel(blocking)
        over = inline.wait(verifying.id)
        assert over.state is JobState.CANCELLED
        assert over.verification is not None and over.verification["outcome"] is None

    def test_the_answer_is_what_was_written(self, inline: JobSystem) -> None:
        job = inline.train()
        inline.engine.stop()
        for asked in (inline.jobs.verify(job.id), inline.jobs.resume(job.id, {"epochs": 9})):
            assert inline.jobs.get(asked.id) == asked

    def test_a_damaged_model_fails_the_verification(self, inline: JobSystem) -> None:
        job = inline.train()
        (path,) = (inline.folder / "model_store" / job.config.name).glob("*/weights.npz")
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:-1])
        verified = verify(inline, job)
        assert verified.state is JobState.FAILED
        assert verified.error is not None and verified.error["type"] == "/problems/corrupted"


def with_a_later_hyperparameter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have ``drop_last`` be one that came later: before, it was always true."""
    rows = tuple(replace(row, before=True) if row.name == "drop_last" else row for row in HYPERPARAMETERS)
    monkeypatch.setattr("service.core.config.HYPERPARAMETERS", rows)


def test_a_later_hyperparameter_changes_nothing_of_what_was_before_it(
    inline: JobSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request at the former value is the same request, and what was trained verifies without a difference."""
    with_a_later_hyperparameter(monkeypatch)
    inline.wait(inline.submit(key="before"))
    before = inline.jobs.get(inline.submit(key="before"))
    with inline.database.read() as connection:
        row = JOBS.find(connection, before.id)
    assert row is not None and "drop_last" not in row.config and before.config.drop_last
    monkeypatch.undo()
    with inline.database.write() as connection:
        job_rows.update_columns(connection, before.id, config={**row.config, "drop_last": True})
    with_a_later_hyperparameter(monkeypatch)
    verified = verify(inline, before).verification
    assert verified is not None and verified["outcome"]["identical"] and verified["outcome"]["differences"] == []
    with pytest.raises(IdempotencyMismatch):
        inline.submit(key="before", drop_last=False)


def test_the_copied_checks_are_events_of_the_new_job(inline: JobSystem) -> None:
    first = inline.train(epochs=1)
    resumed = resume(inline, first, epochs=2)
    with inline.database.read() as connection:
        recorded = check_series(connection, resumed.id).checks
    events = inline.jobs.events(resumed.id).events
    assert [event.id for event in events] == sorted(event.id for event in events)
    assert [event.id for event in events if event.kind == "check"] == recorded["id"].tolist()
    checks = inline.jobs.metrics(resumed.id).checks
    for place, event in enumerate(events):  # as a stream that broke there, and a client that asks for what is new
        assert inline.jobs.events(resumed.id, after=event.id).events == events[place + 1 :]
        newer = [check for check in checks if check.id > event.id]
        assert inline.jobs.metrics(resumed.id, since=event.id).checks == newer
