"""The runs of the second assignment, each an improvement of the one before, and what its staff's own code finds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COMMON = {
    **{"model": "softmax", "learning_rate": 0.1, "momentum": 0.0, "learning_rate_schedule": "constant", "epochs": 50},
    **{"input_scaling": "standard", "augmentation": "none", "batch_size": 32, "patience": 50},
}
QUICK = {"train_size": 2_000, "validation_size": 1_000, "epochs": 4}

_SIGMOID = {"hidden_layers": (64,), "activation": "sigmoid", "initialization": "uniform"}
_XAVIER = {**_SIGMOID, "initialization": "xavier"}
_IMPROVED = {**_XAVIER, "activation": "improved_sigmoid"}
_MOMENTUM = {**_IMPROVED, "momentum": 0.9, "learning_rate": 0.02}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """A run: its title and its hyperparameters besides `COMMON`.

    Parameters
    ----------
    beside : the key of the run that it is compared with, to which it adds one thing.
    as_base : what its network is, beside one that adds something else.
    staff : the staff's numbers in the order of `COLUMNS`.
    """

    title: str
    values: Mapping[str, Any]
    beside: str = "momentum"
    as_base: str = ""
    staff: tuple[float, ...] = ()


COLUMNS = ("last step", "validation loss", "validation accuracy", "lowest validation loss", "training accuracy")
"""Of the last check, but for the lowest loss."""

NETWORKS: Mapping[str, PlannedRun] = {
    "uniform": PlannedRun(
        title="64 sigmoid units with uniform weights",
        values=_SIGMOID,
        beside="",
        as_base="64 sigmoid units with uniform weights",
        staff=(29_875, 0.2949, 0.9176, 0.2924, 0.983),
    ),
    "xavier": PlannedRun(
        title="Xavier initialization added",
        values=_XAVIER,
        beside="uniform",
        as_base="sigmoid units with Xavier initialization",
        staff=(29_000, 0.1365, 0.9596, 0.1349, 0.9997),
    ),
    "improved": PlannedRun(
        title="improved sigmoid added",
        values=_IMPROVED,
        beside="xavier",
        as_base="the improved sigmoid with Xavier initialization",
        staff=(12_375, 0.1408, 0.9639, 0.1294, 1.0),
    ),
    "momentum": PlannedRun(
        title="momentum added",
        values=_MOMENTUM,
        beside="improved",
        as_base="64 units",
        staff=(9_000, 0.1587, 0.9604, 0.1428, 1.0),
    ),
    "32": PlannedRun(
        title="32 units", values={**_MOMENTUM, "hidden_layers": (32,)}, staff=(9_500, 0.2283, 0.9479, 0.1885, 0.996)
    ),
    "128": PlannedRun(
        title="128 units", values={**_MOMENTUM, "hidden_layers": (128,)}, staff=(10_875, 0.1236, 0.9704, 0.1162, 1.0)
    ),
    "59-59": PlannedRun(
        title="two layers of 59",
        values={**_MOMENTUM, "hidden_layers": (59, 59)},
        staff=(9_750, 0.1664, 0.9640, 0.1458, 1.0),
    ),
    "ten": PlannedRun(
        title="ten layers of 64",
        values={**_MOMENTUM, "hidden_layers": (64,) * 10, "epochs": 10},
        staff=(6_249, 0.2022, 0.9493, 0.2014, 0.972),
    ),
    "augmented": PlannedRun(title="augmentation added", values={**_MOMENTUM, "augmentation": "soft"}),
}
"""All that stand after the fourth have its improvements. Source of the numbers: one run each with seed 1."""


def values_of(key: str, seed: int, *, quick: bool) -> dict[str, Any]:
    """Return the hyperparameters of a run."""
    return {**COMMON, **NETWORKS[key].values, "seed": seed, **(QUICK if quick else {})}
