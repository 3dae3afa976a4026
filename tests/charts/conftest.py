from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import settings

from service.charts import Curves

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")


@pytest.fixture(scope="session")
def make_curves() -> Callable[..., Curves]:
    """Make the curves of a run that improves: 20 steps from one check to the next."""

    def make(n_checks: int = 30, **changes: object) -> Curves:
        rng = np.random.default_rng(0)
        check_steps = 20 * np.arange(n_checks)
        steps = np.arange(20 * n_checks)
        values: dict[str, object] = {
            "check_steps": check_steps,
            "validation_loss": 0.3 + 2 * np.exp(-check_steps / 100),
            "validation_accuracy": 0.91 - 0.6 * np.exp(-check_steps / 100),
            "train_accuracy": 0.92 - 0.6 * np.exp(-check_steps / 100),
            "train_loss_steps": steps,
            "train_loss": 0.28 + 2 * np.exp(-steps / 100) + rng.gamma(2, 0.02, len(steps)),
            "best_step": 20 * (n_checks - 1) if n_checks else None,
            "batches_per_epoch": 156,
        }
        values |= changes
        values["checks"] = {
            name: values.pop(name) for name in ("validation_loss", "validation_accuracy", "train_accuracy")
        }
        return Curves(**values)  # type: ignore[arg-type]

    return make
