"""Networks with hidden layers: their gradients, their training, their predictions and what each pixel contributes."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi
from typing import Any

import numpy as np
import pytest

from service.core import Floats, Schedule, Task, TrainingConfig, TrainingData, build_model
from service.core.augmentation import STRENGTHS, Augmenter
from service.core.data import epoch_batches
from service.core.models import ACTIVATIONS, INITIALIZATIONS, Model
from service.core.training import decay
from service.errors import InvalidField
from tests.core import plain_network
from tests.core.recording import record

DataFor = Callable[[TrainingConfig], TrainingData]

SMALL = Task(image_shape=(4, 3), n_classes=3)


def network(*sizes: int, model: str = "softmax", task: Task = SMALL, **changes: Any) -> Model:
    hyperparameters = {"activation": "relu", "initialization": "he", "input_scaling": "standard", **changes}
    if model == "logistic":
        task = Task(image_shape=task.image_shape, n_classes=2)
    return build_model(model, task, {**hyperparameters, "hidden_layers": sizes})


def images(rng: np.random.Generator, model: Model, n_images: int = 7) -> Floats:
    x = rng.normal(size=(n_images, model.task.n_inputs))
    x[:, -1] = 1
    return x


@pytest.mark.slow
@pytest.mark.parametrize("model", ["softmax", "logistic"])
@pytest.mark.parametrize("depth", [1, 2, 3, 10])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("initialization", [name for name in INITIALIZATIONS if name != "zeros"])
def test_gradients_are_those_of_central_differences(
    initialization: str, activation: str, depth: int, model: str
) -> None:
    rng = np.random.default_rng(depth)
    made = network(*[5] * depth, model=model, activation=activation, initialization=initialization)
    row = made.initial(rng) + 0.01 * rng.normal(size=made.layout.size)  # biases too are not 0
    x = images(rng, made)
    y = rng.integers(0, made.task.n_classes, len(x))
    gradient = made.loss_and_gradient(row[np.newaxis], x, y)[1][0].copy()
    step = 1e-6

    def loss(moved: Floats) -> float:
        return float(made.output.losses(made.logits(moved[np.newaxis], x), y).mean())

    numeric = [(loss(row + step * e) - loss(row - step * e)) / (2 * step) for e in np.eye(len(row))]
    np.testing.assert_allclose(gradient, numeric, rtol=0, atol=1e-6 * np.abs(gradient).max())


@pytest.mark.parametrize("convention", ["squared", "half_squared", "squared_without_bias"])
def test_the_penalty_is_over_all_layers(convention: Any) -> None:
    config = TrainingConfig(hidden_layers=(3, 4), l2_penalty=0.5, l2_convention=convention, dtype="float64")
    model = config.build_model()
    factor = decay(config, model)
    is_bias = model.layout.is_bias()
    assert is_bias.sum() == 3 + 4 + 10
    assert set(factor[~is_bias]) == {0.5 if convention == "half_squared" else 1.0}
    assert set(factor[is_bias]) == {{"squared": 1.0, "half_squared": 0.5, "squared_without_bias": 0.0}[convention]}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_training_is_that_of_the_plain_trainer(data_for: DataFor, activation: str) -> None:
    """With momentum, schedule, penalty and augmentation, in float64, over a whole run."""
    config = TrainingConfig(
        hidden_layers=(9, 6),
        activation=activation,
        dtype="float64",
        train_size=600,
        validation_size=400,
        batch_size=50,
        epochs=4,
        learning_rate=0.05,
        l2_penalty=1e-3,
        augmentation="soft",
        patience=None,
    )
    data, model = data_for(config), config.build_model()
    fast = record(config, data)
    schedule = Schedule.of(config, len(data.y_train))
    n_steps = config.epochs * schedule.batches_per_epoch
    augmenter, shift = Augmenter(model.task.image_shape, STRENGTHS["soft"]), model.scaling.shift
    batches, rates = [], []
    for epoch in range(config.epochs):
        for number, index in enumerate(epoch_batches(config, schedule, epoch * schedule.batches_per_epoch)):
            x = data.x_train[index].copy()
            x[:, :-1] = augmenter(x[:, :-1] + shift, config.seed, epoch, number) - shift
            batches.append((x, data.y_train[index]))
    n_warm = 1
    for step in range(n_steps):
        factor = 1 if step < n_warm else (1 + cos(pi * (step - n_warm) / (n_steps - n_warm))) / 2
        rates.append(config.learning_rate * factor)
    start = model.layout.views(model.initial(np.random.default_rng([config.seed, 0, 1])))
    layers, curve = plain_network.train(
        list(start.values()),
        batches,
        data.x_validation,
        data.y_validation,
        activation=activation,
        rates=rates,
        momentum=0.9,
        l2=1e-3,
        check_interval=schedule.check_interval,
    )
    np.testing.assert_allclose([check.validation_loss for check in fast.checks], curve, rtol=0, atol=1e-10)
    np.testing.assert_allclose(
        fast.result.state.last, model.layout.row(dict(zip(start, layers, strict=True))), rtol=0, atol=1e-10
    )


def test_an_image_has_the_same_bits_in_every_company() -> None:
    rng = np.random.default_rng(0)
    model = network(64, 32, task=Task(image_shape=(28, 28), n_classes=10))
    row = model.initial(rng).astype(np.float32)
    x = images(rng, model, 203).astype(np.float32)
    together = model.probabilities(row, x)
    for start, stop in ((0, 1), (1, 2), (2, 5), (101, 103), (202, 203), (3, 200)):
        assert model.probabilities(row, x[start:stop]).tobytes() == together[start:stop].tobytes()


@pytest.mark.parametrize("model", ["softmax", "logistic"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_contributions_sum_to_the_logit_and_to_differences(activation: str, model: str) -> None:
    rng = np.random.default_rng(1)
    made = network(8, 5, 6, model=model, activation=activation)
    row = made.initial(rng)
    x = images(rng, made)
    x[:, :4] = -made.scaling.shift  # blank pixels
    logits = made.output.class_values(made.logits(row[np.newaxis], x)[0].T)
    for number, image in enumerate(x):
        found = made.attribute(row, image, 0)
        assert found.logit == pytest.approx(logits[number, 0], abs=1e-12)
        assert found.shares.sum() + found.constant == pytest.approx(found.logit, abs=1e-12)
        assert not found.shares[:4].any()
        against = made.attribute(row, image, 0, 1)
        assert against.shares.sum() + against.constant == pytest.approx(against.logit, abs=1e-12)
        assert against.logit == pytest.approx(float(made.output.contrast(logits, 0, 1)[number]), abs=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_slopes_are_the_derivatives_of_the_logits(activation: str) -> None:
    rng = np.random.default_rng(2)
    made = network(6, 5, activation=activation)
    row = made.initial(rng)
    (x,) = images(rng, made, 1)
    step = 1e-6

    def logits(moved: Floats) -> Floats:
        return made.logits(row[np.newaxis], moved[np.newaxis])[0, :, 0]

    numeric = [(logits(x + step * e) - logits(x - step * e)) / (2 * step) for e in np.eye(len(x))]
    np.testing.assert_allclose(made.slopes(row, x), numeric, atol=1e-8)


class TestHyperparameters:
    def test_a_network_gets_what_makes_sense_for_it_and_a_linear_model_what_it_always_had(self) -> None:
        chosen = TrainingConfig(hidden_layers=(256, 128)).to_dict()
        names = (
            "activation", "initialization", "input_scaling", "augmentation", "momentum", "learning_rate_schedule",
        )  # fmt: skip
        assert [chosen[name] for name in names] == ["relu", "he", "standard", "soft", 0.9, "cosine"]
        linear = TrainingConfig()
        assert [getattr(linear, name) for name in names] == [None, "zeros", "range", "none", 0.0, "constant"]
        assert not set(names) & linear.to_record().keys()
        assert "hidden_layers" not in linear.to_record()

    def test_records_read_back(self) -> None:
        config = TrainingConfig(hidden_layers=(8,), momentum=0, augmentation="none", input_scaling="range")
        assert TrainingConfig.from_record(config.to_record()) == config

    @pytest.mark.parametrize("sizes", [[0], [2049], [1] * 11, [True], ["8"], 8, "256-128", None, [1.0]], ids=str)
    def test_refused_sizes(self, sizes: Any) -> None:
        with pytest.raises(InvalidField) as refused:
            TrainingConfig(hidden_layers=sizes)
        assert refused.value.field == "hidden_layers"

    def test_too_many_parameters_are_counted(self) -> None:
        with pytest.raises(InvalidField, match="5,824,522 parameters") as refused:
            TrainingConfig(hidden_layers=(2048, 2048))
        assert "2,000,000" in str(refused.value.allowed)

    def test_a_network_of_zeros_would_never_learn(self) -> None:
        with pytest.raises(InvalidField) as refused:
            TrainingConfig(hidden_layers=(4,), initialization="zeros")
        assert refused.value.field == "initialization"


class TestAugmentation:
    def test_it_is_a_function_of_seed_epoch_batch_and_images(self) -> None:
        augment = Augmenter((28, 28), STRENGTHS["strong"])
        pixels = np.random.default_rng(0).uniform(0, 1, (40, 784)).astype(np.float32)
        first = augment(pixels, 3, 1, 2)
        augment(pixels, 3, 1, 3)
        assert augment(pixels.copy(), 3, 1, 2).tobytes() == first.tobytes()
        others = [augment(pixels, *key) for key in ((4, 1, 2), (3, 2, 2), (3, 1, 3))]
        assert all(not np.allclose(first, other) for other in others)
        assert first.shape == pixels.shape
        assert first.dtype == np.float32

    def test_ink_stays_within_its_bounds_and_nothing_comes_of_nothing(self) -> None:
        augment = Augmenter((28, 28), STRENGTHS["strong"])
        assert not augment(np.zeros((16, 784), np.float32), 0, 0, 0).any()
        found = augment(np.ones((512, 784), np.float32), 0, 0, 0)
        assert found.min() >= 0
        assert found.max() <= 1 + 1e-5
