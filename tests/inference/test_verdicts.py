"""Verdicts: what is no digit is not called one, and what may be wrong is not shown as sure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.accuracy import read, saved
from benchmarks.not_digits import KINDS
from service.bootstrap import shipped_models
from service.datasets import Dataset
from service.inference import ModelInputs, Thresholds, answer, judge, predict
from service.registry import Model, Registry
from service.reports.drawings import STYLES, draw
from service.stores import LocalStore


@pytest.fixture(scope="module")
def model() -> Model:
    return Registry(LocalStore(shipped_models())).load("mnist-digits", 1)


def verdicts_of(model: Model, inputs: ModelInputs, thresholds: Thresholds | None = None) -> list[str]:
    return list(judge(model, inputs, *predict(model, inputs.images), thresholds or Thresholds())[0])


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_is_no_digit_is_not_called_one(model: Model, kind: str) -> None:
    """In fonts and strokes that no training has seen; ``benchmarks/verdicts.py`` measures more of them.

    Outlines of diamonds and triangles are much like 0, bolts like 4 or 1.
    """
    rng = np.random.default_rng(5)
    verdicts = verdicts_of(model, read(saved(KINDS[kind](rng)) for _ in range(40)))
    assert np.mean(np.array(verdicts) != "digit") >= {"letters, by hand": 0.7, "shapes": 0.75}.get(kind, 0.9)


def test_of_digits_few_are_refused_that_are_right_and_most_that_are_wrong(model: Model, mnist: Dataset) -> None:
    inputs = ModelInputs.as_given(mnist.test.images)
    is_refused = np.array(verdicts_of(model, inputs)) != "digit"
    is_right = predict(model, inputs.images)[0] == mnist.test.labels
    assert is_refused[is_right].mean() <= 0.04
    assert is_refused[~is_right].mean() >= 0.5


def test_the_first_verdict_that_holds_is_given(model: Model, mnist: Dataset) -> None:
    digit = mnist.test.images[0]
    two = np.zeros((80, 200), np.uint8)
    two[26:54, 20:48], two[26:54, 150:178] = digit, mnist.test.images[2]
    blank = read([saved(np.full((60, 60), 255, np.uint8))])
    several = read([saved(255 - two)])
    assert verdicts_of(model, blank) == ["blank"]
    assert verdicts_of(model, several, Thresholds(digit_below=0.0)) == ["several-digits"]
    assert verdicts_of(model, several, Thresholds(digit_below=1.0)) == ["not-a-digit"]
    assert verdicts_of(model, blank, Thresholds(digit_below=1.0, unsure_below=1.0)) == ["blank"]
    given = ModelInputs.as_given(digit[np.newaxis])
    assert verdicts_of(model, given) == ["digit"]
    assert verdicts_of(model, replace(given, warnings=(("It may be upside down.",),))) == ["unsure"]


def test_an_unsure_prediction_names_its_rivals(model: Model, mnist: Dataset) -> None:
    images = mnist.test.images
    found = answer(model, ModelInputs.as_given(images))["predictions"]
    unsure = [one for one in found if one["verdict"] == "unsure"]
    assert unsure and all(one["rivals"] == [] for one in found if one["verdict"] != "unsure")
    for one in unsure:
        likely = sorted(
            (k for k, p in one["probabilities"].items() if p >= 0.05), key=lambda k: -one["probabilities"][k]
        )
        assert [one["digit"], *one["rivals"]] == [int(label) for label in likely]
    alone = [answer(model, ModelInputs.as_given(images[n : n + 1]))["predictions"][0] for n in (0, 8, 321)]
    assert alone == [found[n] for n in (0, 8, 321)]


def test_a_model_of_other_data_takes_anything_for_one_of_its_classes(model: Model) -> None:
    """What is no digit may well be a shoe."""
    rng = np.random.default_rng(6)
    inputs = read(saved(KINDS["clothes"](rng)) for _ in range(10))
    manifest = replace(model.manifest, dataset={"name": "clothes", "sha256": "0" * 64}, digit_below=0.0)
    assert "not-a-digit" not in verdicts_of(replace(model, manifest=manifest), inputs)
    assert "not-a-digit" in verdicts_of(model, inputs)


def test_drawings_are_digits(model: Model) -> None:
    rng = np.random.default_rng(7)
    verdicts = verdicts_of(model, read(saved(draw(style, rng)) for style in STYLES))
    assert verdicts.count("digit") >= 0.9 * len(STYLES)
