"""What a run reports while it goes on and when it ends, and when it stops: frozen values, parameters read-only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

import numpy as np

from .task import Floats


class StopReason(StrEnum):
    """Why a run ended. Only `NON_FINITE_LOSS` is a failure."""

    MAX_EPOCHS = "max_epochs"
    EARLY_STOPPING = "early_stopping"
    CANCELLED = "cancelled"
    NON_FINITE_LOSS = "non_finite_loss"

    @property
    def sentence(self) -> str:
        """The reason as a sentence for a person."""
        return _SENTENCES[self]


_SENTENCES = {
    StopReason.MAX_EPOCHS: "All epochs were trained.",
    StopReason.EARLY_STOPPING: "The validation loss found no new low for as many checks as patience allows.",
    StopReason.CANCELLED: "Somebody asked it to stop; the best weights so far were kept.",
    StopReason.NON_FINITE_LOSS: "The loss stopped being a finite number; a smaller learning rate may help.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyStopping:
    """Counts validation checks without a new lowest validation loss.

    A check improves if its loss < the lowest so far; the run stops when ``patience`` checks in a row did not.
    The course report says it as "the oldest of the last 11 losses is the lowest", which is patience 10.
    With patience None the lowest loss is still followed, and nothing stops.
    """

    patience: int | None
    lowest_loss: float = float("inf")
    checks_without_improvement: int = 0

    def after(self, validation_loss: float) -> EarlyStopping:
        """Return the state after one more check."""
        if validation_loss < self.lowest_loss:
            return replace(self, lowest_loss=validation_loss, checks_without_improvement=0)
        return replace(self, checks_without_improvement=self.checks_without_improvement + 1)

    @property
    def improved(self) -> bool:
        """Whether the newest check found a new lowest loss."""
        return self.checks_without_improvement == 0

    @property
    def patience_left(self) -> int | None:
        """Checks that may still fail to improve before the run stops; None without early stopping."""
        return None if self.patience is None else max(0, self.patience - self.checks_without_improvement)

    @property
    def stop(self) -> bool:
        """Whether patience has run out."""
        return self.patience_left == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What a validation check measures: its name, what to call it, which is better, and how a person reads it."""

    name: str
    title: str
    better: Literal["lower", "higher"]
    format: Literal["loss", "share"]

    @property
    def sign(self) -> int:
        """1 where less is better, -1 where more is."""
        return 1 if self.better == "lower" else -1


_TABLE = (
    Metric(name="train_loss", title="training loss", better="lower", format="loss"),
    Metric(name="train_accuracy", title="training accuracy", better="higher", format="share"),
    Metric(name="validation_loss", title="validation loss", better="lower", format="loss"),
    Metric(name="validation_accuracy", title="validation accuracy", better="higher", format="share"),
)
METRICS = {metric.name: metric for metric in _TABLE}
"""Columns, files, choices and charts take their metrics from here; `Check` has a field for each."""


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingState:
    """Everything that a run needs to go on from between two steps, to the bit.

    The order of the images needs no place here: it is a function of the seed and the epoch.

    Attributes
    ----------
    next_step : the first step that is not yet made.
    last, best : parameters, (n_parameters,), read-only; ``best`` are those of the lowest validation loss.
    optimizer : what the optimizer keeps besides ``last``, in rows of the same layout, (n_rows, n_parameters):
        the velocity, where there is momentum.
    pending_losses : training losses of the steps since the last check, float64.
    """

    next_step: int
    last: Floats
    best: Floats
    optimizer: Floats
    stopping: EarlyStopping
    best_check: Check | None
    last_check: Check | None
    pending_losses: Floats

    @classmethod
    def at_start(
        cls, parameters: Floats, patience: int | None, *, next_step: int = 0, n_optimizer_rows: int = 0
    ) -> TrainingState:
        """Return the state in which a run begins with some parameters, and nothing known of how good they are."""
        return cls(
            next_step=next_step,
            last=parameters,
            best=parameters,
            optimizer=np.zeros((n_optimizer_rows, len(parameters)), parameters.dtype),
            stopping=EarlyStopping(patience=patience),
            best_check=None,
            last_check=None,
            pending_losses=np.zeros(0),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CheckReport:
    """What the callback receives at each validation check of each member of a stack.

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

    Its state is that after the last step; or, of a run whose loss or a weight stopped being finite in ``failed_step``,
    at the last check before that (where it began, if there was none). The weights in it are always finite.
    """

    stop_reason: StopReason
    state: TrainingState
    failed_step: int | None = None


OnCheck = Callable[[CheckReport], None]
OnEnd = Callable[[int, TrainingResult], None]
"""Called with the number of a member and its result, as soon as it leaves the stack."""

ShouldStop = Callable[[int], bool]
"""Asked before each step, for each member by its number in the stack."""


_LOSS_FORMAT = bytes([2])


def pack_losses(losses: Floats) -> bytes:
    """Return training losses as bytes, in the format that holds each exactly and takes less.

    Format 1, that of earlier versions, is little-endian float32 and nothing else. Format 2 is a byte with its number,
    then little-endian float64. An infinite loss becomes the largest number, since JSON has no infinity.
    """
    finite = np.minimum(losses, np.finfo(np.float64).max).astype("<f8")
    with np.errstate(over="ignore"):
        single = finite.astype("<f4")
    return single.tobytes() if (single == finite).all() else _LOSS_FORMAT + finite.tobytes()


def unpack_losses(data: bytes, places: slice = slice(None)) -> Floats:
    """Return those of the losses of `pack_losses`, float64."""
    losses = np.frombuffer(data, "<f8", offset=1) if len(data) % 4 else np.frombuffer(data, "<f4")
    return losses[places].astype(np.float64)


def count_losses(n_bytes: int) -> int:
    """Return how many losses so many bytes of `pack_losses` are."""
    return n_bytes // 8 if n_bytes % 4 else n_bytes // 4
