"""The look of a chart: its colours and its type."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.colors import to_hex

# From the palette of Okabe and Ito, which colour-blind eyes can tell apart.
TRAINING = "#0072B2"
VALIDATION = "#D55E00"
CATEGORIES = TRAINING, VALIDATION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#222222"
INK = "#222222"
FAINT_INK = "#5f6368"
_GRID = "#e3e5e8"

TITLE_PT, TEXT_PT, SMALL_PT, NOTE_PT = 13.0, 10.0, 9.0, 8.0

# Set once, before anything is drawn, and never changed: a chart must not depend on a personal matplotlibrc,
# text is text (a title may hold a "$"), and the salt gives the ids inside an SVG the same names every time.
matplotlib.rcdefaults()
matplotlib.rcParams.update(
    {
        "text.parse_math": False,
        "svg.hashsalt": "inkling",
        "font.family": "DejaVu Sans",
        "font.size": TEXT_PT,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": FAINT_INK,
        "axes.linewidth": 0.8,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": _GRID,
        "grid.linewidth": 0.8,
        "xtick.color": FAINT_INK,
        "ytick.color": FAINT_INK,
        "xtick.labelsize": SMALL_PT,
        "ytick.labelsize": SMALL_PT,
        "lines.linewidth": 1.8,
        "lines.markersize": 4.0,
        "lines.solid_capstyle": "round",
        "lines.solid_joinstyle": "round",
    }
)

# Viridis, whose order grey print and colour-blind eyes keep, without the yellow that is hardly seen on white.
_ORDERED = [to_hex(matplotlib.colormaps["viridis"](fraction)) for fraction in np.linspace(0, 0.92, 256)]


def ordered_colours(number: int) -> list[str]:
    """Return so many colours that show an order, from dark to light."""
    return [_ORDERED[place] for place in np.rint(np.linspace(0, 255, number)).astype(int)]
