"""Pictures to MNIST's form: what stays unchanged, what causes a warning, and what must not matter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from service.datasets import Dataset
from service.inference import Preprocessed, decode_upload, preprocess
from service.inference.masks import bounding_box
from service.inference.mnist_form import is_mnist_form, to_mnist_form
from service.inference.parts import parts

Bytes = NDArray[np.uint8]


def difference(first: Bytes, second: Bytes) -> float:
    """Return the mean absolute difference in levels."""
    return float(np.abs(first.astype(int) - second).mean())


def took(done: Preprocessed, step: str) -> bool:
    """Whether a step of preprocessing was taken, whatever was measured in it."""
    return any(name.startswith(step) for name, _ in done.steps)


def strokes(points: list[tuple[int, int]], width_px: int, side_px: int = 200) -> Bytes:
    """Return black lines on white."""
    image = Image.new("L", (side_px, side_px), 255)
    ImageDraw.Draw(image).line(points, fill=0, width=width_px, joint="curve")
    return np.asarray(image)


SEVEN = [(50, 40), (150, 40), (90, 170)]


# MNIST's form


def test_every_mnist_image_is_in_mnist_form(mnist: Dataset) -> None:
    for part in (mnist.test, mnist.training):
        assert all(map(is_mnist_form, part.images[::4]))


@pytest.mark.slow
def test_all_ten_thousand_test_digits_stay_unchanged_as_28x28_pngs(mnist: Dataset, saved: Callable[..., bytes]) -> None:
    for digit in mnist.test.images:
        inputs = decode_upload(saved(digit, compress_level=0), "image/png")
        assert inputs.images[0].tobytes() == digit.tobytes()
        assert inputs.steps == (("already 28x28 in MNIST form",),)
        assert inputs.warnings == ((),)


def test_mnist_itself_is_rebuilt_from_its_ink(mnist: Dataset) -> None:
    """Scaling and centring a cropped digit restores every byte; one in ten has 254 where we have 255."""
    for digit in mnist.test.images[:1000]:
        box = bounding_box(digit > 0)
        assert box is not None
        assert np.abs(to_mnist_form(digit[box]).astype(int) - digit).max() <= 255 - digit.max()


@pytest.mark.parametrize("change", ["inverted", "shifted", "pale", "small", "grey paper"])
def test_a_28x28_image_in_another_form_is_preprocessed(change: str, mnist: Dataset) -> None:
    digit = mnist.test.images[0]
    changed = {
        "inverted": 255 - digit,
        "shifted": np.roll(digit, 3, axis=1),
        "pale": digit // 2,
        "small": np.asarray(Image.fromarray(digit).reduce(2).crop((-7, -7, 21, 21))),
        "grey paper": np.maximum(digit, 40),
    }[change]
    assert not is_mnist_form(changed)
    done = preprocess(changed)
    assert not took(done, "already 28x28 in MNIST form")
    assert difference(done.image, digit) < (30 if change == "small" else 12)


@pytest.mark.parametrize(
    ("mode", "step"),
    [("LA", "used the opacity as the drawing"), ("RGB", "turned colour into grey"), ("RGBA", "flattened transparency")],
)
def test_what_made_a_picture_one_in_mnist_form_is_a_step(mnist: Dataset, mode: str, step: str) -> None:
    digit = mnist.test.images[0]
    none = np.zeros_like(digit)
    nearly_opaque = np.full_like(digit, 255)
    nearly_opaque[14, 14] = 254
    channels = {"LA": [none] * 3 + [digit], "RGB": [digit, none, none], "RGBA": [digit] * 3 + [nearly_opaque]}[mode]
    done = preprocess(np.dstack(channels))
    assert took(done, step) and took(done, "already 28x28 in MNIST form")


# Properties


def drawings() -> Iterator[Bytes]:
    """Yield ugly pictures: noise, blobs, lines, gradients, tiny and long ones."""
    rng = np.random.default_rng(0)
    for _ in range(80):
        height, width = rng.integers(4, 120, 2)
        picture = np.full((height, width), rng.integers(0, 256), float)
        picture += rng.choice([0, 0, 1]) * np.linspace(0, rng.uniform(-80, 80), width)
        for _ in range(rng.integers(0, 6)):
            top, left = rng.integers(0, height), rng.integers(0, width)
            picture[top : top + rng.integers(1, 40), left : left + rng.integers(1, 40)] = rng.integers(0, 256)
        picture += rng.choice([0, 0, 3, 30]) * rng.normal(size=picture.shape)
        yield np.rint(picture).clip(0, 255).astype(np.uint8)


@pytest.mark.slow
def test_preprocessing_twice_is_preprocessing_once() -> None:
    for picture in drawings():
        once = preprocess(picture).image
        assert once.shape == (28, 28) and once.dtype == np.uint8
        assert preprocess(once).image.tobytes() == once.tobytes()


@pytest.mark.slow
def test_dark_on_light_is_light_on_dark() -> None:
    equal = []
    for picture in drawings():
        first, second = preprocess(picture), preprocess(255 - picture)
        if not took(first, "evened out the lighting"):  # light falls on dark ink in another way than on light ink
            equal.append(difference(first.image, second.image) < 1)
    assert len(equal) > 50
    assert np.mean(equal) > 0.97  # where light and dark hold the frame equally, one of them must win


@pytest.mark.slow
@given(
    scale=st.integers(2, 6), top=st.integers(0, 90), left=st.integers(0, 90), number=st.integers(0, 999),
    ink=st.integers(0, 255), paper=st.integers(0, 255),
)  # fmt: skip
def test_size_place_and_contrast_do_not_matter(
    scale: int, top: int, left: int, number: int, ink: int, paper: int, mnist: Dataset
) -> None:
    if abs(ink - paper) < 40:
        ink = paper + 128 if paper < 128 else paper - 128
    digit = mnist.test.images[number].repeat(scale, axis=0).repeat(scale, axis=1)
    canvas = np.zeros((28 * scale + 91, 28 * scale + 91))
    canvas[top : top + len(digit), left : left + len(digit)] = digit / 255
    picture = np.rint(paper + canvas * (ink - paper)).astype(np.uint8)
    done = preprocess(picture)
    # Rounding may move the centre of mass over the border of a pixel.
    moves = [np.roll(done.image, (down, right), (0, 1)) for down in (0, 1, -1) for right in (0, 1, -1)]
    if not took(done, "thickened thin strokes") and not took(done, "thinned thick strokes"):
        # A pale outermost row is no part of the drawing, which is enlarged by it.
        assert min(difference(moved, mnist.test.images[number]) for moved in moves) < 16


@pytest.mark.slow
def test_no_bold_digit_is_a_frame(mnist: Dataset) -> None:
    for number in (361, *range(60)):
        for scale in (4, 5):
            digit = mnist.test.images[number].repeat(scale, axis=0).repeat(scale, axis=1)
            assert not took(preprocess(np.pad(digit, 45)), "removed 4 printed lines")


# Colour, transparency, light


def test_colours_of_equal_grey_are_distinguished() -> None:
    ink = strokes(SEVEN, 16)[..., np.newaxis] == 0
    expected = preprocess(strokes(SEVEN, 16)).image
    for full, paper in (((200, 0, 0), (0, 102, 0)), ((255, 255, 0), (255, 255, 255)), ((90, 90, 255), (140, 100, 0))):
        assert difference(preprocess(np.where(ink, full, paper).astype(np.uint8)).image, expected) < 1


def test_transparency_is_paper_whatever_its_hidden_colour() -> None:
    drawing = strokes(SEVEN, 16)
    expected = preprocess(drawing).image
    opacity = 255 - drawing
    for level in (0, 130, 255):
        picture = np.dstack([np.full((*drawing.shape, 3), level, np.uint8), opacity])
        assert (preprocess(picture).image == expected).all()
    hidden = np.random.default_rng(0).integers(0, 256, (*drawing.shape, 3)).astype(np.uint8) * (opacity == 0)[..., None]
    assert (preprocess(np.dstack([hidden, opacity])).image == expected).all()


def test_an_opaque_card_on_a_transparent_background_is_paper() -> None:
    drawing = strokes(SEVEN, 16)
    card = np.zeros((260, 260, 4), np.uint8)
    card[30:230, 30:230, :3] = drawing[..., np.newaxis]
    card[30:230, 30:230, 3] = 255
    done = preprocess(card)
    assert took(done, "flattened transparency on white")
    assert (done.image == preprocess(drawing).image).all()


def test_uneven_light_is_evened_out() -> None:
    drawing = strokes(SEVEN, 16)
    rows, columns = np.mgrid[-1:1:200j, -1:1:200j]
    light = 170 + 40 * columns - 30 * rows - 15 * (rows**2 + columns**2)
    noise = np.random.default_rng(0).normal(0, 4, drawing.shape)
    picture = np.rint(light * np.where(drawing == 0, 0.35, 1) + noise).astype(np.uint8)
    done = preprocess(picture)
    assert took(done, "evened out the lighting")
    assert difference(done.image, preprocess(drawing).image) < 4


def test_thin_strokes_are_thickened_and_others_are_not() -> None:
    usual = preprocess(strokes(SEVEN, 16))
    assert not took(usual, "thickened thin strokes")
    for width_px in (1, 2, 4):
        thin = preprocess(strokes(SEVEN, width_px))
        measured = re.findall(
            r"thickened thin strokes, (\d+) % of the digit's length", " ".join(name for name, _ in thin.steps)
        )
        assert float(measured[0]) == pytest.approx(100 * width_px / 130, abs=0.7)
        assert thin.image.mean() > 0.7 * usual.image.mean()


@pytest.mark.slow
def test_thick_strokes_are_thinned_and_few_of_mnist_are(mnist: Dataset) -> None:
    assert not took(preprocess(strokes(SEVEN, 16)), "thinned thick strokes")
    drawing = strokes(SEVEN, 56, side_px=260)
    thick = preprocess(drawing)
    assert took(thick, "thinned thick strokes, ")
    box = bounding_box(drawing == 0)
    assert box is not None
    assert thick.image.mean() < 0.85 * to_mnist_form(255 - drawing[box]).mean()
    assert thick.warnings == ()
    thinned = [took(preprocess(255 - digit), "thinned thick strokes") for digit in mnist.test.images[:300]]
    assert np.mean(thinned) < 0.05


# Warnings


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_picture_is_blank(level: int) -> None:
    for shape in ((28, 28), (100, 150), (50, 60, 3), (50, 60, 4)):
        done = preprocess(np.full(shape, level, np.uint8))
        assert not done.image.any()
        assert done.warnings == ("The image is blank: nothing in it stands out from the background.",)


def test_noise_and_light_alone_are_blank() -> None:
    rng = np.random.default_rng(0)
    gradient = np.linspace(-40, 40, 300)[:, np.newaxis]
    for sigma in (1, 3, 6, 12):
        for light in (0, gradient):
            picture = np.rint(160 + light + rng.normal(0, sigma, (300, 300))).clip(0, 255).astype(np.uint8)
            assert "blank" in preprocess(picture).warnings[0]


def test_two_digits_are_two_blobs() -> None:
    done = preprocess(np.hstack([strokes(SEVEN, 16), strokes(SEVEN, 16)]))
    assert done.warnings == ("There are 2 separate blobs of ink; one digit an image is expected.",)


@pytest.mark.parametrize("turn", range(4))
def test_strokes_that_go_on_beyond_the_border_cause_a_warning(turn: int) -> None:
    drawing = np.rot90(strokes(SEVEN, 16), turn)
    cut = np.rot90(strokes(SEVEN, 16)[:130], turn)
    whole = np.rot90(strokes(SEVEN, 16)[: 170 + 8], turn)  # its round end touches the border
    cropped = np.rot90(strokes(SEVEN, 16)[31:178, 41:159], turn)
    assert preprocess(cut).warnings == ("The drawing is cut off at the edge of the picture.",)
    assert [preprocess(picture).warnings for picture in (drawing, whole, cropped)] == [()] * 3


def test_a_sheet_of_paper_is_no_digit() -> None:
    """A narrow one is lighter than a desk around it as light strokes are."""
    sheet = Image.fromarray(strokes(SEVEN, 16)).crop((0, 0, 200, 460))
    sheet.paste(255, (0, 200, 200, 460))
    desk = Image.new("L", (700, 700), 150)
    desk.paste(sheet.rotate(12, expand=True, fillcolor=150), (200, 60))
    seven = Image.fromarray(strokes(SEVEN, 16)).rotate(12, fillcolor=255)
    assert difference(preprocess(np.asarray(desk)).image, preprocess(np.asarray(seven)).image) < 4


@pytest.mark.parametrize("style", ["4 closed", "8 figure"])
def test_a_digit_is_no_sheet_of_paper_around_its_loop(style: str, drawings: ModuleType) -> None:
    """In uneven light and with dark corners, where the paper in a loop is a structure of its own."""
    drawing = drawings.draw(style, np.random.default_rng(0), drawings.Hand(height_px=120, pen_px=22), side_px=300)
    picture = np.where(drawing > 100, np.linspace(200, 255, 300).astype(np.uint8), drawing)
    picture[:85, :85] = picture[-85:, -85:] = 0
    assert difference(preprocess(picture).image, preprocess(drawing).image) < 4


def test_specks_are_removed_without_a_warning() -> None:
    drawing = strokes(SEVEN, 16).copy()
    drawing[10:13, 10:13] = drawing[190:193, 180:183] = 0
    done = preprocess(drawing)
    assert took(done, "removed 2 specks")
    assert done.warnings == ()
    assert (done.image == preprocess(strokes(SEVEN, 16)).image).all()


def test_a_tiny_drawing_causes_a_warning() -> None:
    picture = np.full((40, 40), 255, np.uint8)
    picture[10:19, 10:13] = 0
    assert "only 9 pixels" in preprocess(picture).warnings[0]


@pytest.mark.slow
def test_few_mnist_digits_cause_a_warning(mnist: Dataset) -> None:
    warned = [bool(preprocess(255 - digit).warnings) for digit in mnist.test.images[:400]]
    assert np.mean(warned) < 0.03


def test_parts_are_counted_as_a_flood_fill_counts_them() -> None:
    """The library that labels parts gives some of them two labels when it is given booleans."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        mask = rng.random(rng.integers(5, 60, 2)) < rng.uniform(0.05, 0.5)
        mask[0, 0] = True
        _, found = parts(mask, mask.view(np.uint8))
        assert sorted(part.n_pixels for part in found) == sorted(flood_fill_sizes(mask))
        assert all(part.amount == part.n_pixels for part in found)


def flood_fill_sizes(mask: NDArray[np.bool_]) -> Iterator[int]:
    left = set(zip(*map(list, np.nonzero(mask)), strict=True))
    while left:
        edge, size = [left.pop()], 0
        while edge:
            row, column = edge.pop()
            size += 1
            near = {(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)} & left
            left -= near
            edge.extend(near)
        yield size
