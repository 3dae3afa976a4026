"""Networks with hidden layers under either output, with backpropagation by hand."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from service.core.task import SCALINGS, Floats, Ints, Layout, Task, Tensor

from .interface import Attribution, Model, Operation, Output
from .outputs import sigmoid

_CHECK_BLOCK_IMAGES = 512
"""Few enough that what a hidden layer makes of them stays in a core's own cache."""

_GAIN, _SLOPE = 1.7159, 2 / 3


@dataclass(frozen=True, slots=True)
class Activation:
    """A function f of each number z of a hidden layer.

    ``apply(z, out)`` writes f(z), of which ``derivative(a)`` is f'(z), given a = f(z).
    """

    operation: Operation
    apply: Callable[[Floats, Floats], Any]
    derivative: Callable[[Floats], npt.NDArray[Any]]


def _improved_sigmoid(z: Floats, out: Floats) -> None:
    """1.7159 tanh(2z/3). Source: LeCun et al., Efficient BackProp (1998), section 4.4."""
    np.multiply(z, _SLOPE, out=out)
    np.tanh(out, out=out)
    out *= _GAIN


def _sigmoid_derivative(a: Floats) -> Floats:
    return a * (1 - a)


def _improved_sigmoid_derivative(a: Floats) -> Floats:
    return (_GAIN * _SLOPE) - np.square(a) * (_SLOPE / _GAIN)


def _relu(z: Floats, out: Floats) -> None:
    np.maximum(z, 0, out=out)


def _relu_derivative(a: Floats) -> npt.NDArray[np.bool_]:
    return a > 0


# Functions with names, so that models can be pickled.
ACTIVATIONS: Mapping[str, Activation] = {
    "relu": Activation(Operation("relu"), _relu, _relu_derivative),
    "sigmoid": Activation(Operation("sigmoid"), sigmoid, _sigmoid_derivative),
    "improved_sigmoid": Activation(
        Operation("tanh", gain=_GAIN, slope=_SLOPE), _improved_sigmoid, _improved_sigmoid_derivative
    ),
}


