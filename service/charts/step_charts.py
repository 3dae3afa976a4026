"""Charts over steps: loss and accuracy of a run, its overfitting, the effect of shuffling, and several runs at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from service.core import METRICS
from service.errors import NoDataYet

from .canvas import Canvas
from .curves import Curves, Line, Series, Steps, block_statistics
from .frame import CATEGORIES, MAX_MARKERS, TRAINING, VALIDATION, Frame

_MAX_POINTS_IN_ALL = 40_000
_OFF_SCALE = 0.01


def loss_chart(curves: Curves, *, n_averaged: int = 10, **frame: Unpack[Frame]) -> bytes:
    """Draw training and validation loss over steps.

    The training loss is the mean of every ``n_averaged`` steps in a band of its standard deviation (of more steps where
    that makes more than 2,000 points). The check with the lowest validation loss and an early stop are marked. The
    axis is logarithmic when losses differ by more than a factor of 1,000.

    Raises
    ------
    NoDataYet : no validation check has been made.
    """
    _require_checks(len(curves))
    canvas = Canvas(**frame, y_label="cross-entropy loss", y_bounds=(0.0, math.inf))
    canvas.training_loss(curves, colour=TRAINING, label="training", n_averaged=n_averaged)
    return _with_validation(canvas, curves, "validation_loss", "lowest validation loss {value}")


def accuracy_chart(curves: Curves, **frame: Unpack[Frame]) -> bytes:
    """Draw training and validation accuracy at every check; marks and errors as in `loss_chart`.

    The ring is the validation accuracy at the check with the lowest validation *loss*: those weights
    are kept.
    """
    _require_checks(len(curves))
    canvas = Canvas(**frame, y_label="accuracy", y_bounds=(0.0, 1.0))
    canvas.line(curves.check_steps, curves.checks["train_accuracy"], colour=TRAINING, label="training")
    return _with_validation(canvas, curves, "validation_accuracy", "{value} at the lowest validation loss")


def gap_chart(
    curves: Curves,
    *,
    positive_from: int | None = None,
    repeats: Sequence[Curves] = (),
    **frame: Unpack[Frame],
) -> bytes:
    """Draw overfitting as a gap: training minus validation accuracy; errors as in `loss_chart`.

    Parameters
    ----------
    repeats : the same run with several seeds, drawn as a band from the smallest to the largest gap.
    curves : with ``batches_per_epoch``, the mean of each epoch is drawn too.
    positive_from : the check from which on the gap is above 0 at each.
    """
    _require_checks(len(curves))
    canvas = Canvas(**frame, y_label="gap in percentage points", y_bounds=(-100.0, 100.0))
    canvas.mark_level(0)
    steps, gap = _gaps(curves)
    _add_range(canvas, [_gaps(each) for each in repeats], "each check")
    per_epoch = 1
    if curves.batches_per_epoch is not None and len(curves) > 1:
        per_epoch = curves.batches_per_epoch // int(steps[1] - steps[0])
    has_means = len(curves) >= 2 * per_epoch > 2
    faint: Any = {"linewidth": 0.8, "alpha": 0.55} if has_means else {}
    canvas.line(steps, gap, colour=TRAINING, label="at each check", **faint)
    if has_means:
        middle, mean, _ = block_statistics(steps, gap, per_epoch)
        label = f"mean of {per_epoch} checks, about an epoch"
        canvas.line(middle, mean, colour=VALIDATION, label=label, marker=None, linewidth=2.2)
    if positive_from is not None:
        canvas.mark_step(positive_from, label="above 0 at every check from here on")
    return canvas.encode(curves.batches_per_epoch)


def shuffle_chart(
    in_order: Curves,
    shuffled: Curves,
    *,
    first_spike: int | None = None,
    repeats: Sequence[Curves] = (),
    **frame: Unpack[Frame],
) -> bytes:
    """Draw the validation accuracy of a run without and of one with shuffling; errors as in `loss_chart`.

    A check follows the same batch again after lcm(check interval, batches per epoch) steps: without shuffling, the
    effect of one batch on the accuracy recurs with that period.

    Parameters
    ----------
    in_order, shuffled : of runs that otherwise agree; the first must know its ``batches_per_epoch``.
    first_spike : the check of the run without shuffling from which on such spikes are marked.
    repeats : the shuffled run with several seeds, drawn as a band from the smallest to the largest accuracy.
    """
    if len(in_order) < 2 or len(shuffled) == 0:
        raise NoDataYet("There are not enough validation checks to compare yet.")
    metric = "validation_accuracy"
    canvas = Canvas(**frame, **_y_axis(metric))
    steps, accuracy = in_order.check_steps, in_order.checks[metric]
    _add_range(canvas, [(each.check_steps, each.checks[metric]) for each in repeats], "shuffled")
    canvas.line(shuffled.check_steps, shuffled.checks[metric], colour=TRAINING, label="shuffled", linewidth=1.3)
    canvas.line(steps, accuracy, colour=VALIDATION, label="not shuffled")
    if first_spike is not None and in_order.batches_per_epoch is not None:
        period = math.lcm(int(steps[1] - steps[0]), in_order.batches_per_epoch)
        is_spike = (steps >= first_spike) & ((steps - first_spike) % period == 0)
        batch = first_spike % in_order.batches_per_epoch
        label = f"every {period:,} steps: check just after batch {batch:,} of the epoch"
        canvas.mark_recurrence(steps[is_spike], accuracy[is_spike], colour=VALIDATION, label=label)
    return canvas.encode(in_order.batches_per_epoch)


def lines_chart(
    lines: Sequence[Line],
    *,
    metric: str,
    swept: str = "",
    batches_per_epoch: int | None = None,
    off_scale: float = _OFF_SCALE,
    coincide: bool = False,
    **frame: Unpack[Frame],
) -> bytes:
    """Draw several runs over steps. A dot ends each line that stops before the longest one does.

    Up to 7 labels stand in a legend, if it leaves the chart room enough; more make a colour bar, in the order
    of the lines, so those should be sorted by what was swept. Rare values far from all others are off the
    scale, and a note gives their range.

    Parameters
    ----------
    lines : at least one with a point; errors otherwise as in `loss_chart`.
    metric : the measured one of `service.core.METRICS`, by name.
    swept : what the labels are values of: ``L2 penalty``.
    batches_per_epoch : when given, the chart also shows epochs.
    off_scale : the fraction of the values, at each end, that counts as rare.
    coincide : draw each line narrower than the one before, so that those which coincide are all seen.
    """
    lines = [line for line in lines if len(line.steps)]
    _require_checks(len(lines))
    canvas = Canvas(**frame, **_y_axis(metric), off_scale=off_scale)
    labels = list(dict.fromkeys(line.label for line in lines))
    in_legend = len(labels) <= len(CATEGORIES) and canvas.sheet.has_room_for_legend(labels)
    meaning = "; ".join(dict.fromkeys(line.meaning for line in lines if line.meaning))
    if in_legend:
        canvas.sheet.set_legend_title(" – ".join(text for text in (swept, meaning) if text))
        colours: Sequence[str] = CATEGORIES
    else:
        colours = canvas.sheet.ordered_colours(len(labels))
        canvas.sheet.add_colour_bar(colours, labels, swept)
        canvas.sheet.set_legend_title(meaning)
    colour_of = dict(zip(labels, colours, strict=False))  # a legend may use fewer than there are
    last_step = max(line.steps[-1] for line in lines)
    style: Any = {
        "max_points": max(100, _MAX_POINTS_IN_ALL // len(lines)),
        "marker": "o" if max(len(line.steps) for line in lines) <= MAX_MARKERS else None,
    }
    widest, narrowest = (3.0, 1.0) if coincide else (1.5, 1.5) if in_legend else (1.1, 1.1)
    widths = dict(zip(labels, np.linspace(widest, narrowest, len(labels)).tolist(), strict=True))
    explained: set[str] = set()
    for line in lines:
        colour = colour_of[line.label]
        if line.band:
            canvas.band(line.steps, *line.band, colour=colour)
        label = line.label if in_legend and line.label not in explained else None
        canvas.line(
            line.steps,
            line.values,
            colour=colour,
            label=label,
            linewidth=widths[line.label],
            markersize=4 * widths[line.label] ** 0.5,
            **style,
        )
        explained.add(line.label)
    stopped = [line for line in lines if line.steps[-1] < last_step]
    for line in stopped:
        label = "ends before the longest run" if line is stopped[-1] else None
        canvas.mark_end(int(line.steps[-1]), float(line.values[-1]), colour=colour_of[line.label], label=label)
    return canvas.encode(batches_per_epoch)


def _gaps(curves: Curves) -> tuple[Steps, Series]:
    """Return the steps of the checks, and the gap at each in percentage points."""
    return curves.check_steps, 100 * (curves.checks["train_accuracy"] - curves.checks["validation_accuracy"])


def _add_range(canvas: Canvas, repeats: Sequence[tuple[Steps, Series]], what: str) -> None:
    """Draw a band from the smallest to the largest value, up to the end of the shortest run."""
    if len(repeats) > 1 and (line := Line.mean("", repeats)).band:
        shown = canvas.band(line.steps, *line.band, colour=TRAINING)
        canvas.sheet.add_to_legend(shown, f"{what}, range over {len(repeats)} seeds")


def _with_validation(canvas: Canvas, curves: Curves, metric: str, best_label: str) -> bytes:
    """Draw the validation curve of a metric, ring its best check, and finish the chart."""
    values = curves.checks[metric]
    canvas.line(curves.check_steps, values, colour=VALIDATION, label="validation")
    canvas.mark_run(curves, values, colour=VALIDATION, best_label=best_label)
    return canvas.encode(curves.batches_per_epoch)


def _y_axis(metric: str) -> Any:
    bounds = (0.0, 1.0) if METRICS[metric].format == "share" else (0.0, math.inf)
    return {"y_label": METRICS[metric].title, "y_bounds": bounds}


def _require_checks(number: int) -> None:
    if number == 0:
        raise NoDataYet("There is no validation check to draw yet.")
