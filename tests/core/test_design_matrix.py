"""Images as the model sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from service.core import DIGITS, RANGE, TrainingData, design_matrix
from service.datasets import Dataset
from service.errors import InvalidDataset
from tests.core import reference


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_byte_is_scaled_as_the_formula_says(dtype: Any) -> None:
    images = np.resize(np.arange(256, dtype=np.uint8), (4, 28, 28))
    x = design_matrix(images, dtype)
    assert x.shape == (4, 785)
    assert x.dtype == dtype
    assert x.flags.c_contiguous
    assert (x.min(), x.max()) == (-1, 1)
    assert (x[:, 784] == 1).all()
    np.testing.assert_allclose(x, reference.scale(images), rtol=0, atol=np.finfo(dtype).eps)


def test_real_images_in_either_shape(mnist: Dataset) -> None:
    images = mnist.test.images[:100]
    x = design_matrix(images)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(design_matrix(images.reshape(-1, 784)), x)
    np.testing.assert_allclose(x, reference.scale(images), rtol=0, atol=1.2e-7)


def test_scaling_is_inverted_to_the_grey_level() -> None:
    images = np.arange(256, dtype=np.uint8).reshape(1, 256)
    for dtype in (np.float32, np.float64):
        np.testing.assert_array_equal(RANGE.invert(design_matrix(images, dtype)[:, :-1]), images)


def test_no_images() -> None:
    assert design_matrix(np.zeros((0, 28, 28), np.uint8)).shape == (0, 785)


def data(n: int, *, n_features: int = DIGITS.n_inputs, n_labels: int | None = None) -> dict[str, Any]:
    x, y = np.zeros((n, n_features), np.float32), np.zeros(n if n_labels is None else n_labels, np.int64)
    return {"x_train": x, "y_train": y, "x_validation": x, "y_validation": y}


def test_training_data_must_fit_together() -> None:
    assert len(TrainingData(**data(3)).x_train) == 3
    for part in ("train", "validation"):
        for bad in (data(3, n_features=784), data(3, n_labels=2)):
            chosen = {name: array for name, array in bad.items() if name.endswith(part)}
            with pytest.raises(ValueError, match="do not fit together"):
                TrainingData(**{**data(3), **chosen})


@pytest.mark.parametrize("part", ["train", "validation"])
def test_training_data_must_hold_images(part: str) -> None:
    empty = {name: array for name, array in data(0).items() if name.endswith(part)}
    with pytest.raises(InvalidDataset, match="at least one image"):
        TrainingData(**{**data(3), **empty})
