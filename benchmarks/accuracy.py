"""How often the shipped models are right, on five kinds of digits, each by the way that a user's picture takes.

MNIST's test images as they are; the same as pictures: enlarged to 40 to 400 pixels, put anywhere on a larger canvas,
half of them inverted, and saved as JPEG; those also rotated up to 15 degrees, sheared, thicker or thinner;
scikit-learn's 8x8 digits, which other people wrote, enlarged (needs scikit-learn, which is in the extra ``sklearn``);
and drawings in the styles of `service.reports.drawings`. No model was trained on any of them, or chosen by them. Run it
from the project's root::

    python -m benchmarks.accuracy
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from service.bootstrap import shipped_models
from service.datasets import load_dataset
from service.inference import DecodingLimits, ModelInputs, decode_upload, predict
from service.registry import Registry
from service.reports.drawings import STYLES, digit_of, draw
from service.stores import LocalStore

Bytes = NDArray[np.uint8]
Labelled = tuple[ModelInputs, NDArray[Any]]
"""Images, and their digits."""

JPEG_QUALITY = 60
SIDE_PX = (40, 400)
MAX_ROTATION_DEGREES = 15.0
MAX_SHEAR = 0.2
ENLARGED_SIDE_PX, MARGIN_PX = 160, 60
"""Of an 8x8 digit: the side it is enlarged to, and the empty margin around it."""


def read(pictures: Iterable[bytes]) -> ModelInputs:
    """Return what the product makes of picture files."""
    return ModelInputs.joined([decode_upload(picture, "image/*") for picture in pictures], DecodingLimits())


def saved(pixels: Bytes, kind: str = "PNG", **options: int) -> bytes:
    """Return a picture as a file."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def enlarged(digit: Bytes, rng: np.random.Generator) -> Image.Image:
    """Return a test digit, its side between 40 and 400 pixels."""
    side_px = int(rng.integers(SIDE_PX[0], SIDE_PX[1] + 1))
    return Image.fromarray(digit).resize((side_px, side_px), Image.Resampling.BICUBIC)


def moved(picture: Image.Image, rng: np.random.Generator) -> bytes:
    """Return a JPEG file of a square picture anywhere on a larger canvas, dark on light or light on dark."""
    side_px = picture.width
    height_px, full_px = (side_px + int(rng.integers(0, side_px)) for _ in range(2))
    canvas = Image.new("L", (full_px, height_px))
    canvas.paste(picture, (int(rng.integers(0, full_px - side_px + 1)), int(rng.integers(0, height_px - side_px + 1))))
    pixels = np.asarray(canvas)
    return saved(255 - pixels if rng.random() < 0.5 else pixels, "JPEG", quality=JPEG_QUALITY)


def distorted(digit: Bytes, rng: np.random.Generator) -> bytes:
    """Return a JPEG file of a test digit, moved and distorted."""
    picture = enlarged(digit, rng)
    side_px = picture.width
    window_px = max(3, side_px // 56 * 2 + 1)  # strokes change by about one of MNIST's pixels
    change = rng.choice(["none", "thicker", "thinner"], p=[0.5, 0.25, 0.25])
    if change != "none":
        kind = ImageFilter.MaxFilter if change == "thicker" else ImageFilter.MinFilter
        picture = picture.filter(kind(window_px))
    shear = rng.uniform(-MAX_SHEAR, MAX_SHEAR)
    picture = picture.transform(
        picture.size, Image.Transform.AFFINE, (1, shear, -shear * side_px / 2, 0, 1, 0), Image.Resampling.BICUBIC
    )
    picture = picture.rotate(rng.uniform(-MAX_ROTATION_DEGREES, MAX_ROTATION_DEGREES), Image.Resampling.BICUBIC)
    return moved(picture, rng)


def mnist_test(n_images: int | None, rng: np.random.Generator) -> Labelled:
    """Return MNIST's test images, or some of them."""
    test = load_dataset("mnist").test
    chosen = np.arange(len(test)) if n_images is None else rng.choice(len(test), n_images, replace=False)
    return ModelInputs.as_given(test.images[chosen]), test.labels[chosen]


def moved_test(n_images: int | None, rng: np.random.Generator) -> Labelled:
    """Return test images, enlarged and moved."""
    inputs, labels = mnist_test(n_images, rng)
    return read(moved(enlarged(image, rng), rng) for image in inputs.images), labels


def distorted_test(n_images: int | None, rng: np.random.Generator) -> Labelled:
    """Return distorted test images."""
    inputs, labels = mnist_test(n_images, rng)
    return read(distorted(image, rng) for image in inputs.images), labels


def scikit_learn_digits(n_images: int | None, rng: np.random.Generator) -> Labelled:
    """Return the 1,797 digits of `sklearn.datasets.load_digits`, dark on light."""
    from sklearn.datasets import load_digits  # noqa: PLC0415 # in an extra

    data, labels = load_digits(return_X_y=True)
    chosen = (
        np.arange(len(data)) if n_images is None else rng.choice(len(data), min(n_images, len(data)), replace=False)
    )
    levels = np.rint(data[chosen].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    size = (ENLARGED_SIDE_PX, ENLARGED_SIDE_PX)
    large = (np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)) for image in levels)
    return read(saved(255 - np.pad(image, MARGIN_PX)) for image in large), labels[chosen]


def drawings(n_images: int | None, rng: np.random.Generator) -> Labelled:
    """Return drawings, of each style the same number: 1,035 if no number is given."""
    styles = list(STYLES) * (23 if n_images is None else -(-n_images // len(STYLES)))
    return read(saved(draw(style, rng)) for style in styles), np.array([digit_of(style) for style in styles])


SOURCES: Mapping[str, Callable[[int | None, np.random.Generator], Labelled]] = {
    "MNIST test": mnist_test,
    "MNIST test, moved": moved_test,
    "MNIST test, distorted": distorted_test,
    "scikit-learn's 8x8, enlarged": scikit_learn_digits,
    "drawings": drawings,
}


def main() -> None:
    """Print a table in Markdown: a row for each kind of digits, a column for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--models",
        default="mnist-digits,mnist-softmax",
        help="shipped, each a name or name/version",
    )
    parser.add_argument("--digits", type=int, help="of each kind at most; all by default")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    registry = Registry(LocalStore(shipped_models()))
    wanted = [name.partition("/") for name in options.models.split(",")]
    models = [registry.load(name, registry.resolve(name, version or None)) for name, _, version in wanted]
    names = [f"`{model.manifest.name}`, version {model.manifest.version}" for model in models]
    print(f"| digits | images | {' | '.join(names)} |")
    print(f"|---|---:|{'---:|' * len(models)}")
    mistakes: dict[str, Counter[str]] = {}
    for title, source in SOURCES.items():
        if source is scikit_learn_digits and find_spec("sklearn") is None:
            print(f"| {title} | not measured: scikit-learn is not installed |")
            continue
        inputs, labels = source(options.digits, np.random.default_rng(options.seed))
        found = [predict(model, inputs.images)[0] for model in models]
        print(
            f"| {title} | {len(labels):,} | {' | '.join(f'{np.mean(each == labels):.4f}' for each in found)} |",
            flush=True,
        )
        wrong = found[0] != labels
        mistakes[title] = Counter(f"{a} as {b}" for a, b in zip(labels[wrong], found[0][wrong], strict=True))
    print(f"\nThe most frequent mistakes of {models[0].manifest.name}:")
    for title, counts in mistakes.items():
        print(f"- {title}: {', '.join(f'{what} {n} times' for what, n in counts.most_common(3)) or 'none'}")


if __name__ == "__main__":
    main()
