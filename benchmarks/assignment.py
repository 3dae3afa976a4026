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

from threadpoolctl import threadpool_limits

from service.core import TrainingConfig, TrainingResult, train
from service.datasets import load_dataset, split
from service.reports.networks import COLUMNS, NETWORKS, values_of

ROWS = {key: planned for key, planned in NETWORKS.items() if planned.staff}


def config_of(row: str, seed: int, *, quick: bool = False) -> TrainingConfig:
    """Return the configuration of a run of the table; quick ones see a tenth of the images, four times."""
    return TrainingConfig.from_dict(values_of(row, seed, quick=quick))


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
    for row, planned in ROWS.items():
        print(planned.title, flush=True)
        found = list(measured(row, 1 if arguments.quick else arguments.seeds, quick=arguments.quick))
        for column, theirs, ours in zip(COLUMNS, planned.staff, zip(*found, strict=True), strict=True):
            form = ",.0f" if column == "last step" else ".4f"
            outside = "" if arguments.quick or min(ours) <= theirs <= max(ours) else "   OUTSIDE"
            print(f"  {column:20} staff {theirs:{form}}   Inkling {min(ours):{form}} to {max(ours):{form}}{outside}")


if __name__ == "__main__":
    main()
