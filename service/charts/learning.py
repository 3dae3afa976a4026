"""How a run learns: its loss step by step, its accuracy check by check."""

from __future__ import annotations

import math
from typing import Literal, Unpack

from service.errors import NoDataYet

from .curves import Curves
from .first_use import load_matplotlib
from .frame import Frame


def loss_chart(curves: Curves, **frame: Unpack[Frame]) -> bytes:
    """Draw training and validation loss over steps.

    The training loss is the mean of every 10 steps in a band of its standard deviation (over more steps where
    there are more than 20,000). The check with the lowest validation loss and an early stop are marked. The
    axis is logarithmic when losses differ by more than a factor of 1,000.

    Raises
    ------
    NoDataYet : no validation check has been made.
    """
    return _chart(curves, "loss", **frame)


def accuracy_chart(curves: Curves, **frame: Unpack[Frame]) -> bytes:
    """Draw training and validation accuracy at every check; marks and errors as in `loss_chart`.

    The ring is the validation accuracy at the check with the lowest validation *loss*: those weights
    are kept.
    """
    return _chart(curves, "accuracy", **frame)


def _chart(curves: Curves, metric: Literal["loss", "accuracy"], **frame: Unpack[Frame]) -> bytes:
    if len(curves) == 0:
        raise NoDataYet("There is no validation check to draw yet.")
    load_matplotlib()
    from .canvas import Canvas  # noqa: PLC0415 - see sheet.py
    from .style import TRAINING, VALIDATION  # noqa: PLC0415

    if metric == "loss":
        canvas = Canvas(**frame, y_label="cross-entropy loss", y_bounds=(0.0, math.inf))
        canvas.averaged_line(curves.train_loss_steps, curves.train_loss, colour=TRAINING, label="training")
        validation, ring = curves.validation_loss, "lowest validation loss {value}"
    else:
        canvas = Canvas(**frame, y_label="accuracy", y_bounds=(0.0, 1.0))
        canvas.line(curves.check_steps, curves.train_accuracy, colour=TRAINING, label="training")
        validation, ring = curves.validation_accuracy, "{value} at the lowest validation loss"
    canvas.line(curves.check_steps, validation, colour=VALIDATION, label="validation")
    if curves.best_step is not None:
        canvas.mark_point(curves.best_step, curves.check_steps, validation, colour=VALIDATION, label=ring)
    if curves.stop_step is not None:
        canvas.mark_step(curves.stop_step, label="early stop")
    return canvas.encode(curves.batches_per_epoch)
