"""Charts of many runs: every member is visible, a penalty of 0 has its place, and the best cell is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from service.charts import ChartSize, Line, heatmap_chart, layers_chart, lines_chart, norms_chart
from service.charts.canvas import Canvas
from service.errors import NoDataYet

SMALL = ChartSize(width_px=320, height_px=240)
Draw = Callable[..., bytes]


def members(number: int, n_checks: int = 60) -> list[Line]:
    steps = 20 * np.arange(n_checks)
    return [
        Line(label=f"{place / 10:g}", steps=steps, values=0.95 - 0.01 * place - 0.6 * np.exp(-steps / 100))
        for place in range(number)
    ]


def accuracy(lines: list[Line], **options: object) -> bytes:
    return lines_chart(lines, metric="validation_accuracy", title="", provenance={}, **options)  # type: ignore[arg-type]


def norms(penalties: Sequence[float], values: Sequence[Any], **options: object) -> bytes:
    of_each = [np.atleast_1d(value).tolist() for value in values]
    return norms_chart(penalties, of_each, title="", provenance={}, **options)  # type: ignore[arg-type]


def heatmap(values: list[list[float]], **options: object) -> bytes:
    array = np.array(values)
    n_y, n_x = array.shape
    words = {"metric": "validation_accuracy", "title": "", "provenance": {}}
    return heatmap_chart("learning rate", range(1, n_x + 1), "penalty", range(n_y), array, **(words | options))  # type: ignore[arg-type]


def texts(svg: bytes) -> list[str]:
    """Return the texts of an SVG; matplotlib notes each text beside its outlines, as a comment."""
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    comments = ElementTree.fromstring(svg, parser).iter(ElementTree.Comment)  # type: ignore[call-overload]
    return [(comment.text or "").strip() for comment in comments]


def size_of(png: bytes) -> tuple[int, int]:
    return Image.open(BytesIO(png)).size


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 4, 7, 8, 12, 13, 300])
def test_any_number_of_members_is_drawn(number: int) -> None:
    labels = texts(accuracy(members(number), swept="L2 penalty", image_format="svg"))
    assert "L2 penalty" in labels
    if number <= 12:
        assert {f"{place / 10:g}" for place in range(number)} <= set(labels)


@pytest.mark.slow
@pytest.mark.parametrize("number", [3, 12, 40])
def test_small_charts_have_their_size(number: int) -> None:
    assert size_of(accuracy(members(number), size=SMALL, swept="learning rate")) == (320, 240)
    assert size_of(norms([0, 0.1, 1], [5, 2, 1], size=SMALL)) == (320, 240)
    assert size_of(heatmap([[0.1, 0.2], [0.3, np.nan]], size=SMALL)) == (320, 240)


def test_a_run_that_stops_first_has_a_dot() -> None:
    long, short = members(2)
    short = Line(label="0.1", steps=short.steps[:20], values=short.values[:20])
    assert "ends before the longest run" in texts(accuracy([long, short], image_format="svg"))
    assert "ends before the longest run" not in texts(accuracy(members(2), image_format="svg"))


def test_rare_values_do_not_flatten_the_rest() -> None:
    lines = members(3, n_checks=400)
    lines[1].values[200] = 0.1
    assert "some values off scale: 0.1" in texts(accuracy(lines, image_format="svg"))


def test_lines_without_values_that_can_be_drawn() -> None:
    steps = np.arange(30)
    assert accuracy([Line(label="diverged", steps=steps, values=np.full(30, np.nan)), *members(1)])
    assert accuracy([Line(label="diverged", steps=steps, values=np.full(30, np.inf))])
    with pytest.raises(NoDataYet):
        accuracy([Line(label="", steps=steps[:0], values=np.zeros(0))])


def test_the_mean_of_seeds_ends_with_the_first_to_stop() -> None:
    steps = 10 * np.arange(4)
    repeats = [(steps, np.array([1.0, 2, 3, 4])), (steps[:3], np.array([3.0, 2, 7]))]
    line = Line.mean("0.1", repeats)
    assert line.band is not None
    assert line.steps.tolist() == [0, 10, 20]
    assert line.values.tolist() == [2, 2, 5]
    assert [edge.tolist() for edge in line.band] == [[1, 2, 3], [3, 2, 7]]
    legend = texts(accuracy([line], swept="L2 penalty", image_format="svg"))
    assert "L2 penalty – mean of 2 seeds, band from min to max" in legend
    assert Line.mean("0.1", repeats[:1]).band is None


def test_lines_must_fit_together() -> None:
    steps, values = np.arange(3), np.zeros(3)
    with pytest.raises(ValueError, match="length"):
        Line(label="", steps=steps, values=values[:2])
    with pytest.raises(ValueError, match="increase"):
        Line(label="", steps=steps[::-1], values=values)
    with pytest.raises(ValueError, match="length"):
        Line(label="", steps=steps, values=values, band=(values, values[:2]))
    with pytest.raises(ValueError, match="same steps"):
        Line.mean("", [(steps, values), (steps + 1, values)])
    with pytest.raises(ValueError, match="at least one run"):
        Line.mean("", [])


def test_a_penalty_of_zero_stands_beyond_a_break() -> None:
    with_zero = texts(norms([1, 0, 0.1, 0.01, 0.001], [0.602, 4.89, 1.655, 3.268, 4.621], image_format="svg"))
    assert {"//", "0", "0.001", "1", "0.602", "4.89", "4.62", "L2 penalty λ (log scale)"} <= set(with_zero)
    assert "//" not in texts(norms([0.1, 1], [2, 1], image_format="svg"))
    linear = texts(norms([0, 0.1, 1], [3, 2, 1], scale="linear", image_format="svg"))
    assert "//" not in linear
    assert "L2 penalty λ" in linear


@pytest.mark.parametrize("penalties", [[0.0], [0.3], [0.0, 1e-6], [0.0, *np.geomspace(1e-9, 1e3, 60)]])
@pytest.mark.parametrize("scale", ["log", "linear"])
def test_any_penalties_are_drawn(penalties: list[float], scale: str) -> None:
    values = np.linspace(5, 0, len(penalties))
    assert norms(penalties, [(value - 0.1, value + 0.1) for value in values], scale=scale, band="min to max")


def test_norms_that_cannot_be_drawn() -> None:
    assert norms([0, 1, 10], [4, np.nan, np.inf])
    assert norms([1, 10], [4, 1e-320], inverse=True)
    tiny = Line(label="", steps=np.arange(3), values=np.array([1e-320, 1e-3, 1]))
    assert layers_chart([tiny], y_label="norm", title="", provenance={})
    with pytest.raises(NoDataYet):
        norms([0, 1], [np.nan, np.inf])
    for penalties, values in ([0, 1], [1.0]), ([-1, 1], [1.0, 2]), ([1, 1], [1.0, 2]), ([0, np.nan], [1.0, 2]):
        with pytest.raises(ValueError, match=r"penalties|zip"):
            norms(penalties, values)


def test_a_heat_map_names_its_best_cell() -> None:
    grid = [[0.9, 0.5, 0.95], [0.8, np.nan, 0.7]]
    found = texts(heatmap(grid, image_format="svg"))
    assert "highest validation accuracy 0.9500: learning rate 3, penalty 0" in found
    assert {"0.9000", "0.8000", "no result"} <= set(found)
    found = texts(heatmap(grid, metric="validation_loss", image_format="svg"))
    assert "lowest validation loss 0.5000: learning rate 2, penalty 0" in found


@pytest.mark.slow
def test_any_grid_is_drawn() -> None:
    assert heatmap([[0.5]])
    assert heatmap([[0.0, 0.0]])
    assert heatmap([[-1e-9, 1e12], [np.inf, 3]])
    assert heatmap(np.random.default_rng(0).random((40, 25)).tolist())
    with pytest.raises(NoDataYet):
        heatmap([[np.nan, np.inf]])
    with pytest.raises(ValueError, match="each pair"):
        heatmap_chart("x", [1], "y", [1], np.zeros((2, 1)), metric="train_loss", title="", provenance={})


def test_a_short_line_among_the_first_steps_of_a_long_one_is_not_cut_off() -> None:
    """As λ = 1 of the report: it ends within the first steps of the others, and falls below all of them."""
    canvas = Canvas(title="", provenance={}, y_label="", y_bounds=(0.0, 1.0))
    long, short = np.arange(0, 7800, 31), np.arange(0, 390, 31)
    canvas.line(long, np.where(long, 0.9, 0.2), colour="k", label="")
    canvas.line(short, np.where(short, np.where(short % 2, 0.74, 0.82), 0.2), colour="k", label="")
    canvas.encode(None)
    bottom, top = canvas._axes.get_ylim()
    assert 0.2 < bottom < 0.74 and top > 0.9
