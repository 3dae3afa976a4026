"""The two models: logits in; loss, gradient, accuracy and probabilities out, as `Model` states it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from service.core.data import Floats

from . import logistic as logistic
from . import softmax as softmax
from .interface import Model as Model

MODELS: Mapping[str, Model] = {"logistic": logistic, "softmax": softmax}


def probabilities(model: str, weights: Floats, x: Floats) -> Floats:
    """Return the probability of each class for each image, the same bits in every company.

    A BLAS chooses its way by the shapes it is given, and each way rounds differently. So each image is a member of
    a stack of its own: its logits are one product of one shape, whatever stands beside it, and a product so
    small stays on one thread. That is also the faster way, where the weights lie column by column.

    Parameters
    ----------
    model : ``softmax`` or ``logistic``.
    weights : (785, n_outputs), best in Fortran order.
    x : (n_images, 785), as `design_matrix` makes it, in C order.

    Returns
    -------
    (n_images, n_classes), in the order of the run's classes, dtype of the weights and images.
    """
    logits = weights.T @ x[:, :, np.newaxis]
    return MODELS[model].probabilities(logits)[:, :, 0]


def output_names(model: str, class_names: Sequence[str]) -> list[str]:
    """Return what to call each output, as above the pictures of weights: logistic has one for its two classes."""
    return [" v ".join(class_names)] if model == "logistic" else list(class_names)
