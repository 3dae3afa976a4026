"""Every weight is exactly one solid block of the right colour, in the right place."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image

from service.charts import TileGrid, diverging, grey, weights_grid, weights_picture
from service.charts.tiles import caption_font
from service.errors import InputTooLarge, InvalidField, NoDataYet

LABELS = [str(digit) for digit in range(10)]


def tiles_of(weights: np.ndarray) -> np.ndarray:
    """What a linear model shows of its weights, (785, n)."""
    return weights[:-1].T.reshape(-1, 28, 28)


@pytest.fixture
def weights() -> np.ndarray:
    weights = np.random.default_rng(5).normal(size=(785, 10)).astype(np.float32)
    weights *= np.linspace(0.1, 1, 10, dtype=np.float32)
    weights[784] = 1_000  # the bias: were it drawn or counted, all else would be white
    weights[10] = 0
    return weights


def decoded(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(png)))


def blocks(png: bytes, grid: TileGrid, row: int, column: int) -> np.ndarray:
    """Cut a tile into its blocks, ``(28, 28, upscale ** 2, 3)``."""
    left, upper, right, lower = grid.box(row, column)
    tile = decoded(png)[upper:lower, left:right]
    tile = tile.reshape(28, grid.upscale, 28, grid.upscale, 3)
    return tile.swapaxes(1, 2).reshape(28, 28, -1, 3)


@pytest.mark.parametrize("upscale", [1, 3, 8])
@pytest.mark.parametrize("scale", ["shared", "per_tile"])
@pytest.mark.parametrize("colours", ["diverging", "grey"])
def test_every_weight_is_one_solid_block(
    weights: np.ndarray,
    upscale: int,
    scale: Literal["shared", "per_tile"],
    colours: Literal["diverging", "grey"],
) -> None:
    style: Any = {"scale": scale, "colours": colours, "upscale": upscale}
    png = weights_picture(tiles_of(weights), labels=LABELS, provenance={}, **style)
    grid = TileGrid(n_rows=1, n_columns=10, upscale=upscale, column_captions=LABELS)
    pixels = weights[:784].astype(np.float64)
    for column in range(10):
        counted = pixels if scale == "shared" else pixels[:, column]
        if colours == "grey":
            fractions = (pixels[:, column] - counted.min()) / (counted.max() - counted.min())
            expected = grey(fractions)
        else:
            expected = diverging(0.5 + 0.5 * pixels[:, column] / np.abs(counted).max())
        found = blocks(png, grid, 0, column)
        assert (found == found[:, :, :1]).all(), "a block is not solid"
        difference = found[:, :, 0].astype(int) - expected.reshape(28, 28, 3)
        assert np.abs(difference).max() <= 1  # the last bit of a half
        if colours == "diverging":
            assert (found[0, 10] == 255).all()


def test_signs_have_their_colours() -> None:
    weights = np.zeros((785, 1))
    weights[0], weights[1], weights[2] = 2.0, -2.0, 1e-9
    tile = blocks(weights_picture(tiles_of(weights), provenance={}), TileGrid(n_rows=1, n_columns=1, upscale=4), 0, 0)
    assert tile[0, 0, 0].tolist() == [103, 0, 31]
    assert tile[0, 1, 0].tolist() == [5, 48, 97]
    assert tile[0, 2, 0].tolist() == tile[27, 27, 0].tolist() == [255, 255, 255]


def test_scales_differ_only_where_tiles_do(weights: np.ndarray) -> None:
    grid = TileGrid(n_rows=1, n_columns=10, upscale=4)
    shared = weights_picture(tiles_of(weights), scale="shared", provenance={})
    per_tile = weights_picture(tiles_of(weights), scale="per_tile", provenance={})
    strongest = int(np.abs(weights[:784]).max(axis=0).argmax())
    for column in range(10):
        same = (blocks(shared, grid, 0, column) == blocks(per_tile, grid, 0, column)).all()
        assert same == (column == strongest)


@pytest.mark.parametrize(("colours", "middle"), [("diverging", 255), ("grey", 128)])
@pytest.mark.parametrize("scale", ["shared", "per_tile"])
def test_zero_weights_are_the_middle_colour(
    colours: Literal["diverging", "grey"], middle: int, scale: Literal["shared", "per_tile"]
) -> None:
    png = weights_picture(tiles_of(np.zeros((785, 3))), colours=colours, scale=scale, provenance={})
    grid = TileGrid(n_rows=1, n_columns=3, upscale=4)
    assert all((blocks(png, grid, 0, column) == middle).all() for column in range(3))


@pytest.mark.parametrize("largest", [5e-324, 1e-300, 1e308])
def test_extreme_weights_are_drawn(largest: float) -> None:
    weights = np.zeros((785, 2))
    weights[:2, 0] = largest, -largest
    for colours in ("diverging", "grey"):
        assert decoded(weights_picture(tiles_of(weights), colours=colours, provenance={})).ndim == 3


def test_captions_and_scale_bar_move_no_block(weights: np.ndarray) -> None:
    plain = weights_picture(tiles_of(weights), scale_bar=False, provenance={})
    captioned = weights_picture(tiles_of(weights), labels=LABELS, provenance={})
    before = TileGrid(n_rows=1, n_columns=10, upscale=4)
    after = TileGrid(n_rows=1, n_columns=10, upscale=4, column_captions=LABELS)
    assert decoded(plain).shape[1::-1] == before.size_px
    assert decoded(captioned).shape[0] > after.size_px[1]
    for column in range(10):
        np.testing.assert_array_equal(blocks(plain, before, 0, column), blocks(captioned, after, 0, column))


def test_a_grid_is_the_same_tiles_in_more_rows(weights: np.ndarray) -> None:
    members = [tiles_of(each) for each in (weights, weights[:, ::-1], 0.5 * weights)]
    captions = ["L2 penalty 0", "", "a caption so long that it cannot stand on a single line"]
    png = weights_grid(members, row_captions=captions, column_captions=LABELS, provenance={})
    grid = TileGrid(n_rows=3, n_columns=10, upscale=4, row_captions=captions, column_captions=LABELS)
    single = weights_picture(tiles_of(weights), labels=LABELS, provenance={})
    in_single = TileGrid(n_rows=1, n_columns=10, upscale=4, column_captions=LABELS)
    for column in range(10):
        expected = blocks(single, in_single, 0, column)
        np.testing.assert_array_equal(blocks(png, grid, 0, column), expected)
        np.testing.assert_array_equal(blocks(png, grid, 1, 9 - column), expected)


def test_boxes_do_not_touch_and_lie_inside() -> None:
    grid = TileGrid(n_rows=2, n_columns=3, upscale=2, row_captions=["one", "two"], column_captions="abc")
    seen = np.zeros(grid.size_px[::-1], int)
    for row in range(2):
        for column in range(3):
            left, upper, right, lower = grid.box(row, column)
            assert (right - left, lower - upper) == (56, 56)
            seen[upper - 1 : lower + 1, left - 1 : right + 1] += 1
    assert seen.max() == 1
    assert (seen > 0).sum() == 6 * 58 * 58


@pytest.mark.parametrize("upscale", [0, 17, -1, 2.0, float("nan"), "4"])
def test_upscale_has_a_range(upscale: int) -> None:
    with pytest.raises(InvalidField) as refusal:
        weights_picture(tiles_of(np.zeros((785, 1))), upscale=upscale, provenance={})
    assert refusal.value.field == "upscale"
    assert refusal.value.allowed == "a whole number from 1 to 16"


def test_a_picture_that_is_too_large_is_refused_before_it_is_made() -> None:
    with pytest.raises(InputTooLarge):
        weights_grid([np.zeros((10, 28, 28), np.float32)] * 60, upscale=16, provenance={})


def test_weights_that_are_not_finite_are_not_drawn() -> None:
    with pytest.raises(NoDataYet):
        weights_picture(tiles_of(np.full((785, 1), np.nan)), provenance={})


def test_bad_arguments_are_value_errors() -> None:
    with pytest.raises(ValueError, match="28 x 28"):
        weights_picture(np.zeros((10, 28, 27)), provenance={})
    with pytest.raises(ValueError, match="captions"):
        weights_picture(tiles_of(np.zeros((785, 10))), labels=["0"], provenance={})
    with pytest.raises(ValueError, match="same shape"):
        weights_grid([np.zeros((10, 28, 28)), np.zeros((1, 28, 28))], provenance={})


def test_units_are_drawn_in_the_order_of_their_importance_and_dead_ones_are_framed() -> None:
    rng = np.random.default_rng(0)
    tiles, importance = rng.normal(size=(40, 28, 28)), rng.permutation(40).astype(float)
    labels = [str(number) for number in range(1, 41)]
    png = weights_picture(tiles, labels=labels, importance=importance, upscale=4, scale_bar=False, provenance={})
    order = np.argsort(-importance)
    grid = TileGrid(n_rows=3, n_columns=16, upscale=4, foot_font_px=20)
    fractions = 0.5 + 0.5 * tiles / np.abs(tiles).max()
    for place in (0, 15, 16, 38):
        found = blocks(png, grid, *divmod(place, 16))
        np.testing.assert_array_equal(
            found, np.broadcast_to(diverging(fractions[order[place]])[:, :, None], found.shape)
        )
    left, upper, _, _ = grid.box(2, 7)
    red = (200, 30, 30)
    assert tuple(decoded(png)[upper - 3, left + 20]) == red  # the dead one, which is the last
    assert tuple(decoded(png)[upper - 3, left + 20 - (grid.tile_px + grid.gap_px)]) != red


def test_of_many_units_those_that_matter_most_are_drawn() -> None:
    tiles, importance = np.zeros((2048, 28, 28), np.float32), np.arange(2048.0)
    labels = [str(number) for number in range(2048)]
    many = weights_picture(tiles, labels=labels, importance=importance, upscale=1, provenance={})
    few = weights_picture(tiles[-64:], labels=labels[-64:], importance=importance[-64:], upscale=1, provenance={})
    assert many == few


def test_each_of_a_few_rows_has_its_scale() -> None:
    members = [size * np.linspace(-1, 1, 10 * 28 * 28).reshape(10, 28, 28) for size in (1, 0.1)]
    captions = ["λ = 0", "λ = 1"]
    heights = [
        Image.open(
            BytesIO(weights_grid(rows, row_captions=names, scale="per_row", scale_bar=shown, provenance={}))
        ).height
        for rows, names, shown in (
            (members, captions, False),
            (members[:1], captions[:1], True),
            (members, captions, True),
            (members * 2, captions * 2, True),
            (members * 2, captions * 2, False),
        )
    ]
    tile = heights[4] - heights[0]
    one, two = heights[1] - (heights[0] - tile // 2), heights[2] - heights[0]
    assert 0 < one < two < 3 * one and heights[3] == heights[4]
    font = caption_font(20)
    assert bytes(font.getmask("λ")) != bytes(font.getmask("\uffff")), "the font has no such letter"
