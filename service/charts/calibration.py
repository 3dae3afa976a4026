"""The reliability curve: how often a model is right, by how sure it is."""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from .frame import INK, TRAINING, Frame, new_sheet

_BAR = "#d0d7de"


def calibration_chart(bins: Sequence[Mapping[str, Any]], **frame: Unpack[Frame]) -> bytes:
    """Draw the accuracy of predictions over their mean probability, and the share of images in each bin.

    Parameters
    ----------
    bins : each with ``low``, ``high`` and ``n_images``, and, unless empty, ``mean_probability`` and ``accuracy``.
    """
    used = [each for each in bins if each["n_images"]]
    n_images = sum(each["n_images"] for each in used)
    x, y = ([each[name] for each in used] for name in ("mean_probability", "accuracy"))
    sheet = new_sheet(**frame)
    axes = sheet.axes
    places, widths = [each["low"] for each in used], [each["high"] - each["low"] for each in used]
    shares = [each["n_images"] / n_images for each in used]
    bars = axes.bar(places, shares, widths, align="edge", color=_BAR, edgecolor="white", zorder=1)
    (perfect,) = axes.plot((0, 1), (0, 1), color=INK, linewidth=1.0, linestyle=(0, (4, 3)), zorder=2)
    (curve,) = axes.plot(x, y, "o-", color=TRAINING, zorder=3)
    for handle, label in ((curve, "accuracy"), (perfect, "perfect calibration"), (bars, "share of the images")):
        sheet.add_to_legend(handle, label)
    sheet.lay_out()
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="probability of what is predicted")
    sheet.number_y_axis()
    sheet.label_y_axis("accuracy")
    return sheet.encode()
