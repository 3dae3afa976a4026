"""A model that the product does not have: one hidden layer of tanh under softmax. This file is all that it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from service.core import Attribution, Floats, Ints, Layout, Model, Operation, Tensor
from service.core.models.outputs import Softmax

UNITS = 12


class HiddenLayer(Model):
    name, title, output = "hidden", "a network with one hidden layer", Softmax()

    def _layout(self, hyperparameters: Mapping[str, Any]) -> Layout:
        return Layout(
            Tensor("W1", (self.task.n_inputs, UNITS), by_column=False), Tensor("W2", (UNITS + 1, self.n_outputs))
        )

    def initial(self, rng: np.random.Generator) -> Floats:
        first = rng.normal(0, self.task.n_pixels**-0.5, (self.task.n_inputs, UNITS))
        second = rng.normal(0, UNITS**-0.5, (UNITS + 1, self.n_outputs))
        first[-1] = second[-1] = 0
        return self.layout.row({"W1": first, "W2": second})

    def logits(self, rows: Floats, x: Floats) -> Floats:
        return np.stack([self._forward(row, x)[1].T for row in rows])

    def image_logits(self, row: Floats, x: Floats) -> Floats:
        return np.stack([self._forward(row, image[np.newaxis])[1].T for image in x]) if len(x) else self._none(x)

    def loss_and_gradient(self, rows: Floats, x: Floats, y: Ints) -> tuple[Floats, Floats]:
        losses, gradients = np.empty(len(rows)), np.empty_like(rows)
        for member, row in enumerate(rows):
            activations, logits = self._forward(row, x)
            loss, d_logits = self.output.loss_and_gradient(logits.T[np.newaxis], y)
            second, into = self.layout.views(row)["W2"], self.layout.views(gradients[member])
            into["W2"][:-1], into["W2"][-1] = activations.T @ d_logits[0].T, d_logits[0].sum(axis=1)
            into["W1"][...] = x.T @ ((d_logits[0].T @ second[:-1].T) * (1 - activations**2))
            losses[member] = loss[0]
        return losses, gradients

    def attribute(self, row: Floats, x: Floats, target: int, against: int | None = None) -> Attribution:
        """DeepLIFT's rescale rule against a blank image: each unit passes on its own slope between the two."""
        blank = np.append(np.full(self.task.n_pixels, -1.0), 1.0)
        tensors, towards = self.layout.views(row), self._towards(row, target, against)
        (here, there), ends = self._hidden(row, np.stack([x, blank])), np.tanh(self._hidden(row, np.stack([x, blank])))
        slopes = np.divide(ends[0] - ends[1], here - there, out=1 - ends[0] ** 2, where=here != there)
        shares = (tensors["W1"] @ (slopes * towards[:-1]) * (x - blank))[: self.task.n_pixels]
        logits = np.append(ends, np.ones((2, 1)), axis=1) @ towards
        return Attribution(shares=shares, constant=float(logits[1]), logit=float(logits[0]))

    def slopes(self, row: Floats, x: Floats) -> Floats:
        tensors, hidden = self.layout.views(row), np.tanh(self._hidden(row, x[np.newaxis]))[0]
        return (tensors["W1"] * (1 - hidden**2)) @ tensors["W2"][:-1]

    def hidden_operations(self) -> Sequence[Operation]:
        return [Operation("dense", tensor="W1"), Operation("tanh"), Operation("dense", tensor="W2")]

    def _hidden(self, row: Floats, x: Floats) -> Floats:
        return x @ self.layout.views(row)["W1"]

    def _forward(self, row: Floats, x: Floats) -> tuple[Floats, Floats]:
        second, activations = self.layout.views(row)["W2"], np.tanh(self._hidden(row, x))
        return activations, activations @ second[:-1] + second[-1]

    def _towards(self, row: Floats, target: int, against: int | None) -> Floats:
        second = self.layout.views(row)["W2"]
        return second[:, target] - (0 if against is None else second[:, against])

    def _none(self, x: Floats) -> Floats:
        return np.empty((0, self.n_outputs, 1), x.dtype)
