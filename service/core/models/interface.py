"""What a model is to the training loop."""

from __future__ import annotations

from typing import Protocol

from service.core.data import Floats, Ints


class Model(Protocol):
    """Functions of the logits of a stack; a module that has them is a model.

    Logits are class-major, (n_members, n_outputs, n_images), float32 or float64: sums over classes then run
    along memory, which makes them several times cheaper than on (n_images, n_outputs). ``y``, (n_images,), is
    the place of each image's class among the run's classes.
    """

    def loss_and_gradient(self, logits: Floats, y: Ints) -> tuple[Floats, Floats]:
        """Mean cross-entropy C, (n_members,) float64, and dC/dlogits, of shape and dtype of the logits."""

    def loss(self, logits: Floats, y: Ints) -> Floats:
        """Mean cross-entropy C alone, (n_members,) float64."""

    def accuracy(self, logits: Floats, y: Ints) -> Floats:
        """Share of images that are given to their class, (n_members,) float64."""

    def probabilities(self, logits: Floats) -> Floats:
        """Probability of each class, (n_members, n_classes, n_images)."""
