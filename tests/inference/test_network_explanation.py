"""Explanations of networks: the shares sum to the logit, and what is found as a flip is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from service.core import design_matrix
from service.datasets import Dataset
from service.inference import ModelInputs, decode_pixels, explain, predict
from service.inference.flip import find_flip, smallest_change
from service.registry import Model

KINDS: dict[str, dict[str, Any]] = {
    "relu": {},
    "sigmoid": {"activation": "sigmoid", "initialization": "xavier", "dtype": "float64"},
    "improved_sigmoid": {"activation": "improved_sigmoid", "hidden_layers": (32,), "input_scaling": "range"},
    "logistic": {"model": "logistic", "classes": (3, 5), "hidden_layers": (8,)},
}


@pytest.fixture(params=KINDS)
def network(request: pytest.FixtureRequest, make_network: Callable[..., Model]) -> Model:
    return make_network(**KINDS[request.param])


@pytest.mark.slow
def test_shares_and_the_blank_page_sum_to_the_logit(network: Model, mnist: Dataset) -> None:
    function, row = network.function, network.parameters.astype(np.float64)
    blank = explain(network, ModelInputs.as_given(np.zeros((1, 28, 28), np.uint8)), digit=5)
    assert blank.bias == blank.logit and not blank.evidence.any()
    for index in range(30):
        found = explain(network, decode_pixels(mnist.test.images[index : index + 1]), digit=5)
        x = design_matrix(mnist.test.images[index : index + 1], np.float64, function.scaling)
        logits = function.output.class_values(function.logits(row[np.newaxis], x)[0, :, 0])
        np.testing.assert_allclose([*found.logits.values()], logits, rtol=1e-12, atol=1e-12)
        assert abs(found.sum - found.logit) <= 1e-12 * np.abs(found.evidence).sum()
        assert found.bias == pytest.approx(blank.logit) and not found.evidence[found.pixels == 0].any()
        assert (found.rule, found.baseline) == ("deeplift_rescale", "blank")


def test_the_units_of_a_layer_sum_to_the_logit_as_well(network: Model, mnist: Dataset) -> None:
    function, row = network.function, network.parameters.astype(np.float64)
    for index in range(10):
        x = design_matrix(mnist.test.images[index : index + 1], np.float64, function.scaling)
        found = function.attribute(row, x[0], 1)
        for shares, values, computed in zip(
            found.unit_shares, found.activations, function.activations(row, x), strict=True
        ):
            assert shares.sum() + found.constant == pytest.approx(found.logit, abs=1e-9)
            np.testing.assert_allclose(values, computed[0])
        said = explain(network, decode_pixels(mnist.test.images[index : index + 1])).units
        for layer, n_units in enumerate(network.manifest.config["hidden_layers"], 1):
            listed = [unit for unit in said if unit.layer == layer]
            assert len({unit.unit for unit in listed}) == min(16, n_units)
            sizes = [abs(unit.share) for unit in listed]
            assert sizes == sorted(sizes, reverse=True)


def test_why_one_and_not_the_other(network: Model, mnist: Dataset) -> None:
    """The evidence for 3 and not 5 is the difference of two explanations, but for a factor of a binary model."""
    inputs = decode_pixels(mnist.test.images[18:19])
    three, five = (explain(network, inputs, digit=digit) for digit in (3, 5))
    contrast, reverse = explain(network, inputs, digit=3, against=5), explain(network, inputs, digit=5, against=3)
    share = 0.5 if network.function.output.is_binary else 1.0
    np.testing.assert_allclose(contrast.evidence, share * (three.evidence - five.evidence), atol=1e-12)
    np.testing.assert_allclose(contrast.evidence, -reverse.evidence, atol=1e-12)
    assert contrast.logit == pytest.approx(share * (three.logit - five.logit), abs=1e-12)


@pytest.mark.slow
def test_a_flip_that_is_found_is_one(network: Model, mnist: Dataset) -> None:
    """At 50 images of each kind, 200 in all; it is about as near as the linearised problem says."""
    images, n_found, excess = mnist.test.images[:50], 0, []
    for image in images:
        flip = find_flip(network, image)
        if flip is None:
            continue
        n_found += 1
        label, flipped = (int(predict(network, each[np.newaxis])[0][0]) for each in (image, flip.pixels))
        assert label != flipped == flip.digit and flip.is_local
        change = flip.pixels.astype(np.float64) - image
        assert flip.distance == pytest.approx(np.linalg.norm(change))
        excess.append(flip.distance / np.linalg.norm(_gradient_search(network, image, flip.digit)))
    assert n_found >= 0.95 * len(images)
    assert np.median(excess) < 1.05


def _gradient_search(network: Model, image: Any, digit: int) -> Any:
    """Walk without much thought: linearise at where we are, and step just over the linear boundary, ten times."""
    function, row = network.function, network.parameters.astype(np.float64)
    places = [
        network.manifest.classes.index(label) for label in (digit, int(predict(network, image[np.newaxis])[0][0]))
    ]
    pixels = image.reshape(784).astype(np.float64)
    at = pixels.copy()
    for _ in range(10):
        x = np.append(at / function.scaling.divisor - function.scaling.shift, 1)
        logits = function.output.class_values(function.logits(row[np.newaxis], x[np.newaxis])[0, :, 0])
        gap = -float(function.output.contrast(logits, *places))
        if gap < 0:
            break
        slopes = function.output.class_values(function.slopes(row, x))[:784] / function.scaling.divisor
        step = smallest_change(at, function.output.contrast(slopes, *places), gap + 0.01)
        if step is None:
            break
        at += step
    return at - pixels
