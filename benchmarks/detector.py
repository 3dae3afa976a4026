"""Train the detector of digits, `service/registry/detector.npz`: is there a digit in an image at all?

It is a network with one hidden layer under logistic regression, trained by the core. Digits are MNIST's first 30,000
training images, half of the styles of `service.reports.drawings`, and print; what is none are `benchmarks.not_digits`'
training pictures, and digits that were turned, mirrored or put together wrongly. Its threshold is measured on MNIST's
last 10,000 training images. From the project's root, in a minute of processor time::

    python -m benchmarks.detector
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.not_digits import SIDE_PX, TRAINING_FONTS, printed, training_picture
from service.core import TrainingConfig, TrainingData, design_matrix, train
from service.core.npz import write_npz
from service.datasets import load_dataset
from service.inference.masks import bounding_box
from service.inference.mnist_form import to_mnist_form
from service.registry.detector import HIDDEN_UNITS, REFUSED_FRACTION, WEIGHTS
from service.reports.drawings import STYLES, draw

Bytes = NDArray[np.uint8]

N_TURNED, N_PICTURES, N_DRAWN, N_PRINTED = 6_000, 18_000, 3_000, 1_000
N_DIGITS, N_HELD_OUT = 30_000, 10_000
CONFIG = TrainingConfig(
    model="logistic",
    classes=(1, 0),
    hidden_layers=(HIDDEN_UNITS,),
    learning_rate=0.05,
    epochs=10,
    patience=None,
    checks_per_epoch=1,
    augmentation="strong",
)


def fitted(picture: Bytes) -> Bytes:
    """Return a clean picture in the form of MNIST, much faster than `preprocess` does."""
    box = bounding_box(picture < 128)
    return to_mnist_form(255 - (picture if box is None else picture[box]))


def turned(images: Bytes, labels: NDArray[np.uint8], rng: np.random.Generator) -> Iterator[Bytes]:
    """Give digits that are none any more: turned by a quarter, mirrored, or with their halves exchanged."""
    for place in rng.permutation(np.flatnonzero(np.isin(labels, (2, 3, 4, 5, 7))))[:N_TURNED].tolist():
        image = images[place]
        match int(rng.integers(4)):
            case 0:
                yield np.roll(image, 14, axis=int(rng.integers(2)))
            case 1 if labels[place] in (3, 4, 7):
                yield image[:, ::-1]
            case 2:
                yield np.rot90(image, 3)
            case _:
                yield np.rot90(image)


def main() -> None:
    """Train, write the weights, and print what `service.registry.detector` says of them."""
    rng, mnist = np.random.default_rng(0), load_dataset("mnist").training
    images, labels = mnist.images, mnist.labels
    styles = list(STYLES)[::2]
    digits = [
        *images[:N_DIGITS],
        *(fitted(draw(styles[n % len(styles)], rng, side_px=SIDE_PX)) for n in range(N_DRAWN)),
        *(fitted(printed(str(n % 10), str(rng.choice(TRAINING_FONTS)), rng)) for n in range(N_PRINTED)),
    ]
    others = [
        *turned(images[:N_DIGITS], labels[:N_DIGITS], rng),
        *(fitted(training_picture(rng)) for _ in range(N_PICTURES)),
    ]
    function = CONFIG.build_model()
    x = design_matrix(np.stack([*digits, *others]), scaling=function.scaling)
    y = np.repeat([0, 1], [len(digits), len(others)])
    held_out = design_matrix(images[-N_HELD_OUT:], scaling=function.scaling)
    of_held_out = np.zeros(len(held_out), np.int64)
    print(f"{len(digits):,} digits, {len(others):,} others", flush=True)
    result = train(CONFIG, TrainingData(x_train=x, y_train=y, x_validation=held_out, y_validation=of_held_out))
    row = result.state.last
    content = write_npz(function.layout.views(row))
    WEIGHTS.write_bytes(content)
    sure = np.sort(function.probabilities(row, held_out)[:, 0])
    print(f"SHA256 = {hashlib.sha256(content).hexdigest()!r}")
    print(f"DIGIT_BELOW = {sure[round(REFUSED_FRACTION * len(sure))]:.4f}")


if __name__ == "__main__":
    main()
