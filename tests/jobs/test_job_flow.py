"""Jobs from end to end, the same over every executor."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from service.answers import plain
from service.core import METRICS
from service.database import NewJob, job_rows
from service.database.tables import jobs
from service.errors import InvalidJobTransition, NoDataYet
from service.jobs import Event, EventBatch, Job, JobRequest, JobState, RecordedCheck
from tests.jobs.job_system import ENDLESS, LONG, JobSystem, SharedExecutor, eventually, in_this_process

CHECK_KEYS = {"id", "epoch", "step", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"}
PROGRESS_KEYS = {"fraction", "epoch", "step", "images_per_s", "eta_s", "patience_left"}


def parsed(time: str) -> datetime:
    assert time.endswith("Z")
    return datetime.fromisoformat(time)


def events_of(system: JobSystem, job_id: str) -> tuple[Event, ...]:
    return system.jobs.events(job_id).events


def strictly(found: Any) -> Any:
    """Return plain data as JSON brings it back, which must not be changed by it; NaN and infinity are refused."""
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def test_a_job_becomes_a_model(system: JobSystem) -> None:
    job = system.train(name="my-digits", epochs=5)
    assert (job.state, job.stop_reason, job.error) == (JobState.SUCCEEDED, "max_epochs", None)
    assert system.states(job.id) == ["queued", "running", "succeeded"]
    assert job.model == {"name": "my-digits", "version": 1}

    model = system.registry.load("my-digits", 1)
    assert model.manifest.job_id == job.id
    assert model.manifest.config == job.config.to_record()
    assert model.manifest.environment["blas_threads"] == 1
    assert model.manifest.stop_reason == "max_epochs"
    assert job.best is not None and job.latest is not None
    without_id = {key: value for key, value in asdict(job.best).items() if key != "id"}
    assert model.manifest.metrics["best"] == model.manifest.metrics["published"] == without_id
    for which in ("best", "last"):
        weights = system.jobs.weights(job.id, which)
        assert weights.final and weights.next_step == 20
        np.testing.assert_array_equal(weights.parameters, getattr(model, which))


@in_this_process
def test_a_finished_job_has_the_documented_shape(system: JobSystem) -> None:
    before = datetime.now(UTC)
    job_id = system.submit(model="logistic", batch_size=32, learning_rate=0.05, seed=7)
    system.wait(job_id)
    shown = strictly(plain(system.jobs.get(job_id)))
    assert set(shown) == {
        "id",
        "title",
        "tags",
        "notes",
        "state",
        "config",
        "starts_from",
        "progress",
        "pause_at_step",
        "can_pause",
        "metrics",
        "stop_reason",
        "error",
        "model",
        "continues",
        "verification",
        "sweep",
        "created_at",
        "started_at",
        "finished_at",
        "history",
    }
    assert shown["id"] == job_id
    assert shown["state"] == "succeeded"
    assert shown["config"] == {
        "model": "logistic",
        "classes": [2, 3],
        "dataset": "mnist",
        "train_size": 512,
        "validation": "test",
        "validation_size": 500,
        "learning_rate": 0.05,
        "batch_size": 32,
        "epochs": 3,
        "shuffle": True,
        "seed": 7,
        "l2_penalty": 0.0,
        "l2_convention": "squared",
        "patience": 10,
        "checks_per_epoch": 5,
        "drop_last": True,
        "dtype": "float32",
        "publish": "best",
        "name": "mnist-logistic",
        "hidden_layers": [],
        "activation": None,
        "initialization": "zeros",
        "input_scaling": "range",
        "augmentation": "none",
        "momentum": 0.0,
        "learning_rate_schedule": "constant",
        "start_from": None,
    }
    assert set(shown["progress"]) == PROGRESS_KEYS
    assert shown["progress"]["fraction"] == 1.0 and shown["progress"]["eta_s"] == 0.0
    assert shown["progress"]["images_per_s"] > 0
    assert set(shown["metrics"]) == {"latest", "best"}
    for check in shown["metrics"].values():
        assert set(check) == CHECK_KEYS
    assert shown["metrics"]["latest"]["step"] == shown["progress"]["step"]
    assert shown["stop_reason"] == "max_epochs"
    assert shown["error"] is None
    assert shown["model"] == {"name": "mnist-logistic", "version": 1}
    created, started, finished = (parsed(shown[f"{name}_at"]) for name in ("created", "started", "finished"))
    assert before.replace(microsecond=0) <= created <= started <= finished <= datetime.now(UTC)
    assert [line["state"] for line in shown["history"]] == ["queued", "running", "succeeded"]
    assert [parsed(line["at"]) for line in shown["history"]] == [created, started, finished]
    assert [line["reason"] for line in shown["history"]] == [None, None, "All epochs were trained."]


@in_this_process
def test_a_waiting_job_has_the_same_shape(system: JobSystem) -> None:
    first = system.submit(**ENDLESS)
    shown = strictly(plain(system.jobs.get(system.submit())))
    assert shown["state"] == "queued"
    assert shown["progress"] == {
        "fraction": 0.0,
        "epoch": 0,
        "step": 0,
        "images_per_s": None,
        "eta_s": None,
        "patience_left": None,
    }
    assert shown["metrics"] == {"latest": None, "best": None}
    assert [shown[key] for key in ("stop_reason", "error", "model", "started_at", "finished_at")] == [None] * 5
    system.jobs.cancel(first)


@pytest.mark.slow
@in_this_process
def test_the_report_s_logistic_run(system: JobSystem) -> None:
    job = system.train(
        model="logistic",
        learning_rate=0.05,
        epochs=500,
        shuffle=False,
        train_size=20_000,
        validation_size=10_000,
    )
    assert job.stop_reason == "early_stopping" and job.latest is not None and job.best is not None
    assert (job.latest.epoch, job.latest.step) == (33, 1038)
    assert job.latest.validation_loss == pytest.approx(0.06577, abs=1e-5)
    assert job.best.validation_loss == pytest.approx(0.06569, abs=1e-5)
    assert job.latest.validation_accuracy == pytest.approx(0.97943, abs=1e-5)
    assert job.latest.train_accuracy == pytest.approx(0.97578, abs=1e-5)
    assert job.progress.fraction == 1.0 and job.progress.patience_left == 0
    curves = system.jobs.curves(job.id)
    assert (curves.best_step, curves.stop_step) == (job.best.step, 1038)
    assert curves.batches_per_epoch == 31 and len(curves.train_loss) == 1039


@pytest.mark.slow
def test_jobs_wait_their_turn(system: JobSystem) -> None:
    running = system.submit(**ENDLESS)
    system.wait_for_step(running, 0)
    waiting = [system.submit(seed=seed) for seed in range(4)]
    skipped = system.submit(**ENDLESS)
    assert [system.jobs.get(job_id).state for job_id in waiting] == [JobState.QUEUED] * 4
    system.jobs.cancel(skipped)
    system.jobs.cancel(running)
    finished = [system.wait(job_id) for job_id in waiting]
    assert {job.state for job in finished} == {JobState.SUCCEEDED}
    starts = [job.started_at for job in finished]
    assert starts == sorted(starts)  # type: ignore[type-var]
    assert [job.model["version"] for job in finished if job.model] == [2, 3, 4, 5], "1 is of the cancelled one"


@in_this_process
def test_cancelling_a_waiting_job_ends_it_at_once(system: JobSystem) -> None:
    running = system.submit(**ENDLESS)
    system.wait_for_step(running, 0)
    waiting = system.submit()
    job = system.jobs.cancel(waiting)
    assert (job.state, job.stop_reason, job.model) == (JobState.CANCELLED, "cancelled", None)
    assert job.finished_at is not None and job.started_at is None
    assert system.states(waiting) == ["queued", "cancelled"]
    system.jobs.cancel(running)


def test_cancelling_a_running_job_keeps_its_best_weights(system: JobSystem) -> None:
    job_id = system.submit(**ENDLESS, name="stopped")
    system.wait_for_step(job_id, 60)
    assert system.jobs.cancel(job_id).state is JobState.CANCELLING
    job = system.wait(job_id)
    assert (job.state, job.stop_reason, job.error) == (JobState.CANCELLED, "cancelled", None)
    assert system.states(job_id) == ["queued", "running", "cancelling", "cancelled"]
    assert job.progress.fraction < 1 and job.progress.eta_s == 0
    assert job.model == {"name": "stopped", "version": 1} and job.best is not None
    model = system.registry.load("stopped", 1)
    assert model.manifest.metrics["best"]["step"] == job.best.step
    np.testing.assert_array_equal(model.best, system.jobs.weights(job_id, "best").parameters)
    assert system.curve(job_id)


def test_cancelling_twice_is_one_cancel(idle: JobSystem) -> None:
    job_id = idle.submit()
    with idle.database.write() as connection:
        job_rows.claim_oldest(connection, claimed_by="some engine", lease_s=30, max_members=1)
    once = idle.jobs.cancel(job_id)
    assert idle.jobs.cancel(job_id) == once
    assert idle.states(job_id) == ["queued", "running", "cancelling"]


@in_this_process
def test_a_job_that_is_over_cannot_be_cancelled(system: JobSystem) -> None:
    job = system.train()
    with pytest.raises(InvalidJobTransition, match="succeeded"):
        system.jobs.cancel(job.id)
    assert system.jobs.get(job.id) == job


@pytest.mark.slow
def test_cancelling_at_any_moment_ends_in_one_final_state(system: JobSystem) -> None:
    """Also when the job ends by itself at the same time."""
    for turn in range(8):
        job_id = system.submit(seed=turn)
        system.wait(job_id, lambda job: job.state.final or (job.latest and job.latest.step >= turn))  # noqa: B023
        try:
            system.jobs.cancel(job_id)
        except InvalidJobTransition:
            assert system.jobs.get(job_id).state.final
        job = system.wait(job_id)
        assert job.state in (JobState.SUCCEEDED, JobState.CANCELLED)
        assert sum(move.state.final for move in job.history) == 1
        assert job.model is not None


def test_a_diverging_job_fails_and_says_where(system: JobSystem) -> None:
    job = system.train(learning_rate=10, l2_penalty=100, epochs=50, patience=None)
    assert (job.state, job.stop_reason, job.model) == (JobState.FAILED, "non_finite_loss", None)
    assert job.error is not None and job.error["type"] == "/problems/non-finite-loss"
    steps = [int(word) for word in job.error["detail"].split() if word.isdigit()]
    assert steps[0] > job.latest.step  # type: ignore[union-attr]
    assert "learning rate 10" in job.error["detail"]
    strictly(plain(job))
    json.loads("".join(system.jobs.metrics(job.id).json_pieces()))
    for event in events_of(system, job.id):
        strictly(dict(event.data))
    assert np.isfinite(system.jobs.weights(job.id, "last").parameters).all(), "those of the last check"
    assert not system.jobs.weights(job.id, "best").parameters.flags.writeable


@in_this_process
def test_a_job_that_does_not_fit_the_data_fails_and_says_why(system: JobSystem) -> None:
    """Jobs.submit asks before; a data set may have changed since."""
    config = JobRequest(config=system.jobs.get(system.submit()).config).config.to_dict() | {"classes": [2, 3]}
    with system.database.write() as connection:
        job_rows.insert(
            connection,
            [
                NewJob(
                    id="x" * 26,
                    name="refused",
                    dataset="mnist",
                    config={**config, "batch_size": 500},
                    idempotency_key=None,
                    request_sha256="",
                )
            ],
        )
    system.engine.wake()
    job = system.wait("x" * 26)
    assert job.state is JobState.FAILED and job.error is not None
    assert job.error["type"] == "/problems/invalid-field" and "batch" in job.error["detail"]


@pytest.mark.slow
def test_weights_can_be_looked_at_while_it_trains(system: JobSystem) -> None:
    job_id = system.submit(**ENDLESS)
    system.wait_for_step(job_id, 0)
    first = system.jobs.weights(job_id, "last")
    assert first.pictures()["tiles"].shape == (10, 28, 28) and first.parameters.any() and not first.final

    newer = None
    while newer is None or newer.next_step == first.next_step:
        system.wait_for_step(job_id, system.jobs.get(job_id).latest.step + 15)  # type: ignore[union-attr]
        newer = system.jobs.weights(job_id, "last")
    assert newer.next_step > first.next_step
    assert (newer.parameters != first.parameters).any()
    system.jobs.cancel(job_id)
    system.wait(job_id)
    assert system.jobs.weights(job_id, "best").final


def test_a_job_without_weights_says_so(idle: JobSystem) -> None:
    job_id = idle.submit()
    with pytest.raises(NoDataYet):
        idle.jobs.weights(job_id, "best")
    assert len(idle.jobs.curves(job_id)) == 0
    assert json.loads("".join(idle.jobs.metrics(job_id).json_pieces())) == {
        "checks": [],
        "train_loss": {"steps": [], "values": []},
        "thinned": False,
    }


@in_this_process
def test_events_contain_everything_in_order(system: JobSystem) -> None:
    job = system.train(epochs=4)
    events = events_of(system, job.id)
    ids = [event.id for event in events]
    assert ids == sorted(set(ids))
    kinds = [event.kind for event in events]
    assert kinds == ["state", "state", *["check"] * 16, "state"]
    states = [event.data for event in events if event.kind == "state"]
    assert states == plain(job)["history"]
    checks = [event for event in events if event.kind == "check"]
    for event, check in zip(checks, system.jobs.metrics(job.id).checks, strict=True):
        data = dict(event.data)
        progress = data.pop("progress")
        assert data == asdict(check) and event.id == check.id
        assert set(progress) == PROGRESS_KEYS and progress["step"] == check.step
    fractions = [event.data["progress"]["fraction"] for event in checks]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    for place, event in enumerate(events):
        assert system.jobs.events(job.id, after=event.id).events == events[place + 1 :]
    assert system.jobs.events(job.id, limit=3).events == events[:3]


@pytest.mark.slow
def test_a_follower_sees_each_event_once(system: JobSystem) -> None:
    """Reading after the last id while the job runs gives what reading afterwards gives."""
    job_id = system.submit(**LONG)
    seen: tuple[Event, ...] = ()

    def next_batch() -> EventBatch | None:
        news = system.jobs.events(job_id, after=seen[-1].id if seen else 0, limit=7)
        return news if news.events or news.complete else None

    complete = False
    while not complete:
        news = eventually(next_batch)
        seen, complete = seen + news.events, news.complete
    assert seen == events_of(system, job_id)
    assert seen[-1].data["state"] == "succeeded"


@in_this_process
def test_metrics_can_be_asked_from_an_event_on(system: JobSystem) -> None:
    job = system.train(epochs=5, checks_per_epoch=2)
    whole = system.jobs.metrics(job.id)
    assert [check.step for check in whole.checks] == list(range(0, 20, 2))
    assert whole.loss_steps.tolist() == list(range(20))
    for place, check in enumerate(whole.checks):
        rest = system.jobs.metrics(job.id, since=check.id)
        assert list(rest.checks) == list(whole.checks[place + 1 :])
        assert rest.loss_steps.tolist() == list(range(check.step + 1, 20))
        np.testing.assert_array_equal(rest.loss_values, whole.loss_values[check.step + 1 :])
    for check in whole.checks:
        assert whole.loss_values[check.step] == check.train_loss


@in_this_process
def test_thinned_metrics_keep_the_extremes(system: JobSystem) -> None:
    job = system.train(epochs=40, learning_rate=0.5, patience=None)
    whole = system.jobs.metrics(job.id)
    assert not whole.thinned and len(whole.checks) == len(whole.loss_values) == 160
    thinned = system.jobs.metrics(job.id, max_points=20)
    assert thinned.thinned and len(thinned.checks) <= 20 and len(thinned.loss_values) <= 20
    assert set(thinned.checks) <= set(whole.checks)
    assert (thinned.checks[0], thinned.checks[-1]) == (whole.checks[0], whole.checks[-1])

    for name in METRICS:
        kept, every = ([getattr(check, name) for check in metrics.checks] for metrics in (thinned, whole))
        assert (min(kept), max(kept)) == (min(every), max(every))
    assert thinned.loss_values.min() == whole.loss_values.min()
    assert thinned.loss_values.max() == whole.loss_values.max()
    steps = thinned.loss_steps.tolist()
    np.testing.assert_array_equal(thinned.loss_values, whole.loss_values[steps])
    assert not system.jobs.metrics(job.id, max_points=160).thinned


@in_this_process
def test_curves_are_the_metrics(system: JobSystem) -> None:
    job = system.train(epochs=5, checks_per_epoch=2)
    curves, metrics = system.jobs.curves(job.id), system.jobs.metrics(job.id)
    assert curves.check_steps.tolist() == [check.step for check in metrics.checks]
    assert curves.checks["validation_loss"].tolist() == [check.validation_loss for check in metrics.checks]
    assert curves.checks["train_accuracy"].tolist() == [check.train_accuracy for check in metrics.checks]
    np.testing.assert_array_equal(curves.train_loss, metrics.loss_values)
    assert curves.best_step == job.best.step  # type: ignore[union-attr]
    assert curves.stop_step is None and curves.batches_per_epoch == 4
    # Every step has its loss, also those after the last check, whichever part is requested.
    assert curves.check_steps[-1] == 18 and curves.train_loss_steps.tolist() == list(range(20))
    later = system.jobs.metrics(job.id, since=metrics.checks[-1].id)
    assert later.checks == [] and later.loss_steps.tolist() == [19]
    np.testing.assert_array_equal(later.loss_values, curves.train_loss[-1:])


@in_this_process
def test_provenance_says_where_a_picture_comes_from(system: JobSystem) -> None:
    job = system.train(seed=3)
    provenance = system.jobs.provenance(job.id)
    assert provenance["job"] == job.id and provenance["state"] == "succeeded"
    assert provenance["seed"] == "3" and provenance["learning_rate"] == "0.01"
    assert provenance["dataset"] == "mnist" and len(provenance["dataset_sha256"]) == 64
    assert provenance["blas_threads"] == "1"
    assert all(isinstance(value, str) for value in provenance.values())


@in_this_process
def test_deleting_a_job_keeps_its_model(system: JobSystem) -> None:
    job = system.train(name="kept")
    system.jobs.delete(job.id)
    assert system.jobs.events(job.id).events == ()
    assert system.registry.load("kept", 1).manifest.job_id == job.id


@in_this_process
def test_a_job_cannot_be_deleted_before_it_is_over(system: JobSystem) -> None:
    running, waiting = system.submit(**ENDLESS), system.submit()
    system.wait_for_step(running, 0)
    for job_id in (running, waiting):
        with pytest.raises(InvalidJobTransition, match="cancel it first"):
            system.jobs.delete(job_id)
    system.jobs.cancel(running)
    for job_id in (running, waiting):
        system.wait(job_id)
        system.jobs.delete(job_id)


@in_this_process
def test_equal_requests_give_equal_bits(system: JobSystem) -> None:
    first, second = system.train(seed=5), system.train(seed=5)
    other = system.train(seed=6)
    assert system.weights_sha256(first.id) == system.weights_sha256(second.id) != system.weights_sha256(other.id)
    assert system.curve(first.id) == system.curve(second.id)
    one, two = (system.registry.manifest("mnist-softmax", version) for version in (1, 2))
    assert one.weights_sha256 == two.weights_sha256 and one.job_id != two.job_id


@in_this_process
def test_publishing_the_last_weights(system: JobSystem) -> None:
    job = system.train(publish="last", learning_rate=1.0, epochs=8)
    model = system.registry.load("mnist-softmax", 1)
    assert model.manifest.published == "last"
    assert job.latest is not None
    assert model.manifest.metrics["published"]["step"] == job.latest.step
    np.testing.assert_array_equal(model.parameters, model.last)


@pytest.mark.slow
def test_stopping_hands_back_and_the_next_engine_ends_with_the_same_bits(
    make_system: Callable[..., JobSystem], executor: SharedExecutor
) -> None:
    undisturbed = make_system(lambda: executor)
    undisturbed.engine.start()
    long = {**LONG, "epochs": 250}  # seconds: a cluster receives the stop a little later
    expected = undisturbed.train(**long)
    undisturbed.engine.stop()

    system = make_system(lambda: executor)
    system.engine.start()
    job_id = system.submit(**long)
    system.wait_for_step(job_id, 15 * 30)
    system.engine.stop()
    job = system.jobs.get(job_id)
    assert job.state is JobState.QUEUED and job.latest is not None and job.latest.step < 15 * 250 - 15
    assert job.history[-1].reason == "Training was interrupted; it resumes from here."

    following = make_system(lambda: executor)
    following.engine.start()
    job = following.wait(job_id)
    assert job.state is JobState.SUCCEEDED and job.model == {"name": "mnist-softmax", "version": 2}
    assert following.states(job_id) == ["queued", "running", "queued", "running", "succeeded"]
    assert following.weights_sha256(job_id) == following.weights_sha256(expected.id)
    assert following.curve(job_id) == following.curve(expected.id)
    with following.database.read() as connection:
        assert connection.execute(jobs.select().where(jobs.c.id == job_id)).one().losses == 0


@pytest.mark.slow
def test_progress_moves(system: JobSystem) -> None:
    job_id = system.submit(**LONG)
    seen: list[Job] = [system.wait_for_step(job_id, 0)]
    while not seen[-1].state.final:
        seen.append(system.wait(job_id, lambda job: job != seen[-1]))
    fractions = [job.progress.fraction for job in seen]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert len(set(fractions)) > 2
    running = [job for job in seen if job.state is JobState.RUNNING]
    assert all(math.isfinite(job.progress.eta_s or 0) for job in running)
    assert all(isinstance(job.latest, RecordedCheck) for job in running)
