"""The cause of regular spikes in the accuracy of a run without shuffling: one batch, and the period of its checks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from service.charts import Curves
from service.core import CheckReport, Floats, Schedule, TrainingData, TrainingState, train
from service.datasets import Dataset, split
from service.inference import SIGNIFICANT

from .report import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Spikes:
    """The most regular spike of a run in file order, and the batch that causes it.

    Attributes
    ----------
    period : steps from one spike to the next, lcm(check interval, batches per epoch).
    first_step : the first marked check: from here on all go the same way. Earlier ones are hidden by the first descent.
    n_seen : the marked checks, at least half of all that follow the same batch.
    checked_batch : the batch of the epoch before the check that shows the spike.
    smallest, height, largest : accuracy minus the mean of that at the two checks beside it, at the marked checks: that
        nearest to 0, the mean and that furthest from 0. All have the same sign.
    replayed : validation accuracy after each step of one more epoch, which was trained from the last weights.
    classes : the two of the run; a positive logit stands for the first.
    batch : the batch in the interval before that check after which the accuracy moves furthest in that direction.
    change : of the validation accuracy by its step.
    logit_change : of the mean validation logit of the positive class by its step.
    images : its images, as places among the run's training images.
    labels : of these images.
    wrong : places in the batch of the images that the weights before it misclassify.
    loss, usual_loss : mean cross-entropy of the batch before its step, and the median over all batches.
    wrong_loss_share : the fraction of that loss due to the misclassified images.
    wrong_step_share : the fraction of its step due to them, g_wrong . g / g . g with g the gradient of the batch.
    newly_wrong : the classes of the validation images that are misclassified after its step and were not before.
    newly_right : those of the images that were misclassified before its step and are not after it.
    steps_to_recover : the number of further steps of that epoch after which half of the change is reversed.
    """

    check_interval: int
    batches_per_epoch: int
    period: int
    first_step: int
    n_seen: int
    checked_batch: int
    smallest: float
    height: float
    largest: float
    replayed: Sequence[float]
    classes: Sequence[int]
    batch: int
    change: float
    logit_change: float
    images: Sequence[int]
    labels: Sequence[int]
    wrong: Sequence[int]
    loss: float
    usual_loss: float
    usual_wrong: float
    wrong_loss_share: float
    wrong_step_share: float
    newly_wrong: Sequence[int]
    newly_right: Sequence[int]
    steps_to_recover: int | None

    @property
    def is_cause(self) -> bool:
        """Whether the step of the batch makes at least half of the mean spike."""
        return abs(self.change) >= abs(self.height) / 2

    @property
    def wrong_labels(self) -> list[int]:
        """The labels of the images that the weights before it misclassify."""
        return [self.labels[place] for place in self.wrong]


def find_spikes(run: Run, dataset: Dataset) -> Spikes | None:
    """Find the spike that recurs most, and replay an epoch to measure the effect of each batch.

    None is returned if no check twice follows the same batch with a deviation of the same sign, or if no step of the
    interval before it moves the accuracy in that direction.
    """
    config = run.job.config
    data = split(dataset, config)
    schedule = Schedule.of(config, len(data.y_train))
    interval, batches = schedule.check_interval, schedule.batches_per_epoch
    period = math.lcm(interval, batches)
    recurrence = most_regular(run.curves, period)
    if recurrence is None:
        return None
    first_step, heights = recurrence
    sign = float(np.sign(heights[0]))
    losses, accuracies, weights = _replay(run, data, schedule)
    checked_batch = first_step % batches
    changes = np.diff(accuracies)  # accuracies[0] is that before the first batch
    batch = max(((checked_batch - back) % batches for back in range(interval)), key=lambda b: changes[b] * sign)
    if changes[batch] * sign <= 0:
        return None
    images = list(range(batch * schedule.batch_size, (batch + 1) * schedule.batch_size))
    shares = [_true_class(run, data, before, b, schedule) for b, before in enumerate(weights[:-1])]
    image_losses = -np.log(np.maximum(shares[batch], np.finfo(np.float32).tiny))
    wrong = np.flatnonzero(shares[batch] < 0.5)
    model, x, y = config.build_model(), data.x_train[images], data.y_train[images]
    before, after = (model.joint_logits(weights[at][np.newaxis], data.x_validation)[0, 0] for at in (batch, batch + 1))
    was_right, is_right = ((logits > 0) == (data.y_validation == 0) for logits in (before, after))
    towards = model.loss_and_gradient(weights[batch][np.newaxis], x, y)[1][0].astype(np.float64)
    part = np.zeros_like(towards)
    if len(wrong):
        part = model.loss_and_gradient(weights[batch][np.newaxis], x[wrong], y[wrong])[1][0] * (len(wrong) / len(y))
    size = np.abs(heights)
    return Spikes(
        check_interval=interval,
        batches_per_epoch=batches,
        period=period,
        first_step=first_step,
        n_seen=len(heights),
        checked_batch=checked_batch,
        smallest=float(heights[size.argmin()]),
        height=float(heights.mean()),
        largest=float(heights[size.argmax()]),
        replayed=accuracies[1:].tolist(),
        classes=config.classes,
        batch=batch,
        change=float(changes[batch]),
        logit_change=float((after - before).mean()),
        images=images,
        labels=[config.classes[column] for column in data.y_train[images]],
        wrong=wrong.tolist(),
        loss=float(losses[batch]),
        usual_loss=float(np.median(losses)),
        usual_wrong=float(np.median([(share < 0.5).sum() for share in shares])),
        wrong_loss_share=float(image_losses[wrong].sum() / image_losses.sum()),
        wrong_step_share=float(part @ towards / (towards @ towards)),
        newly_wrong=[config.classes[column] for column in data.y_validation[was_right & ~is_right]],
        newly_right=[config.classes[column] for column in data.y_validation[is_right & ~was_right]],
        steps_to_recover=_steps_to_recover(accuracies, batch),
    )


def most_regular(curves: Curves, period: int) -> tuple[int, Floats] | None:
    """Return the first step of the strongest spike and its heights, or None if none recurs.

    Of the checks that follow the same batch, the longest run to the end counts in which all deviate from the mean of
    their two neighbours in the same direction. It must hold two checks and half of all, and its mean must be more than
    chance explains. The weakest of them decides how strong the spike is, which distinguishes one that always recurs
    from a single one.
    """
    steps, accuracy = curves.check_steps, curves.checks["validation_accuracy"]
    if len(steps) < 3:
        return None
    heights, at = accuracy[1:-1] - (accuracy[:-2] + accuracy[2:]) / 2, steps[1:-1]
    strongest, weakest = None, 0.0
    later, phases = at >= period, np.unique(at % period)
    for phase in phases:
        here = later & (at % period == phase)
        signs = np.sign(heights[here])
        if len(signs) < 2:
            continue
        others = np.flatnonzero(signs != signs[-1])
        start = int(others[-1]) + 1 if len(others) else 0
        seen = heights[here][start:]
        regular = len(seen) >= max(2, len(signs) / 2) and np.abs(seen).min() > weakest
        if regular and _is_more_than_chance(seen, heights[later & ~here], n_tests=len(phases)):
            strongest, weakest = (int(at[here][start]), seen), float(np.abs(seen).min())
    return strongest


def _is_more_than_chance(heights: Floats, others: Floats, *, n_tests: int) -> bool:
    """Test the mean of some heights against those of all other checks: a two-sided z-test, one of ``n_tests``."""
    if len(others) < 2:
        return False
    deviation = float(others.std()) / math.sqrt(len(heights))
    return deviation == 0 or n_tests * math.erfc(abs(float(heights.mean())) / deviation / math.sqrt(2)) < SIGNIFICANT


def _replay(run: Run, data: TrainingData, schedule: Schedule) -> tuple[Floats, Floats, list[Floats]]:
    """Continue training from the last weights for one whole epoch, checking after every step.

    Returns
    -------
    losses : (n_batches,), the loss of each batch before its step.
    accuracies : (n_batches + 1,), validation accuracy before the first batch and after each.
    weights : (n_batches + 1,), as those.
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
    weights = [report.state.last for report in reports[-n - 1 :]]
    if len(reports) == n:  # the run had ended with an epoch
        model = config.build_model()
        logits = model.joint_logits(run.last[np.newaxis], data.x_validation)
        accuracies.insert(0, float(model.output.accuracy(logits, data.y_validation)[0]))
        weights.insert(0, run.last)
    losses = [report.check.train_loss for report in reports[-n:]]
    return np.array(losses), np.array(accuracies), weights


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
