"""Colour maps: fractions from 0 to 1, of any shape ``(...)``, to colours ``(..., 3)``, uint8."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Blue, white and red of ColorBrewer's RdBu, which colour-blind eyes can tell apart; the middle is pure white.
_DIVERGING = np.array(
    [
        (5, 48, 97), (33, 102, 172), (67, 147, 195), (146, 197, 222), (209, 229, 240), (255, 255, 255),
        (253, 219, 199), (244, 165, 130), (214, 96, 77), (178, 24, 43), (103, 0, 31),
    ]
)  # fmt: skip


def diverging(fractions: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Map 0 to dark blue, 1/2 to pure white and 1 to dark red."""
    stops = np.linspace(0, 1, len(_DIVERGING))
    channels = [np.rint(np.interp(fractions, stops, channel)) for channel in _DIVERGING.T]
    return np.stack(channels, axis=-1).astype(np.uint8)


def grey(fractions: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Map 0 to black and 1 to white."""
    return np.stack([np.rint(255 * fractions).astype(np.uint8)] * 3, axis=-1)
