"""Images as a model takes them, each with the story of how it came about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from service.core import N_PIXELS

from .limits import DecodingLimits
from .mnist_form import Bytes
from .preprocessing import BLANK

AS_GIVEN = ("used as given",)
_INVERTED = "Most of the image is light; models expect light ink on black, and pixels are used as given."
_FEW = 127 * N_PIXELS // 255
"""Pixels that are not black: with no more of them, no image is mostly light, however light they are."""
_FAINT = "No pixel is above 1; pixels are expected from 0 to 255, and are not rescaled."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelInputs:
    """A batch of images for a model.

    Parameters
    ----------
    images : (n_images, 28, 28) uint8, light ink on black.
    steps : what was done to each image, in order; one entry an image.
    warnings : what may make the answer for it wrong, one sentence each; one entry an image.
    """

    images: Bytes
    steps: tuple[tuple[str, ...], ...]
    warnings: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        """Check that every image has its story."""
        if not len(self.images) == len(self.steps) == len(self.warnings):
            raise ValueError("images, steps and warnings must be equally many")

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def as_given(cls, images: Bytes) -> ModelInputs:
        """Take (n_images, 28, 28) for model inputs, untouched, but warn of those that can hardly be."""
        warnings: list[tuple[str, ...]] = [()] * len(images)
        if len(images) == 1 and _is_like_ink(images):
            return cls(images=images, steps=(AS_GIVEN,), warnings=tuple(warnings))
        rows = images.reshape(-1, N_PIXELS)
        inverted = np.add.reduce(rows, axis=1, dtype=np.uint32) > 127 * N_PIXELS
        largest = np.maximum.reduce(rows, axis=1)
        # Of what is neither inverted nor faint, only an image whose first pixel is its largest can be blank.
        if np.logical_or.reduce(inverted | (largest <= 1) | (largest == rows[:, 0])):
            faint, blank = largest == 1, largest == np.minimum.reduce(rows, axis=1)
            for warning, doubtful in ((_INVERTED, inverted), (_FAINT, faint), (BLANK, blank)):
                for number in np.flatnonzero(doubtful):
                    warnings[number] = (warning,)
        return cls(images=images, steps=(AS_GIVEN,) * len(images), warnings=tuple(warnings))

    @classmethod
    def joined(cls, parts: Sequence[ModelInputs], limits: DecodingLimits) -> ModelInputs:
        """Put the images of several files into one batch, in their order.

        Raises
        ------
        InputTooLarge
            Together they are more than one request may hold.
        """
        limits.check_n_images(sum(map(len, parts)))
        return cls(
            images=np.concatenate([part.images for part in parts]),
            steps=tuple(chain.from_iterable(part.steps for part in parts)),
            warnings=tuple(chain.from_iterable(part.warnings for part in parts)),
        )


def _is_like_ink(image: Bytes) -> bool:
    """Tell of one image at a glance that nothing is to be warned of; False says nothing."""
    return 0 < int(np.count_nonzero(image)) <= _FEW and int(np.maximum.reduce(image, axis=None)) > 1
