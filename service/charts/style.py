"""The look of a chart: its colours and its type."""

from __future__ import annotations

import matplotlib

# From the palette of Okabe and Ito, which colour-blind eyes can tell apart.
TRAINING = "#0072B2"
VALIDATION = "#D55E00"
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
