"""Jobs that are paused and continued: the same bits, no worker meanwhile, and nothing lost with whoever dies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, update

from service.database import JOBS, JobState, job_rows, weight_rows
from service.database.tables import jobs
from service.errors import InvalidJobTransition, NoDataYet, QueueFull
from service.jobs import InlineExecutor, Job, SweepRequest, Sweeps, job_picture, pausing
from tests.jobs.job_system import ENDLESS, SHORT, JobSystem, in_this_process
from tests.postgresql import only_postgresql

PAUSED = JobState.PAUSED


def step_on(system: JobSystem, job_id: str, **by: int) -> Job:
    """Continue a job and wait until it is paused again, or over."""
    system.jobs.proceed(job_id, **by)
    return system.wait(job_id, lambda job: job.state.final or job.state is PAUSED)


@pytest.mark.slow
def test_a_job_trained_by_steps_and_epochs_ends_with_the_bits_of_one_that_was_not(system: JobSystem) -> None:
    """Also momentum and augmentation, whose state and random numbers go on where they were."""
    asked = {"hidden_layers": (4,), "momentum": 0.5, "augmentation": "soft", "checks_per_epoch": 2}
    whole = system.train(**asked)
    job_id = system.submit(paused=True, **asked)
    assert system.jobs.get(job_id).pause_at_step == 0
    steps = [step_on(system, job_id, steps=1).pause_at_step for _ in range(2)]
    steps += [step_on(system, job_id, **by).pause_at_step for by in ({"epochs": 1}, {"steps": 9, "epochs": 1})]
    assert steps == [1, 2, 4, 8]
    job = step_on(system, job_id)
    assert (job.state, job.pause_at_step, job.stop_reason) == (JobState.SUCCEEDED, None, "max_epochs")
    assert system.states(job_id) == [
        "queued",
        "paused",
        *["queued", "running", "paused"] * 4,
        "queued",
        "running",
        "succeeded",
    ]
    assert system.weights_sha256(job_id) == system.weights_sha256(whole.id)
    assert system.curve(job_id) == system.curve(whole.id)
    verification = system.wait(system.jobs.verify(job_id).id).verification
    assert verification is not None and verification["outcome"]["identical"] is True


@pytest.mark.slow
def test_a_running_job_pauses_after_its_step_and_frees_its_worker(system: JobSystem) -> None:
    job_id = system.submit(**ENDLESS)
    system.wait_for_step(job_id, 0)
    assert system.jobs.pause(job_id).state in (JobState.RUNNING, PAUSED)
    job = system.wait(job_id, lambda job: job.state is PAUSED)
    assert job.history[-1].reason == f"Before step {job.pause_at_step:,}."
    assert system.jobs.pause(job_id) == job, "asking again changes nothing"
    assert job.progress.eta_s is None and 0 < job.progress.fraction < 1
    assert system.train().state is JobState.SUCCEEDED, "the only slot is free"
    losses = system.jobs.metrics(job_id).loss_steps
    assert losses.tolist() == list(range(job.pause_at_step or 0)), "of every step, also of those since the last check"
    assert system.jobs.cancel(job_id).state is JobState.CANCELLING
    cancelled = system.wait(job_id)
    assert (cancelled.state, cancelled.stop_reason) == (JobState.CANCELLED, "cancelled")
    assert system.states(job_id) == ["queued", "running", "paused", "cancelling", "cancelled"]
    assert cancelled.model is not None and cancelled.best == job.best
    manifest = system.registry.load(**cancelled.model).manifest
    assert manifest.certainty is not None, "as of any other model"
    assert system.jobs.weights(job_id, "last").next_step == job.pause_at_step, "not a step further"


@in_this_process
def test_a_waiting_job_pauses_at_once_and_one_that_never_began_is_cancelled_at_once(system: JobSystem) -> None:
    running = system.submit(**ENDLESS)
    system.wait_for_step(running, 0)
    waiting = system.submit()
    assert system.jobs.pause(waiting).state is PAUSED
    assert system.jobs.proceed(waiting).state is JobState.QUEUED
    system.jobs.pause(waiting)
    assert system.jobs.cancel(waiting).state is JobState.CANCELLED
    system.jobs.cancel(running)


@pytest.mark.slow
@pytest.mark.parametrize(
    "ending", [{"patience": 1, "learning_rate": 5}, {"learning_rate": 10, "l2_penalty": 100}], ids=str
)
def test_a_job_that_ends_before_its_next_pause_is_over(system: JobSystem, ending: dict[str, Any]) -> None:
    whole = system.train(**{**ENDLESS, **ending, "epochs": 50})
    job = step_on(system, system.submit(paused=True, **{**ENDLESS, **ending, "epochs": 50}), steps=100_000)
    assert (job.state, job.stop_reason, job.pause_at_step) == (whole.state, whole.stop_reason, None)
    assert system.curve(job.id) == system.curve(whole.id)


def claimed(system: JobSystem, job_id: str) -> Any:
    with system.database.write() as connection:
        (claim,) = job_rows.claim_oldest(connection, claimed_by="an engine", lease_s=30, max_members=1)
    assert claim.id == job_id
    return claim


def test_a_pause_survives_the_loss_of_its_worker_and_its_engine(idle: JobSystem) -> None:
    """Asked for before the loss, it is kept: at once where none of its steps is left, else at its step."""
    job_id = idle.submit()
    claim = claimed(idle, job_id)
    assert idle.jobs.pause(job_id).pause_at_step == job_rows.PAUSE_NOW
    assert idle.recorder.lose(claim, "killed")
    assert idle.jobs.get(job_id).state is PAUSED
    idle.jobs.proceed(job_id, steps=7)
    assert idle.recorder.lose(claimed(idle, job_id), "killed")
    again = idle.jobs.get(job_id)
    assert (again.state, again.pause_at_step) == (JobState.QUEUED, 7)
    assert claimed(idle, job_id).pause_at_step == 7


@only_postgresql
def test_a_job_that_a_worker_takes_while_it_is_being_paused_pauses_in_the_worker(
    idle: JobSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite nobody writes meanwhile."""
    job_id = idle.submit()
    next_step = weight_rows.next_step

    def next_step_of_one_that_is_taken(connection: Connection, job_id: str) -> int:
        claimed(idle, job_id)
        return next_step(connection, job_id)

    monkeypatch.setattr(weight_rows, "next_step", next_step_of_one_that_is_taken)
    job = idle.jobs.pause(job_id)
    assert (job.state, job.pause_at_step) == (JobState.RUNNING, job_rows.PAUSE_NOW)


