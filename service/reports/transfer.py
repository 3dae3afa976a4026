"""What augmentation does beyond the validation images: on distorted ones, drawings, and digits of other writers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.core import STRENGTHS, Augmenter, TrainingData, design_matrix
from service.datasets import Images
from service.inference import preprocess, to_mnist_form

from .drawings import STYLES, digit_of, draw
from .report import Run
from .seeds import Spread

_DRAWINGS_A_STYLE = 10
_CANVAS_PX, _ENLARGED_PX = 140, 80
"""The sides of a drawing, and of an enlarged 8x8 digit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """The share of some images that the weights after the last step classify correctly, by seed.

    Attributes
    ----------
    kind : the validation images plain or distorted, drawings, or digits of other writers.
    without, augmented : of the run without augmentation and of that with it, in the order of the seeds.
    n_lost, n_won : the images that with the first seed only the run without augmentation, or only that with it,
        classifies correctly.
    """

    kind: str
    n_images: int
    without: Sequence[float]
    augmented: Sequence[float]
    n_lost: int
    n_won: int

    @property
    def over_seeds(self) -> Spread:
        """What augmentation changes, of two seeds or more."""
        return Spread.of([after - before for before, after in zip(self.without, self.augmented, strict=True)])


def transfers(without: Sequence[Run], augmented: Sequence[Run], data: TrainingData) -> list[Transfer]:
    """Classify images of each kind by runs without augmentation and with it, a pair for each seed."""
    config = without[0].job.config
    model = config.build_model()
    augment = Augmenter(model.task.image_shape, STRENGTHS["soft"], background=-model.scaling.shift)
    moved = data.x_validation.copy()
    moved[:, :-1] = augment(moved[:, :-1], config.seed, 2**20, 0)
    seen = {"plain": (data.x_validation, data.y_validation), "distorted": (moved, data.y_validation)}
    for kind, make in (("drawings", drawn_images), ("writers", other_writers)):
        images, labels = make()
        seen[kind] = design_matrix(images, config.dtype, model.scaling), labels

    found = []
    for kind, (x, y) in seen.items():
        lost, won = (
            [model.joint_logits(run.last[np.newaxis], x)[0].argmax(axis=0) == y for run in runs]
            for runs in (without, augmented)
        )
        found.append(
            Transfer(
                kind=kind,
                n_images=len(y),
                without=[float(right.mean()) for right in lost],
                augmented=[float(right.mean()) for right in won],
                n_lost=int((lost[0] & ~won[0]).sum()),
                n_won=int((won[0] & ~lost[0]).sum()),
            )
        )
    return found


@lru_cache(1)
def drawn_images() -> tuple[Images, NDArray[np.int64]]:
    """Return drawings of every style, prepared as the service prepares pictures, and their digits."""
    rng = np.random.default_rng(0)
    styles = [style for style in STYLES for _ in range(_DRAWINGS_A_STYLE)]
    images = np.stack([preprocess(draw(style, rng, side_px=_CANVAS_PX)).image for style in styles])
    return images, np.array([digit_of(style) for style in styles])


@lru_cache(1)
def other_writers() -> tuple[Images, NDArray[np.int64]]:
    """Return digits of 13 other writers, enlarged, cropped and placed as those of MNIST, and what they are.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits (1998), test part, UCI Machine Learning
    Repository, doi:10.24432/C50P49, CC BY 4.0.
    """
    with files(__package__).joinpath("other_writers.npz").open("rb") as file:
        packed = np.load(file, allow_pickle=False)
        levels, labels = packed["images"], packed["labels"]
    small = np.rint(levels * (255 / 16)).astype(np.uint8)
    size = (_ENLARGED_PX, _ENLARGED_PX)
    enlarged = (np.asarray(Image.fromarray(each).resize(size, Image.Resampling.BICUBIC)) for each in small)
    # They reach from the first row to the last; columns at the sides may be empty.
    return np.stack([to_mnist_form(each[:, each.any(axis=0)]) for each in enlarged]), labels.astype(np.int64)
