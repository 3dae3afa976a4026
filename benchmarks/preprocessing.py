"""How well digits survive the way from a picture: accuracy on MNIST's own images, and on what people might send.

Test digits are enlarged to 40 to 600 pixels, put anywhere on a larger canvas, half of them inverted, and saved
as a file; the file is decoded, preprocessed and classified. Run it from the project's root::

    python -m benchmarks.preprocessing --digits 2000
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.core import Floats, TrainingConfig, design_matrix, train
from service.datasets import load_dataset, split
from service.inference import decode_upload

Bytes = NDArray[np.uint8]
Floats32 = NDArray[np.float32]
Rng = np.random.Generator

JPEG_QUALITY = 60
SIDE_PX = (40, 600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Accuracy of the same digits as they are in MNIST and as pictures."""

    untouched: float
    pictures: float
    s_per_picture: float


def train_model() -> Floats:
    """Return parameters of a softmax model, trained for about a second."""
    config = TrainingConfig(learning_rate=0.05, epochs=10, patience=None)
    return train(config, split(load_dataset("mnist"), config)).best


def measure(kind: str, weights: Floats, *, n_digits: int, seed: int = 0) -> Outcome:
    """Make pictures of one kind of some test digits, and classify both."""
    rng = np.random.default_rng(seed)
    test = load_dataset("mnist").test
    chosen = rng.choice(len(test), n_digits, replace=False)
    digits, labels = test.images[chosen], test.labels[chosen]
    files = [KINDS[kind](rng, digit) for digit in digits]
    start_s = time.perf_counter()
    images = np.concatenate([decode_upload(file, "image/*").images for file in files])
    taken_s = time.perf_counter() - start_s
    return Outcome(
        untouched=accuracy(weights, digits, labels),
        pictures=accuracy(weights, images, labels),
        s_per_picture=taken_s / n_digits,
    )


def accuracy(weights: Floats, images: Bytes, labels: NDArray[Any]) -> float:
    """Share of the images whose most probable digit is their label."""
    predicted = TrainingConfig().build_model().probabilities(weights, design_matrix(images)).argmax(axis=1)
    return float(np.mean(predicted == labels))


def on_canvas(rng: Rng, digit: Bytes, enlarger: Image.Resampling = Image.Resampling.BICUBIC) -> Floats32:
    """Return a digit somewhere on an empty canvas, 0 for paper to 1 for ink."""
    side_px = int(rng.integers(SIDE_PX[0], SIDE_PX[1] + 1))
    height_px, width_px = (side_px + int(rng.integers(0, side_px)) for _ in range(2))
    top, left = (int(rng.integers(0, whole_px - side_px + 1)) for whole_px in (height_px, width_px))
    canvas = np.zeros((height_px, width_px), np.float32)
    enlarged = Image.fromarray(digit).resize((side_px, side_px), enlarger)
    canvas[top : top + side_px, left : left + side_px] = np.asarray(enlarged, np.float32) / 255
    return canvas


def saved(pixels: NDArray[Any], kind: str, **options: Any) -> bytes:
    """Return the picture as a file."""
    file = BytesIO()
    Image.fromarray(np.rint(pixels).clip(0, 255).astype(np.uint8)).save(file, kind, **options)
    return file.getvalue()


def enlarged(enlarger: Image.Resampling) -> Callable[[Rng, Bytes], bytes]:
    """Return a maker of grey JPEG files, half of them dark on light."""

    def make(rng: Rng, digit: Bytes) -> bytes:
        ink = on_canvas(rng, digit, enlarger)
        return saved(255 * (1 - ink if rng.random() < 0.5 else ink), "JPEG", quality=JPEG_QUALITY)

    return make


def on_grey(rng: Rng, digit: Bytes) -> bytes:
    """Grey on grey, at least 50 levels apart, as a JPEG."""
    low = rng.uniform(0, 205)
    paper, full = (low, rng.uniform(low + 50, 255))[:: int(rng.choice([1, -1]))]
    return saved(paper + (full - paper) * on_canvas(rng, digit), "JPEG", quality=JPEG_QUALITY)


def in_colours(rng: Rng, digit: Bytes) -> bytes:
    """Any colour on any other, at least 80 levels apart in one channel, as a JPEG."""
    while True:
        paper, full = rng.uniform(0, 255, (2, 3))
        if np.abs(full - paper).max() >= 80:
            break
    ink = on_canvas(rng, digit)[..., np.newaxis]
    return saved(paper + (full - paper) * ink, "JPEG", quality=JPEG_QUALITY)


def photographed(rng: Rng, digit: Bytes) -> bytes:
    """Dark ink on paper under slanting, warm light, with the noise of a camera, as a JPEG."""
    ink = on_canvas(rng, digit)
    rows, columns = np.ogrid[0 : 1 : ink.shape[0] * 1j, 0 : 1 : ink.shape[1] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    light = rng.uniform(140, 190) + rng.uniform(0, 60) * (np.cos(angle) * columns + np.sin(angle) * rows)
    reflected = light * (1 - rng.uniform(0.5, 0.85) * ink)
    noise = rng.uniform(2, 8) * rng.standard_normal((*ink.shape, 3), np.float32)
    return saved(reflected[..., np.newaxis] * np.float32([1, 0.97, 0.9]) + noise, "JPEG", quality=JPEG_QUALITY)


def on_nothing(level: int) -> Callable[[Rng, Bytes], bytes]:
    """Return a maker of PNG files with strokes of one grey level on full transparency."""

    def make(rng: Rng, digit: Bytes) -> bytes:
        ink = on_canvas(rng, digit)
        return saved(np.dstack([np.full((*ink.shape, 3), level), 255 * ink]), "PNG", compress_level=1)

    return make


KINDS: Mapping[str, Callable[[Rng, Bytes], bytes]] = {
    "nearest": enlarged(Image.Resampling.NEAREST),
    "bilinear": enlarged(Image.Resampling.BILINEAR),
    "bicubic": enlarged(Image.Resampling.BICUBIC),
    "lanczos": enlarged(Image.Resampling.LANCZOS),
    "grey on grey": on_grey,
    "colours": in_colours,
    "photograph": photographed,
    "black on nothing": on_nothing(0),
    "white on nothing": on_nothing(255),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--digits", type=int, default=2000, help="test digits of each kind")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    weights = train_model()
    print(f"{'pictures':<18} {'untouched':>9} {'pictures':>9} {'points':>7} {'ms each':>8}")
    for kind in KINDS:
        outcome = measure(kind, weights, n_digits=options.digits, seed=options.seed)
        points = 100 * (outcome.pictures - outcome.untouched)
        row = f"{outcome.untouched:>9.4f} {outcome.pictures:>9.4f} {points:>+7.2f} {1000 * outcome.s_per_picture:>8.1f}"
        print(f"{kind:<18} {row}", flush=True)


if __name__ == "__main__":
    main()