def test_a_pause_ends_by_itself_after_a_day(idle: JobSystem) -> None:
    job_id, other = idle.submit(paused=True), idle.submit(paused=True)

    def continue_expired() -> list[str]:
        with idle.database.write() as connection:
            return pausing.continue_expired(connection)

    assert continue_expired() == []
    with idle.database.write() as connection:
        waited = jobs.c.lease_expires_at_s - pausing.MAX_PAUSE_S
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(lease_expires_at_s=waited))
    assert continue_expired() == [job_id]
    job = idle.jobs.get(job_id)
    assert (job.state, job.pause_at_step) == (JobState.QUEUED, None)
    assert job.history[-1].reason == "It was paused for 24 hours and goes on."
    assert idle.jobs.get(other).state is PAUSED


def test_an_engine_continues_what_was_paused_for_too_long(
    make_system: Callable[..., JobSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pausing, "MAX_PAUSE_S", -1.0)
    system = make_system(lambda: InlineExecutor(1))
    job_id = system.submit(paused=True)
    system.engine.start()
    assert system.wait(job_id).state is JobState.SUCCEEDED


def test_only_so_many_jobs_are_paused_at_a_time(idle: JobSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that will be are counted too."""
    monkeypatch.setattr(pausing, "MAX_PAUSED", 2)
    first, running = idle.submit(paused=True), idle.submit()
    claimed(idle, running)
    idle.jobs.pause(running)
    for refused in (lambda: idle.submit(paused=True), lambda: idle.jobs.pause(idle.submit())):
        with pytest.raises(QueueFull, match="At most 2 jobs"):
            refused()
    idle.jobs.cancel(first)
    assert idle.jobs.get(idle.submit(paused=True)).state is PAUSED


def test_a_job_is_paused_only_so_often(idle: JobSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("job", "pausing"):
        monkeypatch.setattr(f"service.jobs.{module}.MAX_CLAIMS", 1)
    job_id = idle.submit(paused=True)
    assert idle.jobs.get(job_id).can_pause
    idle.jobs.proceed(job_id, steps=1)
    claim = claimed(idle, job_id)
    with idle.database.write() as connection:
        pausing.interrupt(connection, JOBS.find(connection, job_id), next_step=1, reason="")  # type: ignore[arg-type]
    assert not idle.jobs.get(job_id).can_pause
    for by in ({"steps": 1}, {"epochs": 1}):
        with pytest.raises(InvalidJobTransition, match="in 1 parts"):
            idle.jobs.proceed(job_id, **by)
    assert not idle.recorder.lose(claim, "a late writer"), "it is nobody's while it is paused"
    idle.jobs.proceed(job_id)
    with pytest.raises(InvalidJobTransition, match="in 1 parts"):
        idle.jobs.pause(job_id)


def test_what_cannot_be_paused_or_continued_is_refused(idle: JobSystem) -> None:
    over, cancelling = idle.submit(), idle.submit()
    idle.jobs.cancel(over)
    claimed(idle, cancelling)
    idle.jobs.cancel(cancelling)
    queued = idle.submit()
    sweeps = Sweeps(idle.database, max_queue_length=10, wake_engine=idle.engine.wake)
    sweep = sweeps.submit(SweepRequest(base={"model": "softmax", **SHORT}, grid={"seed": [1, 2]}))
    for job_id in (over, cancelling, sweep.members[0].id):
        assert not idle.jobs.get(job_id).can_pause
    for job_id, act, reason in (
        (over, idle.jobs.pause, "cancelled"),
        (cancelling, idle.jobs.pause, "cancelling"),
        (sweep.members[0].id, idle.jobs.pause, "members of a sweep"),
        (queued, idle.jobs.proceed, "queued"),
        (over, idle.jobs.proceed, "cancelled"),
    ):
        with pytest.raises(InvalidJobTransition, match=reason):
            act(job_id)


@in_this_process
@pytest.mark.parametrize(
    "asked", [{}, {"l2_penalty": 0.5, "shuffle": True, "augmentation": "strong"}], ids=["plain", "penalty"]
)
def test_the_gradient_is_that_of_the_next_step(system: JobSystem, asked: dict[str, Any]) -> None:
    """The step subtracts it times the learning rate, from the first step to one in the middle of an epoch."""
    job_id = system.submit(paused=True, dtype="float64", **asked)
    for _ in range(3):
        before, gradient = system.jobs.gradient(job_id)
        assert before.next_step == system.jobs.get(job_id).pause_at_step
        step_on(system, job_id, steps=1)
        after = system.jobs.weights(job_id, "last").parameters
        np.testing.assert_allclose(
            before.parameters - before.config.learning_rate * gradient, after, rtol=0, atol=1e-15
        )
    assert job_picture(system.jobs, job_id, "gradient") != job_picture(system.jobs, job_id, "weights")
    system.jobs.cancel(job_id)


def test_there_is_no_gradient_before_the_first_check_of_a_job_that_is_not_paused(idle: JobSystem) -> None:
    with pytest.raises(NoDataYet):
        idle.jobs.gradient(idle.submit())
