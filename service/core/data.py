"""Images as the model sees them: a design matrix with the bias trick, and the two parts of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from service.errors import InvalidDataset

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]

IMAGE_SIDE_PX = 28
N_PIXELS = IMAGE_SIDE_PX * IMAGE_SIDE_PX
N_FEATURES = N_PIXELS + 1
"""784 pixels and the constant 1 that turns the last row of the weights into the bias."""


def design_matrix(images: npt.NDArray[np.uint8], dtype: npt.DTypeLike = np.float32) -> Floats:
    """Scale images to [-1, 1] and append a 1: x / 127.5 - 1.

    Parameters
    ----------
    images : bytes of shape (n_images, 28, 28) or (n_images, 784).
    dtype : float32 or float64.

    Returns
    -------
    X : (n_images, 785), C order.
    """
    pixels = images.reshape(len(images), N_PIXELS)
    x = np.empty((len(images), N_FEATURES), dtype=dtype)
    scaled = x[:, :N_PIXELS]
    np.divide(pixels, x.dtype.type(127.5), out=scaled)
    np.subtract(scaled, x.dtype.type(1), out=scaled)
    x[:, N_PIXELS] = 1
    return x


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingData:
    """What a stack of runs is trained and validated on.

    Attributes
    ----------
    x_train : (n_train, 785); x_validation : (n_validation, 785), both of the run's dtype.
    y_train, y_validation : (n,) int64, the place of each image's label among the run's classes.
    """

    x_train: Floats
    y_train: Ints
    x_validation: Floats
    y_validation: Ints

    def __post_init__(self) -> None:
        """Check shapes that must agree."""
        for x, y in ((self.x_train, self.y_train), (self.x_validation, self.y_validation)):
            if x.ndim != 2 or x.shape[1] != N_FEATURES or y.shape != (len(x),):
                raise ValueError(f"images {x.shape} and labels {y.shape} do not fit together")
            if len(x) == 0:
                raise InvalidDataset("Training and validation need at least one image each.")
