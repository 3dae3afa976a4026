"""The answers of a report, written from its findings: other numbers, other sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from service.inference import SIGNIFICANT, printed_p

from .claims import TESTED_STEP
from .findings import Findings, GradientCheck
from .report import RunNumbers
from .wording import count, listed, loss, ordinal, percent, points, power

Answers = Mapping[str, Sequence[str]]


def answers(findings: Findings) -> Answers:
    """Return the sentences that answer each task."""
    seeds = findings.over_seeds
    return {
        "1a": [gradient_sentence(findings.gradients[0])],
        "1b": [gradient_sentence(findings.gradients[1])],
        "2b": findings.in_order_loss.sentences,
        "2c": [accuracy_sentence(findings.in_order)],
        "2d": [*early_stopping_sentences(findings.in_order), *findings.holdout.sentences],
        "2e": _shuffling(findings),
        "3b": findings.softmax_loss.sentences,
        "3c": [accuracy_sentence(findings.plain)],
        "3d": [*findings.gap.sentences, *([seeds.gap_sentence] if seeds else []), *_end_of_loss(findings.plain)],
        "4a": [gradient_sentence(findings.penalised_gradient)],
        "4b": _weights(findings),
        "4c": _accuracies(findings),
        "4d": [*_costs(findings), *(seeds.cost_sentences if seeds else [])],
        "4e": [findings.norm_trend.words("The norm of the last weights"), *_slopes(findings)],
        "5": _agreement(findings),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a statement of the seed report holds for these runs, and by how much."""

    task: str
    statement: str
    holds: bool
    by: str


def verdicts(findings: Findings) -> list[Verdict]:
    """Return what the seed report says, each with whether it holds here."""
    order, shuffled, spikes, weights = findings.in_order, findings.shuffled, findings.spikes, findings.weights
    early, trend = findings.gap.tests[0], findings.accuracy_trend
    earlier = order.last.epoch - shuffled.last.epoch
    falls = [a > b for a, b in pairwise(trend.values)]
    smoother = weights.penalised.neighbours - weights.plain_as_long.neighbours
    found = [
        Verdict(
            task="2e",
            statement="With shuffling, training ends earlier.",
            holds=earlier > 0,
            by=f"epoch {shuffled.last.epoch} against {order.last.epoch}",
        ),
        Verdict(
            task="2e",
            statement="Without shuffling, the accuracy has regular spikes.",
            holds=spikes is not None,
            by=f"{points(spikes.height)} on average, {spikes.n_seen} times" if spikes else "none recurs",
        ),
        Verdict(
            task="4b",
            statement="A penalty makes the weights smoother.",
            holds=smoother > 0,
            by=f"correlation of neighbours {weights.penalised.neighbours:.3f}, without a penalty after as many steps "
            f"{weights.plain_as_long.neighbours:.3f}",
        ),
        Verdict(
            task="4c",
            statement="The larger the penalty, the lower the accuracy.",
            holds=all(falls),
            by=f"{sum(falls)} of {count(len(falls), 'increase')} of the penalty lower it; {trend.printed[0]} at "
            f"λ = {trend.penalties[0]:g}, {trend.printed[-1]} at λ = {trend.penalties[-1]:g}",
        ),
    ]
    if len(findings.gap.tests) > 1:  # the run is long enough
        found.insert(
            2,
            Verdict(
                task="3d",
                statement=f"The validation accuracy is significantly lower after {TESTED_STEP:,} steps.",
                holds=early.gap > 0 and early.p < SIGNIFICANT,
                by="; ".join(
                    f"{points(test.gap)} {'lower' if test.gap >= 0 else 'higher'} at step {test.step:,}, "
                    f"{printed_p(test.p)}"
                    for test in findings.gap.tests
                ),
            ),
        )
    if findings.slopes:
        found.append(
            Verdict(
                task="4e",
                statement="The norm is inversely proportional to the penalty.",
                holds=findings.slopes.proportional,
                by=f"slopes {listed([f'{slope:.2f}'.replace('-', '−') for slope in findings.slopes.slopes])}, not −1"
                if not findings.slopes.proportional
                else "all slopes are −1",
            )
        )
    return found


def key_sentences(findings: Findings) -> list[str]:
    """Return the most important sentences."""
    by_task = answers(findings)
    chosen = ("1b", "2d", "2e", "3c", "3d", "4d", "4e", "5")
    return [sentence for task in chosen for sentence in (by_task[task] if task == "2e" else by_task[task][:1])]


def gradient_sentence(check: GradientCheck) -> str:
    """Write how far training's gradient is from central differences."""
    penalty = f" with λ = {check.l2_penalty:g}" if check.l2_penalty else ""
    if check.n_entries == check.n_parameters:
        what = f"For {check.model} regression{penalty}, all {check.n_entries:,} entries"
    else:
        what = f"For the network of {check.n_layers} layers of weights, {check.n_entries:,} of {check.n_parameters:,} "
        what += "entries, some of every layer,"
    return (
        f"{what} of the gradient that training uses "
        f"were compared with central differences (h = {power(check.step_width)}, float64, {check.n_images} real "
        f"images, random weights): the largest error is {power(check.largest_error)}, where the largest entry is "
        f"{check.largest_gradient:#.3g}, a relative error of {power(check.largest_relative_error)}."
    )


