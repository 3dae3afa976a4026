"""The estimators keep scikit-learn's promises, and are the service's own training."""

from __future__ import annotations

import doctest
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import service.sklearn
from service.core import TrainingConfig, TrainingData, design_matrix, train
from service.datasets import Dataset
from service.sklearn import LogisticRegression, SoftmaxRegression

NOT_HERE = {
    "check_array_api_input": "array API is not supported",
    "check_classifier_data_not_an_array": "needs pandas",
}


@parametrize_with_checks(
    [
        SoftmaxRegression(epochs=30),
        LogisticRegression(epochs=30),
        SoftmaxRegression(epochs=30, hidden_layers=(16,), random_state=0),
    ]
)  # type: ignore[untyped-decorator]
def test_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    if check.func.__name__ not in NOT_HERE:
        check(estimator)


def test_it_is_the_training_of_the_service(mnist: Dataset) -> None:
    images, labels = mnist.training.images[:1000], mnist.training.labels[:1000]
    estimator = SoftmaxRegression(
        learning_rate=0.01, batch_size=128, epochs=3, l2_penalty=0.01, shuffle=False, pixel_max=255
    ).fit(images.reshape(-1, 784), labels)
    config = TrainingConfig(
        learning_rate=0.01, epochs=3, l2_penalty=0.01, shuffle=False, dtype="float64", train_size=None, patience=None
    )
    x, y = design_matrix(images, np.float64), labels.astype(np.int64)
    row = train(config, TrainingData(x_train=x, y_train=y, x_validation=x, y_validation=y)).state.best
    weights = config.build_model().layout.views(row)["W"]
    np.testing.assert_allclose(estimator.coef_, weights[:784].T, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(estimator.intercept_, weights[784], rtol=1e-9, atol=1e-12)
    assert estimator.score(mnist.test.images.reshape(-1, 784), mnist.test.labels) > 0.7


@pytest.mark.parametrize("kind", [SoftmaxRegression, LogisticRegression])
def test_two_classes_of_any_name(kind: Any, mnist: Dataset) -> None:
    chosen = np.isin(mnist.training.labels[:4000], (2, 3))
    images = mnist.training.images[:4000][chosen].reshape(-1, 784)
    names = np.where(mnist.training.labels[:4000][chosen] == 2, "two", "three")
    estimator = kind(pixel_max=255, learning_rate=0.05, epochs=50, patience=10, validation_fraction=0.2, random_state=0)
    estimator.fit(images, names)
    assert estimator.n_iter_ < 50
    assert estimator.score(images, names) > 0.95
    told = np.where(estimator.decision_function(images) > 0, "two", "three")
    np.testing.assert_array_equal(told, estimator.predict(images))
    np.testing.assert_array_equal(clone(estimator).fit(images, names).coef_, estimator.coef_)


def test_in_a_pipeline() -> None:
    generator = np.random.default_rng(0)
    y = generator.integers(0, 3, 300)
    X = generator.normal(size=(300, 5)) + np.eye(3, 5)[y] * 5
    scores = cross_val_score(make_pipeline(StandardScaler(), SoftmaxRegression(random_state=0)), X, y)
    assert scores.mean() > 0.95


def test_hyperparameters_may_be_numbers_of_numpy(mnist: Dataset) -> None:
    X, y = mnist.training.images[:600].reshape(-1, 784), mnist.training.labels[:600]
    grid = {
        "epochs": np.arange(1, 3),
        "learning_rate": np.array([0.1, 0.05]),
        "hidden_layers": [(), np.array([8, 4]), (np.int64(6),)],
        "shuffle": np.array([True]),
    }
    found = GridSearchCV(SoftmaxRegression(pixel_max=255, random_state=0), grid, cv=2, error_score="raise").fit(X, y)
    assert len(found.cv_results_["params"]) == 12 and found.best_score_ > 0.5
    config = SoftmaxRegression(epochs=np.int64(2), pixel_max=255, random_state=0, learning_rate=np.float32(0.125))
    plain = SoftmaxRegression(epochs=2, pixel_max=255, random_state=0, learning_rate=0.125)
    np.testing.assert_array_equal(config.fit(X, y).coef_, plain.fit(X, y).coef_)


@pytest.mark.parametrize("kind", [SoftmaxRegression, LogisticRegression])
def test_weights_of_hidden_layers_give_the_decisions(kind: Any, mnist: Dataset) -> None:
    chosen = np.isin(mnist.training.labels[:4000], (2, 3))
    X, y = mnist.training.images[:4000][chosen].reshape(-1, 784)[:, :700], mnist.training.labels[:4000][chosen]
    estimator = kind(pixel_max=255, hidden_layers=[12, 5], epochs=10, random_state=0).fit(X, y)
    assert estimator.score(X, y) > 0.9 and not hasattr(estimator, "coef_")
    assert [matrix.shape[0] for matrix in estimator.coefs_] == [700, 12, 5]
    a = 2 * X.astype(np.float64) / 255 - 1
    for matrix, bias in zip(estimator.coefs_[:-1], estimator.intercepts_[:-1], strict=True):
        a = np.maximum(a @ matrix + bias, 0)
    z = a @ estimator.coefs_[-1] + estimator.intercepts_[-1]
    decision = -z[:, 0] if kind is LogisticRegression else z[:, 1] - z[:, 0]
    np.testing.assert_allclose(estimator.decision_function(X), decision, atol=1e-9)
    np.testing.assert_allclose(estimator.predict_proba(X)[:, 1], 1 / (1 + np.exp(-decision)), atol=1e-9)
    assert hasattr(estimator.set_params(hidden_layers=()).fit(X, y), "coef_") and not hasattr(estimator, "coefs_")


def test_samples_held_out_calibrate_the_probabilities(mnist: Dataset) -> None:
    X, y = mnist.training.images[:2000].reshape(-1, 784), mnist.training.labels[:2000]
    estimator = SoftmaxRegression(pixel_max=255, validation_fraction=0.25, random_state=0).fit(X, y)
    assert estimator.temperature_ != 1
    powers = np.exp(estimator.decision_function(X) / estimator.temperature_)
    np.testing.assert_allclose(estimator.predict_proba(X), powers / powers.sum(axis=1, keepdims=True), atol=1e-9)


def test_what_cannot_be_is_said() -> None:
    X, y = np.zeros((20, 3)), np.arange(20) % 2
    for parameters, words in (
        ({"learning_rate": 50}, "learning_rate: .* Allowed: "),
        ({"validation_fraction": 1.0}, "validation_fraction"),
    ):
        with pytest.raises(ValueError, match=words):
            SoftmaxRegression(**parameters).fit(X, y)
    with pytest.raises(ValueError, match="784"):
        SoftmaxRegression().fit(np.zeros((20, 785)), y)
    with pytest.raises(ValueError, match="classes"):
        SoftmaxRegression().fit(X, np.arange(20))


def test_the_example() -> None:
    assert doctest.testmod(service.sklearn).failed == 0
