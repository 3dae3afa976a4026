"""What shuffling changes: without it the same batch comes back, and what it does to the weights comes back too."""

from __future__ import annotations

import math
from typing import Unpack

from service.errors import NoDataYet

from .curves import Curves
from .first_use import load_matplotlib
from .frame import Frame


def shuffle_chart(
    in_order: Curves, shuffled: Curves, *, first_spike: int | None = None, **frame: Unpack[Frame]
) -> bytes:
    """Draw the validation accuracy of a run without and of one with shuffling; errors as in `loss_chart`.

    Checks and epochs meet at the same batch every lcm(check interval, batches per epoch) steps: what one batch
    does to the accuracy is then seen again.

    Parameters
    ----------
    in_order, shuffled : of runs that otherwise agree; the first must know its ``batches_per_epoch``.
    first_spike : the check of the run without shuffling from which on such spikes are marked.
    """
    if len(in_order) < 2 or len(shuffled) == 0:
        raise NoDataYet("There are not enough validation checks to compare yet.")
    load_matplotlib()
    from .canvas import Canvas  # noqa: PLC0415 - see sheet.py
    from .style import TRAINING, VALIDATION  # noqa: PLC0415

    canvas = Canvas(**frame, y_label="validation accuracy", y_bounds=(0.0, 1.0))
    canvas.line(shuffled.check_steps, shuffled.validation_accuracy, colour=TRAINING, label="shuffled", linewidth=1.3)
    canvas.line(in_order.check_steps, in_order.validation_accuracy, colour=VALIDATION, label="not shuffled")
    if first_spike is not None and in_order.batches_per_epoch is not None:
        interval = int(in_order.check_steps[1] - in_order.check_steps[0])
        period = math.lcm(interval, in_order.batches_per_epoch)
        is_spike = (in_order.check_steps >= first_spike) & ((in_order.check_steps - first_spike) % period == 0)
        batch = first_spike % in_order.batches_per_epoch
        canvas.mark_recurrence(
            in_order.check_steps[is_spike],
            in_order.validation_accuracy[is_spike],
            colour=VALIDATION,
            label=f"every {period:,} steps: check just after batch {batch:,} of the epoch",
        )
    return canvas.encode(in_order.batches_per_epoch)