def accuracy_sentence(run: RunNumbers) -> str:
    """Write the accuracies of the last check, and the highest."""
    return (
        f"At the last check, step {run.last.step:,}, {percent(run.last.validation_accuracy)} of the "
        f"{run.n_validation:,} validation images and {percent(run.last.train_accuracy)} of the {run.n_train:,} "
        "training images are classified correctly; the highest validation accuracy at any check is "
        f"{percent(run.highest_validation_accuracy)}."
    )


def early_stopping_sentences(run: RunNumbers) -> list[str]:
    """Write where early stopping ended a run, or that it did not."""
    if not run.stopped_early:
        return [
            f"Early stopping does not end this run within its {count(run.epochs_allowed, 'epoch')}; its last "
            f"validation loss is {loss(run.last.validation_loss)}."
        ]
    return [
        f"Early stopping ends the run in epoch {run.last.epoch} (step {run.last.step:,}, epochs counted from 0), the "
        f"{ordinal(run.last.epoch + 1)} epoch, at a validation loss of {loss(run.last.validation_loss)}: at "
        f"none of the last {run.patience} checks was it lower than the {loss(run.best.validation_loss)} of step "
        f"{run.best.step:,}."
    ]


def _shuffling(findings: Findings) -> list[str]:
    order, shuffled = findings.in_order, findings.shuffled
    difference = shuffled.last.epoch - order.last.epoch
    if not order.stopped_early and not shuffled.stopped_early:
        ends = "Early stopping ends neither run."
    else:
        with_it, without = (
            f"in epoch {run.last.epoch} (step {run.last.step:,})" if run.stopped_early else "not at all"
            for run in (shuffled, order)
        )
        apart = f"{count(abs(difference), 'epoch')} {'later' if difference > 0 else 'earlier'} with shuffling"
        aside = (
            f": {apart if difference else 'in the same epoch'}"
            if order.stopped_early and shuffled.stopped_early
            else ""
        )
        ends = (
            f"Early stopping ends the run with shuffling {with_it} and the run without it {without}, epochs counted "
            f"from 0{aside}."
        )
    with_it, without = (loss(run.best.validation_loss) for run in (shuffled, order))
    lowest = f"{with_it} with it and " + ("without" if with_it == without else f"{without} without")
    losses = (
        f"Over the last {count(findings.in_order_loss.n_last, 'step')} of each run the mean training loss is "
        f"{loss(findings.shuffled_loss.last_training)} with shuffling and {loss(findings.in_order_loss.last_training)} "
        f"without; the lowest validation loss is {lowest}."
    )
    noise = findings.fluctuation.sentences if findings.fluctuation else []
    spikes = (
        findings.spikes.sentences if findings.spikes else ["No spike recurs with the epochs in the run in file order."]
    )
    over_seeds = [findings.over_seeds.stop_sentence] if findings.over_seeds else []
    return [ends, *over_seeds, losses, *noise, *spikes]


def _end_of_loss(run: RunNumbers) -> list[str]:
    if run.best.step == run.last.step:
        return ["The validation loss is lowest at the last check."]
    return [
        f"The validation loss is lowest at step {run.best.step:,} of {run.last.step:,}; early stopping "
        f"{'has ended the run' if run.stopped_early else 'has not ended the run'}."
    ]


def _weights(findings: Findings) -> list[str]:
    plain, strongest = findings.softmax[:2]
    return [
        f"The norm of the last weights is {strongest.norm:.3f} with λ = {strongest.l2_penalty:g} and {plain.norm:.3f} "
        "without a penalty.",
        *findings.weights.sentences,
    ]


def _accuracies(findings: Findings) -> list[str]:
    runs = sorted(findings.softmax, key=lambda run: run.l2_penalty)
    ends = [f"with λ = {run.l2_penalty:g} in epoch {run.last.epoch}" for run in runs if run.stopped_early]
    return [
        findings.accuracy_trend.words("The validation accuracy at the last check"),
        f"Early stopping ended the run{'s' if len(ends) > 1 else ''} {listed(ends)}."
        if ends
        else "Early stopping ended none of these runs.",
    ]


def _costs(findings: Findings) -> list[str]:
    costs = sorted(findings.costs, key=lambda cost: cost.l2_penalty)
    each = (
        "Against the run without a penalty, each at its lowest validation loss, validation and training accuracy "
        f"change, in percentage points, by {listed([cost.words for cost in costs])}."
    )
    underfitting = [f"λ = {cost.l2_penalty:g}" for cost in costs if cost.underfits]
    which = "every penalty" if len(underfitting) == len(costs) > 1 else listed(underfitting)
    why = (
        [f"With {which} the training images are classified less well too: what the penalty costs is underfitting."]
        if underfitting
        else []
    )
    return [each, *why]


def _slopes(findings: Findings) -> list[str]:
    return findings.slopes.sentences if findings.slopes else []


def _agreement(findings: Findings) -> list[str]:
    rows = findings.comparison
    if not rows:
        return ["No numbers are known for these options, so there is nothing to compare with."]
    met = " and ".join(
        f"{sum(row.agrees for row in rows if row.source == source)} of {count(n_rows, 'number')} of the {source}"
        for source in dict.fromkeys(row.source for row in rows)
        if (n_rows := sum(row.source == source for row in rows))
    )
    met = f"This report agrees with {met}, within their tolerances."
    if findings.options["quick"]:
        return [f"{met} A quick report trains fewer epochs, so differences are expected."]
    apart = [row.quantity for row in rows if not row.agrees]
    return [f"{met} The others are: {'; '.join(apart)}." if apart else met]
