"""Digits as pictures are recognised as well as MNIST's own images are."""

from __future__ import annotations

from types import ModuleType

import pytest

from service.core import Floats

MAX_LOSS = 0.02


@pytest.fixture(scope="module")
def weights(pictures: ModuleType) -> Floats:
    trained: Floats = pictures.train_model()
    return trained


@pytest.mark.parametrize(("kind", "n_digits"), [("nearest", 300), ("bicubic", 300), ("photograph", 150)])
def test_hundreds_of_digits_survive_as_pictures(
    kind: str, n_digits: int, pictures: ModuleType, weights: Floats
) -> None:
    outcome = pictures.measure(kind, weights, n_digits=n_digits)
    assert outcome.untouched > 0.88
    assert outcome.pictures > outcome.untouched - MAX_LOSS


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("kind", "n_digits"), [("nearest", 2000), ("bicubic", 2000), ("photograph", 500)])
def test_thousands_of_digits_survive_as_pictures(
    kind: str, n_digits: int, pictures: ModuleType, weights: Floats
) -> None:
    outcome = pictures.measure(kind, weights, n_digits=n_digits)
    assert outcome.untouched > 0.90
    assert outcome.pictures > outcome.untouched - MAX_LOSS
