"""Many runs in one chart: a line for each, or for the mean of those that differ only in their seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, Unpack

import numpy as np

from service.errors import NoDataYet

from .curves import Series, Steps
from .first_use import load_matplotlib
from .frame import Frame

Spread: TypeAlias = Literal["range", "deviation"]

_MAX_POINTS_IN_ALL = 40_000
_OFF_SCALE = 0.01
_MAX_MARKERS = 40


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """One line of a chart, with a band around it if there is a spread to show.

    Parameters
    ----------
    label : what the line stands for; lines with the same label have the same colour.
    steps : ``(n,)``, increasing.
    values : ``(n,)``.
    lower, upper : ``(n,)``, the edges of the band; both or neither.
    meaning : what line and band are, said once in the legend: ``mean of 5 seeds, band from min to max``.

    Raises
    ------
    ValueError : the arrays differ in length, steps do not increase, or only one edge is given.
    """

    label: str
    steps: Steps
    values: Series
    lower: Series | None = None
    upper: Series | None = None
    meaning: str = ""

    def __post_init__(self) -> None:
        """Check that the arrays fit together."""
        edges = [edge for edge in (self.lower, self.upper) if edge is not None]
        if len(edges) == 1:
            raise ValueError("a line has both edges of its band or neither")
        if self.steps.ndim != 1 or any(series.shape != self.steps.shape for series in (self.values, *edges)):
            raise ValueError("a line's steps and values differ in length")
        if (np.diff(self.steps) <= 0).any():
            raise ValueError("a line's steps must increase")

    @classmethod
    def mean(cls, label: str, repeats: Sequence[tuple[Steps, Series]], *, spread: Spread = "range") -> Line:
        """Make one line of runs that differ only in their seed: their mean in a band.

        The line ends with the run that stopped first: a mean of fewer runs would not be the same quantity.

        Parameters
        ----------
        repeats : steps and values of each run, which must be checked at the same steps.
        spread : ``range``, from the smallest to the largest; ``deviation``, one standard deviation to each side.

        Raises
        ------
        ValueError : there is no run, or they were checked at different steps.
        """
        if not repeats:
            raise ValueError("a mean needs at least one run")
        length = min(len(steps) for steps, _ in repeats)
        steps = repeats[0][0][:length]
        if any((other[:length] != steps).any() for other, _ in repeats):
            raise ValueError("runs must be checked at the same steps to have a mean")
        values = np.stack([series[:length] for _, series in repeats])
        mean = values.mean(axis=0)
        if len(values) == 1:
            return cls(label=label, steps=steps, values=mean)
        if spread == "range":
            lower, upper, name = values.min(axis=0), values.max(axis=0), "band from min to max"
        else:
            deviation = values.std(axis=0)
            lower, upper, name = mean - deviation, mean + deviation, "band of ± 1 s.d."
        meaning = f"mean of {len(values)} seeds, {name}"
        return cls(label=label, steps=steps, values=mean, lower=lower, upper=upper, meaning=meaning)


def lines_chart(
    lines: Sequence[Line],
    *,
    y_label: str,
    y_bounds: tuple[float, float] = (-math.inf, math.inf),
    swept: str = "",
    batches_per_epoch: int | None = None,
    **frame: Unpack[Frame],
) -> bytes:
    """Draw several runs over steps. A dot ends each line that stops before the longest one does.

    Up to 7 labels stand in a legend, if it leaves the chart room enough; more make a colour bar, in the order
    of the lines, so those should be sorted by what was swept. Rare values far from all others are off the
    scale, and a note says how far they reach.

    Parameters
    ----------
    lines : at least one with a point; errors otherwise as in `loss_chart`.
    y_label : what is measured.
    y_bounds : the values that are possible at all; accuracies lie in (0, 1).
    swept : what the labels are values of: ``L2 penalty``.
    batches_per_epoch : when given, the chart also shows epochs.
    """
    lines = [line for line in lines if len(line.steps)]
    if not lines:
        raise NoDataYet("There is no validation check to draw yet.")
    load_matplotlib()
    from .canvas import Canvas  # noqa: PLC0415 - see sheet.py
    from .style import CATEGORIES, ordered_colours  # noqa: PLC0415

    canvas = Canvas(**frame, y_label=y_label, y_bounds=y_bounds, off_scale=_OFF_SCALE)
    labels = list(dict.fromkeys(line.label for line in lines))
    in_legend = len(labels) <= len(CATEGORIES) and canvas.sheet.has_room_for_legend(labels)
    meaning = "; ".join(dict.fromkeys(line.meaning for line in lines if line.meaning))
    if in_legend:
        canvas.sheet.entitle_legend(" – ".join(text for text in (swept, meaning) if text))
        colours = list(CATEGORIES)
    else:
        colours = ordered_colours(len(labels))
        canvas.sheet.explain_by_colour(colours, labels, swept)
        canvas.sheet.entitle_legend(meaning)
    last_step = max(line.steps[-1] for line in lines)
    marker = "o" if max(len(line.steps) for line in lines) <= _MAX_MARKERS else None
    explained: set[str] = set()
    for line in lines:
        colour = colours[labels.index(line.label)]
        if line.lower is not None and line.upper is not None:
            canvas.band(line.steps, line.lower, line.upper, colour=colour)
        canvas.line(
            line.steps,
            line.values,
            colour=colour,
            label=line.label if in_legend and line.label not in explained else None,
            max_points=max(100, _MAX_POINTS_IN_ALL // len(lines)),
            marker=marker,
            linewidth=1.5 if in_legend else 1.1,
        )
        explained.add(line.label)
    stopped = [line for line in lines if line.steps[-1] < last_step]
    for line in stopped:
        canvas.mark_end(
            int(line.steps[-1]),
            float(line.values[-1]),
            colour=colours[labels.index(line.label)],
            label="ends before the longest run" if line is stopped[-1] else None,
        )
    return canvas.encode(batches_per_epoch)
