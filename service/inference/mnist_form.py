"""The form of an MNIST image: scaling and centring in 28x28 pixels, and a test for it.

MNIST's authors fitted each digit into 20x20 pixels, its proportions kept and its edges antialiased, and moved
it by whole pixels until its centre of mass was nearest to that of the frame. All 70,000 images conform: the
largest value is 254 or 255, the longer side 20 (in 16 of them 19), the centre of mass within 0.53 pixels of
(14, 14).
"""

from itertools import count
from operator import mul

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.core import IMAGE_SIDE_PX

Bytes = NDArray[np.uint8]

INK_SIDE_PX = 20
CENTRE_PX = IMAGE_SIDE_PX // 2
_SIDES_PX = (INK_SIDE_PX - 1, INK_SIDE_PX)
_FULL_INK = 250
_CENTRING_TOLERANCE_PX = 0.55


def is_mnist_form(image: Bytes) -> bool:
    """Whether scaling and centring would leave a (height, width) image as it is."""
    if image.shape != (IMAGE_SIDE_PX, IMAGE_SIDE_PX) or np.maximum.reduce(image, axis=None) < _FULL_INK:
        return False
    longer_px = 0
    for profile in _profiles(image):
        inked = [position for position, ink in enumerate(profile) if ink]
        start, stop = inked[0], inked[-1] + 1
        longer_px = max(longer_px, stop - start)
        centre_px = _centre(profile)
        too_low = CENTRE_PX - centre_px > _CENTRING_TOLERANCE_PX and stop < IMAGE_SIDE_PX
        too_high = centre_px - CENTRE_PX > _CENTRING_TOLERANCE_PX and start > 0
        if too_low or too_high:
            return False
    return longer_px in _SIDES_PX


def to_mnist_form(ink: Bytes) -> Bytes:
    """Scale ink, cropped to itself, 0 for paper to 255, and place it as MNIST does: return (28, 28).

    Each pixel of the result is the mean of the area that it covers. The darkest becomes 255, as in MNIST, because thin
    strokes lose darkness where they are averaged with the paper.
    """
    scale = INK_SIDE_PX / max(ink.shape)
    height_px, width_px = (max(1, round(side_px * scale)) for side_px in ink.shape)
    resized = Image.fromarray(ink.astype(np.float32)).resize((width_px, height_px), Image.Resampling.BOX)
    small = np.asarray(resized)
    small = np.rint(small * (255 / small.max())).astype(np.uint8)
    top, left = (
        min(max(round(CENTRE_PX - _centre(profile)), 0), IMAGE_SIDE_PX - len(profile)) for profile in _profiles(small)
    )
    image = np.zeros((IMAGE_SIDE_PX, IMAGE_SIDE_PX), np.uint8)
    image[top : top + height_px, left : left + width_px] = small
    return image


def _profiles(image: Bytes) -> tuple[list[int], list[int]]:
    """Return the sums of the rows and those of the columns, as lists: so few numbers would wait for NumPy."""
    rows, columns = (np.add.reduce(image, axis=axis, dtype=np.uint64).tolist() for axis in (1, 0))
    return rows, columns


def _centre(profile: list[int]) -> float:
    """Return the centre of mass along a profile, in pixels; that of the first pixel is 0."""
    moment: int = sum(map(mul, profile, count()))
    return moment / sum(profile)
