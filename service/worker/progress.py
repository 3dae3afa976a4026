"""How far a run has come, and when it will be there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run stands after a check.

    ``fraction`` is of the steps of all epochs; early stopping may end a run long before 1. ``images_per_s``
    counts training images of this attempt by the clock, checks included. ``eta_s`` assumes that all epochs are
    made; both are None after the very first step. ``patience_left`` is in checks, None without early stopping.
    """

    fraction: float = 0.0
    epoch: int = 0
    step: int = 0
    images_per_s: float | None = None
    eta_s: float | None = None
    patience_left: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {name: getattr(self, name) for name in Progress.__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What is needed to turn a step number into a progress: the plan of the run, and where this attempt began."""

    first_step: int
    n_steps: int
    batch_size: int

    def progress(
        self, *, epoch: int, step: int, steps_since: int, elapsed_s: float, patience_left: int | None
    ) -> Progress:
        """Return the progress after ``step`` and ``steps_since`` more were made, ``elapsed_s`` into this attempt."""
        made = step + 1
        made_here = made + steps_since - self.first_step
        # The first step pays for a cold start; its pace says nothing about the others.
        step_s = elapsed_s / made_here if made_here > 1 and elapsed_s > 0 else None
        return Progress(
            fraction=made / self.n_steps,
            epoch=epoch,
            step=step,
            images_per_s=self.batch_size / step_s if step_s else None,
            eta_s=(self.n_steps - made) * step_s if step_s else None,
            patience_left=patience_left,
        )
