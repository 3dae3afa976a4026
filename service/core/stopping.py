"""When a run ends, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
        improved = validation_loss < self.lowest_loss
        return EarlyStopping(
            patience=self.patience,
            lowest_loss=validation_loss if improved else self.lowest_loss,
            checks_without_improvement=0 if improved else self.checks_without_improvement + 1,
        )

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
