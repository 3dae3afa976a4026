"""The course's second assignment: what its staff's own code finds, and what Inkling finds over several seeds.

    python -m benchmarks.assignment [--seeds N] [--quick]

The first 20,000 training images, all test images as validation, batches of 32, learning rate 0.1, or 0.02 with momentum
0.9, at most 50 epochs, 5 checks an epoch, patience 50. The staff's numbers are of one seed of another random stream, so
they must lie within what the seeds find; each is marked that does not.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from threadpoolctl import threadpool_limits

from service.core import TrainingConfig, TrainingResult, train
from service.datasets import load_dataset, split

SIGMOID = {"hidden_layers": [64], "activation": "sigmoid", "initialization": "uniform"}
XAVIER = {**SIGMOID, "initialization": "xavier"}
IMPROVED = {**XAVIER, "activation": "improved_sigmoid"}
MOMENTUM = {**IMPROVED, "momentum": 0.9, "learning_rate": 0.02}

ROWS: dict[str, tuple[dict[str, Any], tuple[float, ...]]] = {
    "784-64-10, sigmoid, uniform": (SIGMOID, (29_875, 0.2949, 0.9176, 0.2924, 0.983)),
    "+ xavier": (XAVIER, (29_000, 0.1365, 0.9596, 0.1349, 0.9997)),
    "+ improved sigmoid": (IMPROVED, (12_375, 0.1408, 0.9639, 0.1294, 1.0)),
    "+ momentum": (MOMENTUM, (9_000, 0.1587, 0.9604, 0.1428, 1.0)),
    "all of them, 32 units": ({**MOMENTUM, "hidden_layers": [32]}, (9_500, 0.2283, 0.9479, 0.1885, 0.996)),
    "all of them, 128 units": ({**MOMENTUM, "hidden_layers": [128]}, (10_875, 0.1236, 0.9704, 0.1162, 1.0)),
    "all of them, 59-59": ({**MOMENTUM, "hidden_layers": [59, 59]}, (9_750, 0.1664, 0.9640, 0.1458, 1.0)),
    "ten layers of 64, 10 epochs": (
        {**MOMENTUM, "hidden_layers": [64] * 10, "epochs": 10},
        (6_249, 0.2022, 0.9493, 0.2014, 0.972),
    ),
}
"""Hyperparameters, and the staff's numbers in the order of `COLUMNS`."""

COLUMNS = ("step", "validation loss", "validation accuracy", "lowest loss", "training accuracy")

COMMON = {
    **{"model": "softmax", "learning_rate": 0.1, "momentum": 0.0, "learning_rate_schedule": "constant"},
    **{"input_scaling": "standard", "augmentation": "none", "batch_size": 32, "patience": 50},
}


def config_of(row: str, seed: int, *, quick: bool = False) -> TrainingConfig:
    """Return the configuration of a run of the table; quick ones see a tenth of the images, twice."""
    small = {"train_size": 2_000, "validation_size": 1_000, "epochs": 2} if quick else {}
    return TrainingConfig.from_dict({**COMMON, **ROWS[row][0], "seed": seed, **small})


def numbers_of(result: TrainingResult) -> tuple[float, ...]:
    """Return what `COLUMNS` names, of the end of a run."""
    last, best = result.state.last_check, result.state.best_check
    if last is None or best is None:
        raise SystemExit("A run ended before its first check.")
    accuracies = last.validation_accuracy, last.train_accuracy
    return last.step, last.validation_loss, accuracies[0], best.validation_loss, accuracies[1]


def measured(row: str, seeds: int, *, quick: bool) -> Iterator[tuple[float, ...]]:
    """Yield the numbers of a run for each seed."""
    with threadpool_limits(limits=1), ThreadPoolExecutor(1) as helper:
        for seed in range(seeds):
            config = config_of(row, seed, quick=quick)
            yield numbers_of(train(config, split(load_dataset("mnist"), config), helper=helper))


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small runs of one seed: to see that it works")
    arguments = parser.parse_args()
    for row, (_, staff) in ROWS.items():
        print(row, flush=True)
        found = list(measured(row, 1 if arguments.quick else arguments.seeds, quick=arguments.quick))
        for column, theirs, ours in zip(COLUMNS, staff, zip(*found, strict=True), strict=True):
            form = ",.0f" if column == "step" else ".4f"
            outside = "" if arguments.quick or min(ours) <= theirs <= max(ours) else "   OUTSIDE"
            print(f"  {column:20} staff {theirs:{form}}   Inkling {min(ours):{form}} to {max(ours):{form}}{outside}")


if __name__ == "__main__":
    main()
