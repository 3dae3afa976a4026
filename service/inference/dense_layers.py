"""Dense layers from the files of other programs, and what they are in terms of the models here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, cast

import numpy as np

from service.core import DIGITS, MAX_LAYERS, Floats
from service.core.archive import open_archive, read_member
from service.core.models import ACTIVATIONS
from service.core.npy import read_npy
from service.core.task import RANGE
from service.errors import Corrupted, MalformedInput
from service.registry import MAX_WEIGHTS_BYTES

ALLOWED = "a .npz file of float32 or float64 with the arrays best, last; best_W1, last_W1, ...; or W1, b1, W2, ..."
SCALINGS = {"unit": 1 / 255, "bytes": 1.0}
"""Scalings of pixels that models here do not have, by what a pixel is multiplied with."""

_TANH = ACTIVATIONS["improved_sigmoid"].operation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DenseLayers:
    """The matrices of a linear model or a network, (fan_in + 1, fan_out) each, the biases in the last row.

    Parameters
    ----------
    dtype : in which they are kept.
    activation : of all hidden layers; None if the file does not say.
    input_scaling : from pixels to the first layer, likewise.
    """

    matrices: Sequence[Floats]
    dtype: Literal["float32", "float64"]
    activation: str | None = None
    input_scaling: str | None = None

    def __post_init__(self) -> None:
        """Raise `MalformedInput` if they are not layers from images to outputs."""
        object.__setattr__(self, "matrices", [matrix.astype(self.dtype) for matrix in self.matrices])
        shapes = [matrix.shape for matrix in self.matrices]
        is_chain = shapes[0][0] == DIGITS.n_inputs and all(one[1] + 1 == next_[0] for one, next_ in pairwise(shapes))
        if not is_chain or min(shape[1] for shape in shapes) < 1 or len(shapes) > MAX_LAYERS + 1:
            message = f"The arrays are not layers from {DIGITS.n_pixels} pixels to outputs."
            raise MalformedInput(message, allowed=ALLOWED)
        if not all(np.isfinite(matrix).all() for matrix in self.matrices):
            raise MalformedInput("An array holds a number that is not finite.", allowed=ALLOWED)

    def translated(self) -> DenseLayers:
        """Return the same function of pixels with an activation and an input scaling that models here have.

        ``tanh(z)`` is found in that of `improved_sigmoid`, gain * tanh(slope * z); scaled pixels in those from -1 to 1.
        """
        layers = self
        if self.activation == "tanh":
            matrices = _with_improved_sigmoid(self.matrices)
            layers = replace(layers, matrices=matrices, activation="improved_sigmoid")
        if self.input_scaling in SCALINGS:
            gain = SCALINGS[self.input_scaling] * RANGE.divisor
            matrices = _with_input(layers.matrices, gain, gain * RANGE.shift)
            layers = replace(layers, matrices=matrices, input_scaling="range")
        return layers


def read_npz_layers(content: bytes) -> tuple[DenseLayers, DenseLayers]:
    """Read an ``.npz`` file as models are exported to it, or with the weights and biases of each layer.

    Returns the best and the last layers: of two steps of one training, or the same.

    Raises
    ------
    MalformedInput : it is no such file. Nothing in it is unpickled.
    """
    try:
        arrays = _read_arrays(content)
    except Corrupted as error:
        raise MalformedInput(error.message, allowed=ALLOWED) from None
    numbers = range(1, len(arrays) // 2 + 1)
    if arrays.keys() == {"best", "last"}:
        best, last = [arrays["best"]], [arrays["last"]]
    elif arrays.keys() == {f"{which}_W{n}" for which in ("best", "last") for n in numbers}:
        best, last = ([arrays[f"{which}_W{n}"] for n in numbers] for which in ("best", "last"))
    elif arrays.keys() == {f"{kind}{n}" for kind in "Wb" for n in numbers}:
        if any(arrays[f"W{n}"].ndim != 2 or arrays[f"W{n}"].shape[1:] != arrays[f"b{n}"].shape for n in numbers):
            raise MalformedInput("The weights and biases of a layer do not fit.", allowed=ALLOWED)
        best = last = [np.vstack((arrays[f"W{n}"], arrays[f"b{n}"])) for n in numbers]
    else:
        best = last = []
    dtypes = {matrix.dtype.name for matrix in (*best, *last)}
    if len(dtypes) != 1 or any(matrix.ndim != 2 for matrix in (*best, *last)):
        raise MalformedInput("The arrays are others, or differ in type.", allowed=ALLOWED)
    if [matrix.shape for matrix in best] != [matrix.shape for matrix in last]:
        raise MalformedInput("The arrays differ in shape.", allowed=ALLOWED)
    dtype = cast(Literal["float32", "float64"], dtypes.pop())
    return DenseLayers(matrices=best, dtype=dtype), DenseLayers(matrices=last, dtype=dtype)


def _read_arrays(content: bytes) -> Mapping[str, Floats]:
    with open_archive(content, max_members=2 * (MAX_LAYERS + 1)) as archive:
        infos = archive.infolist()
        if sum(info.file_size for info in infos) > MAX_WEIGHTS_BYTES:
            raise MalformedInput("The arrays are too large.", allowed=f"at most {MAX_WEIGHTS_BYTES:,} bytes expanded")
        arrays = {info.filename.removesuffix(".npy"): read_npy(read_member(archive, info)) for info in infos}
    if len(arrays) != len(infos) or any(array.dtype not in (np.float32, np.float64) for array in arrays.values()):
        raise MalformedInput("The arrays are others, or of another type.", allowed=ALLOWED)
    return arrays


def _with_improved_sigmoid(matrices: Sequence[Floats]) -> Sequence[Floats]:
    changed = [matrix.astype(np.float64) for matrix in matrices]
    for before, after in pairwise(changed):
        before[:] /= _TANH.slope
        after[:-1] /= _TANH.gain
    return changed


def _with_input(matrices: Sequence[Floats], gain: float, offset: float) -> Sequence[Floats]:
    """Return layers that make of s what these make of gain * s + offset."""
    first, *others = (matrix.astype(np.float64) for matrix in matrices)
    bias = first[-1] + offset * first[:-1].sum(axis=0)
    return [np.vstack((gain * first[:-1], bias)), *others]
