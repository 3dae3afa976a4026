"""Digits are drawn as they are."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from service.charts import TileGrid, contact_sheet, digit_picture
from service.errors import InvalidField


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (7, 28, 28), np.uint8)


@pytest.mark.parametrize("upscale", [1, 8, 16])
def test_a_digit_is_its_pixels_magnified(images: np.ndarray, upscale: int) -> None:
    picture = Image.open(BytesIO(digit_picture(images[0], upscale=upscale, provenance={})))
    assert picture.mode == "L"
    np.testing.assert_array_equal(np.asarray(picture), np.kron(images[0], np.ones((upscale, upscale), np.uint8)))


def test_a_contact_sheet_has_a_row_for_each_label(images: np.ndarray) -> None:
    png = contact_sheet([("3", images[:4]), ("5", images[4:6]), ("8", images[:0])], upscale=2, provenance={})
    sheet = np.asarray(Image.open(BytesIO(png)))
    grid = TileGrid(n_rows=3, n_columns=4, upscale=2, row_captions=["3", "5", "8"])
    assert sheet.shape[1::-1] == grid.size_px

    def tile(row: int, column: int) -> np.ndarray:
        left, upper, right, lower = grid.box(row, column)
        return sheet[upper:lower:2, left:right:2, 0]

    for column in range(4):
        np.testing.assert_array_equal(tile(0, column), images[column])
    np.testing.assert_array_equal(tile(1, 1), images[5])
    assert (tile(1, 2) == 255).all()
    left, *_ = grid.box(0, 0)
    assert (sheet[:, : left - 1] < 128).any(), "there is no label"


def test_bad_arguments(images: np.ndarray) -> None:
    with pytest.raises(InvalidField):
        digit_picture(images[0], upscale=17, provenance={})
    with pytest.raises(InvalidField):
        contact_sheet([("0", images)], upscale=0, provenance={})
    with pytest.raises(ValueError, match="at least one image"):
        contact_sheet([("0", images[:0])], provenance={})
