"""Tables of coloured cells: a metric over two hyperparameters, and the confusions of classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack

import numpy as np
from numpy.typing import NDArray

from service.core import METRICS
from service.errors import NoDataYet

from .frame import INK, LARGEST_DRAWN, Frame, new_sheet

if TYPE_CHECKING:
    from .sheet import Sheet

_N_COLOURS = 61
_LEGIBLE = 0.6  # of the scale: text is black on the lighter side of it, white on the darker
_NO_RESULT, _CORRECT, _EDGE = "#e9eaec", "#eef0f2", "#d0d3d7"
_PALEST, _STRONGEST = np.array([255, 255, 255]), np.array([178, 24, 43])


def heatmap_chart(
    x_name: str,
    x_values: Sequence[float],
    y_name: str,
    y_values: Sequence[float],
    values: NDArray[np.float64],
    *,
    metric: str,
    **frame: Unpack[Frame],
) -> bytes:
    """Draw one cell for each pair of hyperparameters, evenly spaced whatever their values.

    The best cell has a frame; cells without a result are grey. The numbers stand in the cells if they have
    room there.

    Parameters
    ----------
    x_values, y_values : the values of the two, from left to right and from bottom to top.
    values : ``(n_y, n_x)``; NaN where there is no result.
    metric : the one of `service.core.METRICS` that they are values of, by name.

    Raises
    ------
    NoDataYet : there is no result at all.
    ValueError : ``values`` has another shape.
    """
    if values.shape != (len(y_values), len(x_values)):
        raise ValueError("a heat map needs one value for each pair")
    results = np.where(np.abs(values) <= LARGEST_DRAWN, values, np.nan)
    if np.isnan(results).all():
        raise NoDataYet("There is no result to draw yet.")
    sheet = new_sheet(**frame)
    low, high = float(np.nanmin(results)), float(np.nanmax(results))
    form = _number_format(max(abs(low), abs(high)))
    fractions = (results - low) / (high - low or 1)
    colours = sheet.ordered_colours(_N_COLOURS)
    for (row, column), fraction in np.ndenumerate(fractions):
        colour = _NO_RESULT if np.isnan(fraction) else colours[round(fraction * (_N_COLOURS - 1))]
        sheet.cell(column, row, facecolor=colour, edgecolor="white", linewidth=0.6, clip_on=True)
    title, is_lowest = METRICS[metric].title, METRICS[metric].better == "lower"
    extreme = np.nanargmin(results) if is_lowest else np.nanargmax(results)
    row, column = divmod(int(extreme), len(x_values))
    sheet.cell(column, row, edgecolor="white", linewidth=5, zorder=3, fill=False, joinstyle="miter")
    ring = sheet.cell(column, row, edgecolor=INK, linewidth=2, zorder=4, fill=False, joinstyle="miter")
    where = f"{x_name} {x_values[column]:.4g}, {y_name} {y_values[row]:.4g}"
    sheet.add_to_legend(ring, f"{'lowest' if is_lowest else 'highest'} {title} {results[row, column]:{form}}: {where}")
    if np.isnan(results).any():
        sheet.add_to_legend(sheet.swatch(_NO_RESULT), "no result")
    if high > low:
        figures = [f"{value:{form}}" for value in np.linspace(low, high, _N_COLOURS)]
        sheet.add_colour_bar(colours, figures, title)
    _lay_out(sheet, x_name, len(x_values))
    width_in, height_in = sheet.axes_width_in, sheet.axes_height_in
    sheet.axes.set_ylim(-0.5, len(y_values) - 0.5)
    sheet.axes.set_xticks(*_ticks(x_values, int(width_in / 0.8)))
    sheet.axes.set_yticks(*_ticks(y_values, int(height_in / 0.22)))
    sheet.label_y_axis(y_name)
    if width_in / len(x_values) > 0.55 and height_in / len(y_values) > 0.22:
        for (row, column), result in np.ndenumerate(results):
            if np.isfinite(result):
                _write(sheet, column, row, f"{result:{form}}", is_dark=bool(fractions[row, column] <= _LEGIBLE))
    return sheet.encode()


def confusion_chart(counts: NDArray[np.int64], labels: Sequence[str], **frame: Unpack[Frame]) -> bytes:
    """Draw one cell for each pair of classes, the number of images in it.

    Mistakes are the redder the larger their share of the true class; correct cells are grey, since they
    would outshine everything else. Numbers are left out where there is no room.

    Parameters
    ----------
    counts : ``(n_classes, n_classes)``: a row for each true class, a column for each predicted one.
    labels : of the classes.

    Raises
    ------
    ValueError : ``counts`` has another shape.
    """
    n_classes = len(labels)
    if n_classes == 0 or counts.shape != (n_classes, n_classes):
        raise ValueError("a table of confusions needs a row and a column for each class")
    sheet = new_sheet(**frame)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    largest = float((shares * (1 - np.eye(n_classes))).max())
    for (row, column), share in np.ndenumerate(shares):
        colour = _CORRECT if row == column else _red(share / (largest or 1))
        sheet.cell(column, row, facecolor=colour, edgecolor=_EDGE, linewidth=0.6)
    if largest > 0:
        fractions = np.linspace(0, 1, _N_COLOURS)
        figures = [f"{100 * largest * fraction:.1f} %" for fraction in fractions]
        sheet.add_colour_bar([_red(fraction) for fraction in fractions], figures, "of its class")
    sheet.add_to_legend(sheet.swatch(_CORRECT, _EDGE), "correct")
    _lay_out(sheet, "predicted", n_classes)
    sheet.axes.set_ylim(n_classes - 0.5, -0.5)
    sheet.axes.set_xticks(range(n_classes), labels)
    sheet.axes.set_yticks(range(n_classes), labels)
    sheet.label_y_axis("true")
    # Wide labels have moved the axes.
    if sheet.axes_width_in / n_classes > 0.4 and sheet.axes_height_in / n_classes > 0.2:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                is_dark = row != column and shares[row, column] > _LEGIBLE * largest
                _write(sheet, column, row, f"{count:,}", is_dark=bool(is_dark))
    return sheet.encode()


def _lay_out(sheet: Sheet, x_label: str, n_columns: int) -> None:
    """Write the header and place the axes, without lines."""
    sheet.lay_out()
    sheet.axes.grid(visible=False)
    sheet.axes.spines[:].set_visible(False)
    sheet.axes.tick_params(length=0)
    sheet.axes.set(xlim=(-0.5, n_columns - 0.5), xlabel=x_label)


def _write(sheet: Sheet, column: int, row: int, text: str, *, is_dark: bool) -> None:
    sheet.axes.text(
        column, row, text, color="white" if is_dark else "black", fontsize=9.0, ha="center", va="center", zorder=5
    )


def _number_format(largest: float) -> str:
    """Return the format that gives four digits to the largest number, and the others as many decimals."""
    if not 1e-3 <= largest < 1e6:
        return ".3g"
    return f".{max(0, 3 - math.floor(math.log10(largest)))}f"


def _ticks(values: Sequence[float], most: int) -> tuple[range, list[str]]:
    places = range(0, len(values), -(-len(values) // max(most, 1)))
    return places, [f"{values[place]:.3g}" for place in places]


def _red(fraction: float) -> str:
    """Return the colour at this fraction of the way from white to red."""
    channels = np.rint(_PALEST + fraction * (_STRONGEST - _PALEST)).astype(int)
    return "#" + "".join(f"{channel:02x}" for channel in channels)
