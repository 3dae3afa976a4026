"""Whole numbers: where each digit is, in which order, and what is no digit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from time import process_time
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.bootstrap import shipped_models
from service.errors import InputTooLarge
from service.inference import DecodingLimits, answer, decode_upload, read, read_picture
from service.inference.parts import Box, Part, joined_strokes
from service.inference.reading import MAX_PARTS
from service.registry import Model, Registry
from service.stores import LocalStore

HEIGHT_PX, PEN_PX, BASE_PX = 80, 9, 130
Writes = Callable[..., np.ndarray[Any, Any]]


@pytest.fixture(scope="module")
def model() -> Model:
    return Registry(LocalStore(shipped_models())).load("mnist-digits", 1)


@pytest.fixture(scope="module")
def write(drawings: ModuleType) -> Writes:
    """Return what writes styles of `service.reports.drawings`, points and minus signs on a line, black on white."""

    def write(*items: str, gap_px: int = 24) -> np.ndarray[Any, Any]:
        rng = np.random.default_rng(3)
        page = np.full((170, 900), 255, np.uint8)
        x = 40
        for item in items:
            if item in ".-":
                height, width = (PEN_PX + 2, PEN_PX + 2) if item == "." else (PEN_PX, 40)
                ink = np.zeros((height, width), np.uint8)
                top = BASE_PX - (height if item == "." else HEIGHT_PX // 2)
            else:
                hand = drawings.Hand(height_px=HEIGHT_PX - PEN_PX, pen_px=PEN_PX)
                drawn = drawings.draw(item, rng, hand, side_px=200, spread=0)
                rows, columns = np.flatnonzero(drawn.min(axis=1) < 200), np.flatnonzero(drawn.min(axis=0) < 200)
                ink = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
                top = BASE_PX - len(ink)
            here = page[top : top + ink.shape[0], x : x + ink.shape[1]]
            np.minimum(here, ink, out=here)
            x += ink.shape[1] + gap_px
        return page

    return write


def _read(model: Model, page: np.ndarray[Any, Any] | Image.Image, **options: Any) -> dict[str, Any]:
    file = BytesIO()
    exif = options.pop("exif", None)
    image = page if isinstance(page, Image.Image) else Image.fromarray(page)
    image.save(file, "PNG", **({"exif": exif} if exif else {}))
    return read(model, read_picture(file.getvalue(), DecodingLimits()), **options)


def _texts(answer: dict[str, Any]) -> list[str]:
    return [line["text"] for line in answer["lines"]]


@pytest.mark.parametrize("is_light", [False, True])
def test_lines_are_read_from_top_to_bottom_and_from_left_to_right(model: Model, write: Writes, is_light: bool) -> None:
    page = np.vstack([write("8 figure", "1 bar", "0 round", "6 curl", "2 plain"), write("3 round", "4 open")])
    answer = _read(model, 255 - page if is_light else page)
    assert _texts(answer) == ["81062", "34"]
    assert answer["warnings"] == []
    for line in answer["lines"]:
        lefts = [digit["box"][0] for digit in line["digits"]]
        assert lefts == sorted(lefts)
        assert all(digit["probability"] > 0.9 and digit["verdict"] == "digit" for digit in line["digits"])


@pytest.mark.parametrize("gap", ["small", "large"])
def test_strokes_that_do_not_touch_are_one_digit(
    model: Model, drawings: ModuleType, saved: Callable[..., bytes], gap: str
) -> None:
    """Alone and between others, in a prediction as in a reading; a stroke beside the rest in a reading only."""
    rng = np.random.default_rng(1)
    hand = drawings.Hand(height_px=75, pen_px=9 if gap == "small" else 5)
    for style in drawings.BROKEN:
        digit, three, six = (
            drawings.draw(one, rng, hand, side_px=120, spread=0) for one in (style, "3 round", "6 curl")
        )
        assert _texts(_read(model, digit)) == [style[0]]
        assert _texts(_read(model, np.hstack([three, digit, six]))) == [f"3{style[0]}6"]
        (predicted,) = answer(model, decode_upload(saved(digit)))["predictions"]
        assert predicted["digit"] == int(style[0])
        assert style == "4 bar" or not any("blobs" in warning for warning in predicted["warnings"])


def test_digits_above_one_another_are_not_one(model: Model, write: Writes) -> None:
    rows = [write("3 round", "0 round", gap_px=40), write("8 figure", "0 round", gap_px=40)]
    above, below = (row[np.flatnonzero(row.min(axis=1) < 200)] for row in rows)
    page = np.pad(np.vstack([above, np.full((14, 900), 255, np.uint8), below]), 40, constant_values=255)
    assert _texts(_read(model, page)) == ["30", "80"]


def _uneven(ink: Any, photographs: Any, rng: Any) -> Any:
    light = photographs.smooth_field(rng, ink.shape, 0.45, 1)
    return photographs.coloured(ink, photographs.plain(ink.shape), (30, 30, 60)) * light[..., np.newaxis]


def _squared(ink: Any, photographs: Any, rng: Any) -> Any:
    lines = np.zeros_like(ink)
    lines[28::40] = lines[:, 20::40] = 1
    paper = photographs.coloured(lines, photographs.plain(ink.shape), (150, 180, 230))
    return photographs.coloured(ink, paper, (30, 30, 60))


def _on_a_desk(ink: Any, photographs: Any, rng: Any) -> Any:
    desk = photographs.wood(rng, (ink.shape[0] + 160, ink.shape[1] + 200))
    desk[80:-80, 100:-100] = photographs.coloured(ink, photographs.plain(ink.shape), (30, 30, 60))
    return desk


def _noisy(ink: Any, photographs: Any, rng: Any) -> Any:
    return photographs.noisy(rng, photographs.coloured(ink, photographs.plain(ink.shape), (200, 40, 40)), 20)


@pytest.mark.slow
@pytest.mark.parametrize("photograph", [_uneven, _squared, _on_a_desk, _noisy])
def test_numbers_are_found_in_photographs(
    model: Model, write: Writes, photographs: ModuleType, photograph: Callable[..., Any]
) -> None:
    page = np.vstack([write("8 figure", "1 bar", "0 round", "6 curl"), write("4 open", ".", "3 round")])[:, :520]
    picture = photograph(1 - page.astype(np.float32) / 255, photographs, np.random.default_rng(5))
    content = photographs.jpeg(picture)
    assert _texts(read(model, read_picture(content, DecodingLimits()))) == ["8106", "4.3"]


def test_a_slanting_line_is_one_line(model: Model, write: Writes) -> None:
    page = Image.fromarray(write("8 figure", "1 bar", "0 round", "6 curl", "2 plain", "3 round", "4 open"))
    for angle in (-8, 8):
        assert _texts(_read(model, page.rotate(angle, expand=True, fillcolor=255))) == ["8106234"]


def test_points_and_minus_signs_are_named(model: Model, write: Writes) -> None:
    (line,) = _read(model, write("-", "3 round", ".", "1 hook", "4 open"))["lines"]
    assert line["text"] == "-3.14"
    assert [mark["kind"] for mark in line["marks"]] == ["minus", "point"]
    assert [digit["digit"] for digit in line["digits"]] == [3, 1, 4]


def test_broken_strokes_belong_together(model: Model, write: Writes) -> None:
    assert _texts(_read(model, write("5 hat", "7 bar", "1 foot", "5 short hat", "7 serif bar"))) == ["57157"]
    page = np.full((200, 260), 255, np.uint8)
    page[60:67, 40:90] = 0  # the hat of a 5 that does not touch it
    page[75:100, 36:43] = 0
    rows, columns = np.mgrid[:200, :260]
    radius = np.hypot(rows - 122, columns - 62)
    page[(np.abs(radius - 26) < 3.5) & ~((columns < 45) & (rows < 135))] = 0
    page[60:67, 150:200] = 0  # a 7 whose bar does not touch it
    page[(np.abs(columns - 196 + (rows - 60) / 3) < 3.5) & (rows >= 60) & (rows < 150)] = 0
    page[105:110, 150:172] = 0
    assert _texts(_read(model, page)) == ["57"]


def test_boxes_are_in_pixels_of_the_picture_as_it_is_seen(model: Model, write: Writes) -> None:
    page = write("6 curl", "2 plain")
    (line,) = _read(model, page)["lines"]
    for digit in line["digits"]:
        x, y, width, height = digit["box"]
        inside = page[y : y + height, x : x + width]
        assert inside.min() == 0 and (inside < 128).any(axis=1).all() and (inside < 128).any(axis=0).all()
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the file holds the picture lying on its side
    large = Image.fromarray(page).resize((2700, 510))
    (turned,) = _read(model, large.transpose(Image.Transpose.ROTATE_90), exif=exif)["lines"]
    assert turned["text"] == line["text"] == "62"
    for digit, other in zip(line["digits"], turned["digits"], strict=True):
        assert np.array(other["box"]) == pytest.approx(3 * np.array(digit["box"]), abs=9)


def test_an_expected_number_of_digits_decides_between_likely_ways_only(model: Model, write: Writes) -> None:
    page = write("6 curl", "2 plain", "8 figure")
    assert _read(model, page, expect=3)["warnings"] == []
    answer = _read(model, page, expect=5)
    assert _texts(answer) == ["628"]
    assert answer["warnings"] == ["5 digits were expected, and 3 found."]


def test_digits_that_touch_are_cut_apart_and_marked(model: Model, write: Writes) -> None:
    page = write("0 round", "8 figure", "6 curl", gap_px=-2)
    (line,) = _read(model, page)["lines"]
    assert line["text"] == "086"
    warned = [digit for digit in line["digits"] if any("touches" in warning for warning in digit["warnings"])]
    assert warned and all(digit["verdict"] != "digit" for digit in warned)


def test_a_model_of_other_data_is_not_asked_for_whole_digits(
    model: Model, write: Writes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its classes may be anything, such as letters."""
    other = replace(model, manifest=replace(model.manifest, digit_below=0.0))
    monkeypatch.setattr("service.inference.reading.load_whole_digits", None)
    assert _texts(_read(other, write("6 curl", "2 plain", "8 figure"))) == ["628"]


