"""Pictures of evidence and of confusions: every number where and how it should be."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.charts import ChartSize, TileGrid, confusion_chart, diverging, evidence_picture, grey
from service.errors import InvalidField

IMAGE = np.arange(784, dtype=np.uint32).reshape(28, 28).astype(np.uint8)


def tile(png: bytes, column: int, upscale: int) -> np.ndarray:
    """Cut a tile into its blocks, ``(28, 28, upscale ** 2, 3)``."""
    left, upper, right, lower = TileGrid(n_rows=1, n_columns=2, upscale=upscale).box(0, column)
    pixels = np.asarray(Image.open(BytesIO(png)))[upper:lower, left:right]
    return pixels.reshape(28, upscale, 28, upscale, 3).swapaxes(1, 2).reshape(28, 28, -1, 3)


@pytest.mark.parametrize("upscale", [1, 3, 8, 16])
def test_every_pixel_and_its_evidence_is_one_solid_block(upscale: int) -> None:
    evidence = np.random.default_rng(0).normal(size=(28, 28))
    evidence[3, 4] = 0
    png = evidence_picture(IMAGE, evidence, digit=3, upscale=upscale, provenance={})
    seen, shown = tile(png, 0, upscale), tile(png, 1, upscale)
    assert (seen == seen[:, :, :1]).all() and (shown == shown[:, :, :1]).all()
    assert (seen[:, :, 0] == grey(IMAGE / 255)).all()
    expected = diverging(0.5 + 0.5 * evidence / np.abs(evidence).max())
    assert np.abs(shown[:, :, 0].astype(int) - expected).max() <= 1
    assert (shown[3, 4] == 255).all()


def test_red_is_for_and_blue_against() -> None:
    evidence = np.zeros((28, 28))
    evidence[0, 0], evidence[0, 1] = -2, 2
    shown = tile(evidence_picture(IMAGE, evidence, digit=3, against=5, provenance={}), 1, 8)
    assert shown[0, 0, 0].tolist() == [5, 48, 97]
    assert shown[0, 1, 0].tolist() == [103, 0, 31]


@pytest.mark.parametrize("largest", [0, 5e-324, 1e-300, 1e300])
def test_extreme_evidence_is_drawn(largest: float) -> None:
    evidence = np.zeros((28, 28))
    evidence[:2, 0] = largest, -largest
    assert evidence_picture(IMAGE, evidence, digit=3, provenance={})


def test_the_picture_holds_its_provenance() -> None:
    png = evidence_picture(IMAGE, np.ones((28, 28)), digit=3, against=5, provenance={"model": "digits"})
    assert Image.open(BytesIO(png)).info == {"model": "digits", "digit": "3", "against": "5"}
    again = evidence_picture(IMAGE, np.ones((28, 28)), digit=3, against=5, provenance={"model": "digits"})
    assert png == again


@pytest.mark.parametrize("upscale", [0, 17])
def test_upscale_has_a_range(upscale: int) -> None:
    with pytest.raises(InvalidField):
        evidence_picture(IMAGE, np.ones((28, 28)), digit=3, upscale=upscale, provenance={})


@pytest.mark.parametrize(
    ("image", "evidence"),
    [(IMAGE, np.ones(784)), (IMAGE.ravel(), np.ones((28, 28))), (IMAGE, np.full((28, 28), np.nan))],
)
def test_what_cannot_be_drawn(image: Any, evidence: Any) -> None:
    with pytest.raises(ValueError, match="28 x 28"):
        evidence_picture(image, evidence, digit=3, provenance={})


COUNTS = np.array([[1000, 7, 0], [13, 900, 1], [2, 0, 0]])


def svg_of(counts: np.ndarray, labels: list[str], **size: int) -> str:
    chart_size = ChartSize(**size) if size else None
    words = {"title": "Confusion", "caption": "of three"}
    return confusion_chart(counts, labels, image_format="svg", size=chart_size, provenance={}, **words).decode()


def test_every_count_stands_in_its_cell() -> None:
    texts = re.findall(r"<!-- ([\d,]+) -->", svg_of(COUNTS, ["2", "3", "5"]))
    for count in ("1,000", "7", "13", "900"):
        assert count in texts
    assert "0" not in texts  # an empty cell is empty


def test_mistakes_are_redder_the_larger_their_share() -> None:
    svg = svg_of(COUNTS, ["2", "3", "5"]).lower()
    assert "#b2182b" in svg  # the largest share of a class: both images of the last
    assert svg.count("#eef0f2") >= 4  # three correct cells, and their line in the legend
    assert "<!-- 100.0 % -->" in svg_of(np.array([[1000, 7, 0], [13, 900, 0], [2, 0, 0]]), ["2", "3", "5"])
    assert "#b2182b" not in svg_of(np.diag([5, 6, 7]), ["2", "3", "5"]).lower()


@pytest.mark.slow
@pytest.mark.parametrize("size", [{"width_px": 320, "height_px": 240}, {"width_px": 3840, "height_px": 2160}])
@pytest.mark.parametrize("n_classes", [2, 10])
def test_sizes(size: dict[str, int], n_classes: int) -> None:
    counts = np.full((n_classes, n_classes), 12_345)
    labels = [str(label) for label in range(n_classes)]
    png = confusion_chart(counts, labels, title="Confusion", size=ChartSize(**size), provenance={"part": "test"})
    picture = Image.open(BytesIO(png))
    assert picture.size == (size["width_px"], size["height_px"])
    assert picture.info["part"] == "test"


@pytest.mark.parametrize(("counts", "labels"), [(COUNTS, ["2", "3"]), (COUNTS[:2], ["2", "3", "5"]), (COUNTS, [])])
def test_counts_without_labels(counts: Any, labels: list[str]) -> None:
    with pytest.raises(ValueError, match="each class"):
        confusion_chart(counts, labels, title="", provenance={})
