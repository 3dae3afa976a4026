"""Inkling as its worker trains: a stack, BLAS on one thread, a helper for the checks, every check reported."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from threadpoolctl import threadpool_limits

from benchmarks.peers.task import Curve, Task
from service.core import CheckReport, train_stack


def prepare(task: Task) -> Callable[[], list[Curve]]:
    """Read the data; return the training."""
    data, configs = task.data(), task.configs()

    def train() -> list[Curve]:
        reports: list[list[CheckReport]] = [[] for _ in configs]
        with threadpool_limits(limits=1), ThreadPoolExecutor(1) as helper:
            results = train_stack(
                configs, data, on_check=lambda report: reports[report.member].append(report), helper=helper
            )
        return [
            Curve(
                n_steps=result.state.next_step,
                checks=[
                    (r.check.validation_loss, r.check.validation_accuracy, r.check.train_accuracy) for r in of_member
                ],
            )
            for result, of_member in zip(results, reports, strict=True)
        ]

    return train
