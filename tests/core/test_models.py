"""Logistic and softmax regression: what their logits mean, and what they make of weights and images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core import MODELS, Task, build_model, design_matrix
from service.datasets import Dataset

OUTPUTS = {name: model.output for name, model in MODELS.items()}
N_OUTPUTS = {"logistic": 1, "softmax": 4}
N_CLASSES = {"logistic": 2, "softmax": 4}
every_model = pytest.mark.parametrize("name", MODELS)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def some(name: str, *, n_members: int = 3, n_images: int = 7, dtype: Any = np.float64) -> tuple[Any, Any]:
    """Logits of a stack, and the places of the classes of its images."""
    rng = np.random.default_rng(8)
    logits = rng.normal(scale=3, size=(n_members, N_OUTPUTS[name], n_images)).astype(dtype)
    return logits, rng.integers(N_CLASSES[name], size=n_images)


@every_model
@every_dtype
def test_shapes_and_dtypes(name: str, dtype: Any) -> None:
    model, (logits, y) = OUTPUTS[name], some(name, dtype=dtype)
    before = logits.copy()
    losses, d_logits = model.loss_and_gradient(logits, y)
    expected = {
        "loss": (losses, (3,), np.float64),
        "gradient": (d_logits, logits.shape, dtype),
        "accuracy": (model.accuracy(logits, y), (3,), np.float64),
        "probabilities": (model.probabilities(logits), (3, N_CLASSES[name], 7), dtype),
    }
    for array, shape, type_ in expected.values():
        assert array.shape == shape
        assert array.dtype == type_
    np.testing.assert_array_equal(model.losses(logits, y).mean(axis=1, dtype=np.float64), losses)
    np.testing.assert_array_equal(logits, before)


@every_model
def test_the_gradient_is_that_of_the_loss(name: str) -> None:
    model, (logits, y) = OUTPUTS[name], some(name)
    _, d_logits = model.loss_and_gradient(logits, y)
    h = 1e-5
    numeric = np.empty_like(logits)
    for _, output, image in np.ndindex(logits.shape):
        move = np.zeros_like(logits)
        move[:, output, image] = h
        above, below = (model.losses(end, y).mean(axis=1) for end in (logits + move, logits - move))
        numeric[:, output, image] = (above - below) / (2 * h)
    np.testing.assert_allclose(d_logits, numeric, rtol=0, atol=1e-7 * np.abs(d_logits).max())


@every_model
def test_the_loss_is_that_of_the_probabilities(name: str) -> None:
    model, (logits, y) = OUTPUTS[name], some(name)
    of_the_class = model.probabilities(logits)[:, y, np.arange(len(y))]
    np.testing.assert_allclose(model.losses(logits, y).mean(axis=1), -np.log(of_the_class).mean(axis=1), rtol=1e-13)


@every_model
def test_accuracy_counts_the_images_whose_class_is_likeliest(name: str) -> None:
    model, (logits, y) = OUTPUTS[name], some(name)
    hits = model.probabilities(logits).argmax(axis=1) == y
    assert 0 < hits.mean() < 1
    np.testing.assert_array_equal(model.accuracy(logits, y), hits.mean(axis=1))


def test_the_first_class_is_the_positive_one() -> None:
    logits, first, second = np.array([[[5.0]]]), np.array([0]), np.array([1])
    assert OUTPUTS["logistic"].losses(logits, first) < 0.01 < OUTPUTS["logistic"].losses(logits, second)
    assert OUTPUTS["logistic"].accuracy(logits, first) == 1
    np.testing.assert_allclose(OUTPUTS["logistic"].probabilities(logits)[0, :, 0], [0.9933, 0.0067], atol=1e-4)


@every_model
@every_dtype
def test_extreme_logits_give_finite_losses_and_gradients(name: str, dtype: Any) -> None:
    model, largest = OUTPUTS[name], np.finfo(dtype).max / 1000  # the sum of 50 of them is still a number
    for scale in (1e3, 1e10, 1e30, largest):
        logits, y = some(name, dtype=dtype, n_images=50)
        extreme = np.sign(logits) * dtype(scale)
        losses, d_logits = model.loss_and_gradient(extreme, y)
        assert np.isfinite(losses).all()
        assert losses.max() > scale / 10
        assert np.abs(d_logits).max() <= 1 / 50 * 1.001
        np.testing.assert_allclose(model.probabilities(extreme).sum(axis=1), 1, rtol=1e-6)


@given(st.floats(-1e300, 1e300))
def test_logistic_loss_neither_overflows_nor_cancels(z: float) -> None:
    loss = OUTPUTS["logistic"].losses(np.array([[[z]]]), np.array([0]))[0, 0]
    exact = -z if z < -40 else np.exp(-z) if z > 40 else np.log1p(np.exp(-z))
    assert loss == pytest.approx(exact, rel=1e-12, abs=0)


@every_model
def test_probabilities_of_weights_and_images(name: str, mnist: Dataset) -> None:
    x = design_matrix(mnist.test.images[:20], np.float64)
    weights = np.random.default_rng(4).normal(scale=0.1, size=(785, N_OUTPUTS[name]))
    exponentials = np.exp(np.column_stack([x @ weights, np.zeros(20)]) if name == "logistic" else x @ weights)
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    model = build_model(name, Task((28, 28), N_CLASSES[name]), {})
    given = model.probabilities(model.layout.row({"W": weights}), x)
    assert given.shape == (20, N_CLASSES[name])
    np.testing.assert_allclose(given, expected, rtol=0, atol=1e-14)


@every_model
def test_probabilities_of_no_images(name: str) -> None:
    model = build_model(name, Task((28, 28), N_CLASSES[name]), {})
    row, x = np.zeros(model.layout.size, np.float32), np.zeros((0, 785), np.float32)
    assert model.probabilities(row, x).shape == (0, N_CLASSES[name])
