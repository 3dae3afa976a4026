"""Calibration: temperatures that are known are found, and change probabilities alone."""

from __future__ import annotations

import numpy as np
import pytest

from service.core import DIGITS, MODELS, Certainty, TrainingConfig, build_model
from service.core.certainty import MIN_IMAGES, REFUSED_FRACTION


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.5])
def test_the_temperature_by_which_logits_were_multiplied_is_found(name: str, temperature: float) -> None:
    """Labels are drawn by the probabilities of logits, which are then made surer, or less sure, than that."""
    rng, output = np.random.default_rng(3), MODELS[name].output
    logits = rng.normal(0, 2, (1, output.n_outputs(10 if name == "softmax" else 2), 20_000))
    table = output.probabilities(logits)[0]
    y = (table.cumsum(axis=0) < rng.random(table.shape[1])).sum(axis=0)
    found = Certainty.measure(output, temperature * logits[0], y)
    assert found is not None
    assert found.temperature == pytest.approx(temperature, rel=0.03)
    sure = output.probabilities(temperature * logits / found.temperature)[0]
    right = sure.max(axis=0)[sure.argmax(axis=0) == y]
    assert np.mean(right < found.unsure_below) == pytest.approx(REFUSED_FRACTION, abs=1e-3)
    assert Certainty.measure(output, logits[0, :, : MIN_IMAGES - 1], y[: MIN_IMAGES - 1]) is None


def test_a_temperature_changes_no_logit_and_1_changes_no_bit() -> None:
    config = TrainingConfig(hidden_layers=(16,))
    plain, calibrated = (build_model("softmax", DIGITS, config.to_dict()) for _ in range(2))
    row = plain.initial(np.random.default_rng(0)).astype(np.float32)
    x = np.random.default_rng(1).normal(0, 1, (5, DIGITS.n_inputs)).astype(np.float32)
    logits = plain.image_logits(row, x)
    assert plain.probabilities(row, x).tobytes() == plain.output.probabilities(logits)[:, :, 0].tobytes()
    calibrated.temperature = 2.0
    assert calibrated.image_logits(row, x).tobytes() == logits.tobytes()
    assert calibrated.probabilities(row, x).tobytes() == plain.output.probabilities(logits / 2)[:, :, 0].tobytes()
    assert len(calibrated.operations()) == len(plain.operations()) + 1
    steps = [step.to_dict() for step in calibrated.operations()]
    assert steps[-2] == {"kind": "scale", "divisor": 2.0, "shift": 0.0}
