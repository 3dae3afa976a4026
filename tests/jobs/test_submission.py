"""Submitting and reading jobs, while no engine runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event, insert, text

from service.core import TrainingConfig
from service.database import JOBS, AuditedCall, Database, JobRow, NewJob, audited_call, job_rows
from service.database.tables import events
from service.errors import (
    IdempotencyMismatch,
    InvalidField,
    JobNotFound,
    QueueFull,
    ServiceError,
    StorageFailed,
)
from service.jobs import InlineExecutor, Job, JobRequest, Jobs, JobState
from tests.jobs.job_system import JobSystem

MakeSystem = Callable[..., JobSystem]


def count_of(system: JobSystem) -> int:
    with system.database.read() as connection:
        return int(connection.execute(text("SELECT count(*) FROM jobs")).scalar_one())


def walked(system: JobSystem, **options: Any) -> list[str]:
    """Return the ids on all pages, in their order."""
    ids: list[str] = []
    cursor = None
    while True:
        jobs, cursor = system.jobs.page(before=cursor, **options)
        ids += [job.id for job in jobs]
        if cursor is None:
            return ids


def test_an_accepted_job_is_stored(idle: JobSystem) -> None:
    """What another process sees at the moment when the answer is there."""
    job = idle.jobs.submit(JobRequest(config=TrainingConfig()))
    other = Database(idle.url)
    with other.read() as connection:
        row = JOBS.find(connection, job.id)
    other.close()
    assert isinstance(row, JobRow) and row.state == job.state == JobState.QUEUED
    assert len(job.id) == 26 and job.id.isalnum()


@pytest.mark.parametrize(
    ("hyperparameters", "field"),
    [
        ({"train_size": 60_001}, "train_size"),
        ({"train_size": 5}, "train_size"),
        ({"train_size": 512, "batch_size": 513}, "batch_size"),
        ({"validation_size": 10_001}, "validation_size"),
        ({"validation": "holdout", "train_size": 55_000, "validation_size": 10_000}, "train_size"),
    ],
)
def test_what_does_not_fit_the_data_is_refused(idle: JobSystem, hyperparameters: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        idle.jobs.submit(JobRequest(config=TrainingConfig(**hyperparameters)))
    assert refusal.value.field == field and refusal.value.allowed
    assert count_of(idle) == 0


@pytest.mark.parametrize("name", ["", "../digits", "a" * 65, "two words", "."])
def test_a_name_that_no_model_may_have_is_refused(idle: JobSystem, name: str) -> None:
    with pytest.raises(InvalidField):
        idle.submit(name=name)
    assert count_of(idle) == 0


def test_an_unknown_data_set_is_refused(idle: JobSystem) -> None:
    with pytest.raises(InvalidField, match="data set"):
        idle.jobs.submit(JobRequest(config=TrainingConfig(), dataset="fashion"))


@pytest.mark.parametrize("ask", ["get", "cancel", "delete", "metrics", "curves", "provenance"])
def test_an_unknown_job_is_not_found(idle: JobSystem, ask: str) -> None:
    with pytest.raises(JobNotFound):
        getattr(idle.jobs, ask)("0" * 26)
    with pytest.raises(JobNotFound):
        idle.jobs.weights("0" * 26, "best")


def test_the_same_key_and_request_is_the_same_job(idle: JobSystem) -> None:
    first = idle.submit(key="monday", seed=1)
    assert idle.submit(key="monday", seed=1) == first
    assert idle.submit(key="tuesday", seed=1) != first
    assert idle.submit(seed=1) != first
    assert count_of(idle) == 3


def test_defaults_written_out_are_the_same_request(idle: JobSystem) -> None:
    config = TrainingConfig()
    written_out = TrainingConfig.from_dict(config.to_dict())
    first = idle.jobs.submit(JobRequest(config=config), idempotency_key="k")
    second = idle.jobs.submit(JobRequest(config=written_out, name="mnist-softmax"), idempotency_key="k")
    assert first == second


def test_the_same_key_with_another_request_is_refused(idle: JobSystem) -> None:
    first = idle.submit(key="monday", seed=1)
    with pytest.raises(IdempotencyMismatch):
        idle.submit(key="monday", seed=2)
    with pytest.raises(IdempotencyMismatch):
        idle.submit(key="monday", seed=1, name="another-name")
    assert count_of(idle) == 1
    assert idle.submit(key="monday", seed=1) == first


def test_a_key_is_known_after_the_job_is_over(idle: JobSystem) -> None:
    first = idle.submit(key="monday")
    idle.jobs.cancel(first)
    assert idle.submit(key="monday") == first
    assert idle.jobs.get(first).state is JobState.CANCELLED


def test_one_key_from_many_threads_is_one_job(idle: JobSystem) -> None:
    barrier = threading.Barrier(8)

    def submit(_: int) -> str:
        barrier.wait()
        return idle.submit(key="at once")

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(submit, range(8)))) == 1
    assert count_of(idle) == 1


def test_a_full_queue_refuses_but_still_knows_its_keys(kind: str, make_system: MakeSystem) -> None:
    system = make_system(lambda: InlineExecutor(1), max_queue_length=3)
    ids = [system.submit(key=str(n)) for n in range(3)]
    with pytest.raises(QueueFull, match="3 jobs"):
        system.submit()
    assert system.submit(key="1") == ids[1]
    system.jobs.cancel(ids[0])
    system.submit()
    with pytest.raises(QueueFull):
        system.submit()


def test_the_queue_is_never_longer_than_it_may_be(make_system: MakeSystem) -> None:
    system = make_system(lambda: InlineExecutor(1), max_queue_length=5)

    def submit(_: int) -> bool:
        try:
            system.submit()
        except QueueFull:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(submit, range(24))) == 5
    assert count_of(system) == 5


def test_pages_show_every_job_once_newest_first(idle: JobSystem) -> None:
    ids = [idle.submit(seed=seed) for seed in range(11)]
    for limit in (1, 3, 10, 11, 50):
        assert walked(idle, limit=limit) == ids[::-1]
    page, cursor = idle.jobs.page(limit=11)
    assert cursor is None and len(page) == 11
    assert page == [idle.jobs.get(job_id) for job_id in reversed(ids)]
    assert [job.config.seed for job in page] == list(range(10, -1, -1))


def test_pages_can_be_of_one_state(idle: JobSystem) -> None:
    ids = [idle.submit() for _ in range(6)]
    for job_id in ids[::2]:
        idle.jobs.cancel(job_id)
    assert walked(idle, limit=2, state=JobState.CANCELLED) == ids[::2][::-1]
    assert walked(idle, limit=2, state=JobState.QUEUED) == ids[1::2][::-1]
    assert idle.jobs.page(state=JobState.FAILED) == ([], None)


def test_new_jobs_do_not_disturb_paging(idle: JobSystem) -> None:
    ids = [idle.submit() for _ in range(6)]
    first, cursor = idle.jobs.page(limit=3)
    idle.submit()
    second, _ = idle.jobs.page(limit=3, before=cursor)
    assert [job.id for job in first + second] == ids[::-1]


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1e3", "9" * 19, "1" * 5000, "²", "1 OR 1=1"])
def test_an_unknown_cursor_is_refused(idle: JobSystem, cursor: str) -> None:
    with pytest.raises(InvalidField):
        idle.jobs.page(before=cursor)


def test_what_changed_since(idle: JobSystem) -> None:
    assert (idle.jobs.newest_event_id(), idle.jobs.events_since(0)) == (0, {})
    one, other = idle.submit(), idle.submit()
    first, newest = idle.jobs.events_since(0)
    assert idle.jobs.events_since(0) == {first: one, newest: other}
    assert idle.jobs.newest_event_id() == newest and idle.jobs.events_since(newest) == {}
    idle.jobs.cancel(other)
    ((later, changed),) = idle.jobs.events_since(newest).items()
    assert later > newest and changed == other


def test_a_submission_that_cannot_be_stored_is_no_job(make_system: MakeSystem, folder: Any) -> None:
    system = make_system(
        lambda: InlineExecutor(1), database=Database(f"sqlite:///{folder / 'inkling.db'}", busy_timeout_ms=50)
    )
    other = Database(f"sqlite:///{folder / 'inkling.db'}")
    with other.write():
        with pytest.raises(StorageFailed):
            system.submit()
        assert system.jobs.page() == ([], None), "reading continues"
    system.submit()
    assert count_of(system) == 1
    other.close()


def test_every_refusal_is_an_error_of_the_service(idle: JobSystem) -> None:
    """None carries a path or what was sent."""
    for name in ("../../etc/passwd", "\x00", "é"):
        with pytest.raises(ServiceError) as refusal:
            idle.submit(name=name)
        assert name not in refusal.value.message and str(idle.folder) not in refusal.value.message


@pytest.fixture
def long_history(idle: JobSystem) -> str:
    """Return a job with 20,000 checks and 620,000 steps."""
    job_id = idle.submit()
    rng = np.random.default_rng(0)
    losses = rng.random(20_000)
    with idle.database.write() as connection:
        connection.execute(
            insert(events),
            [
                {
                    "job_id": job_id,
                    "kind": "check",
                    "at": datetime.now(UTC),
                    "epoch": n // 5,
                    "step": 31 * n + 30,
                    "metrics": {
                        "train_loss": 0.5,
                        "train_accuracy": 0.9,
                        "validation_loss": float(loss),
                        "validation_accuracy": 0.9,
                    },
                    "detail": {"fraction": 0.5},
                    "step_losses": rng.random(31).astype("<f4").tobytes(),
                }
                for n, loss in enumerate(losses)
            ],
        )
    return job_id


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True)
def test_a_long_history_is_thinned(idle: JobSystem, long_history: str) -> None:
    metrics = idle.jobs.metrics(long_history, max_points=1000)
    assert metrics.thinned and len(metrics.checks) <= 1000 and len(metrics.loss_values) <= 1000
    curves = idle.jobs.curves(long_history)
    assert len(curves) == 20_000 and (len(curves.train_loss), curves.n_averaged) == (2_000, 310)
    assert curves.train_loss_steps.tolist() == [310 * n + 154.5 for n in range(2_000)]
    assert min(check.validation_loss for check in metrics.checks) == curves.checks["validation_loss"].min()
    whole = idle.jobs.metrics(long_history, max_points=1_000_000)
    assert whole.loss_steps.tolist() == list(range(620_000)) and not whole.thinned
    assert (metrics.loss_values.min(), metrics.loss_values.max()) == (whole.loss_values.min(), whole.loss_values.max())
    blocks = whole.loss_values.astype(np.float64).reshape(2_000, 310)
    np.testing.assert_array_equal(curves.train_loss, blocks.mean(axis=1))
    assert len(idle.jobs.metrics(long_history).loss_values) <= 100_000


@pytest.mark.slow
def test_ten_thousand_jobs_are_no_burden(idle: JobSystem) -> None:
    """Every page is found from any cursor, and one more job is accepted as ever."""
    config = TrainingConfig().to_dict()
    with idle.database.write() as connection:
        new = NewJob(id="", name="x", dataset="mnist", config=config, idempotency_key=None, request_sha256="")
        job_rows.insert(connection, [replace(new, id=f"{n:026}") for n in range(10_000)])

    for before in range(1, 10_001, 250):
        page, _ = idle.jobs.page(before=str(before))
        assert [int(job.id) for job in page] == list(range(before - 2, max(-1, before - 52), -1))
    jobs = Jobs(idle.database, max_queue_length=20_000, wake_engine=lambda: None)
    assert jobs.submit(JobRequest(config=TrainingConfig())).state is JobState.QUEUED


def test_the_answer_to_a_submission_is_what_was_written(idle: JobSystem) -> None:
    """It is not read back, and yet the same to the microsecond."""
    config = TrainingConfig(model="logistic", classes=(7, 1), l2_penalty=0.1, patience=None)
    job = idle.jobs.submit(JobRequest(config=config, name="sevens"))
    assert idle.jobs.get(job.id) == job
    assert idle.jobs.get(job.id) == job


def test_a_submission_reads_nothing_but_how_many_wait(idle: JobSystem) -> None:
    """One statement counts, three write: the job, its first event, and the call's line of the audit log."""
    asked: list[str] = []
    audited_call.set(AuditedCall(key_id=None, method="POST", route="/api/v1/jobs", request_id="r"))
    event.listen(idle.database.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    idle.submit()
    audited_call.set(None)
    verbs = [statement.split()[0] for statement in asked if "BEGIN" not in statement and "lock" not in statement]
    assert verbs == ["SELECT", "INSERT", "INSERT", "INSERT"]


def test_a_job_is_equal_to_itself(idle: JobSystem) -> None:
    job_id = idle.submit()
    assert isinstance(idle.jobs.get(job_id), Job)
    assert idle.jobs.get(job_id) == idle.jobs.get(job_id)
