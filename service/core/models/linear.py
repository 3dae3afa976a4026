"""Softmax and logistic regression: Z = XW, one matrix of a row for each pixel and the bias."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from service.core.task import SCALINGS, Floats, Ints, Layout, Task, Tensor

from .interface import Attribution, Model, Operation
from .outputs import Binary, Softmax

_SMALL_MULTIPLY_ADDS = 1_000_000
"""Below this OpenBLAS takes a kernel that does not first copy its operands into another order."""


class _LinearModel(Model):
    """Z = XW. W lies in θ column by column: a row of (n_outputs, n_inputs) is a picture."""

    is_linear = computes_rows_together = True
    rule, baseline = "weight_times_pixel", "zero"

    def __init__(self, task: Task, hyperparameters: Mapping[str, Any]) -> None:
        self.scaling = SCALINGS[hyperparameters.get("input_scaling", "range")]
        super().__init__(task, hyperparameters)

    def _layout(self, hyperparameters: Mapping[str, Any]) -> Layout:
        return Layout(Tensor("W", (self.task.n_inputs, self.n_outputs)))

    def logits(self, rows: Floats, x: Floats) -> Floats:
        return member_products(self._matrices(rows), x.T)

    def joint_logits(self, rows: Floats, x: Floats) -> Floats:
        """Return Z of all rows by one product: the wider, the nearer it runs to what the processor can do."""
        return (rows.reshape(-1, self.task.n_inputs) @ x.T).reshape(len(rows), self.n_outputs, len(x))

    def image_logits(self, row: Floats, x: Floats) -> Floats:
        """One product for each image is also the faster way, as W lies."""
        return row.reshape(self.n_outputs, self.task.n_inputs) @ x[:, :, np.newaxis]

    def loss_and_gradient(self, rows: Floats, x: Floats, y: Ints) -> tuple[Floats, Floats]:
        """Return C and dC/dW = X^T dC/dZ."""
        losses, d_logits = self.output.loss_and_gradient(self.logits(rows, x), y)
        return losses, member_products(d_logits, x).reshape(rows.shape)

    def attribute(self, row: Floats, x: Floats, target: int, against: int | None = None) -> Attribution:
        """Return w_ki x_i, or (w_ki - w_ji) x_i; the constant is the bias.

        A binary model has one logit: for the second class everything has the other sign, and naming the class that
        it is against changes nothing.
        """
        directions = self.output.class_values(self.slopes(row, x))
        direction = directions[:, target] if against is None else self.output.contrast(directions, target, against)
        shares = (direction * x)[: self.task.n_pixels]
        return Attribution(shares=shares, constant=float(direction[-1]), logit=float(x @ direction))

    def slopes(self, row: Floats, x: Floats) -> Floats:
        """Return W."""
        return self.layout.views(row)["W"]

    def hidden_operations(self) -> Sequence[Operation]:
        """Return the one layer."""
        return [Operation("dense", tensor="W")]

    def _matrices(self, rows: Floats) -> Floats:
        return rows.reshape(len(rows), self.n_outputs, self.task.n_inputs)


class SoftmaxRegression(_LinearModel):
    """One logit a class."""

    name, title, output = "softmax", "softmax regression over several classes", Softmax()


class LogisticRegression(_LinearModel):
    """One logit, for the class that is named first."""

    name, title, output = "logistic", "logistic regression between two", Binary()


def member_products(a: Floats, b: Floats) -> Floats:
    """Return ``a @ b``, made for each member by itself: the bits of one do not depend on who else is in the stack.

    Shapes are (n_members, n_rows, n_inner), (n_inner, n_columns) and (n_members, n_rows, n_columns). A product is cut
    into pieces of its columns that are small enough for a kernel which skips packing. For a batch of 128 images and ten
    classes these are two halves, which take 0.35 (forward) and 0.6 times (backward) as long.
    """
    n_members, n_rows, n_inner = a.shape
    n_columns = b.shape[1]
    product = np.empty((n_members, n_rows, n_columns), a.dtype)
    n_pieces = -(-n_rows * n_inner * n_columns // _SMALL_MULTIPLY_ADDS)
    for piece in range(n_pieces):
        columns = slice(piece * n_columns // n_pieces, (piece + 1) * n_columns // n_pieces)
        np.matmul(a, b[:, columns], out=product[:, :, columns])
    return product
