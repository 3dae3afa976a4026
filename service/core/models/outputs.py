"""What logits mean: softmax over any number of classes, or the log-odds of the first of two."""

from collections.abc import Sequence

import numpy as np

from service.core.task import Floats, Ints

from .interface import Operation


class Softmax:
    """One logit a class: y_hat_k = exp(z_k) / sum_j exp(z_j). For the shapes see `Output`."""

    operation = Operation("softmax")
    is_binary = False

    def n_outputs(self, n_classes: int) -> int:
        return n_classes

    def names(self, class_names: Sequence[str]) -> list[str]:
        return list(class_names)

    def losses(self, logits: Floats, y: Ints) -> Floats:
        """Return -ln y_hat_y of each image."""
        return _cross_entropies(logits, y)[0]

    def loss_and_gradient(self, logits: Floats, y: Ints) -> tuple[Floats, Floats]:
        """Mean cross-entropy of each member of the stack, and its gradient with respect to the logits::

            C = -mean_i ln y_hat_{y_i}          dC/dz_ki = (y_hat_ki - [k = y_i]) / n_images

        The largest logit of each image is subtracted first, so no exponential overflows and no logarithm sees 0.
        Source: course report, task 1b.
        """
        losses, exponentials, totals = _cross_entropies(logits, y)
        d_logits = np.divide(exponentials, totals, out=exponentials)
        d_logits[:, y, np.arange(len(y))] -= 1
        d_logits /= len(y)
        return _means(losses), d_logits

    def accuracy(self, logits: Floats, y: Ints) -> Floats:
        """Share of images whose largest logit is that of their class."""
        is_highest = logits == logits.max(axis=1, keepdims=True)
        if np.count_nonzero(is_highest) == logits.size // logits.shape[1]:  # no ties: ten times faster than argmax
            right = is_highest[:, y, np.arange(len(y))]
        else:
            right = logits.argmax(axis=1) == y
        shares: Floats = right.mean(axis=1, dtype=np.float64)
        return shares

    def probabilities(self, logits: Floats) -> Floats:
        exponentials: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
        exponentials /= exponentials.sum(axis=1, keepdims=True)
        return exponentials

    def class_values(self, values: Floats) -> Floats:
        """Return them as they are."""
        return values

    def contrast(self, values: Floats, target: int, against: int) -> Floats:
        """Return z_k - z_j: the logarithm of the ratio of the two probabilities."""
        return values[..., target] - values[..., against]


class Binary:
    """One logit, the log-odds of the class that is named first: y_hat = sigmoid(z). For the shapes see `Output`."""

    operation = Operation("binary")
    is_binary = True

    def n_outputs(self, n_classes: int) -> int:
        return 1

    def names(self, class_names: Sequence[str]) -> list[str]:
        """Return one name, of both classes."""
        return [" v ".join(class_names)]

    def losses(self, logits: Floats, y: Ints) -> Floats:
        """Return ln(1 + exp(-z)) for images of the first class and ln(1 + exp(z)) for others."""
        against = np.where(y == 0, -logits[:, 0], logits[:, 0])
        losses: Floats = np.logaddexp(against.dtype.type(0), against)
        return losses

    def loss_and_gradient(self, logits: Floats, y: Ints) -> tuple[Floats, Floats]:
        """Mean binary cross-entropy of each member of the stack, and its gradient with respect to the logits.

        With t_i = 1 for images of the first class, else 0::

            C = -mean_i (t_i ln y_hat_i + (1 - t_i) ln(1 - y_hat_i))          dC/dz_i = (y_hat_i - t_i) / n_images

        Computed on logits, by `losses`, which neither overflows nor cancels. Source: course report, task 1a.
        """
        d_logits = np.empty_like(logits)
        sigmoid(logits, d_logits)
        d_logits -= y == 0
        d_logits /= len(y)
        return _means(self.losses(logits, y)), d_logits

    def accuracy(self, logits: Floats, y: Ints) -> Floats:
        """Share of images on the right side of probability one half."""
        shares: Floats = ((logits[:, 0] > 0) == (y == 0)).mean(axis=1, dtype=np.float64)
        return shares

    def probabilities(self, logits: Floats) -> Floats:
        """Return sigmoid(z) and sigmoid(-z), each as exact as the other, since tanh(-z / 2) is -tanh(z / 2)."""
        half = np.tanh(logits / 2)
        both: Floats = np.concatenate((1 + half, 1 - half), axis=1)
        both /= 2
        return both

    def class_values(self, values: Floats) -> Floats:
        """Return z for the first class and -z for the second."""
        return np.concatenate((values, -values), axis=-1)

    def contrast(self, values: Floats, target: int, against: int) -> Floats:
        """Return z or -z: it is the logarithm of the ratio already."""
        return values[..., target]


def _cross_entropies(logits: Floats, y: Ints) -> tuple[Floats, Floats, Floats]:
    """Loss of each image; and exp(z - max z) with its sum over the classes, which the gradient needs."""
    shifted = logits - np.maximum.reduce(logits, axis=1, keepdims=True)
    true_logits = shifted[:, y, np.arange(len(y))]
    exponentials = np.exp(shifted, out=shifted)
    totals = np.add.reduce(exponentials, axis=1, keepdims=True)
    return np.log(totals[:, 0]) - true_logits, exponentials, totals


def _means(losses: Floats) -> Floats:
    """Return the mean of each row, float64; `mean` itself takes longer about it than a small batch's sum."""
    means: Floats = np.add.reduce(losses, axis=1, dtype=np.float64) / losses.shape[1]
    return means


def sigmoid(z: Floats, out: Floats) -> None:
    """Write 1 / (1 + exp(-z)), as (1 + tanh(z / 2)) / 2: no exponential of a large number anywhere."""
    np.multiply(z, 0.5, out=out)
    np.tanh(out, out=out)
    out += 1
    out *= 0.5