def test_what_is_no_digit_is_unknown(model: Model, write: Writes) -> None:
    page = write("6 curl", "2 plain")
    page[20:28, 250:600] = 0
    answer = _read(model, page)
    assert [digit["digit"] for line in answer["lines"] for digit in line["digits"]] == [6, 2]
    assert [mark["kind"] for line in answer["lines"] for mark in line["marks"]] == ["unknown"]
    assert answer["warnings"] == ["1 blob of ink is no digit, point or minus sign."]


def test_a_blank_page_has_no_lines(model: Model) -> None:
    answer = _read(model, np.full((60, 300), 250, np.uint8))
    assert answer["lines"] == [] and "blank" in answer["warnings"][0]


def test_what_is_read_is_bounded(model: Model, monkeypatch: pytest.MonkeyPatch, write: Writes) -> None:
    page = write("6 curl", "2 plain", "8 figure")
    with monkeypatch.context() as patch:
        patch.setattr("service.inference.reading.MAX_PARTS", 2)
        assert "1 was left out" in _read(model, page)["warnings"][-1]
    monkeypatch.setattr("service.inference.reading.MAX_CANDIDATES", 2)
    with pytest.raises(InputTooLarge):
        _read(model, page)


def _bars(number: int) -> Box:
    return Box(8 * number, 0, 8 * number + 5, 200)


