"""Loss and accuracy charts: right size, valid files, and no run that cannot be drawn."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Literal
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from service.charts import ChartSize, Curves, accuracy_chart, loss_chart
from service.errors import InvalidField, NoDataYet

Chart = Callable[..., bytes]
MakeCurves = Callable[..., Curves]
both = pytest.mark.parametrize("chart", [loss_chart, accuracy_chart])


def decoded(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(png)).convert("RGB"))


def has_colour(png: bytes, colour: tuple[int, int, int]) -> bool:
    return bool((decoded(png) == colour).all(axis=-1).any())


@pytest.mark.slow
@both
@pytest.mark.parametrize(
    "size",
    [
        ChartSize(),
        ChartSize(width_px=320, height_px=240),
        ChartSize(width_px=333, height_px=777),
        ChartSize(width_px=961, height_px=601, dpi=150),
    ],
)
def test_size_is_what_was_asked_for(chart: Chart, size: ChartSize, make_curves: MakeCurves) -> None:
    png = chart(make_curves(), title="A run", caption="softmax", size=size, provenance={})
    assert decoded(png).shape == (size.height_px, size.width_px, 3)


@both
def test_both_curves_are_visible(chart: Chart, make_curves: MakeCurves) -> None:
    png = chart(make_curves(), title="A run", provenance={})
    assert has_colour(png, (0x00, 0x72, 0xB2))
    assert has_colour(png, (0xD5, 0x5E, 0x00))


@both
def test_svg_is_xml_with_its_title(chart: Chart, make_curves: MakeCurves) -> None:
    title = 'Ends "--> & <b>'
    svg = chart(make_curves(), title=title, caption="<&>", image_format="svg", provenance={})
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.findtext("{http://www.w3.org/2000/svg}title") == title
    assert (root.get("width"), root.get("height")) == ("576pt", "360pt")
    assert not root.findall(".//{http://www.w3.org/2000/svg}image")


@both
def test_without_a_check_there_is_nothing_to_draw(chart: Chart, make_curves: MakeCurves) -> None:
    with pytest.raises(NoDataYet):
        chart(make_curves(0), title="", provenance={})


@both
def test_one_check_is_enough(chart: Chart, make_curves: MakeCurves) -> None:
    curves = make_curves(1, train_loss_steps=np.array([0]), train_loss=np.array([2.3]))
    assert has_colour(chart(curves, title="", provenance={}), (0xD5, 0x5E, 0x00))


@both
def test_marks_change_the_picture(chart: Chart, make_curves: MakeCurves) -> None:
    pictures = {
        chart(make_curves(best_step=best, stop_step=stop, batches_per_epoch=epoch), title="", provenance={})
        for best, stop, epoch in [(None, None, None), (400, None, None), (400, 580, None), (400, 580, 156)]
    }
    assert len(pictures) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "losses",
    [
        pytest.param(np.full(30, np.inf), id="all infinite"),
        pytest.param(np.full(30, np.nan), id="all nan"),
        pytest.param(np.where(np.arange(30) % 3, 0.5, np.inf), id="some infinite"),
        pytest.param(np.geomspace(0.7, 1e300, 30), id="diverging beyond what can be drawn"),
        pytest.param(np.geomspace(2, 1e-320, 30), id="down to the smallest float"),
        pytest.param(np.zeros(30), id="zero"),
        pytest.param(np.full(30, 5e7), id="constant"),
    ],
)
@pytest.mark.parametrize("image_format", ["png", "svg"])
def test_extreme_losses_are_drawn(
    losses: np.ndarray, image_format: Literal["png", "svg"], make_curves: MakeCurves
) -> None:
    curves = make_curves(validation_loss=losses, train_loss=np.repeat(losses, 20), best_step=40)
    assert loss_chart(curves, title="", image_format=image_format, provenance={})


def test_a_long_run_is_thinned(make_curves: MakeCurves) -> None:
    svg = loss_chart(make_curves(5_000), title="", image_format="svg", provenance={})
    assert len(svg) < 400_000


@pytest.mark.slow
@both
@pytest.mark.parametrize("text", ["word " * 20_000, "x" * 100_000, "$\\frac{", "a\nb\0\ud800\u2028", "日本語 😀"])
@pytest.mark.parametrize("image_format", ["png", "svg"])
def test_any_text_is_only_text(
    chart: Chart, text: str, image_format: Literal["png", "svg"], make_curves: MakeCurves
) -> None:
    image = chart(make_curves(3), title=text, caption=text, image_format=image_format, provenance={"t": text})
    if image_format == "svg":
        ElementTree.fromstring(image)


@pytest.mark.parametrize(
    ("sizes", "field", "allowed"),
    [
        ({"width_px": 319}, "width_px", "320 to 3840"),
        ({"width_px": 10**6}, "width_px", "320 to 3840"),
        ({"width_px": float("nan")}, "width_px", "320 to 3840"),
        ({"height_px": 239}, "height_px", "240 to 2160"),
        ({"height_px": 2161}, "height_px", "240 to 2160"),
        ({"dpi": 49}, "dpi", "50 to 200"),
        ({"dpi": 201}, "dpi", "50 to 200"),
        ({"width_px": 3840, "height_px": 2160, "dpi": 601}, "dpi", "50 to 600"),
    ],
)
def test_sizes_have_ranges(sizes: dict[str, int], field: str, allowed: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        ChartSize(**sizes)
    assert refusal.value.field == field
    assert refusal.value.allowed == f"a whole number from {allowed}"


@pytest.mark.parametrize(
    "changes",
    [
        {"validation_loss": np.zeros(29)},
        {"train_loss": np.zeros(3)},
        {"check_steps": np.zeros(30, np.int64)},
    ],
)
def test_curves_must_fit_together(changes: dict[str, np.ndarray], make_curves: MakeCurves) -> None:
    with pytest.raises(ValueError, match="steps"):
        make_curves(**changes)
