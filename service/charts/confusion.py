"""Which class is taken for which other, as a table in which the mistakes stand out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from .first_use import load_matplotlib
from .frame import Frame

_RIGHT, _EDGE = "#eef0f2", "#d0d3d7"
_PALEST, _STRONGEST = np.array([255, 255, 255]), np.array([178, 24, 43])
_LIGHT_BELOW = 0.6  # of the scale; black is legible on paler colours than that
_N_COLOURS = 61


def confusion_chart(counts: NDArray[np.int64], labels: Sequence[str], **frame: Unpack[Frame]) -> bytes:
    """Draw one cell for each pair of classes, the number of images in it.

    Mistakes are the redder the larger their share of the true class; cells that are right are grey, since they
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
    load_matplotlib()
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - see sheet.py

    from .sheet import Sheet  # noqa: PLC0415

    sheet = Sheet(**frame)
    axes = sheet.axes
    axes.grid(visible=False)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    largest = float((shares * (1 - np.eye(n_classes))).max())
    for (row, column), share in np.ndenumerate(shares):
        colour = _RIGHT if row == column else _red(share / (largest or 1))
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, facecolor=colour, edgecolor=_EDGE, linewidth=0.6, clip_on=False))
    if largest > 0:
        fractions = np.linspace(0, 1, _N_COLOURS)
        figures = [f"{100 * largest * fraction:.1f} %" for fraction in fractions]
        sheet.explain_by_colour([_red(fraction) for fraction in fractions], figures, "of its class")
    sheet.explain(Rectangle((0, 0), 1, 1, facecolor=_RIGHT, edgecolor=_EDGE), "right")
    height_in = sheet.place_axes(sheet.write_header())
    axes.set(xlim=(-0.5, n_classes - 0.5), ylim=(n_classes - 0.5, -0.5), xlabel="predicted")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks(range(n_classes), labels)
    axes.set_yticks(range(n_classes), labels)
    sheet.label_y_axis("true", "", height_in)
    width_in = axes.get_position().width * sheet.width_in
    if width_in / n_classes > 0.4 and height_in / n_classes > 0.2:
        middle: Any = {"horizontalalignment": "center", "verticalalignment": "center", "fontsize": 9.0}
        for (row, column), count in np.ndenumerate(counts):
            if count:
                is_dark = row != column and shares[row, column] > _LIGHT_BELOW * largest
                axes.text(column, row, f"{count:,}", color="white" if is_dark else "black", **middle)
    return sheet.encode()


def _red(fraction: float) -> str:
    """Return the colour so far from white to red."""
    channels = np.rint(_PALEST + fraction * (_STRONGEST - _PALEST)).astype(int)
    return "#" + "".join(f"{channel:02x}" for channel in channels)
