"""Backpropagation as a textbook writes it: layer by layer, one run, every check where it falls.

The networks of the core are held against this. Nothing is taken from the core; which images each step sees, and how
they are distorted, is said by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]

FUNCTIONS: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {
    "relu": (lambda z: z * (z > 0), lambda z: (z > 0).astype(z.dtype)),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "improved_sigmoid": (
        lambda z: 1.7159 * np.tanh(2 * z / 3),
        lambda z: 1.7159 * 2 / 3 / np.cosh(2 * z / 3) ** 2,
    ),
}


def train(
    layers: list[Floats], batches: Sequence[tuple[Floats, Ints]], x_val: Floats, y_val: Ints,
    *, activation: str, rates: Sequence[float], momentum: float, l2: float, check_interval: int,
) -> tuple[list[Floats], list[float]]:  # fmt: skip
    """Return the last weights and the validation loss of each check; images have a 1 appended, layers their biases."""
    velocities: list[Floats] = [np.zeros_like(w) for w in layers]
    curve = list[float]()
    for step, (x, y) in enumerate(batches):
        gradients = backpropagate(layers, x, y, activation)
        for i, gradient in enumerate(gradients):
            velocities[i] = momentum * velocities[i] + gradient + 2 * l2 * layers[i]
            layers[i] = layers[i] - rates[step] * velocities[i]
        if step % check_interval == 0:
            z = forward(layers, x_val, activation)[0][-1]
            curve.append(cross_entropy(z, y_val))
    return layers, curve


def forward(layers: list[Floats], x: Floats, activation: str) -> tuple[list[Floats], list[Floats]]:
    """Return z of every layer, and what went into it."""
    inputs, sums = [x], list[Floats]()
    for w in layers:
        sums.append(inputs[-1] @ w)
        inputs.append(np.hstack([FUNCTIONS[activation][0](sums[-1]), np.ones((len(x), 1), x.dtype)]))
    return sums, inputs


def backpropagate(layers: list[Floats], x: Floats, y: Ints, activation: str) -> list[Floats]:
    sums, inputs = forward(layers, x, activation)
    delta = softmax(sums[-1])
    delta[np.arange(len(y)), y] -= 1
    delta /= len(y)
    gradients = list[Floats]()
    for i in reversed(range(len(layers))):
        gradients.append(inputs[i].T @ delta)
        if i:
            delta = (delta @ layers[i][:-1].T) * FUNCTIONS[activation][1](sums[i - 1])
    return gradients[::-1]


def softmax(z: Floats) -> Floats:
    exponentials: Floats = np.exp(z - z.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def cross_entropy(z: Floats, y: Ints) -> float:
    return float(-np.log(softmax(z)[np.arange(len(y)), y]).mean())
