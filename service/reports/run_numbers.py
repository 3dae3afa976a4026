"""How one run of a report ended, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

from service.core import norm
from service.datasets import load_dataset, plan_split

from .runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a validation check found."""

    epoch: int
    step: int
    validation_loss: float
    validation_accuracy: float
    train_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNumbers:
    """How one run ended. ``norm`` is the Frobenius norm of its last weights, bias row included."""

    job: str
    model: str
    l2_penalty: float
    shuffle: bool
    epochs_allowed: int
    batches_per_epoch: int
    stopped_early: bool
    patience: int | None
    n_train: int
    n_validation: int
    first_loss: float
    last: Measured
    best: Measured
    highest_validation_accuracy: float
    norm: float


def numbers_of(run: Run) -> RunNumbers:
    """Return how a run ended."""
    job, curves = run.job, run.curves
    plan = plan_split(load_dataset(job.dataset), job.config)
    if job.latest is None or job.best is None or curves.batches_per_epoch is None:
        raise ValueError("a run that has succeeded has checks")
    names = Measured.__dataclass_fields__
    return RunNumbers(
        job=job.id,
        model=job.config.model,
        l2_penalty=run.l2_penalty,
        shuffle=job.config.shuffle,
        epochs_allowed=job.config.epochs,
        batches_per_epoch=curves.batches_per_epoch,
        stopped_early=curves.stop_step is not None,
        patience=job.config.patience,
        n_train=plan.n_train,
        n_validation=plan.n_validation,
        first_loss=float(curves.train_loss[0]),
        last=Measured(**{name: getattr(job.latest, name) for name in names}),
        best=Measured(**{name: getattr(job.best, name) for name in names}),
        highest_validation_accuracy=float(curves.validation_accuracy.max()),
        norm=norm(run.last),
    )
