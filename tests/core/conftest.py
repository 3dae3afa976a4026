"""Trainings on the real data, each made once a session however many tests look at it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from service.core import TrainingConfig, TrainingData
from service.datasets import Dataset, split
from tests.core.recording import Recording, record_stack


@pytest.fixture(scope="session")
def data_for(mnist: Dataset) -> Callable[[TrainingConfig], TrainingData]:
    """The arrays of a configuration; configurations that may be stacked share them."""
    made: dict[object, TrainingData] = {}

    def find(config: TrainingConfig) -> TrainingData:
        key = (
            config.classes,
            config.train_size,
            config.validation,
            config.validation_size,
            config.dtype,
            config.input_scaling,
        )
        if key not in made:
            made[key] = split(mnist, config)
        return made[key]

    return find


@pytest.fixture(scope="session")
def trained(data_for: Callable[[TrainingConfig], TrainingData]) -> Callable[..., tuple[Recording, ...]]:
    """``trained(config, ...)``: these runs, trained as one stack on MNIST."""

    @cache
    def find(*configs: TrainingConfig) -> tuple[Recording, ...]:
        return tuple(record_stack(configs, data_for(configs[0])))

    return find
