"""A model of one more file does all that the product's own do, and no other file knows of it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.core import MODELS, TrainingConfig
from service.datasets import Dataset, split
from service.inference import ModelCatalogue, ModelInputs, evaluate, explain, predict
from service.jobs import (
    InlineExecutor,
    Job,
    JobState,
    Snapshots,
    SweepRequest,
    Sweeps,
    job_picture,
    prepare_sweep_weights,
)
from service.registry import Model, Registry
from service.stores import LocalStore
from tests.compatibility.hidden_layer import UNITS, HiddenLayer
from tests.jobs.job_system import SHORT, JobSystem
from tests.new_folder import add_database

HIDDEN: dict[str, Any] = {**SHORT, "model": "hidden", "learning_rate": 0.03, "batch_size": 16, "train_size": 2000}


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    MODELS["hidden"] = HiddenLayer
    yield
    del MODELS["hidden"]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobSystem]:
    folder = tmp_path_factory.mktemp("hidden")
    add_database(folder)
    system = JobSystem(folder, lambda: InlineExecutor(1))
    system.engine.start()
    yield system
    system.close()


@pytest.fixture(scope="module")
def job(system: JobSystem) -> Job:
    job = system.train(**HIDDEN, name="hidden")
    assert job.state is JobState.SUCCEEDED
    return job


@pytest.fixture(scope="module")
def model(system: JobSystem, job: Job) -> Model:
    return ModelCatalogue(system.registry, default_name="hidden").get("hidden", 1)


def test_its_gradient_is_that_of_its_loss(mnist: Dataset) -> None:
    config = TrainingConfig(**{**HIDDEN, "dtype": "float64", "learning_rate": 1, "epochs": 1, "batch_size": 32})
    data, function = split(mnist, config), config.build_model()
    x, y = data.x_train[:32], data.y_train[:32]
    row = function.initial(np.random.default_rng(0))
    _, gradient = function.loss_and_gradient(row[np.newaxis], x, y)
    for entry in np.random.default_rng(1).integers(len(row), size=50):
        ends = row + np.array([[1e-5], [-1e-5]]) * (np.arange(len(row)) == entry)
        above, below = function.output.losses(function.logits(ends, x), y).mean(axis=1)
        assert gradient[0, entry] == pytest.approx((above - below) / 2e-5, abs=1e-8)


@pytest.mark.slow
def test_it_learns_and_goes_on_from_any_check(system: JobSystem, job: Job, mnist: Dataset) -> None:
    assert job.latest is not None and job.latest.validation_loss < 2
    resumed = system.wait(system.jobs.resume(job.id, {"epochs": 5}).id)
    whole = system.train(**{**HIDDEN, "epochs": 5}, name="whole")
    assert system.weights_sha256(resumed.id) == system.weights_sha256(whole.id)
    other = system.train(**{**HIDDEN, "epochs": 5, "seed": 1}, name="whole")
    assert system.weights_sha256(other.id) != system.weights_sha256(whole.id), "the seed decides the first weights"


def test_it_is_verified(system: JobSystem, job: Job) -> None:
    verified = system.wait(system.jobs.verify(job.id).id)
    assert verified.verification is not None and verified.verification["outcome"]["identical"]


@pytest.mark.slow
def test_members_of_a_sweep_have_the_bits_of_the_job_alone(system: JobSystem, job: Job) -> None:
    sweeps = Sweeps(system.database, max_queue_length=10, wake_engine=system.engine.wake)
    sweep = sweeps.submit(SweepRequest(base=HIDDEN, grid={"l2_penalty": [0.0, 0.1]}, name="swept"))
    for member in sweep.members:
        system.wait(member.id)
    assert system.weights_sha256(sweep.members[0].id) == system.weights_sha256(job.id)
    sweep = sweeps.get(sweep.id)
    first, second = sweeps.norms(sweep)
    assert first is not None and second is not None and first > second
    assert size_of(prepare_sweep_weights(sweeps, sweep.id).draw())[0] > UNITS * 28


def test_it_is_in_the_registry_with_a_tensor_a_file(system: JobSystem, job: Job, model: Model) -> None:
    with np.load(io.BytesIO(system.registry.weights_bytes("hidden", 1)), allow_pickle=False) as arrays:
        assert {name: arrays[name].shape for name in arrays} == {
            f"{which}_{name}": shape
            for which in ("best", "last")
            for name, shape in (("W1", (785, UNITS)), ("W2", (UNITS + 1, 10)))
        }
    assert model.best.tobytes() == system.jobs.weights(job.id, "best").parameters.tobytes()
    copy = Registry(LocalStore(system.folder / "copy"))
    assert copy.put(model.manifest, system.registry.weights_bytes("hidden", 1))
    assert copy.load("hidden", 1).last.tobytes() == model.last.tobytes()


def test_it_predicts_and_is_evaluated(model: Model, mnist: Dataset) -> None:
    labels, table = predict(model, mnist.test.images[:300])
    assert table.dtype == np.float32
    np.testing.assert_allclose(table.sum(axis=1), 1, rtol=1e-5)
    assert (predict(model, mnist.test.images[7])[1][0] == table[7]).all(), "the same bits in every company"
    found = evaluate(model)
    assert (found.predicted[:300] == labels).all() and found.accuracy > 0.5


def test_its_evidence_adds_up_and_a_flip_flips(model: Model, mnist: Dataset) -> None:
    image = mnist.test.images[:1]
    found = explain(model, ModelInputs.as_given(image), against=int(predict(model, image)[0][0]) ^ 1)
    assert found.sum == pytest.approx(found.logit, rel=1e-12)
    assert found.logit == pytest.approx(found.logits[str(found.digit)] - found.logits[str(found.digit ^ 1)], rel=1e-12)
    assert found.flip is not None
    assert predict(model, found.flip.pixels)[0][0] == found.flip.digit != found.digit


def test_it_is_drawn_and_looked_back_at(system: JobSystem, job: Job) -> None:
    assert size_of(job_picture(system.jobs, job.id, "weights"))[0] > UNITS * 28 * 4
    snapshots = Snapshots(system.database)
    listed = snapshots.list(job.id)
    assert [step["kind"] for step in listed["operations"]] == ["scale", "dense", "tanh", "dense", "softmax"]
    assert listed["tensors"] == [{"name": "W1", "shape": [785, UNITS]}, {"name": "W2", "shape": [UNITS + 1, 10]}]
    step = listed["snapshots"][-1]["step"]
    assert snapshots.weights(job.id, step).pictures()["labels"] == [str(number) for number in range(1, UNITS + 1)]
    assert job.latest is not None
    assert snapshots.confusion(job.id, step).accuracy == job.latest.validation_accuracy


def size_of(png: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(png)).size
