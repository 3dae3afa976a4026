"""Pictures as people take them: the digit in each kind of picture is found and read."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest

from service.inference import predict
from service.registry import Model

N_DIGITS, EVERY = 4, 5
KINDS = (
    "phone", "uneven light", "edge of a shadow", "paper on a light desk", "perspective on wood", "dark mode, title bar",
    "squared", "form box, touching", "table cell", "any colours", "on transparency", "at the edge",
)  # fmt: skip
"""Those that need most of the steps; all of them are in the long test."""


@pytest.fixture(scope="module")
def model(photographs: ModuleType) -> Model:
    return cast(Model, photographs.shipped_model())


@pytest.fixture(scope="module")
def found(photographs: ModuleType, model: Model) -> dict[str, list[Any]]:
    return {kind: list(photographs.readings(kind, model, n_digits=N_DIGITS)) for kind in KINDS}


@pytest.mark.slow
def test_most_digits_in_pictures_are_read_right(found: dict[str, list[Any]]) -> None:
    check_floors(found)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_most_digits_in_pictures_of_every_kind_are_read_right(photographs: ModuleType, model: Model) -> None:
    found = {kind: list(photographs.readings(kind, model, n_digits=40, seed=1)) for kind in photographs.KINDS}
    assert len(found) >= 30
    check_floors(found)
    verdicts = [reading.verdict for readings in found.values() for reading in readings if not reading.is_right]
    assert verdicts.count("digit") <= 0.25 * len(verdicts)


def check_floors(found: dict[str, list[Any]]) -> None:
    right = {kind: np.mean([reading.is_right for reading in readings]) for kind, readings in found.items()}
    assert {kind: share for kind, share in right.items() if share < 0.75} == {}
    assert np.mean(list(right.values())) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("n_digits", [150, pytest.param(5000, marks=[pytest.mark.long, pytest.mark.timeout(1200)])])
def test_mnist_digits_as_pictures_are_read_as_well_as_untouched(
    n_digits: int, accuracy: ModuleType, model: Model
) -> None:
    shares = []
    for source in (accuracy.mnist_test, accuracy.moved_test):
        inputs, labels = source(n_digits, np.random.default_rng(0))
        shares.append(np.mean(predict(model, inputs.images)[0] == labels))
    assert shares[0] > 0.97 and shares[1] > shares[0] - 0.01


def test_few_of_the_digits_that_are_read_right_have_a_warning(found: dict[str, list[Any]]) -> None:
    warned = [reading.is_warned for readings in found.values() for reading in readings if reading.is_right]
    assert np.mean(warned) < 0.15


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        ("uneven light", "evened out the lighting, where the background is from "),
        ("phone", "removed the background, from which ink differs by "),
        ("form box, touching", r"removed \d+ printed lines"),
        ("table cell", r"removed \d+ printed lines"),
        ("phone", "inverted, as the ink is darker than its background"),
        ("phone", "cropped to the ink, "),
    ],
)
def test_the_steps_are_named_with_their_measure(kind: str, step: str, found: dict[str, list[Any]]) -> None:
    taken = [any(re.match(step, name) for name in reading.inputs.steps[0]) for reading in found[kind]]
    assert np.mean(taken) > 0.5


def test_light_ink_is_not_inverted(found: dict[str, list[Any]]) -> None:
    inverted = ["inverted" in " ".join(reading.inputs.steps[0]) for reading in found["dark mode, title bar"]]
    assert np.mean(inverted) < 0.2


@pytest.mark.slow
@pytest.mark.parametrize(("height", "pen_px"), [(0.12, 8), (0.12, 12), (0.25, 24)])
def test_most_styles_of_drawing_are_read_also_small_and_with_a_thick_pen(
    height: float, pen_px: int, photographs: ModuleType, model: Model
) -> None:
    found = photographs.drawings_at(height, pen_px, model, every=EVERY)
    assert sum(reading.is_right for reading in found) >= 35 / EVERY


@pytest.mark.slow
def test_blobs_of_ink_have_a_warning(photographs: ModuleType, model: Model) -> None:
    found = photographs.drawings_at(0.12, 18, model, every=EVERY)
    assert all(reading.verdict != "digit" for reading in found if not reading.is_right)
    assert "so thick" in found[0].inputs.warnings[0][0]
    open_loops = photographs.drawings_at(0.25, 18, model, every=EVERY)
    assert sum(reading.is_warned for reading in open_loops) <= 1