class Network(Model):
    """Dense layers: a_0 = x, z_l = [a_(l-1), 1] W_l, a_l = f(z_l), and the last z are the logits of an output.

    W_l, (fan_in + 1, fan_out), has the biases in its last row.
    """

    title = "network with hidden layers"

    def __init__(self, task: Task, hyperparameters: Mapping[str, Any], output: Output) -> None:
        self.output = output  # type: ignore[misc] # of the class elsewhere: a network has either
        self.activation = ACTIVATIONS[hyperparameters["activation"]]
        self.scaling = SCALINGS[hyperparameters["input_scaling"]]
        super().__init__(task, hyperparameters)
        self._workspace: _Workspace | None = None

    def _layout(self, hyperparameters: Mapping[str, Any]) -> Layout:
        sizes = [self.task.n_pixels, *hyperparameters["hidden_layers"], self.n_outputs]
        shapes = [(fan_in + 1, fan_out) for fan_in, fan_out in pairwise(sizes)]
        stops = np.cumsum([prod(shape) for shape in shapes]).tolist()
        self._places = [(slice(a, b), shape) for a, b, shape in zip([0, *stops], stops, shapes, strict=False)]
        return Layout(*(Tensor(f"W{n}", shape, by_column=False) for n, shape in enumerate(shapes, 1)))

    def logits(self, rows: Floats, x: Floats) -> Floats:
        z = np.empty((len(rows), self.n_outputs, len(x)), rows.dtype)
        for member, row in enumerate(rows):
            matrices = self._matrices(row)
            for start in range(0, len(x), _CHECK_BLOCK_IMAGES):
                block = slice(start, start + _CHECK_BLOCK_IMAGES)
                *_, a = self._layers(matrices, x[block])
                np.matmul(matrices[-1].T, a.T, out=z[member, :, block])
        return z

    def image_logits(self, row: Floats, x: Floats) -> Floats:
        """Add biases to each product, so that no activations are copied to stand beside a 1."""
        first, *others = self._matrices(row)
        z: Floats = x[:, np.newaxis] @ first  # each image by itself: its bits are the same in every company
        for matrix in others:
            self.activation.apply(z, z)
            z = z @ matrix[:-1]
            z += matrix[-1]
        return np.swapaxes(z, 1, 2)

    def loss_and_gradient(self, rows: Floats, x: Floats, y: Ints) -> tuple[Floats, Floats]:
        """Return C and dC/dθ, which the next call overwrites.

        With the gradient delta_L = dC/dz_L of the output, and [a, 1] the activations with their constant::

            dC/dW_l = [a_(l-1), 1]^T delta_l          delta_(l-1) = (delta_l W_l^T without the bias) * f'(z_(l-1))

        Source: Nielsen, Neural Networks and Deep Learning, chapter 2, with images as rows.
        """
        space = self._workspace
        if space is None or not space.fits(rows, x):
            space = self._workspace = _Workspace(self, rows, x)
        losses = np.empty(len(rows))
        a, last = space.activations, len(space.sums)
        a[0] = x
        for member, row in enumerate(rows):
            matrices, gradients = self._matrices(row), space.gradients[member]
            for layer, z in enumerate(space.sums):
                np.matmul(a[layer], matrices[layer], out=z)
                self.activation.apply(z, space.units[layer])
            logits = matrices[last].T @ a[last].T
            losses[member : member + 1], delta = self.output.loss_and_gradient(logits[np.newaxis], y)
            back = delta[0].T
            np.matmul(a[last].T, back, out=gradients[last])
            for layer in range(last - 1, -1, -1):
                back = np.matmul(back, matrices[layer + 1][:-1].T, out=space.sums[layer])
                back *= self.activation.derivative(space.units[layer])
                np.matmul(a[layer].T, back, out=gradients[layer])
        return losses, space.gradient

    def attribute(self, row: Floats, x: Floats, target: int, against: int | None = None) -> Attribution:
        """Return the share of each pixel in the difference to a blank image, whose logit is the constant.

        DeepLIFT's rescale rule: from layer to layer a difference is handed down in proportion to W, and through an
        activation by the quotient (f(z) - f(z0)) / (z - z0), in float64. Shares and constant sum to the logit for every
        activation, and what is blank has no share. Source: Shrikumar et al., Learning Important Features Through
        Propagating Activation Differences (2017), section 3.5.1.
        """
        *hidden, last = matrices = self._matrices(row.astype(np.float64))
        directions = self.output.class_values(last)
        direction = directions[:, target] if against is None else self.output.contrast(directions, target, against)
        pair = np.stack([x, np.append(np.full(self.task.n_pixels, -self.scaling.shift), 1)]).astype(np.float64)
        layers = list(self._layers(matrices, pair))
        multipliers: Floats = direction[:-1]
        unit_shares: list[Floats] = []
        for matrix, below, (own, of_blank) in zip(hidden[::-1], layers[-2::-1], layers[:0:-1], strict=True):
            z = below @ matrix
            dz, da = z[0] - z[1], own[:-1] - of_blank[:-1]
            unit_shares.insert(0, multipliers * da)
            is_moved = np.abs(dz) > 1e-9  # else the quotient is the derivative, which rounding would spoil
            quotient = np.asarray(self.activation.derivative(own[:-1]), np.float64)
            multipliers = matrix[:-1] @ (np.divide(da, dz, out=quotient, where=is_moved) * multipliers)
        logit, blank = (float(value) for value in layers[-1] @ direction)
        return Attribution(
            shares=multipliers * (pair[0] - pair[1])[:-1],
            constant=blank,
            logit=logit,
            unit_shares=unit_shares,
            activations=[a[0, :-1] for a in layers[1:]],
        )

    def activations(self, row: Floats, x: Floats) -> list[Floats]:
        _, *hidden = self._layers(self._matrices(row), x)
        return [a[:, :-1] for a in hidden]

    def slopes(self, row: Floats, x: Floats) -> Floats:
        """By the chain rule, from the output down."""
        first, *others = matrices = self._matrices(row)
        _, *hidden = self._layers(matrices, x[np.newaxis])
        jacobian: Floats = matrices[-1][:-1]
        for matrix, a in zip((*others[-2::-1], first), hidden[::-1], strict=True):
            weights = first if matrix is first else matrix[:-1]
            jacobian = weights @ (self.activation.derivative(a[0, :-1])[:, np.newaxis] * jacobian)
        return jacobian

    def hidden_operations(self) -> Sequence[Operation]:
        first, *others = (Operation("dense", tensor=tensor.name) for tensor in self.layout.tensors)
        return [first, *(step for dense in others for step in (self.activation.operation, dense))]

    def _layers(self, matrices: Sequence[Floats], a: Floats) -> Iterator[Floats]:
        """Yield images, (n_images, n_inputs), and then [f(z), 1] of each hidden layer, (n_images, n_units + 1)."""
        yield a
        for matrix in matrices[:-1]:
            z = a @ matrix
            a = np.empty((len(z), z.shape[1] + 1), z.dtype)
            a[:, -1] = 1
            self.activation.apply(z, a[:, :-1])
            yield a

    def _matrices(self, row: Floats) -> list[Floats]:
        return [row[place].reshape(shape) for place, shape in self._places]


class _Workspace:
    """Arrays that every step needs anew, of one batch size and number of members.

    ``sums`` are z, and going back dC/dz; ``activations`` are [a, 1], with ``units`` as views of a.
    """

    def __init__(self, network: Network, rows: Floats, x: Floats) -> None:
        self.gradient = np.empty_like(rows)
        self.gradients = [network._matrices(row) for row in self.gradient]
        widths = [tensor.shape[1] for tensor in network.layout.tensors[:-1]]
        self.sums = [np.empty((len(x), width), x.dtype) for width in widths]
        self.activations = [x, *(np.ones((len(x), width + 1), x.dtype) for width in widths)]
        self.units = [a[:, :-1] for a in self.activations[1:]]

    def fits(self, rows: Floats, x: Floats) -> bool:
        return self.gradient.shape == rows.shape and len(self.sums[0]) == len(x) and self.sums[0].dtype == x.dtype
