"""Evaluations: every figure counted again by other means; and comparisons that know chance."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from math import comb
from pathlib import Path
from typing import Any
from weakref import ref

import numpy as np
import pytest

from service.bootstrap import shipped_models
from service.core import design_matrix
from service.datasets import About, Dataset, Datasets, load_dataset, read_upload
from service.errors import DatasetNotFound, InvalidInput
from service.inference import compare, evaluate, predict
from service.inference.comparison import mcnemar, paired, printed_p
from service.registry import Model, Registry
from service.stores import LocalStore

LINEAR = ["mnist-softmax", "mnist-2-vs-3"]


def load(name: str) -> Model:
    return Registry(LocalStore(shipped_models())).load(name, 1)


@pytest.fixture(params=[*LINEAR, "mnist-digits"])
def model(request: pytest.FixtureRequest) -> Model:
    return load(request.param)


def test_accuracy_and_digits_are_those_of_predictions(model: Model, mnist: Dataset) -> None:
    found = evaluate(model)
    chosen = np.isin(mnist.test.labels, model.manifest.classes)
    labels, table = predict(model, mnist.test.images[chosen])
    assert found.indices.tolist() == np.flatnonzero(chosen).tolist()
    assert (found.predicted == labels).all() and (found.true == mnist.test.labels[chosen]).all()
    assert (found.probability == table.max(axis=1)).all()
    assert found.accuracy == (labels == mnist.test.labels[chosen]).mean() > 0.9


def test_what_is_kept_has_the_name_of_its_data_and_none_of_its_images(tmp_path: Path, mnist: Dataset) -> None:
    labels = mnist.test.labels[:500]
    file = BytesIO()
    images = dict.fromkeys(("x_train", "x_test"), mnist.test.images[:500])
    np.savez(file, **images, y_train=labels, y_test=labels)
    upload = read_upload({"file": file.getvalue()}, None, limit_bytes=2**30)
    datasets = Datasets(LocalStore(tmp_path))
    opened = []
    for name in ("one", "other"):
        opened.append(ref(datasets.add(name, upload, About(title="", source="", licence=""))))
        model = load("mnist-softmax")
        manifest = replace(model.manifest, dataset={"name": name, "sha256": ""})
        assert evaluate(replace(model, manifest=manifest), datasets).dataset == name
    del datasets
    gc.collect()
    assert [dataset() for dataset in opened] == [None, None]


@pytest.mark.parametrize(
    "changes",
    [{"config": {"activation": "sigmoid"}}, {"config": {"input_scaling": "range"}}, {"certainty": None}],
    ids=str,
)
def test_the_same_weights_are_evaluated_anew_where_something_else_decides(changes: dict[str, Any]) -> None:
    """As of an ONNX or ``.npz`` file that is imported twice, as another function of the same matrices."""
    model = load("mnist-digits")
    manifest = model.manifest
    config = {**manifest.config, **changes.get("config", {})}
    other = replace(model, manifest=replace(manifest, **{**changes, "config": config}))
    first, second = evaluate(model), evaluate(other)
    labels, table = predict(other, load_dataset("mnist").test.images)
    assert (second.predicted == labels).all() and (second.probability == table.max(axis=1)).all()
    assert first.probability.tolist() != second.probability.tolist()


@pytest.mark.parametrize("kind", [*LINEAR, "mnist-digits", ("softmax", (7, 1, 4)), ("logistic", (3, 2))])
def test_the_loss_is_that_of_the_core(
    kind: str | tuple[object, ...], make_model: Callable[..., Model], mnist: Dataset
) -> None:
    model = load(kind) if isinstance(kind, str) else make_model(*kind)
    found = evaluate(model)
    x = design_matrix(mnist.test.images[found.indices], np.float64, model.function.scaling)
    logits = model.function.logits(model.parameters.astype(np.float64)[np.newaxis], x)
    y = np.array([model.manifest.classes.index(label) for label in found.true])
    expected = model.function.output.losses(logits / model.function.temperature, y).mean()
    assert found.loss.mean() == pytest.approx(expected, rel=1e-12)
    assert (found.loss >= 0).all()


def test_confusion_and_classes_agree(model: Model) -> None:
    found = evaluate(model)
    counts = found.confusion()
    for row, true in enumerate(found.classes):
        for column, predicted in enumerate(found.classes):
            assert counts[row, column] == ((found.true == true) & (found.predicted == predicted)).sum()
    for entry in found.per_class():
        is_true, is_told = found.true == entry["class"], found.predicted == entry["class"]
        assert entry["n_images"] == is_true.sum()
        assert entry["precision"] == pytest.approx(is_true[is_told].mean())
        assert entry["recall"] == pytest.approx(is_told[is_true].mean())
        harmonic = 2 / (1 / entry["precision"] + 1 / entry["recall"])
        assert entry["f1"] == pytest.approx(harmonic)


def test_the_order_of_classes_is_the_models(make_model: Callable[..., Model]) -> None:
    found = evaluate(make_model("softmax", (9, 1, 4)))
    assert found.classes == (9, 1, 4)
    assert set(found.true) == {1, 4, 9}
    assert found.confusion().sum(axis=1).tolist() == [(found.true == label).sum() for label in (9, 1, 4)]


def test_a_class_that_is_never_predicted_has_no_precision(make_model: Callable[..., Model]) -> None:
    model = make_model("softmax", (5, 6))
    weights = np.zeros_like(model.best)
    found = evaluate(replace(model, best=weights, last=weights))
    five, six = found.per_class()
    assert (five["recall"], six["precision"], six["recall"], six["f1"]) == (1, None, 0, 0)
    assert found.loss == pytest.approx(np.full(len(found.loss), np.log(2)))
    bins = found.calibration().bins  # at one half, which belongs to the bin that begins there
    assert [entry.n_images for entry in bins] == [0] * 5 + [len(found.true)] + [0] * 4
    assert found.calibration().expected_error == pytest.approx(abs(found.accuracy - 0.5))


def test_calibration_counts_every_image_once(model: Model) -> None:
    found = evaluate(model)
    calibration = found.calibration()
    bins, gaps = calibration.bins, 0.0
    assert len(bins) == 10 and sum(entry.n_images for entry in bins) == len(found.true)
    for entry in bins:
        inside = (found.probability >= entry.low) & (found.probability < entry.high)
        if entry.high == 1:
            inside |= found.probability == 1
        assert entry.n_images == inside.sum()
        if not inside.any():
            assert entry.mean_probability is entry.accuracy is None
            continue
        assert entry.mean_probability == pytest.approx(found.probability[inside].mean())
        assert entry.accuracy == pytest.approx(found.is_right[inside].mean())
        gaps += inside.mean() * abs((entry.accuracy or 0.0) - (entry.mean_probability or 0.0))
    assert calibration.expected_error == pytest.approx(gaps)
    assert 0 < calibration.expected_error < 0.05


def test_the_hardest_images_are_where_they_say(model: Model, mnist: Dataset) -> None:
    hardest = evaluate(model).hardest(20)
    losses = [image.loss for image in hardest]
    assert losses == sorted(losses, reverse=True) and losses[0] == evaluate(model).loss.max()
    for image in hardest:
        label, table = predict(model, mnist.test.images[[image.index]])
        assert (image.true, image.predicted) == (mnist.test.labels[image.index], label[0])
        assert image.probability == table[0].max()
        of_true = table[0][model.manifest.classes.index(image.true)]
        assert image.loss == pytest.approx(-np.log(of_true), rel=1e-4)
    assert evaluate(model).hardest(0) == []


def test_a_version_is_evaluated_once(model: Model) -> None:
    assert evaluate(model) is evaluate(load(model.manifest.name))


def test_data_that_are_gone(make_model: Callable[..., Model]) -> None:
    model = make_model()
    with pytest.raises(DatasetNotFound):
        evaluate(replace(model, manifest=replace(model.manifest, dataset={"name": "gone", "sha256": "0" * 64})))


@pytest.mark.parametrize(
    ("only_a", "only_b", "expected"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 1, 1.0), (0, 5, 2 / 32), (1, 8, 20 / 512), (10, 2, 158 / 4096)],
)
def test_mcnemar(only_a: int, only_b: int, expected: float) -> None:
    assert mcnemar(only_a, only_b) == mcnemar(only_b, only_a) == expected


def test_mcnemar_of_many() -> None:
    assert mcnemar(400, 450) == 2 * sum(comb(850, k) for k in range(401)) / 2**850
    assert 0 < mcnemar(4600, 5400) < 1e-14
    assert mcnemar(0, 10_000) == 0  # below the smallest of floats


@pytest.mark.parametrize(
    ("p", "printed"),
    [
        (0, "< 0.0001"),
        (0.0031, "= 0.0031"),
        (0.0494, "= 0.049"),
        (0.0499, "< 0.05"),
        (0.05, "= 0.05"),
        (0.726, "= 0.73"),
    ],
)
def test_a_p_that_is_significant_is_printed_as_one(p: float, printed: str) -> None:
    assert printed_p(p) == f"p {printed}"


def test_a_model_against_itself() -> None:
    model = load("mnist-softmax")
    (found,) = compare([model, model]).comparisons
    assert (found.accuracy_difference, found.loss_difference, found.p_value) == (0, 0, 1)
    low, high = found.accuracy_interval
    assert -0.001 < low < 0 < high < 0.001
    assert "10,000" in found.sentence


def test_models_that_share_two_classes() -> None:
    both = [load(name) for name in LINEAR]
    found = compare(both)
    assert (found.dataset, found.n_images, found.classes) == ("mnist", 2042, [2, 3])
    ten, two = found.models
    assert two.accuracy == evaluate(both[1]).accuracy
    true = evaluate(both[0]).true
    assert ten.accuracy == evaluate(both[0]).is_right[np.isin(true, [2, 3])].mean()
    (against,) = found.comparisons
    assert against.accuracy_difference == pytest.approx(two.accuracy - ten.accuracy)
    assert against.loss_difference == pytest.approx(two.loss - ten.loss)
    for name in ("accuracy", "loss"):
        low, high = getattr(against, f"{name}_interval")
        assert low < getattr(against, f"{name}_difference") < high
    assert against.sentence.startswith("mnist-2-vs-3/1 is better: ")
    (reverse,) = compare(both[::-1]).comparisons
    assert reverse.accuracy_difference == -against.accuracy_difference
    assert reverse.p_value == against.p_value
    assert (reverse.only_first_right, reverse.only_other_right) == (
        against.only_other_right,
        against.only_first_right,
    )


def test_models_with_no_images_in_common(make_model: Callable[..., Model]) -> None:
    with pytest.raises(InvalidInput, match="share no class"):
        compare([load("mnist-2-vs-3"), make_model("softmax", (7, 8))])


@pytest.mark.parametrize(("share_a", "share_b"), [(0.05, 0.05), (0.002, 0.006)])
def test_the_interval_covers_the_truth_as_often_as_it_says(share_a: float, share_b: float) -> None:
    rng = np.random.default_rng(0)
    n_images, n_covered, n_significant, n_trials = 1000, 0, 0, 1000
    losses = np.zeros(n_images)
    for _ in range(n_trials):
        one = rng.uniform(size=n_images)
        right_a = ~(one < share_b)  # only the other is right
        right_b = ~(one > 1 - share_a)
        found = paired("a", "b", (right_a, losses), (right_b, losses))
        low, high = found.accuracy_interval
        n_covered += low <= share_b - share_a <= high
        n_significant += found.p_value < 0.05
    assert 0.93 < n_covered / n_trials < 0.98
    if share_a == share_b:
        assert n_significant / n_trials < 0.05


def test_the_interval_is_that_of_half_an_image_more_in_each_cell() -> None:
    right_a, right_b = np.repeat([True, False, True, False], [40, 30, 5, 25]), np.repeat([True, False], [70, 30])
    right_b[70:75], right_b[75:] = False, False
    found = paired("a", "b", (right_a, np.zeros(100)), (right_b, np.zeros(100)))
    assert (found.only_first_right, found.only_other_right) == (5, 30)
    differences, counts = np.array([0, 1, -1, 0]), np.array([40, 30, 5, 25]) + 0.5
    mean = np.average(differences, weights=counts)
    error = np.sqrt(np.average((differences - mean) ** 2, weights=counts) / 102)
    assert found.accuracy_interval == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), abs=1e-4)


def test_what_chance_may_well_do_is_said_so() -> None:
    right = np.ones(100, bool)
    almost = right.copy()
    almost[:2] = False
    losses = np.zeros(100)
    assert "Neither is clearly better" in paired("a/1", "b/1", (right, losses), (almost, losses)).sentence
    almost[:20] = False
    assert paired("a/1", "b/1", (right, losses), (almost, losses)).sentence.startswith("a/1 is better: a/1 alone")
