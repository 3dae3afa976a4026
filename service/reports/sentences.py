"""The answers of a report, written from its numbers: other numbers, other sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from service.charts import superscript

from .findings import Findings, GradientCheck
from .report import RunNumbers
from .spikes import Spikes

Answers = Mapping[str, Sequence[str]]


def answers(findings: Findings) -> Answers:
    """Return the sentences that answer each task."""
    return {
        "1a": [_gradient(findings.gradients[0])],
        "1b": [_gradient(findings.gradients[1])],
        "2b": [_loss(findings.in_order)],
        "2c": [_accuracy(findings.in_order)],
        "2d": _early_stopping(findings.in_order),
        "2e": _shuffling(findings),
        "3b": [_loss(findings.plain)],
        "3c": [_accuracy(findings.plain)],
        "3d": _overfitting(findings),
        "4a": [_gradient(findings.penalised_gradient)],
        "4b": _weights(findings),
        "4c": _accuracies(findings),
        "4d": _cost(findings),
        "4e": _norms(findings),
        "5": _agreement(findings),
    }


def key_sentences(findings: Findings) -> list[str]:
    """Return the most important sentences."""
    by_task = answers(findings)
    chosen = ("1b", "2d", "2e", "3c", "3d", "4d", "4e", "5")
    return [sentence for task in chosen for sentence in (by_task[task] if task == "2e" else by_task[task][:1])]


def _gradient(check: GradientCheck) -> str:
    penalty = f" with λ = {check.l2_penalty:g}" if check.l2_penalty else ""
    return (
        f"For {check.model} regression{penalty}, all {check.n_entries:,} entries of the gradient that training uses "
        f"were compared with central differences (h = {power(check.step_width)}, float64, {check.n_images} real "
        f"images, random weights): the largest error is {power(check.largest_error)}, where the largest entry is "
        f"{check.largest_gradient:.3g}, a relative error of {power(check.largest_relative_error)}."
    )


def _loss(run: RunNumbers) -> str:
    rise = run.last.validation_loss - run.best.validation_loss
    end = (
        f"it ends at {loss(run.last.validation_loss)}, {power(rise)} above its lowest"
        if rise > 0
        else "that is where it ends"
    )
    return (
        f"From ln {2 if run.model == 'logistic' else 10} = {loss(run.first_loss)} at zero weights, the validation loss "
        f"falls to {loss(run.best.validation_loss)} in epoch {run.best.epoch} (step {run.best.step:,}); {end}."
    )


def _accuracy(run: RunNumbers) -> str:
    return (
        f"At the last check, step {run.last.step:,}, {percent(run.last.validation_accuracy)} of the "
        f"{run.n_validation:,} validation images and {percent(run.last.train_accuracy)} of the {run.n_train:,} "
        "training images are classified correctly; the highest validation accuracy at any check is "
        f"{percent(run.highest_validation_accuracy)}."
    )


def _stop(run: RunNumbers) -> str:
    return f"epoch {run.last.epoch} (step {run.last.step:,}, epochs counted from 0)"


def _early_stopping(run: RunNumbers) -> list[str]:
    if not run.stopped_early:
        return [
            f"Early stopping does not fire in the {count(run.epochs_allowed, 'epoch')} of this run; its last "
            f"validation loss is {loss(run.last.validation_loss)}."
        ]
    return [
        f"Early stopping fires in {_stop(run)}, the {_ordinal(run.last.epoch + 1)} epoch, at a validation loss of "
        f"{loss(run.last.validation_loss)}: for {run.patience} checks in a row none was lower than the "
        f"{loss(run.best.validation_loss)} of step {run.best.step:,}."
    ]


def _shuffling(findings: Findings) -> list[str]:
    order, shuffled = findings.in_order, findings.shuffled
    difference = shuffled.last.epoch - order.last.epoch
    ends = [f"fires in {_stop(run)}" if run.stopped_early else "does not fire" for run in (shuffled, order)]
    later = "later" if difference > 0 else "earlier"
    apart = f"{count(abs(difference), 'epoch')} {later}" if difference else "in the same epoch"
    aside = f": {apart} with it" if shuffled.stopped_early and order.stopped_early else ""
    noise = findings.in_order_noise / findings.shuffle_noise if findings.shuffle_noise else float("inf")
    sentences = [
        f"With shuffling early stopping {ends[0]}, without it {ends[1]}{aside}; from check to check the accuracy "
        f"moves by {points(findings.in_order_noise)} (s.d.) without shuffling and by {points(findings.shuffle_noise)} "
        f"with it, {f'{noise:.1f} times less' if noise >= 1 else f'{1 / noise:.1f} times more'}."
    ]
    if findings.spikes is None:
        return [
            *sentences,
            "The run is too short for a check to follow the same batch twice, so no regular spikes are visible.",
        ]
    return [*sentences, *_spikes(findings.spikes)]


def _spikes(spikes: Spikes) -> list[str]:
    kind = "drop" if spikes.height < 0 else "peak"
    where = "that same batch" if spikes.batch == spikes.checked_batch else f"batch {spikes.batch}"
    labels = sorted(set(spikes.labels))
    recovery = (
        f", half of which is reversed {count(spikes.steps_to_recover, 'step')} later" if spikes.steps_to_recover else ""
    )
    shares = listed([f"{spikes.labels.count(label)} images of {label}" for label in labels])
    return [
        f"Without shuffling there is a {kind} of {points(spikes.height)} at the check after batch "
        f"{spikes.checked_batch} of the epoch, seen {spikes.n_seen} times from step {spikes.first_step:,} on.",
        f"It recurs every {spikes.period} steps, the least common multiple of the "
        f"{count(spikes.check_interval, 'step')} from check to check and the "
        f"{count(spikes.batches_per_epoch, 'batch')} of an epoch: only then does a check follow the same batch again.",
        f"The cause is {where}: in one more epoch with a check after every step, its step alone moves the accuracy by "
        f"{signed(spikes.change)} percentage points{recovery}. It has {shares}, of which the weights before it "
        f"misclassify {len(spikes.wrong)} (a typical batch: {spikes.usual_wrong:g}), and its loss is "
        f"{loss(spikes.loss)}, that of a typical batch {loss(spikes.usual_loss)}; {percent(spikes.wrong_loss_share)} "
        "of that loss comes from the misclassified images, so they determine the direction of this step.",
    ]


def _overfitting(findings: Findings) -> list[str]:
    gap, plain = findings.overfitting, findings.plain
    blocks = f"means of {count(gap.n_checks_a_block, 'check')}"
    growth = (
        f"There is no step from which it keeps growing to the end ({blocks})"
        if gap.grows_from is None
        else f"It keeps growing from step {gap.grows_from:,} on ({blocks}, none smaller than the one before)"
    )
    sign = "" if gap.positive_from is None else f", and is always above 0 from step {gap.positive_from:,} on"
    higher = "validation accuracy is still" if gap.last_gap < 0 else "training accuracy is"
    return [
        f"The gap between training and validation accuracy goes from {signed(gap.first_gap)} to "
        f"{signed(gap.last_gap)} percentage points, so that at the end {higher} the higher one. {growth}{sign}.",
        f"The validation loss is lowest at step {plain.best.step:,} of {plain.last.step:,}: "
        + (
            "it has stopped improving, and more training only fits the training images."
            if plain.stopped_early
            else "early stopping has not fired, so that the overfitting does not cost validation loss yet."
        ),
    ]


def _weights(findings: Findings) -> list[str]:
    plain, strongest = findings.softmax[:2]
    free, penalised = findings.looks
    smoother, likelier = penalised.neighbours > free.neighbours, penalised.mean_images > free.mean_images
    return [
        f"With λ = {strongest.l2_penalty:g} the norm of the weights is {strongest.norm:.3f}, without a penalty "
        f"{plain.norm:.3f}. The weights are {'smoother' if smoother else 'no smoother'} with it: those of neighbouring "
        f"pixels correlate by {penalised.neighbours:.3f} instead of {free.neighbours:.3f}.",
        f"They are {'more' if likelier else 'no more'} like the mean image of each digit, less the mean of all: the "
        f"correlation is {penalised.mean_images:.2f} with the penalty and {free.mean_images:.2f} without."
        + (
            " A weight that helps few images does not outweigh its penalty, so the remaining weights are what most "
            "images have in common."
            if smoother and likelier
            else ""
        ),
    ]


def _accuracies(findings: Findings) -> list[str]:
    by_penalty = sorted(findings.softmax, key=lambda run: run.l2_penalty)
    rises = [
        f"from λ = {a.l2_penalty:g} to λ = {b.l2_penalty:g}"
        for a, b in pairwise(by_penalty)
        if a.last.validation_accuracy < b.last.validation_accuracy
    ]
    each = [f"{percent(run.last.validation_accuracy)} at λ = {run.l2_penalty:g}" for run in findings.softmax]
    ends = [f"λ = {run.l2_penalty:g} in epoch {run.last.epoch}" for run in findings.softmax if run.stopped_early]
    return [
        f"The validation accuracy ends at {listed(each)}: it falls as the penalty rises"
        f"{f', except {listed(rises)}' if rises else ''}.",
        f"Early stopping ended {listed(ends) if ends else 'none of these runs'}.",
    ]


def _cost(findings: Findings) -> list[str]:
    plain = findings.plain.best.validation_accuracy
    costs = [(plain - run.best.validation_accuracy, run.l2_penalty) for run in findings.softmax[1:]]
    (most, dearest), (least, cheapest) = max(costs), min(costs)
    if len(costs) == 1:
        return [f"At the lowest validation loss, λ = {dearest:g} {_costs(most)}."]
    return [f"At the lowest validation loss, λ = {dearest:g} {_costs(most)}, and λ = {cheapest:g} {_costs(least)}."]


def _costs(cost: float) -> str:
    return f"{'costs' if cost > 0 else 'gains'} {points(cost)} of accuracy" if cost else "costs nothing"


def _norms(findings: Findings) -> list[str]:
    by_penalty = sorted(findings.softmax, key=lambda run: run.l2_penalty)
    falls = all(a.norm > b.norm for a, b in pairwise(by_penalty))
    each = [f"{run.norm:.3f} at λ = {run.l2_penalty:g}" for run in by_penalty]
    return [f"The norm {'falls' if falls else 'does not fall'} with every larger penalty: {listed(each)}."]


def _agreement(findings: Findings) -> list[str]:
    rows = findings.comparison
    if not rows:
        return ["Nothing was published with these options, so there is nothing to compare with."]
    agreeing = sum(row.agrees for row in rows)
    met = f"{agreeing} of {len(rows)} published numbers are met within their tolerance"
    if findings.options["quick"]:
        return [f"{met}. A quick report trains fewer epochs, so differences are expected."]
    apart = [f"{row.quantity} ({row.note})" if row.note else row.quantity for row in rows if not row.agrees]
    return [f"{met}. The others are: {'; '.join(apart)}." if apart else f"{met}."]


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def percent(share: float) -> str:
    """Write a share, 97.9%."""
    return f"{100 * share:.2f}%"


def points(difference: float) -> str:
    """Write the size of a difference of shares: 1.23 percentage points."""
    size = f"{100 * abs(difference):.2f}"
    return f"{size} percentage point{'' if size == '1.00' else 's'}"


def signed(difference: float) -> str:
    """Write a difference of shares with its sign, in percentage points: −1.76."""
    return f"{100 * difference:+.2f}".replace("-", "−")


def loss(value: float) -> str:
    """Write a loss with four decimals."""
    return f"{value:.4f}"


def power(value: float) -> str:
    """Write a small number as 1.2 × 10⁻¹⁰."""
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa} × 10{superscript(int(exponent))}"


def count(number: int, noun: str) -> str:
    """Write how many there are: 1 step, 1,038 steps."""
    plural = noun + ("es" if noun.endswith("tch") else "s")
    return f"{number:,} {noun if number == 1 else plural}"


def listed(words: Sequence[str]) -> str:
    """Join as in a sentence: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
