"""A training together with all that it told while it went on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from service.core import Check, CheckReport, Floats, TrainingConfig, TrainingData, TrainingResult, train_stack


@dataclass(frozen=True, slots=True)
class Recording:
    config: TrainingConfig
    data: TrainingData
    reports: list[CheckReport]
    result: TrainingResult

    @property
    def checks(self) -> list[Check]:
        return [report.check for report in self.reports]

    @property
    def lowest_loss(self) -> float:
        return min(check.validation_loss for check in self.checks)

    def metrics(self) -> Any:
        """Epoch, step, losses and accuracies: (n_checks, 6)."""
        return np.array([list(asdict(check).values()) for check in self.checks])


def record_stack(configs: Sequence[TrainingConfig], data: TrainingData, **options: Any) -> list[Recording]:
    """Train a stack; ``options`` are those of `train_stack`."""
    reports: list[list[CheckReport]] = [[] for _ in configs]
    results = train_stack(configs, data, on_check=lambda r: reports[r.member].append(r), **options)
    return [Recording(*parts) for parts in zip(configs, [data] * len(configs), reports, results, strict=True)]


def record(config: TrainingConfig, data: TrainingData, **options: Any) -> Recording:
    """Train one run; ``resume_from`` is one state."""
    if "resume_from" in options:
        options["resume_from"] = [options["resume_from"]]
    return record_stack([config], data, **options)[0]


def matrix(config: TrainingConfig, row: Floats) -> Floats:
    """The parameters of a linear model as (n_inputs, n_outputs)."""
    return config.build_model().layout.views(row)["W"]


def after(n_steps: int) -> Callable[[int], bool]:
    """Stop a run that is alone once it has made so many steps."""
    asked = iter(range(10_000))
    return lambda member: next(asked) == n_steps


def assert_agreement(stacked: Recording, alone: Recording) -> None:
    """The same weights to the bit, and the same checks: losses within two millionths, accuracies within one image.

    The products of checks are as wide as the stack, and not every BLAS rounds all widths alike.
    """
    for which in ("best", "last"):
        np.testing.assert_array_equal(getattr(stacked.result.state, which), getattr(alone.result.state, which))
    metrics, expected = stacked.metrics(), alone.metrics()
    assert metrics.shape == expected.shape
    one_training_image, one_validation_image = 1 / len(alone.data.y_train), 1 / len(alone.data.y_validation)
    tolerances = np.array([0, 0, 0, one_training_image, 2e-6, one_validation_image]) + 1e-12
    largest = np.abs(metrics - expected).max(axis=0)
    assert (largest <= tolerances).all(), largest
