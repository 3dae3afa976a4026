"""Overfitting, seen as a gap: what a run knows about its training images that does not hold for others."""

from __future__ import annotations

from typing import Unpack

from service.errors import NoDataYet

from .curves import Curves
from .first_use import load_matplotlib
from .frame import Frame
from .thinning import block_statistics


def gap_chart(curves: Curves, *, grows_from: int | None = None, **frame: Unpack[Frame]) -> bytes:
    """Draw how much better a run does on its training images than on others; errors as in `loss_chart`.

    Parameters
    ----------
    curves : those that know their ``batches_per_epoch`` also have the mean of each epoch drawn.
    grows_from : the step from which the gap keeps growing.
    """
    if len(curves) == 0:
        raise NoDataYet("There is no validation check to draw yet.")
    load_matplotlib()
    from .canvas import Canvas  # noqa: PLC0415 - see sheet.py
    from .style import TRAINING, VALIDATION  # noqa: PLC0415

    canvas = Canvas(**frame, y_label="training − validation accuracy gap", y_bounds=(-1.0, 1.0))
    canvas.mark_level(0)
    gap = curves.train_accuracy - curves.validation_accuracy
    per_epoch = 1
    if curves.batches_per_epoch is not None and len(curves) > 1:
        per_epoch = curves.batches_per_epoch // int(curves.check_steps[1] - curves.check_steps[0])
    if len(curves) >= 2 * per_epoch > 2:
        canvas.line(curves.check_steps, gap, colour=TRAINING, label="at each check", linewidth=0.8, alpha=0.55)
        middle, mean, _ = block_statistics(curves.check_steps, gap, per_epoch)
        canvas.line(
            middle,
            mean,
            colour=VALIDATION,
            label=f"mean of {per_epoch} checks, about an epoch",
            marker=None,
            linewidth=2.2,
        )
    else:
        canvas.line(curves.check_steps, gap, colour=TRAINING, label="at each check")
    if grows_from is not None:
        canvas.mark_step(grows_from, label="keeps growing from here")
    return canvas.encode(curves.batches_per_epoch)
