"""Norms: of the weights over the L2 penalty, and of each layer of a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, Unpack

import numpy as np

from service.errors import NoDataYet

from .curves import Line, Series
from .frame import CATEGORIES, LARGEST_DRAWN, TRAINING, VALIDATION, Frame, new_sheet, power_of_ten

if TYPE_CHECKING:
    from .sheet import Sheet

PenaltyScale: TypeAlias = Literal["log", "linear"]

_MAX_NUMBERED = 12
_NUMBER_IN = 0.42


def norms_chart(
    penalties: Iterable[float],
    norms: Iterable[Sequence[float]],
    *,
    band: str = "",
    scale: PenaltyScale = "log",
    inverse: bool = False,
    **frame: Unpack[Frame],
) -> bytes:
    """Draw the norm of the weights over the penalty.

    A penalty of 0 has no logarithm: on a logarithmic axis it stands at the left, beyond a break of the axis, and
    only a dashed line leads there. Few points have their values written at them.

    Parameters
    ----------
    penalties : none negative, none twice; in any order.
    norms : of each penalty those of its runs, whose mean is drawn; means that are not finite are left out.
    band : if given, bars reach from the smallest to the largest norm, and this is their meaning in the legend.
    inverse : draw the norm on a logarithmic axis too, without a penalty of 0, and beside it the line that a norm
        inversely proportional to the penalty would be, of slope -1, through the norm of the smallest one.

    Raises
    ------
    NoDataYet : no norm is finite.
    ValueError : the arguments differ in length, or a penalty is negative, not finite or there twice.
    """
    at = np.array(sorted(zip(penalties, map(np.mean, norms), map(min, norms), map(max, norms), strict=True))).reshape(
        -1, 4
    )
    if not (np.isfinite(at[:, 0]) & (at[:, 0] >= 0)).all() or not np.diff(at[:, 0]).all():
        raise ValueError("penalties must be finite, not negative and all different")
    at = at[np.abs(at[:, 1]) <= LARGEST_DRAWN]
    if inverse:
        at = at[(at[:, 0] > 0) & (at[:, 1] > 1 / LARGEST_DRAWN)]
    if len(at) == 0:
        raise NoDataYet("There is no norm to draw yet.")
    penalty, norm, low, high = at.T
    is_log = scale == "log" and bool(penalty[-1] > 0)
    places = _log_places(penalty) if is_log else penalty
    sheet = new_sheet(**frame)
    axes = sheet.axes
    beyond_break = is_log and penalty[0] == 0
    joined = slice(1, None) if beyond_break else slice(None)
    axes.plot(places[joined], norm[joined], color=TRAINING, zorder=3)
    axes.plot(places[:2], norm[:2], color=TRAINING, linewidth=1.2, linestyle=(0, (3, 3)) if beyond_break else "-")
    axes.plot(places, norm, "o", color=TRAINING, markersize=5.5, zorder=4)
    highest = high if band else norm
    if band:
        bars = axes.errorbar(places, norm, (norm - low, high - norm), fmt="none", ecolor=TRAINING, capsize=4)
        sheet.add_to_legend(bars, band)
    if inverse:
        (line,) = axes.plot(places, norm[0] * penalty[0] / penalty, color=VALIDATION, linestyle=(0, (4, 3)))
        sheet.add_to_legend(line, "inversely proportional to the penalty: slope −1")
    sheet.lay_out()
    if inverse:
        sheet.make_y_axis_logarithmic()
    else:
        axes.set_ylim(0, 1.14 * float(np.nanmax(highest)) or 1)
        sheet.number_y_axis()
    sheet.label_y_axis("weight norm ‖W‖")
    axes.set_xlabel("L2 penalty λ" + (" (log scale)" if is_log else ""))
    sheet.pad_x_axis(places)
    if is_log:
        _mark_decades(sheet, penalty, places)
    if len(places) <= _MAX_NUMBERED and sheet.are_apart(places, _NUMBER_IN):
        for place, value, top in zip(places, norm, highest, strict=True):
            axes.annotate(f"{value:.3g}", (place, top), (4, 4), textcoords="offset points", fontsize=9)
    return sheet.encode()


def layers_chart(lines: Sequence[Line], *, y_label: str, **frame: Unpack[Frame]) -> bytes:
    """Draw a positive value of each layer of a network, on a logarithmic axis; the steps of a line are its layers.

    Raises
    ------
    NoDataYet : no value can be drawn.
    """
    drawn = [(line, (line.values > 1 / LARGEST_DRAWN) & (line.values <= LARGEST_DRAWN)) for line in lines]
    if not any(shown.any() for _, shown in drawn):
        raise NoDataYet("There is no layer to draw.")
    sheet = new_sheet(**frame)
    for (line, shown), colour in zip(drawn, CATEGORIES, strict=False):
        (curve,) = sheet.axes.plot(line.steps[shown], line.values[shown], "o-", color=colour, markersize=5, zorder=3)
        sheet.add_to_legend(curve, line.label)
    sheet.lay_out()
    sheet.make_y_axis_logarithmic()
    sheet.axes.set_xticks(lines[0].steps)
    sheet.axes.set_xlabel("layer, 1 is next to the pixels")
    sheet.label_y_axis(y_label)
    return sheet.encode()


def _log_places(penalties: Series) -> Series:
    """Return decimal logarithms of increasing penalties; a 0 stands apart at the left."""
    positive = penalties > 0
    places = np.log10(penalties, out=np.zeros(len(penalties)), where=positive)
    places[~positive] = places[positive][0] - max(0.6, 0.2 * float(np.ptp(places[positive])))
    return places


def _mark_decades(sheet: Sheet, penalties: Series, places: Series) -> None:
    """Label the penalties themselves if they have room, and powers of ten if not; and 0 beyond a break."""
    decades = np.arange(np.floor(places[penalties > 0][0]), np.ceil(places[-1]) + 1)
    decades = decades[:: -(-len(decades) // 8)]
    if sheet.are_apart(places, _NUMBER_IN + 0.1):
        sheet.axes.set_xticks(places, [f"{penalty:.3g}" for penalty in penalties])
    else:
        zero = places[penalties == 0]
        within = decades[decades >= (places[1] if len(zero) else places[0]) - 1e-9]
        labels = ["0"] * len(zero) + [power_of_ten(10.0**decade) for decade in within]
        sheet.axes.set_xticks([*zero, *within], labels)
    if penalties[0] == 0:
        middle = (places[0] + places[1]) / 2
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        at = sheet.axes.get_xaxis_transform()
        sheet.axes.text(middle, 0, "//", transform=at, ha="center", va="center", zorder=5, bbox=box)
