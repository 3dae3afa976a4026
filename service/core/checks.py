"""Validation checks of a stack: several side by side in one matrix product, made by whoever has time.

A check needs only the weights it is made of. So those are set aside, training goes on, and some checks in a row
are made together: the wider a matrix product, the nearer it runs to what the processor can do.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace

import numpy as np

from .data import TrainingData
from .models import Model
from .task import Floats, Ints

MAX_CHECKS, _MAX_COLUMNS, _MAX_STEPS, _MAX_BYTES = 16, 256, 1024, 2**26
"""Of a group: checks, columns of their product, steps from the first to the last, which delay their reports, and bytes
of the copies of parameters."""

_BLOCK_IMAGES = 512
"""Of a product: few enough that images and logits stay in a core's own cache; the same for every stack, so that
losses are summed in the same pieces."""

yield_cpu = getattr(os, "sched_yield", lambda: None)
"""Called every few tenths of a millisecond: who waits for this core gets it now, not at the kernel's next tick."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PendingCheck:
    """What a check is made of.

    Attributes
    ----------
    number : how many checks of the run came before it.
    step : the step after which it is made.
    rows : (n_rows, n_members, n_parameters), a copy: the parameters, then what the optimizer keeps.
    step_losses : for each member, the training losses of the steps since the check before.
    """

    number: int
    step: int
    rows: Floats
    step_losses: Sequence[Floats]

    def of(self, places: Sequence[int]) -> PendingCheck:
        """Return it for the members in these places."""
        rows = np.take(self.rows, np.array(places, np.intp), axis=1)  # in C order, which indexing would not be
        return replace(self, rows=rows, step_losses=[self.step_losses[place] for place in places])


def group_size(n_columns: int, check_interval: int, n_bytes: int) -> int:
    """Return how many checks to make side by side, each of so many outputs, bytes of rows, and steps apart."""
    return max(1, min(MAX_CHECKS, _MAX_COLUMNS // n_columns, _MAX_STEPS // check_interval, _MAX_BYTES // n_bytes))


class CheckGroup:
    """Some checks one after the other, of the same members, made together.

    The bits of a check must not depend on the others that happen to be made with it: a matrix product rounds by
    its shape. So where a model computes them by one product, each has its place in the group by its number, and places
    that nobody needs hold zeros.

    Parameters
    ----------
    pending : of numbers between two multiples of ``size``, at least one.
    size : as `group_size` says.
    helper : makes blocks of the checks while the caller does something else; None leaves them all to `scores`.
    """

    def __init__(
        self, pending: Sequence[PendingCheck], size: int, model: Model, data: TrainingData, helper: Executor | None
    ):
        self.pending = pending
        self._size, self._places = len(pending), list(range(len(pending)))
        if model.computes_rows_together:
            self._size, self._places = size, [check.number % size for check in pending]
        first = pending[0].rows[0]
        self._n_members = len(first)
        parameters = np.zeros((self._size, *first.shape), first.dtype)
        parameters[self._places] = [check.rows[0] for check in pending]
        self._parameters = parameters.reshape(self._size * self._n_members, -1)
        self._model = model
        self._images: Sequence[Floats] = (data.x_train, data.x_validation)
        self._classes: Sequence[Ints] = (data.y_train, data.y_validation)
        self._blocks = [
            (part, slice(start, start + _BLOCK_IMAGES))
            for part, classes in enumerate(self._classes)
            for start in range(0, len(classes), _BLOCK_IMAGES)
        ]
        self._found: dict[int, tuple[Floats, Floats]] = {}
        self._waiting = iter(range(len(self._blocks)))  # two threads take from it: a step of an iterator is one act
        self._help: Future[None] | None = helper.submit(self._make_blocks) if helper else None

    @property
    def is_made(self) -> bool:
        """Whether the helper is through, so that `scores` will not wait."""
        return self._help is not None and self._help.done()

    def scores(self) -> dict[str, Floats]:
        """Make what is left of the checks, wait for the helper's last block, and return what was found.

        It is by the names of the metrics, all but the training loss: (n_checks, n_members) each, float64.
        """
        self._make_blocks()
        if self._help is not None and not self._help.cancel():
            self._help.result()
        losses, n_right = np.zeros((2, 2, self._size * self._n_members))
        for number, (part, _) in enumerate(self._blocks):  # summed in the order of the images, whoever made them
            loss, right = self._found[number]
            losses[part] += loss
            n_right[part] += right
        n_train, n_validation = map(len, self._classes)
        means = {
            "train_accuracy": n_right[0] / n_train,
            "validation_loss": losses[1] / n_validation,
            "validation_accuracy": n_right[1] / n_validation,
        }
        return {name: of_all.reshape(self._size, -1)[self._places] for name, of_all in means.items()}

    def _make_blocks(self) -> None:
        with np.errstate(over="ignore", invalid="ignore"):  # losses that are not finite are for the caller
            for number in self._waiting:
                yield_cpu()
                part, block = self._blocks[number]
                x, y = self._images[part][block], self._classes[part][block]
                self._found[number] = self._score(x, y, with_loss=part == 1)

    def _score(self, x: Floats, y: Ints, *, with_loss: bool) -> tuple[Floats, Floats]:
        """Sum of the losses and number of images classified correctly, for each member at each place."""
        logits, output = self._model.joint_logits(self._parameters, x), self._model.output
        n_right = np.rint(output.accuracy(logits, y) * len(y))
        if not with_loss:
            return np.zeros_like(n_right), n_right
        return output.losses(logits, y).mean(axis=1, dtype=np.float64) * len(y), n_right
