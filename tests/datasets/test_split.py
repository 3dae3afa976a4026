"""The images that a configuration selects, and the errors of one that does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from service.core import TrainingConfig, design_matrix
from service.datasets import Dataset, LabelledImages, select, select_unseen, split
from service.errors import InvalidField


def labelled(labels: list[int], first_grey: int) -> LabelledImages:
    """Images whose every pixel is their position: ``first_grey`` for the first, then one more each."""
    greys = np.arange(first_grey, first_grey + len(labels), dtype=np.uint8)
    images = np.broadcast_to(greys[:, None, None], (len(labels), 28, 28))
    return LabelledImages(np.array(labels, np.uint8), lambda: images)


@pytest.fixture
def small() -> Dataset:
    return Dataset(
        name="small",
        title="",
        source="",
        licence="",
        class_names=("0", "1", "2"),
        training=labelled([0, 1, 2, 0, 1, 2, 2, 1, 0, 2], first_grey=0),
        test=labelled([2, 2, 0, 1, 0, 1], first_grey=100),
        sha256="0" * 64,
    )


def config(**changes: Any) -> TrainingConfig:
    settings = {"classes": (0, 1, 2), "batch_size": 1, "train_size": 6, "validation_size": 3}
    return TrainingConfig.from_dict(settings | changes)


def greys(x: np.ndarray) -> list[int]:
    return np.rint((x[:, 0] + 1) * 127.5).astype(int).tolist()


def test_the_first_images_are_taken_and_then_filtered(small: Dataset) -> None:
    data = split(small, config(classes=(2, 0)))
    assert greys(data.x_train) == [0, 2, 3, 5]
    assert data.y_train.tolist() == [1, 0, 1, 0]
    assert greys(data.x_validation) == [100, 101, 102]
    assert data.y_validation.tolist() == [0, 0, 1]
    assert data.y_train.dtype == data.y_validation.dtype == np.int64


def test_logistic_targets_are_columns_too(small: Dataset) -> None:
    data = split(small, config(model="logistic", classes=(2, 1)))
    assert greys(data.x_train) == [1, 2, 4, 5]
    assert data.y_train.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"train_size": 6}, [7, 8, 9]),
        ({"train_size": 6, "classes": (0, 2)}, [8, 9]),
        ({"train_size": 6, "start_from": "another/1"}, [100, 101, 102]),  # which may have been trained on the others
        ({"train_size": 8}, [100, 101, 102]),
        ({"train_size": 4, "validation": "holdout"}, [4, 5, 6]),
        ({"train_size": 5, "validation": "holdout"}, [7, 8, 9]),
    ],
)
def test_what_is_measured_after_a_run_was_not_trained_on(
    small: Dataset, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], expected: list[int]
) -> None:
    """The last training images that are left, if they are enough; else the validation images."""
    monkeypatch.setitem(select_unseen.__globals__, "_N_UNSEEN", 3)  # the module has the name of a function
    found, part = select_unseen(small, settings := config(**changes))
    assert part == ("test" if min(expected) >= 100 else "training")
    assert found.images[:, 0, 0].tolist() == expected
    labels = dict(enumerate([0, 1, 2, 0, 1, 2, 2, 1, 0, 2])) | {100: 2, 101: 2, 102: 0}
    assert [settings.classes[place] for place in found.columns] == [labels[grey] for grey in expected]


def test_holdout_is_the_end_of_the_training_part(small: Dataset) -> None:
    data = split(small, config(validation="holdout"))
    assert greys(data.x_train) == [0, 1, 2, 3, 4, 5]
    assert greys(data.x_validation) == [7, 8, 9]
    assert data.y_validation.tolist() == [1, 0, 2]


def test_no_train_size_means_all_that_are_not_held_out(small: Dataset) -> None:
    assert len(select(small, config(train_size=None))[0]) == 10
    data = split(small, config(train_size=None, validation="holdout"))
    assert greys(data.x_train) == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scaling_is_the_cores(small: Dataset, dtype: str) -> None:
    data = split(small, config(dtype=dtype))
    assert data.x_train.dtype == data.x_validation.dtype == dtype
    np.testing.assert_array_equal(data.x_train, design_matrix(small.training.images[:6], dtype))


@pytest.mark.parametrize(
    ("changes", "field", "allowed"),
    [
        ({"train_size": 11}, "train_size", "a whole number from 1 to 10"),
        ({"train_size": 8, "validation": "holdout"}, "train_size", "a whole number from 1 to 7"),
        ({"validation_size": 7}, "validation_size", "a whole number from 1 to 6"),
        ({"validation_size": 10, "validation": "holdout"}, "validation_size", "a whole number from 1 to 9"),
        ({"batch_size": 7}, "batch_size", "a whole number from 1 to 6"),
        ({"batch_size": 5, "classes": (0, 1)}, "batch_size", "a whole number from 1 to 4"),
        ({"classes": (0, 7)}, "classes", "0, 1, 2"),
        ({"train_size": 2}, "train_size", "large enough to contain every class at least once, at most 10"),
        (
            {"classes": (0, 1), "validation_size": 2},
            "validation_size",
            "large enough to contain a class at least once, at most 6",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_its_range(
    small: Dataset, changes: dict[str, Any], field: str, allowed: str
) -> None:
    for check in (select, split):
        with pytest.raises(InvalidField) as refusal:
            check(small, config(**changes))
        assert refusal.value.field == field
        assert refusal.value.allowed == allowed


@pytest.mark.parametrize("changes", [{"train_size": 10}, {"validation_size": 6}, {"batch_size": 6}])
def test_the_ends_of_the_ranges_fit(small: Dataset, changes: dict[str, Any]) -> None:
    data = split(small, config(**changes))
    assert list(map(len, select(small, config(**changes)))) == [len(data.x_train), len(data.x_validation)]


def test_the_course_reports_counts(mnist: Dataset) -> None:
    logistic = TrainingConfig(model="logistic", classes=(2, 3))
    assert list(map(len, select(mnist, logistic))) == [4_005, 2_042]
    assert list(map(len, select(mnist, TrainingConfig()))) == [20_000, 10_000]


def test_planning_reads_no_images(mnist: Dataset) -> None:
    def refuse() -> np.ndarray:
        raise AssertionError("images were read")

    blind = Dataset(
        name="blind",
        title="",
        source="",
        licence="",
        class_names=mnist.class_names,
        training=LabelledImages(mnist.training.labels, refuse),
        test=LabelledImages(mnist.test.labels, refuse),
        sha256=mnist.sha256,
    )
    assert len(select(blind, TrainingConfig())[0]) == 20_000


def test_the_real_split_is_the_real_images(mnist: Dataset) -> None:
    pair = {
        "model": "logistic",
        "classes": (3, 2),
        "train_size": 200,
        "validation_size": 100,
        "batch_size": 16,
    }
    data = split(mnist, TrainingConfig.from_dict(pair))
    where = np.flatnonzero(np.isin(mnist.training.labels[:200], (2, 3)))
    np.testing.assert_array_equal(data.x_train, design_matrix(mnist.training.images[where]))
    np.testing.assert_array_equal(data.y_train, np.where(mnist.training.labels[where] == 3, 0, 1))
