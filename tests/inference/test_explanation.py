"""Explanations: the evidence adds up, and nothing nearer than the flip is taken for another digit."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.answers import plain
from service.bootstrap import shipped_models
from service.core import Floats, design_matrix
from service.datasets import Dataset
from service.errors import InvalidField, InvalidInput
from service.inference import Explanation, ModelInputs, decode_pixels, explain, predict
from service.inference.flip import smallest_change, whole_change
from service.registry import Model, Registry
from service.stores import LocalStore

SHIPPED = ["mnist-softmax", "mnist-2-vs-3"]


@pytest.fixture(scope="module")
def shipped() -> dict[str, Model]:
    registry = Registry(LocalStore(shipped_models()))
    return {name: registry.load(name, 1) for name in SHIPPED}


def matrix(model: Model) -> Floats:
    """The published weights of a linear model, (785, n_outputs)."""
    return model.function.layout.views(model.parameters)["W"]


def with_matrix(model: Model, weights: Floats) -> Model:
    row = model.function.layout.row({"W": weights})
    return replace(model, best=row, last=row)


@pytest.fixture(params=SHIPPED)
def model(request: pytest.FixtureRequest, shipped: dict[str, Model]) -> Model:
    return shipped[request.param]


def one(mnist: Dataset, index: int = 0) -> ModelInputs:
    return decode_pixels(mnist.test.images[index : index + 1])


def explanations(model: Model, inputs: ModelInputs) -> list[Explanation]:
    """Explain every class, alone and against every other one."""
    classes = model.manifest.classes
    pairs = itertools.product(classes, [None, *classes])
    return [explain(model, inputs, digit=digit, against=against) for digit, against in pairs if digit != against]


@pytest.mark.slow
def test_the_evidence_adds_up_to_the_logit(model: Model, mnist: Dataset) -> None:
    for index in range(5):
        for found in explanations(model, one(mnist, index)):
            scale = np.abs(found.evidence).sum()
            assert found.evidence.shape == (28, 28) and found.evidence.dtype == np.float64
            assert abs(found.sum - found.logit) <= 1e-14 * scale
            assert found.bias + found.evidence.sum() == pytest.approx(found.logit, rel=1e-10, abs=1e-12)


def test_the_logits_are_those_that_predictions_come_from(model: Model, mnist: Dataset) -> None:
    for index in range(50):
        found = explain(model, one(mnist, index))
        label, table = predict(model, mnist.test.images[index : index + 1])
        assert found.digit == label[0]
        assert list(found.probabilities.values()) == table[0].tolist()
        logits = np.array([*found.logits.values()]) / found.temperature
        if model.manifest.model == "logistic":
            expected = 1 / (1 + np.exp(-logits))
        else:
            expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        np.testing.assert_allclose(expected, table[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", [("softmax", (7, 1, 4), "float64"), ("logistic", (3, 2), "float64")], ids=str)
def test_in_double_precision_the_logits_are_the_very_ones(
    kind: Any, make_model: Callable[..., Model], mnist: Dataset
) -> None:
    model = make_model(*kind)
    for index in range(5):
        found = explain(model, one(mnist, index))
        of_model = (design_matrix(mnist.test.images[index : index + 1], "float64") @ matrix(model))[0]
        np.testing.assert_allclose([*found.logits.values()][: len(of_model)], of_model, rtol=1e-12)
        assert found.logit == found.logits[str(found.digit)]


def test_a_contrast_is_the_difference_of_two_explanations(shipped: dict[str, Model], mnist: Dataset) -> None:
    model, inputs = shipped["mnist-softmax"], one(mnist)
    three, five = (explain(model, inputs, digit=digit) for digit in (3, 5))
    contrast = explain(model, inputs, digit=3, against=5)
    np.testing.assert_allclose(contrast.evidence, three.evidence - five.evidence, atol=1e-15)
    assert contrast.logit == pytest.approx(three.logit - five.logit)
    assert contrast.bias == pytest.approx(three.bias - five.bias)
    assert contrast.logit == pytest.approx(contrast.logits["3"] - contrast.logits["5"])


def test_the_second_class_of_a_logistic_model_is_the_first_with_the_other_sign(
    shipped: dict[str, Model], mnist: Dataset
) -> None:
    model, inputs = shipped["mnist-2-vs-3"], one(mnist)
    two, three = explain(model, inputs, digit=2), explain(model, inputs, digit=3)
    assert (two.evidence == -three.evidence).all()
    assert (two.logit, two.bias) == (-three.logit, -three.bias)
    contrast = explain(model, inputs, digit=2, against=3)
    assert (contrast.evidence == two.evidence).all() and contrast.logit == two.logit
    assert two.logits == {"2": two.logit, "3": three.logit}


def test_plain_data(model: Model, mnist: Dataset) -> None:
    said = plain(explain(model, one(mnist)))
    assert (said["model"], said["version"], said["against"]) == (model.manifest.name, 1, None)
    assert np.array(said["evidence"]).shape == np.array(said["pixels"]).shape == (28, 28)
    assert list(said["probabilities"]) == list(said["logits"]) == [str(label) for label in model.manifest.classes]
    assert said["pixels"] == mnist.test.images[0].tolist()
    assert said["steps"] == ["used as given"] and said["warnings"] == []


def test_two_images_are_refused(model: Model, mnist: Dataset) -> None:
    with pytest.raises(InvalidInput):
        explain(model, decode_pixels(mnist.test.images[:2]))


@pytest.mark.parametrize(
    ("classes", "field", "allowed"),
    [
        ({"digit": 7}, "digit", "2, 3"),
        ({"digit": -1}, "digit", "2, 3"),
        ({"against": 7}, "against", "2, 3"),
        ({"digit": 2, "against": 2}, "against", "3"),
    ],
)
def test_other_classes_are_refused(
    shipped: dict[str, Model], mnist: Dataset, classes: dict[str, int], field: str, allowed: str
) -> None:
    with pytest.raises(InvalidField) as refusal:
        explain(shipped["mnist-2-vs-3"], one(mnist), **classes)
    assert (refusal.value.field, refusal.value.allowed) == (field, allowed)


def test_a_flip_is_another_digit_within_the_bounds(model: Model, mnist: Dataset) -> None:
    for index in range(100):
        found = explain(model, one(mnist, index))
        flip = found.flip
        assert flip is not None and flip.pixels.dtype == np.uint8
        assert predict(model, flip.pixels[np.newaxis])[0][0] == flip.digit != found.digit
        change = flip.pixels.astype(float) - found.pixels
        assert flip.distance == pytest.approx(np.linalg.norm(change)) and flip.distance > 0


def test_a_flip_is_hardly_farther_than_any_change_must_be(shipped: dict[str, Model], mnist: Dataset) -> None:
    """Each pixel off by half a grey level more or less, the flip is about as long as the exact solution."""
    model = shipped["mnist-softmax"]
    w = matrix(model)[:784].astype(float) / 127.5
    for index in range(50):
        found = explain(model, one(mnist, index))
        assert found.flip is not None
        k = found.digit
        bounds = []
        for j in range(10):
            if j != k:
                gap = found.logits[str(k)] - found.logits[str(j)]
                change = smallest_change(found.pixels.reshape(784).astype(float), w[:, j] - w[:, k], gap)
                bounds.append(np.inf if change is None else float(np.linalg.norm(change)))
        assert min(bounds) <= found.flip.distance <= 1.1 * min(bounds) + 2


def test_the_nearest_of_classes_counts_in_whole_grey_levels(make_model: Callable[..., Model]) -> None:
    """Class 1 is nearer by half grey levels, class 2 by whole ones."""
    model = make_model("softmax", (0, 1, 2), "float64")
    weights = np.zeros((785, 3))
    weights[0], weights[784] = (0, 0, 1), (1, 0, 0)
    weights[1:3, 1] = 1
    weights[784, 1], weights[784, 2] = 3 - 4.2 / 127.5, 2 - 2.98 / 127.5
    blank = ModelInputs.as_given(np.zeros((1, 28, 28), np.uint8))
    found = explain(with_matrix(model, weights), blank)
    assert found.flip is not None
    pixels = np.zeros(784)
    slopes = weights[:784] / 127.5
    near = [smallest_change(pixels, slopes[:, j], found.logits["0"] - found.logits[str(j)]) for j in (1, 2)]
    lengths = [float(np.linalg.norm(change)) for change in near if change is not None]
    assert lengths == pytest.approx([4.2 / np.sqrt(2), 2.98])
    assert (found.digit, found.flip.digit, found.flip.distance) == (0, 2, 3)


def test_blank_and_full_images_flip_too(model: Model) -> None:
    for level in (0, 255):
        image = np.full((28, 28), level, np.uint8)
        found = explain(model, ModelInputs.as_given(image[np.newaxis]))
        assert found.flip is not None
        assert predict(model, found.flip.pixels[np.newaxis])[0][0] == found.flip.digit != found.digit


@pytest.mark.parametrize("kind", [("softmax", (7, 1, 4)), ("logistic", (3, 2))], ids=str)
def test_a_model_that_always_says_the_same_has_no_flip(
    kind: Any, make_model: Callable[..., Model], mnist: Dataset
) -> None:
    model = make_model(*kind)
    weights = np.zeros_like(matrix(model))
    weights[784, 0] = 1
    assert explain(with_matrix(model, weights), one(mnist)).flip is None
    weights[:784, 0] = 1e-6
    assert explain(with_matrix(model, weights), one(mnist)).flip is None


def by_halving(pixels: Any, slope: Any, gain: float) -> Any:
    """Solve the same problem without any thought: halve the interval in which λ lies."""
    low, high = 0.0, 1e9
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if slope @ np.clip(middle * slope, -pixels, 255 - pixels) >= gain else (middle, high)
    return np.clip(high * slope, -pixels, 255 - pixels)


@pytest.mark.parametrize("share", [1e-6, 0.01, 0.3, 0.7, 0.99])
def test_the_exact_solution(share: float) -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        pixels = rng.choice([0, 255, 3, 128, 200], 40).astype(float)
        slope = rng.normal(0, 0.01, 40) * rng.integers(0, 2, 40)
        most = float(slope @ np.where(slope > 0, 255 - pixels, -pixels))
        change = smallest_change(pixels, slope, share * most)
        assert change is not None
        np.testing.assert_allclose(change, by_halving(pixels, slope, share * most), rtol=1e-6, atol=1e-6)
        assert slope @ change == pytest.approx(share * most)
        others = rng.uniform(-pixels, 255 - pixels, (2000, 40))
        feasible = others[others @ slope >= share * most]
        assert (np.linalg.norm(feasible, axis=1) >= np.linalg.norm(change)).all()


def test_where_no_bound_is_met_it_is_the_projection() -> None:
    pixels, slope = np.full(784, 128.0), np.random.default_rng(0).normal(0, 0.01, 784)
    change = smallest_change(pixels, slope, 1.5)
    assert change is not None
    np.testing.assert_allclose(change, slope * 1.5 / (slope @ slope), rtol=1e-10)


def test_what_cannot_be_reached_has_no_solution() -> None:
    pixels = np.array([255.0, 0.0])
    assert smallest_change(pixels, np.array([1.0, -1.0]), 1e-9) is None
    assert smallest_change(pixels, np.array([-1.0, 0.0]), 256) is None
    assert smallest_change(pixels, np.zeros(2), 1) is None
    assert whole_change(pixels, np.array([-1.0, 0.0]), 255.5) is None
    assert np.array_equal(whole_change(pixels, np.array([-1.0, 0.0]), 255), [-255, 0])
    for solve in (smallest_change, whole_change):
        assert np.array_equal(solve(pixels, np.array([-1.0, 1.0]), 0), [0, 0])


@pytest.mark.slow
def test_whole_changes_are_nearly_the_smallest() -> None:
    rng, excess = np.random.default_rng(2), []
    for _ in range(100):
        pixels, slope = rng.choice([0, 2, 100, 252, 255], 4).astype(float), rng.normal(0, 1, 4)
        ranges = [np.arange(max(-value, -8), min(255 - value, 8) + 1) for value in pixels]
        every = np.array(list(itertools.product(*ranges)))
        gain = 0.4 * float((every @ slope).max())
        change = whole_change(pixels, slope, gain)
        assert change is not None and np.array_equal(change, np.rint(change))
        assert (pixels + change >= 0).all() and (pixels + change <= 255).all()
        assert slope @ change >= gain
        smallest = np.square(every[every @ slope >= gain]).sum(axis=1).min()
        excess.append(change @ change - smallest)
    assert min(excess) == np.median(excess) == 0
    assert max(excess) <= 3  # of the squared length: a step more, of the hundreds that real images take
