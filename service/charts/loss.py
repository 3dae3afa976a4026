"""The loss of a run, step by step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from service.errors import NoDataYet

from .curves import Curves
from .first_use import load_matplotlib
from .provenance import Provenance
from .size import ChartSize

if TYPE_CHECKING:
    from .sheet import ImageFormat


def loss_chart(
    curves: Curves,
    *,
    title: str,
    caption: str = "",
    size: ChartSize | None = None,
    image_format: ImageFormat = "png",
    provenance: Provenance,
) -> bytes:
    """Draw training and validation loss over steps.

    The training loss is the mean of every 10 steps in a band of its standard deviation (over more steps where
    there are more than 20,000). The check with the lowest validation loss and an early stop are marked. The
    axis is logarithmic when losses differ by more than a factor of 1,000.

    Parameters
    ----------
    title, caption : one line each, or two if they are long; what does not fit ends in "…".
    image_format : ``png``, ``svg`` or ``pdf``, which is one page.
    provenance : written into the file.

    Raises
    ------
    NoDataYet : no validation check has been made.
    """
    if len(curves) == 0:
        raise NoDataYet("There is no validation check to draw yet.")
    load_matplotlib()
    from .canvas import Canvas  # noqa: PLC0415 - see sheet.py
    from .style import TRAINING, VALIDATION  # noqa: PLC0415

    canvas = Canvas(size or ChartSize(), y_label="cross-entropy loss", y_bounds=(0.0, math.inf))
    canvas.averaged_line(curves.train_loss_steps, curves.train_loss, colour=TRAINING, label="training")
    canvas.line(curves.check_steps, curves.validation_loss, colour=VALIDATION, label="validation")
    if curves.best_step is not None:
        canvas.mark_point(
            curves.best_step,
            curves.check_steps,
            curves.validation_loss,
            colour=VALIDATION,
            label="lowest validation loss {value}",
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
