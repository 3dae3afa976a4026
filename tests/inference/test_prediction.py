"""Predictions: right, and the same bits in every company."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from service.core import design_matrix
from service.datasets import Dataset
from service.inference import answer, decode_pixels, predict
from service.registry import Model

KINDS = [
    ("softmax", tuple(range(10)), "float32"),
    ("softmax", tuple(range(10)), "float64"),
    ("softmax", (7, 1, 4), "float32"),
    ("logistic", (2, 3), "float32"),
    ("logistic", (3, 2), "float64"),
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_labels_and_probabilities_are_those_of_the_core(
    kind: Any, make_model: Callable[..., Model], mnist: Dataset
) -> None:
    model, images = make_model(*kind), mnist.test.images[:200]
    labels, table = predict(model, images)
    expected = model.function.probabilities(model.parameters, design_matrix(images, kind[2]))
    assert table.dtype == kind[2] and table.shape == (200, len(kind[1]))
    np.testing.assert_allclose(table, expected, rtol=1e-4)
    assert labels.dtype == np.int64
    assert labels.tolist() == [kind[1][column] for column in expected.argmax(axis=1)]
    assert (predict(model, images.reshape(200, 784))[1] == table).all()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_an_image_gets_the_same_bits_alone_and_among_ten_thousand(
    kind: Any, make_model: Callable[..., Model], mnist: Dataset
) -> None:
    model, images = make_model(*kind), mnist.test.images
    rng = np.random.default_rng(0)
    together = predict(model, images)[1]
    for n_images in [*range(1, 70), 500]:
        chosen = rng.choice(10_000, n_images)
        assert predict(model, images[chosen])[1].tobytes() == together[chosen].tobytes()
    for place in rng.choice(10_000, 200):
        assert predict(model, images[place : place + 1])[1].tobytes() == together[place].tobytes()


def test_no_images_give_no_predictions(make_model: Callable[..., Model]) -> None:
    labels, table = predict(make_model(), np.empty((0, 28, 28), np.uint8))
    assert labels.shape == (0,) and table.shape == (0, 10)


def test_of_equal_probabilities_the_first_class_wins(make_model: Callable[..., Model]) -> None:
    model = make_model("softmax", (7, 1, 4))
    zeros = np.zeros((785, 3), np.float32)
    even = Model(manifest=model.manifest, best=zeros, last=zeros)
    assert predict(even, np.zeros((1, 28, 28), np.uint8))[0].tolist() == [7]


def test_each_prediction_has_its_story(make_model: Callable[..., Model], mnist: Dataset) -> None:
    model = make_model("logistic", (3, 2))
    images = np.concatenate([mnist.test.images[:1], np.zeros((1, 28, 28), np.uint8)])
    said = answer(model, decode_pixels(images))
    assert (said["model"], said["version"]) == ("digits", 1)
    first, second = said["predictions"]
    labels, table = predict(model, images)
    assert first["probabilities"] == dict(zip("32", table[0].tolist(), strict=True))
    assert first["digit"] == labels[0] and type(first["digit"]) is int
    assert first["preprocessing"] == ["used as given"]
    assert first["warnings"] == [] and "blank" in second["warnings"][0]
