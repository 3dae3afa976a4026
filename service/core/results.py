"""What a run tells while it goes on and when it ends: frozen values, the weights in them read-only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .data import Floats
from .stopping import EarlyStopping, StopReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One validation check, made after the update of ``step``.

    Losses are mean cross-entropies without the penalty. ``train_loss`` is that of the step's own batch before
    its update; accuracies are over all training and all validation images.
    """

    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {name: getattr(self, name) for name in Check.__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingState:
    """Everything that a run needs to go on from between two steps, to the bit.

    The order of the images needs no place here: it is a function of the seed and the epoch.

    Attributes
    ----------
    next_step : the first step that is not yet made.
    last, best : weights, (785, n_outputs); ``best`` are those of the lowest validation loss.
    pending_losses : training losses of the steps since the last check, float64.
    """

    next_step: int
    last: Floats
    best: Floats
    stopping: EarlyStopping
    best_check: Check | None
    last_check: Check | None
    pending_losses: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CheckReport:
    """What the callback hears at each validation check of each member of a stack.

    ``step_losses`` are the training losses of the steps since the previous check, this step's included;
    ``steps_since`` is how far training has gone on while the check was made.
    """

    member: int
    check: Check
    steps_since: int
    step_losses: Floats
    state: TrainingState


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingResult:
    """How a run ended, with all that it needs to go on.

    Attributes
    ----------
    state : after the last step; or, of a run whose loss stopped being finite, at the last check before that
        (where it began, if there was none). The weights in it are always finite.
    failed_step : the step in which a loss, or a weight, stopped being finite, if that is why the run ended.
    """

    stop_reason: StopReason
    state: TrainingState
    failed_step: int | None = None

    @property
    def best(self) -> Floats:
        """Weights of the lowest validation loss, (785, n_outputs)."""
        return self.state.best

    @property
    def last(self) -> Floats:
        """The newest weights, (785, n_outputs)."""
        return self.state.last


OnCheck = Callable[[CheckReport], None]
OnEnd = Callable[[int, TrainingResult], None]
"""Told the number of a member and its result, as soon as it leaves the stack."""

ShouldStop = Callable[[int], bool]
"""Asked before each step, for each member by its number in the stack."""


def norm(weights: Floats) -> float:
    """Return the Frobenius norm, bias row included."""
    return float(np.sqrt(np.square(weights, dtype=np.float64).sum()))


def ignore_check(report: CheckReport) -> None:
    """Do nothing: the callback of a caller who only wants the result."""


def ignore_end(member: int, result: TrainingResult) -> None:
    """Do nothing: the callback of a caller who waits for all results."""


def never_stop(member: int) -> bool:
    """Return False: the answer of a caller who never cancels."""
    return False
