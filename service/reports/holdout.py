"""What using the test images as validation does: the stop is chosen by a holdout instead, and both are tested."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from service.core import TrainingConfig, train
from service.datasets import Dataset, select, split

from .report import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The weights with the lowest validation loss, which early stopping keeps, and what they do on the test images.

    ``n_images`` are the images that choose them, ``last_step`` is the last check of the run.
    """

    n_images: int
    step: int
    last_step: int
    loss: float
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """A run whose validation images are the test images, beside the same run with a holdout of the training part.

    Both train on the same images in the same order, so that their weights after each step are the same.
    """

    by_test: Chosen
    by_holdout: Chosen

    @classmethod
    def of(cls, run: Run, dataset: Dataset) -> Holdout:
        """Compare a run that has a check with `choose_by_holdout`."""
        last, best = run.job.latest, run.job.best
        if last is None or best is None:
            raise ValueError("a run that has succeeded has checks")
        by_test = Chosen(
            n_images=len(select(dataset, run.job.config)[1]),
            step=best.step,
            last_step=last.step,
            loss=best.validation_loss,
            accuracy=best.validation_accuracy,
        )
        return cls(by_test=by_test, by_holdout=choose_by_holdout(dataset, run.job.config))


@lru_cache(32)
def choose_by_holdout(dataset: Dataset, config: TrainingConfig) -> Chosen:
    """Train with the last images of the training part as validation; it needs no run, so it can be done before."""
    holdout = replace(config, validation="holdout")
    data = split(dataset, holdout)
    state = train(holdout, data).state
    if state.best_check is None or state.last_check is None:
        raise ValueError("a run of an epoch has checks")
    (x, columns), model = select(dataset, config)[1].arrays(config), config.build_model()
    logits = model.joint_logits(state.best[np.newaxis], x)
    return Chosen(
        n_images=len(data.y_validation),
        step=state.best_check.step,
        last_step=state.last_check.step,
        loss=float(model.output.losses(logits, columns).mean(dtype=np.float64)),
        accuracy=float(model.output.accuracy(logits, columns)[0]),
    )
