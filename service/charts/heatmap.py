"""A grid over two hyperparameters: which pair does best, and how fast it gets worse around it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Unpack

import numpy as np
from numpy.typing import NDArray

from service.errors import NoDataYet

from .first_use import load_matplotlib
from .frame import Frame

if TYPE_CHECKING:
    from .sheet import Sheet

Best: TypeAlias = Literal["highest", "lowest"]

_N_COLOURS = 61
_LARGEST_DRAWN = 1e30
_LIGHT_FROM = 0.6  # of the scale; black is legible on lighter colours than that
_NO_RESULT = "#e9eaec"


def heatmap_chart(
    x_name: str,
    x_values: Sequence[float],
    y_name: str,
    y_values: Sequence[float],
    values: NDArray[np.float64],
    *,
    value_label: str,
    best: Best = "highest",
    **frame: Unpack[Frame],
) -> bytes:
    """Draw one cell for each pair of hyperparameters, evenly, whatever lies between their values.

    The best cell has a frame; cells without a result are grey. The numbers stand in the cells if they have
    room there. Errors otherwise as in `loss_chart`.

    Parameters
    ----------
    x_values, y_values : the values of the two, from left to right and from bottom to top.
    values : ``(n_y, n_x)``; NaN where there is no result.
    value_label : what the numbers are.
    best : whether the highest or the lowest of them is best.

    Raises
    ------
    NoDataYet : there is no result at all.
    ValueError : ``values`` has another shape.
    """
    if values.shape != (len(y_values), len(x_values)):
        raise ValueError("a heat map needs one value for each pair")
    results = np.where(np.abs(values) <= _LARGEST_DRAWN, values, np.nan)
    if np.isnan(results).all():
        raise NoDataYet("There is no result to draw yet.")
    load_matplotlib()
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - see sheet.py

    from .sheet import Sheet  # noqa: PLC0415
    from .style import INK, ordered_colours  # noqa: PLC0415

    sheet = Sheet(**frame)
    axes = sheet.axes
    axes.grid(visible=False)
    low, high = float(np.nanmin(results)), float(np.nanmax(results))
    form = _number_format(max(abs(low), abs(high)))
    fractions = (results - low) / (high - low or 1)
    colours = ordered_colours(_N_COLOURS)
    for (row, column), fraction in np.ndenumerate(fractions):
        colour = _NO_RESULT if np.isnan(fraction) else colours[round(fraction * (_N_COLOURS - 1))]
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colour, edgecolor="white", linewidth=0.6))
    extreme = np.nanargmax(results) if best == "highest" else np.nanargmin(results)
    row, column = divmod(int(extreme), len(x_values))
    outline: Any = {"fill": False, "clip_on": False, "joinstyle": "miter"}
    corner = (column - 0.5, row - 0.5)
    axes.add_patch(Rectangle(corner, 1, 1, edgecolor="white", linewidth=5, zorder=3, **outline))
    ring = axes.add_patch(Rectangle(corner, 1, 1, edgecolor=INK, linewidth=2, zorder=4, **outline))
    where = f"{x_name} {x_values[column]:.4g}, {y_name} {y_values[row]:.4g}"
    sheet.explain(ring, f"{best} {value_label} {results[row, column]:{form}}: {where}")
    if np.isnan(results).any():
        sheet.explain(Rectangle((0, 0), 1, 1, facecolor=_NO_RESULT), "no result")
    if high > low:
        figures = [f"{value:{form}}" for value in np.linspace(low, high, _N_COLOURS)]
        sheet.explain_by_colour(colours, figures, value_label)
    height_in = sheet.place_axes(sheet.write_header())
    axes.set(xlim=(-0.5, len(x_values) - 0.5), ylim=(-0.5, len(y_values) - 0.5), xlabel=x_name)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    width_in = axes.get_position().width * sheet.width_in
    axes.set_xticks(*_ticks(x_values, int(width_in / 0.8)))
    axes.set_yticks(*_ticks(y_values, int(height_in / 0.22)))
    sheet.label_y_axis(y_name, "", height_in)
    if width_in / len(x_values) > 0.55 and height_in / len(y_values) > 0.22:
        _write_numbers(sheet, results, fractions, form)
    return sheet.encode()


def _number_format(largest: float) -> str:
    """Return the format that gives four digits to the largest number, and the others as many decimals."""
    if not 1e-3 <= largest < 1e6:
        return ".3g"
    return f".{max(0, 3 - math.floor(math.log10(largest)))}f"


def _ticks(values: Sequence[float], most: int) -> tuple[range, list[str]]:
    places = range(0, len(values), -(-len(values) // max(most, 1)))
    return places, [f"{values[place]:.3g}" for place in places]


def _write_numbers(sheet: Sheet, results: NDArray[np.float64], fractions: NDArray[np.float64], form: str) -> None:
    for (row, column), result in np.ndenumerate(results):
        if np.isfinite(result):
            colour = "black" if fractions[row, column] > _LIGHT_FROM else "white"
            middle: Any = {"horizontalalignment": "center", "verticalalignment": "center", "fontsize": 9.0}
            sheet.axes.text(column, row, f"{result:{form}}", color=colour, zorder=5, **middle)
