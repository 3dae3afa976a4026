"""What only the course report draws: shuffling, the gap, a batch; and that every kind of file is valid."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from service.charts import (
    Curves,
    TileGrid,
    batch_sheet,
    diverging,
    gap_chart,
    loss_chart,
    picture_svg,
    shuffle_chart,
    weights_grid,
)
from service.errors import InvalidField, NoDataYet

MakeCurves = Callable[..., Curves]


def test_spikes_are_marked_where_checks_follow_the_same_batch(make_curves: MakeCurves) -> None:
    curves = make_curves(batches_per_epoch=31, check_steps=6 * np.arange(30), best_step=None)
    svg = shuffle_chart(curves, curves, first_spike=18, title="", image_format="svg", provenance={})
    assert b"every 186 steps: check just after batch 18 of the epoch" in svg
    plain = shuffle_chart(curves, curves, title="", image_format="svg", provenance={})
    assert b"every" not in plain
    with pytest.raises(NoDataYet):
        shuffle_chart(make_curves(1), curves, title="", provenance={})


def test_the_gap_has_its_mean_and_its_mark(make_curves: MakeCurves) -> None:
    svg = gap_chart(make_curves(batches_per_epoch=100), positive_from=80, title="", image_format="svg", provenance={})
    assert b"mean of 5 checks" in svg
    assert b"above 0 at every check from here on, step 80" in svg
    for n_checks, batches in (1, 100), (3, 100), (30, None), (30, 7):
        assert gap_chart(make_curves(n_checks, batches_per_epoch=batches), title="", provenance={})
    with pytest.raises(NoDataYet):
        gap_chart(make_curves(0), title="", provenance={})


def test_a_batch_is_drawn_in_its_order() -> None:
    images = np.random.default_rng(1).integers(0, 256, (20, 28, 28), np.uint8)
    png = batch_sheet(images, "23" * 10, stand_out=[19], provenance={})
    sheet = np.asarray(Image.open(BytesIO(png)))
    grid = TileGrid(n_rows=2, n_columns=16, upscale=2, foot_font_px=16)
    assert sheet.shape[1::-1] == grid.size_px
    for place, image in enumerate(images):
        left, upper, right, lower = grid.box(*divmod(place, 16))
        np.testing.assert_array_equal(sheet[upper:lower:2, left:right:2, 0], image)
        below = sheet[lower + 2 : lower + 19, left:right].astype(int)
        assert below.min() < 128, "there is no label"
        is_red = (below[..., 0] - below[..., 1] > 100).any()
        assert is_red == (place == 19)
    with pytest.raises(ValueError, match="a label for each"):
        batch_sheet(images, "23", provenance={})
    with pytest.raises(InvalidField):
        batch_sheet(images, "23" * 10, upscale=17, provenance={})


def test_each_row_may_have_its_own_scale() -> None:
    weights = np.random.default_rng(3).normal(size=(785, 2))
    tiles = weights[:784].T.reshape(2, 28, 28)
    members = [tiles, 0.01 * tiles]
    grid = TileGrid(n_rows=2, n_columns=2, upscale=1)
    picture = np.asarray(Image.open(BytesIO(weights_grid(members, scale="per_row", upscale=1, provenance={}))))
    expected = diverging(0.5 + 0.5 * weights[:784] / np.abs(weights[:784]).max())
    for row in range(2):
        for column in range(2):
            left, upper, right, lower = grid.box(row, column)
            found = picture[upper:lower, left:right].astype(int)
            assert np.abs(found - expected[:, column].reshape(28, 28, 3)).max() <= 1


def test_an_svg_of_tiles_holds_the_png() -> None:
    tiles, provenance = np.ones((2, 28, 28)), {"job": "<&>"}
    png = weights_grid([tiles], provenance=provenance)
    svg = picture_svg(png, provenance)
    root = ElementTree.fromstring(svg)
    assert root.findtext("{http://www.w3.org/2000/svg}desc") == '{"job": "<&>"}'
    image = root.find("{http://www.w3.org/2000/svg}image")
    assert image is not None
    assert image.get("href") == f"data:image/png;base64,{b64encode(png).decode()}"
    assert (int(image.get("width", "")), int(image.get("height", ""))) == Image.open(BytesIO(png)).size


def test_a_pdf_is_one_page_with_the_same_bytes_each_time(make_curves: MakeCurves) -> None:
    words = {"title": "Loß λ", "image_format": "pdf", "provenance": {"job": "01J"}}
    pdf = loss_chart(make_curves(), **words)  # type: ignore[arg-type]
    assert pdf.startswith(b"%PDF-")
    assert pdf.count(b"/Type /Page ") + pdf.count(b"/Type /Page\n") == 1
    assert b"01J" in pdf
    assert b"CreationDate" not in pdf
    assert b"/Subtype /Image" not in pdf
    assert pdf == loss_chart(make_curves(), **words)  # type: ignore[arg-type]
