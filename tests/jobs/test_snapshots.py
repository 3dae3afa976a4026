"""Looking back: which weights are kept of a run, and what they say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from service.core import DIGITS, TrainingConfig
from service.errors import JobNotFound, NotFound
from service.jobs import InlineExecutor, Snapshots, SweepRequest, Sweeps
from service.jobs.snapshots import MAX_OF_MEMBER, MAX_SNAPSHOTS
from service.worker import pack_snapshot, snapshot_stride, unpack_snapshot
from tests.jobs.job_system import LONG, SHORT, JobSystem


@pytest.fixture
def inline(make_system: Callable[..., JobSystem]) -> JobSystem:
    system = make_system(lambda: InlineExecutor(1))
    system.engine.start()
    return system


@pytest.mark.parametrize("limit", [1, 2, 7, 16, 256])
def test_the_stride_doubles_when_there_would_be_too_many(limit: int) -> None:
    before = 1
    for n_checks in range(1, 3000):
        stride = snapshot_stride(n_checks, limit)
        kept = len(range(0, n_checks, stride))
        assert stride in (before, 2 * before)
        assert kept <= limit and (stride == 1 or kept > limit // 2)
        before = stride


def test_weights_come_back_to_the_bit() -> None:
    """In files they lie row after row, however they do in memory."""
    layout, weights = TrainingConfig().build_model().layout, np.random.default_rng(0).normal(size=(785, 10))
    row = layout.row({"W": weights.astype(np.float32)})
    packed = pack_snapshot(layout, row)
    assert packed == weights.astype("<f4").tobytes()
    assert unpack_snapshot(layout, packed).tobytes() == row.tobytes()


def test_every_check_of_a_short_run_is_kept(system: JobSystem) -> None:
    job = system.train()
    snapshots = Snapshots(system.database)
    listed = snapshots.list(job.id)
    checks = system.jobs.metrics(job.id).checks
    assert listed["snapshots"] == [{"step": check.step, "epoch": check.epoch, "check": check.id} for check in checks]
    assert (listed["every_checks"], listed["shape"]) == (1, [DIGITS.n_inputs, 10])
    last = snapshots.weights(job.id, checks[-1].step)
    assert last.parameters.tobytes() == system.jobs.weights(job.id, "last").parameters.tobytes()
    assert listed["tensors"] == [{"name": "W", "shape": [785, 10]}]
    assert [step["kind"] for step in listed["operations"]] == ["scale", "dense", "softmax"]
    steps, file = snapshots.file(job.id)
    assert list(steps) == [check.step for check in checks]
    assert file == b"".join(
        pack_snapshot(last.model.layout, snapshots.weights(job.id, step).parameters) for step in steps
    )
    assert list(snapshots.file(job.id, since=steps[-3])[0]) == list(steps[-2:])


@pytest.mark.parametrize("hyperparameters", [{}, {"model": "logistic"}, {"validation": "holdout", "classes": (4, 9)}])
def test_the_confusion_is_that_of_the_check(inline: JobSystem, hyperparameters: dict[str, object]) -> None:
    job = inline.train(batch_size=64, **hyperparameters)
    snapshots = Snapshots(inline.database)
    for check in inline.jobs.metrics(job.id).checks[::4]:
        found = snapshots.confusion(job.id, check.step)
        assert found.accuracy == check.validation_accuracy
        assert found.confusion.shape == (len(job.config.classes),) * 2
    assert snapshots.confusion(job.id, check.step).confusion is found.confusion


@pytest.mark.slow
def test_a_long_run_is_thinned_evenly(inline: JobSystem) -> None:
    job = inline.train(**{**LONG, "epochs": 300, "train_size": 512, "validation_size": 10})
    listed = Snapshots(inline.database).list(job.id)
    assert listed["every_checks"] == 2 and listed["max_snapshots"] == MAX_SNAPSHOTS
    assert [snapshot["step"] for snapshot in listed["snapshots"]] == list(range(0, 1200, 8))


def test_of_a_member_fewer_and_of_a_verification_none(inline: JobSystem) -> None:
    sweeps = Sweeps(inline.database, max_queue_length=10, wake_engine=inline.engine.wake)
    sweep = sweeps.submit(SweepRequest(base={**SHORT, "epochs": 5}, grid={"l2_penalty": [0.0, 0.1]}))
    snapshots = Snapshots(inline.database)
    for member in sweep.members:
        inline.wait(member.id)
        assert len(snapshots.list(member.id)["snapshots"]) == 10 <= MAX_OF_MEMBER
    verified = inline.wait(inline.jobs.verify(sweep.members[0].id).id)
    assert snapshots.list(verified.id)["snapshots"] == []


def test_a_resumed_job_has_the_earlier_ones(inline: JobSystem) -> None:
    first, whole = inline.train(epochs=2), inline.train(epochs=4)
    resumed = inline.wait(inline.jobs.resume(first.id, {"epochs": 4}).id)
    snapshots = Snapshots(inline.database)
    assert snapshots.file(resumed.id) == snapshots.file(whole.id)
    ids = [place["check"] for place in snapshots.list(resumed.id)["snapshots"]]
    assert ids == [check.id for check in inline.jobs.metrics(resumed.id).checks]


def test_they_are_deleted_with_the_job(inline: JobSystem) -> None:
    job = inline.train()
    snapshots = Snapshots(inline.database)
    with pytest.raises(NotFound):
        snapshots.weights(job.id, 999)
    inline.jobs.delete(job.id)
    for ask in (snapshots.list, snapshots.file, lambda id_: snapshots.confusion(id_, 0)):
        with pytest.raises(JobNotFound):
            ask(job.id)
    with inline.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM snapshots").scalar_one() == 0
