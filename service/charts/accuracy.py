"""The accuracy of a run, check by check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.errors import NoDataYet

from .curves import Curves
from .first_use import load_matplotlib
from .provenance import Provenance
from .size import ChartSize

if TYPE_CHECKING:
    from .sheet import ImageFormat


def accuracy_chart(
    curves: Curves,
    *,
    title: str,
    caption: str = "",
    size: ChartSize | None = None,
    image_format: ImageFormat = "png",
    provenance: Provenance,
) -> bytes:
    """Draw training and validation accuracy at every check; marks, text and errors as in `loss_chart`.

    The ring is the validation accuracy at the check with the lowest validation *loss*: those weights
    are kept.
    """
    if len(curves) == 0:
        raise NoDataYet("There is no validation check to draw yet.")
    load_matplotlib()
    from .canvas import Canvas  # noqa: PLC0415 - see sheet.py
    from .style import TRAINING, VALIDATION  # noqa: PLC0415

    canvas = Canvas(size or ChartSize(), y_label="accuracy", y_bounds=(0.0, 1.0))
    canvas.line(curves.check_steps, curves.train_accuracy, colour=TRAINING, label="training")
    canvas.line(curves.check_steps, curves.validation_accuracy, colour=VALIDATION, label="validation")
    if curves.best_step is not None:
        canvas.mark_point(
            curves.best_step,
            curves.check_steps,
            curves.validation_accuracy,
            colour=VALIDATION,
            label="{value} at the lowest validation loss",
        )
    if curves.stop_step is not None:
        canvas.mark_step(curves.stop_step, label="early stop")
    return canvas.encode(
        title=title,
        caption=caption,
        batches_per_epoch=curves.batches_per_epoch,
        image_format=image_format,
        provenance=provenance,
    )
