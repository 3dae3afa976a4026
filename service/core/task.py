"""What a model is trained for, images as it sees them, and its parameters as one flat row."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Float64s = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Task:
    """What a model is trained for: images of one shape, (height, width) in pixels, to tell so many classes apart."""

    image_shape: tuple[int, int]
    n_classes: int

    @property
    def n_pixels(self) -> int:
        """Pixels of an image."""
        return prod(self.image_shape)

    @property
    def n_inputs(self) -> int:
        """Numbers of a row of the design matrix: a pixel each, and the constant 1 whose weights are the bias."""
        return self.n_pixels + 1


DIGITS = Task(image_shape=(28, 28), n_classes=10)
"""Handwritten digits as MNIST has them: the only place where these numbers are written."""

IMAGE_SIDE_PX = DIGITS.image_shape[0]
N_PIXELS = DIGITS.n_pixels
"""Of the images that pictures and drawings are turned into."""


@dataclass(frozen=True, slots=True)
class InputScaling:
    """From grey levels, 0 to 255, to what a model sees: x = pixel / divisor - shift."""

    divisor: float
    shift: float

    def invert(self, x: Floats) -> npt.NDArray[np.uint8]:
        """Return the grey levels that were scaled to ``x``."""
        pixels: npt.NDArray[np.uint8] = np.rint((x + self.shift) * self.divisor).astype(np.uint8)
        return pixels


RANGE = InputScaling(divisor=127.5, shift=1)
"""To [-1, 1], as the course report does."""

SCALINGS = {"range": RANGE, "standard": InputScaling(divisor=78.567, shift=33.318 / 78.567)}
"""``standard`` is (x - mean) / deviation, both those of all pixels of MNIST's training part."""


def design_matrix(
    images: npt.NDArray[np.uint8], dtype: npt.DTypeLike = np.float32, scaling: InputScaling = RANGE
) -> Floats:
    """Scale images, (n_images, height, width) or (n_images, n_pixels), to X, (n_images, n_pixels + 1), in C order.

    A 1 is appended to each, so that the last row of the weights is the bias.
    """
    n_images = len(images)
    pixels = images.reshape(n_images, prod(images.shape[1:]))
    x = np.empty((n_images, pixels.shape[1] + 1), dtype=dtype)
    scaled = x[:, :-1]
    np.divide(pixels, x.dtype.type(scaling.divisor), out=scaled)
    np.subtract(scaled, x.dtype.type(scaling.shift), out=scaled)
    x[:, -1] = 1
    return x


@dataclass(frozen=True, slots=True)
class Tensor:
    """A matrix among the parameters, such as a layer: (fan_in + 1, fan_out), its bias in the last row.

    ``by_column`` says how it lies in the row of parameters, which decides how fast, and with which bits, a BLAS
    multiplies it; in files it is always row after row.
    """

    name: str
    shape: tuple[int, int]
    bias_rows: int = 1
    by_column: bool = True


class Layout:
    """Which tensors, each with a name of its own, the parameters of a run are, one after the other in one flat row θ.

    Everything that keeps, copies, compares or sums parameters does it with rows; only a model knows what is in them.
    """

    def __init__(self, *tensors: Tensor) -> None:
        self.tensors = tensors

    @cached_property
    def size(self) -> int:
        """How many numbers a row has."""
        return sum(prod(tensor.shape) for tensor in self.tensors)

    def views(self, row: Floats) -> dict[str, Floats]:
        """Return the tensors of a row, (size,), or of many, (..., size), by name: views, (..., *shape)."""
        views, start = {}, 0
        for tensor in self.tensors:
            stop = start + prod(tensor.shape)
            part, start = row[..., start:stop], stop
            if tensor.by_column:
                views[tensor.name] = part.reshape(*row.shape[:-1], *tensor.shape[::-1]).swapaxes(-1, -2)
            else:
                views[tensor.name] = part.reshape(*row.shape[:-1], *tensor.shape)
        return views

    def row(self, tensors: Mapping[str, Floats]) -> Floats:
        """Return the row of tensors that are given by name: a read-only copy."""
        row = np.empty(self.size, next(iter(tensors.values())).dtype)
        for name, view in self.views(row).items():
            view[...] = tensors[name]
        row.flags.writeable = False
        return row

    def to_stored(self, row: Floats) -> Floats:
        """Return the numbers of a row in the order of files: tensor after tensor, each row after row."""
        return np.concatenate([view.ravel() for view in self.views(row).values()])

    def from_stored(self, numbers: Floats) -> Floats:
        """Return the row of which `to_stored` made these numbers, read-only."""
        tensors, start = {}, 0
        for tensor in self.tensors:
            stop = start + prod(tensor.shape)
            tensors[tensor.name], start = numbers[start:stop].reshape(tensor.shape), stop
        return self.row(tensors)

    def is_bias(self) -> npt.NDArray[np.bool_]:
        """Which numbers of a row are biases, (size,)."""
        found = np.zeros(self.size, np.bool_)
        for tensor, view in zip(self.tensors, self.views(found).values(), strict=True):  # type: ignore[arg-type]
            view[tensor.shape[0] - tensor.bias_rows :] = True
        return found


def norm(row: Floats) -> float:
    """Return the Frobenius norm of parameters, biases included."""
    return float(np.sqrt(np.square(row, dtype=np.float64).sum()))
