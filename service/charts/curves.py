"""What a run has recorded so far, as arrays ready to be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Series: TypeAlias = NDArray[np.float64]
Steps: TypeAlias = NDArray[np.int64]
AnySteps: TypeAlias = NDArray[np.int64] | NDArray[np.float64]  # means of several steps are not whole


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curves:
    """The recorded history of a run; steps count from 0 and increase.

    Parameters
    ----------
    check_steps : ``(n_checks,)``, the step after which each validation check was made.
    validation_loss, validation_accuracy, train_accuracy : ``(n_checks,)``.
    train_loss_steps, train_loss : ``(n_steps,)``, the loss on the batch of each step.
    best_step : the check with the lowest validation loss, if there is one.
    stop_step : the step at which early stopping ended the run, if it did.
    batches_per_epoch : when given, charts also show epochs.

    Raises
    ------
    ValueError : arrays that belong together differ in length, or steps do not increase.
    """

    check_steps: Steps
    validation_loss: Series
    validation_accuracy: Series
    train_accuracy: Series
    train_loss_steps: Steps
    train_loss: Series
    best_step: int | None = None
    stop_step: int | None = None
    batches_per_epoch: int | None = None

    def __post_init__(self) -> None:
        """Check that the arrays fit together."""
        for steps, together in (
            (self.check_steps, (self.validation_loss, self.validation_accuracy, self.train_accuracy)),
            (self.train_loss_steps, (self.train_loss,)),
        ):
            if steps.ndim != 1 or any(series.shape != steps.shape for series in together):
                raise ValueError("curves: steps and values differ in length")
            if (np.diff(steps) <= 0).any():
                raise ValueError("curves: steps must increase")

    def __len__(self) -> int:
        """Return the number of validation checks."""
        return len(self.check_steps)
