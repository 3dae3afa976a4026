"""Jobs that start from a version of a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.answers import plain
from service.core import TrainingConfig
from service.database import NewJob, job_rows
from service.errors import InvalidField
from service.jobs import InlineExecutor, Job, JobRequest, JobState, SweepRequest, Sweeps
from service.registry import AliasEntry, Model
from tests.jobs.job_system import SHORT, JobSystem

NETWORK: dict[str, Any] = {
    **SHORT,
    "model": "softmax",
    "classes": [3, 5, 8],
    "hidden_layers": [8],
    "activation": "sigmoid",
    "initialization": "xavier",
    "train_size": 1500,
}


@pytest.fixture
def inline(make_system: Callable[..., JobSystem]) -> JobSystem:
    system = make_system(lambda: InlineExecutor(1))
    system.engine.start()
    return system


def submit(system: JobSystem, *, key: str | None = None, **body: Any) -> Job:
    body = {"model": "softmax", "epochs": 2, "train_size": 1500, "validation_size": 500, **body}
    return system.jobs.submit(system.jobs.request_of(body), idempotency_key=key)


def train(system: JobSystem, **body: Any) -> tuple[Job, Model]:
    job = system.wait(submit(system, **body).id)
    assert job.model is not None, job.error
    return job, system.registry.load(**job.model)


def set_alias(system: JobSystem, name: str, version: int) -> AliasEntry:
    return system.registry.set_alias(name, "teacher", version)


@pytest.mark.slow
def test_it_begins_with_the_weights_and_has_what_belongs_to_them(system: JobSystem) -> None:
    """A step at a rate of nearly 0 leaves the weights where they were."""
    _, first = train(system, **NETWORK, name="first")
    job, model = train(
        system, start_from="first", name="second", epochs=1, learning_rate=1e-6, l2_penalty=0, augmentation="none"
    )
    assert np.allclose(model.last, first.parameters, atol=1e-5) and not np.array_equal(model.last, first.parameters)
    answer, of = plain(job), first.manifest
    assert answer["config"]["start_from"] == "first/1"
    assert answer["starts_from"] == {"name": "first", "version": 1, "weights_sha256": of.weights_sha256}
    assert model.manifest.config["start_from"] == f"first/1@sha256:{of.weights_sha256}"
    inherited = {name: answer["config"][name] for name in ("classes", "hidden_layers", "activation", "input_scaling")}
    assert inherited == {
        "classes": [3, 5, 8],
        "hidden_layers": [8],
        "activation": "sigmoid",
        "input_scaling": "standard",
    }
    assert answer["config"]["momentum"] == 0.9, "the default of a network"
    outcome = (system.wait(system.jobs.verify(job.id).id).verification or {})["outcome"]
    assert outcome["identical"] and outcome["differences"] == []


def test_it_is_not_unsure_of_more_than_the_version_before(inline: JobSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("service.core.certainty.REFUSED_FRACTION", 0.0)
        _, first = train(inline, **NETWORK, name="first")
    monkeypatch.setattr("service.core.certainty.REFUSED_FRACTION", 0.5)
    _, second = train(inline, start_from="first", name="second", epochs=1, augmentation="none")
    before, after = first.manifest.certainty, second.manifest.certainty
    assert before is not None and after is not None and after.part == "test"
    assert after.unsure_below == before.unsure_below and after.temperature != before.temperature


def test_resumed_as_one_long_run(inline: JobSystem) -> None:
    train(inline, **NETWORK, name="first")
    start = {"start_from": "first/1", "learning_rate_schedule": "constant"}
    half, _ = train(inline, **start, epochs=2)
    whole, _ = train(inline, **start, epochs=4)
    resumed = inline.wait(inline.jobs.resume(half.id, {"epochs": 4}).id)
    assert inline.weights_sha256(resumed.id) == inline.weights_sha256(whole.id)
    assert resumed.starts_from == half.starts_from


def test_what_cannot_be_resumed_can_be_continued(inline: JobSystem) -> None:
    cosine, _ = train(inline, **NETWORK, name="first")
    with pytest.raises(InvalidField, match="start_from"):
        inline.jobs.resume(cosine.id, {"epochs": 9})
    job, _ = train(inline, start_from="first")
    assert job.state is JobState.SUCCEEDED and job.latest is not None


@pytest.mark.slow
@pytest.mark.parametrize("reference", ["first/teacher", "first@teacher", "first@1", "first/1"])
def test_the_version_is_that_of_the_moment_of_acceptance(inline: JobSystem, reference: str) -> None:
    for _ in range(2):
        train(inline, model="softmax", name="first", epochs=1)
    set_alias(inline, "first", 1)
    inline.engine.stop()
    waiting = submit(inline, start_from=reference, key="once")
    set_alias(inline, "first", 2)
    assert waiting.config.start_from == "first/1"
    assert submit(inline, start_from=reference, key="once").id == waiting.id


def test_a_linear_model_in_another_precision(inline: JobSystem) -> None:
    train(inline, model="logistic", classes=[4, 9], name="pair", epochs=1)
    job, model = train(inline, model="logistic", start_from="pair", dtype="float64")
    assert job.config.classes == (4, 9) and model.last.dtype == np.float64


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", "logistic"),
        ("classes", [2, 3]),
        ("hidden_layers", [9]),
        ("hidden_layers", []),
        ("activation", "relu"),
        ("initialization", "he"),
        ("input_scaling", "range"),
        ("start_from", "nobody"),
        ("start_from", "first/2"),
        ("start_from", "first@nobody"),
        ("start_from", "/"),
        ("start_from", f"first/1@sha256:{'0' * 64}"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(inline: JobSystem, field: str, value: Any) -> None:
    _, first = train(inline, **{**NETWORK, "epochs": 1}, name="first")
    same = f"first/1@sha256:{first.manifest.weights_sha256}"
    fitting = {"classes": [3, 5, 8], "hidden_layers": [8], "activation": "sigmoid"}
    assert submit(inline, start_from=same, **fitting).state is JobState.QUEUED
    with pytest.raises(InvalidField) as refusal:
        submit(inline, **{"start_from": "first", field: value})
    assert refusal.value.field == field


def test_only_a_version_can_be_accepted(inline: JobSystem) -> None:
    with pytest.raises(InvalidField, match="which version"):
        inline.jobs.submit(JobRequest(config=TrainingConfig(start_from="first")))


def test_a_job_whose_version_is_gone_fails_with_a_sentence(inline: JobSystem) -> None:
    train(inline, model="softmax", name="first", epochs=1)
    inline.engine.stop()
    waiting = submit(inline, start_from="first")
    (inline.folder / "model_store" / "first" / "1" / "manifest.json").unlink()
    system = JobSystem(inline.folder, lambda: InlineExecutor(1), url=inline.url)
    try:
        system.engine.start()
        job = system.wait(waiting.id)
    finally:
        system.close()
    assert job.state is JobState.FAILED and job.error is not None
    assert job.error["type"] == "/problems/model-not-found"


def test_members_of_a_sweep_have_the_bits_of_the_job_alone(inline: JobSystem) -> None:
    train(inline, **NETWORK, name="first")
    sweeps = Sweeps(inline.database, max_queue_length=10, wake_engine=inline.engine.wake, registry=inline.registry)
    base = {"start_from": "first", "epochs": 2, "train_size": 1500, "validation_size": 500}
    sweep = sweeps.submit(SweepRequest(base=base, grid={"learning_rate": [0.01, 0.1]}, name="swept"))
    alone, _ = train(inline, start_from="first", learning_rate=0.1)
    member = inline.wait(sweep.members[1].id)
    assert replace(member.config, name=alone.config.name) == alone.config
    assert inline.weights_sha256(member.id) == inline.weights_sha256(alone.id)
    with pytest.raises(InvalidField) as refusal:
        sweeps.submit(SweepRequest(base=base, grid={"hidden_layers": [[8], [9]]}))
    assert refusal.value.field == "grid.hidden_layers"


def test_what_needs_a_version_is_found_on_every_database(idle: JobSystem) -> None:
    config = {**TrainingConfig().to_record(), "start_from": f"first_1/3@sha256:{'0' * 64}"}
    starts = NewJob(name="a", dataset="mnist", config=config, request_sha256="")
    verification = {"job": "", "model": {"name": "second", "version": 2}, "until_step": None, "outcome": None}
    verifies = NewJob(
        name="b", dataset="other", config=TrainingConfig().to_record(), request_sha256="", verification=verification
    )
    with idle.database.write() as connection:
        job_rows.insert(connection, [starts, verifies])
        needs = {
            job_rows.needs_version("first_1"): [starts.id],
            job_rows.needs_version("first_1", 3): [starts.id],
            job_rows.needs_version("first_1", 33): [],
            job_rows.needs_version("firstx1", 3): [],
            job_rows.needs_version("first"): [],
            job_rows.needs_version("second"): [verifies.id],
            job_rows.needs_version("second", 2): [verifies.id],
            job_rows.needs_version("second", 1): [],
        }
        assert [job_rows.unfinished(connection, condition) for condition in needs] == list(needs.values())
        assert job_rows.unfinished(connection, dataset="other") == [verifies.id]
