"""The L2 penalty: three conventions, each by its formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from service.core import FORMULAS, HYPERPARAMETERS, Floats, TrainingConfig
from service.core.training import decay
from tests.core.recording import matrix
from tests.core.reference import penalty


def decay_of(config: TrainingConfig) -> Floats:
    """The factor of each row of the weights of one output, (785,)."""
    return matrix(config, decay(config, config.build_model()))[:, 0]


every_convention = pytest.mark.parametrize("convention", FORMULAS)


def test_every_convention_states_its_formula() -> None:
    (row,) = [row for row in HYPERPARAMETERS if row.name == "l2_convention"]
    assert tuple(FORMULAS) == tuple(row.choices)


@every_convention
@pytest.mark.parametrize("l2_penalty", [0.0, 0.3])
def test_decay_times_the_weights_is_the_gradient_of_the_formula(convention: Any, l2_penalty: float) -> None:
    config = TrainingConfig(l2_penalty=l2_penalty, l2_convention=convention, dtype="float64")
    w = np.random.default_rng(5).normal(size=785)
    moves = 1e-3 * np.eye(785)
    above = np.array([penalty(w + move, l2_penalty, convention) for move in moves])
    below = np.array([penalty(w - move, l2_penalty, convention) for move in moves])
    np.testing.assert_allclose(decay_of(config) * w, (above - below) / 2e-3, rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_decay_is_of_the_dtype_of_the_run(dtype: Any) -> None:
    assert decay_of(TrainingConfig(dtype=dtype, l2_penalty=1)).dtype == dtype


@every_convention
def test_the_equivalent_penalty_pulls_the_pixels_as_hard(convention: Any) -> None:
    config = TrainingConfig(l2_penalty=0.5, l2_convention=convention)
    same = TrainingConfig(l2_penalty=config.equivalent_squared_penalty)
    np.testing.assert_array_equal(decay_of(config)[:784], decay_of(same)[:784])
    assert config.equivalent_squared_penalty == {"half_squared": 0.25}.get(convention, 0.5)