def _two_rows_of_slanting_strokes(number: int) -> Box:
    return Box(0, number, 100, number + 900) if number % 2 else Box(100, number, 205, number + 900)


@pytest.mark.parametrize("box_of", [_bars, _two_rows_of_slanting_strokes])
def test_joining_strokes_takes_a_bounded_time(box_of: Callable[[int], Box]) -> None:
    strokes = [Part(label=number + 1, box=box_of(number), n_pixels=9, amount=9.0) for number in range(MAX_PARTS)]
    begun_s = process_time()
    joined_strokes(strokes)
    assert process_time() - begun_s < 1.5  # of pairs that are halves of a digit there may be 20,000


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "share"), [("wide", 0.7), ("narrow gaps", 0.7), ("boxes", 0.7), ("cells", 0.7)])
def test_most_numbers_are_read(model: Model, numbers: ModuleType, kind: str, share: float) -> None:
    found = list(numbers.readings(kind, model, n_numbers=10))
    assert np.mean([one.is_right for one in found]) >= share
    for one in found:
        if one.is_right:
            digits = one.answer["lines"][0]["digits"]
            boxes = np.array([digit["box"] for digit in digits])
            assert np.abs(boxes - np.array(one.number.boxes)).max() <= 0.15 * boxes[:, 3].max()


@pytest.mark.slow
def test_most_touching_pairs_are_read(model: Model, numbers: ModuleType) -> None:
    found = list(numbers.readings("a touching pair alone", model, n_numbers=30))
    assert np.mean([one.is_right for one in found]) >= 0.7
