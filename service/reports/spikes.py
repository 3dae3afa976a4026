"""The cause of regular spikes in the accuracy of a run without shuffling: one batch, and the period of its checks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from service.core import CheckReport, Floats, Schedule, TrainingData, TrainingState, train
from service.datasets import Dataset, split

from .report import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Spikes:
    """The most regular spike of a run in file order, and the batch that causes it.

    Attributes
    ----------
    period : steps from one spike to the next, lcm(check interval, batches per epoch).
    first_step : the first check at which the spike is marked; earlier ones are hidden by the first descent.
    checked_batch : the batch of the epoch before the check that shows the spike.
    height : mean of accuracy minus that of the two checks beside it, over all marked spikes.
    replayed : validation accuracy after each step of one more epoch, which was trained from the last weights.
    batch : the batch in the interval before that check after which the accuracy moves furthest.
    images : its images, as places among the run's training images.
    labels : of these images.
    wrong : places in the batch of the images that the weights before it misclassify.
    loss, usual_loss : mean cross-entropy of the batch before its step, and the median over all batches.
    wrong_loss_share : the fraction of that loss due to the misclassified images.
    steps_to_recover : the number of further steps of that epoch after which half of the change is reversed.
    """

    check_interval: int
    batches_per_epoch: int
    period: int
    first_step: int
    n_seen: int
    checked_batch: int
    height: float
    replayed: Sequence[float]
    batch: int
    change: float
    images: Sequence[int]
    labels: Sequence[int]
    wrong: Sequence[int]
    loss: float
    usual_loss: float
    usual_wrong: float
    wrong_loss_share: float
    steps_to_recover: int | None


def find_spikes(run: Run, dataset: Dataset) -> Spikes | None:
    """Find the spike that recurs most, and replay an epoch to measure the effect of each batch.

    None is returned if the run is too short for a check to follow the same batch twice.
    """
    config = run.job.config
    data = split(dataset, config)
    schedule = Schedule.of(config, len(data.y_train))
    interval, batches = schedule.check_interval, schedule.batches_per_epoch
    period = math.lcm(interval, batches)
    first_step, n_seen, height = _most_regular(run, period)
    if n_seen < 2:
        return None
    losses, accuracies, weights = _replay(run, data, schedule)
    checked_batch = first_step % batches
    changes = np.diff(accuracies)  # accuracies[0] is that before the first batch
    window = [(checked_batch - back) % batches for back in range(interval)]
    batch = max(window, key=lambda b: abs(changes[b]) if changes[b] * height > 0 else 0.0)
    images = list(range(batch * schedule.batch_size, (batch + 1) * schedule.batch_size))
    shares = [_true_class(run, data, before, b, schedule) for b, before in enumerate(weights)]
    n_wrong = [int((share < 0.5).sum()) for share in shares]
    image_losses = -np.log(np.maximum(shares[batch], np.finfo(np.float32).tiny))
    wrong = np.flatnonzero(shares[batch] < 0.5)
    return Spikes(
        check_interval=interval,
        batches_per_epoch=batches,
        period=period,
        first_step=first_step,
        n_seen=n_seen,
        checked_batch=checked_batch,
        height=height,
        replayed=accuracies[1:].tolist(),
        batch=batch,
        change=float(changes[batch]),
        images=images,
        labels=[config.classes[column] for column in data.y_train[images]],
        wrong=wrong.tolist(),
        loss=float(losses[batch]),
        usual_loss=float(np.median(losses)),
        usual_wrong=float(np.median(n_wrong)),
        wrong_loss_share=float(image_losses[wrong].sum() / image_losses.sum()),
        steps_to_recover=_steps_to_recover(accuracies, batch),
    )


def _most_regular(run: Run, period: int) -> tuple[int, int, float]:
    """Return the first step of the strongest spike, how often it is seen, and its mean height."""
    steps, accuracy = run.curves.check_steps, run.curves.checks["validation_accuracy"]
    if len(steps) < 3 or steps[-1] < 2 * period:
        return 0, 0, 0.0
    heights = accuracy[1:-1] - (accuracy[:-2] + accuracy[2:]) / 2
    at = steps[1:-1]
    found = []
    for phase in np.unique(at % period):
        same = (at >= period) & (at % period == phase)
        if same.sum() >= 2:
            # The weakest occurrence distinguishes a spike that always recurs from a single one.
            found.append((float(np.abs(heights[same]).min()), int(at[same][0]), heights[same]))
    _, first_step, seen = max(found, key=lambda entry: entry[0])
    return first_step, len(seen), float(seen.mean())


def _replay(run: Run, data: TrainingData, schedule: Schedule) -> tuple[Floats, Floats, list[Floats]]:
    """Continue training from the last weights for one whole epoch, checking after every step.

    Returns
    -------
    losses : (n_batches,), the loss of each batch before its step.
    accuracies : (n_batches + 1,), validation accuracy before the first batch and after each.
    weights : those before each batch.
    """
    next_step = int(run.curves.train_loss_steps[-1]) + 1
    epoch = schedule.epoch_of(next_step - 1) + 1
    config = replace(
        run.job.config,
        patience=None,
        epochs=epoch + 1,
        checks_per_epoch=schedule.batches_per_epoch,
    )
    reports: list[CheckReport] = []
    state = TrainingState.at_start(run.last, None, next_step=next_step)
    train(config, data, on_check=reports.append, resume_from=state)
    n = schedule.batches_per_epoch
    accuracies = [report.check.validation_accuracy for report in reports[-n - 1 :]]
    before = [report.state.last for report in reports[-n - 1 : -1]]
    if len(reports) == n:  # the run had ended with an epoch
        model = config.build_model()
        logits = model.joint_logits(run.last[np.newaxis], data.x_validation)
        accuracies.insert(0, float(model.output.accuracy(logits, data.y_validation)[0]))
        before.insert(0, run.last)
    losses = [report.check.train_loss for report in reports[-n:]]
    return np.array(losses), np.array(accuracies), before


def _steps_to_recover(accuracies: Floats, batch: int) -> int | None:
    change = accuracies[batch + 1] - accuracies[batch]
    after = (accuracies[batch + 2 :] - accuracies[batch]) / (change or 1)
    recovered = np.flatnonzero(after < 0.5)
    return int(recovered[0]) + 1 if len(recovered) else None


def _true_class(run: Run, data: TrainingData, weights: Floats, batch: int, schedule: Schedule) -> Floats:
    """Return the predicted probability of the true class of each image of a batch; below 1/2 it is misclassified."""
    images = slice(batch * schedule.batch_size, (batch + 1) * schedule.batch_size)
    y = data.y_train[images]
    return run.job.config.build_model().probabilities(weights, data.x_train[images])[np.arange(len(y)), y]
