"""Each sentence says what the history says: its claim is computed anew from the history."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from math import lcm
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bootstrap import Service
from service.charts import Curves
from service.core import METRICS
from service.reports import Contents, Findings, Report
from service.reports.claims import Change, Cost, Fluctuation, Gap, LossCourse, Slopes, Trend
from service.reports.spikes import most_regular
from service.reports.wording import ordinal, signed, unbroken
from tests.reports.texts import said

SHARES = st.sampled_from([0.0, 0.5, 0.9, 0.9001, 0.91, 0.95, 1.0])  # few, so that there are ties and flat parts
LOSSES = st.sampled_from([0.1, 0.10004, 0.3, 0.6931, 2.3, 3.35])


@st.composite
def histories(draw: st.DrawFn) -> Curves:
    """Draw a history: one check or many, noisy, flat, rising or falling."""
    n = draw(st.integers(1, 40))
    interval = draw(st.integers(1, 130))

    def column(values: st.SearchStrategy[float]) -> np.ndarray[Any, Any]:
        found = np.array(draw(st.lists(values, min_size=n, max_size=n)))
        order = draw(st.sampled_from(["drawn", "rising", "falling", "flat"]))
        return {"drawn": found, "rising": np.sort(found), "falling": -np.sort(-found), "flat": np.full(n, found[0])}[
            order
        ]

    n_steps = (n - 1) * interval + 1
    return Curves(
        check_steps=np.arange(n) * interval,
        checks={name: column(LOSSES if metric.format == "loss" else SHARES) for name, metric in METRICS.items()},
        train_loss_steps=np.arange(n_steps),
        train_loss=np.linspace(0.7, draw(LOSSES), n_steps),
        batches_per_epoch=draw(st.integers(1, 5)) * interval,
    )


def numbers(sentence: str) -> list[float]:
    found = re.findall(r"[−+-]?\d[\d,]*(?:\.\d+)?(?:e-\d+)?", sentence)
    return [float(number.replace("−", "-").replace(",", "")) for number in found]


def near(*values: float) -> Any:
    """To half a unit of the last of the printed digits, which are two or four."""
    return pytest.approx(list(values), abs=0.0051)


def check_loss(curves: Curves) -> None:
    course, training = said("loss_course", LossCourse.of(curves))
    losses, steps = curves.checks["validation_loss"], curves.check_steps
    lowest = int(np.flatnonzero(losses == losses.min())[0])
    read = numbers(course)
    assert read[:2] == near(curves.train_loss[0], len(losses))
    if lowest == len(losses) - 1:
        assert read[2:4] == near(steps[-1], losses[-1])
    else:
        assert read[2:6] == near(steps[lowest], losses[lowest], steps[-1], losses[-1])
    before = losses[:lowest]
    assert ("as high as" in course) == (len(before) > 0 and before.max() > curves.train_loss[0])
    if "as high as" in course:
        assert read[-2] == pytest.approx(before.max(), abs=1e-4)
        assert losses[steps == read[-1]] == before.max()
    n_last = min(curves.batches_per_epoch or 1, len(curves.train_loss))
    *mean, largest, step = numbers(training) if "no batch" not in training else [*numbers(training), read[0], 0]
    assert mean == near(n_last, curves.train_loss[-n_last:].mean())
    assert largest == pytest.approx(curves.train_loss.max(), abs=1e-4)
    assert curves.train_loss[curves.train_loss_steps == step] == curves.train_loss.max()


def check_gap(curves: Curves, n_train: int, n_validation: int) -> None:
    gap_of_run = Gap.of(curves, n_train=n_train, n_validation=n_validation)
    course, sign, tests = said("gap_of", gap_of_run)
    steps, gap = curves.check_steps, 100 * (curves.checks["train_accuracy"] - curves.checks["validation_accuracy"])
    n_blocks, width, first, last, lowest, start, end, *later = numbers(course)
    blocks = [gap[i * int(width) : (i + 1) * int(width)] for i in range(int(n_blocks) - 1)]
    blocks.append(gap[(int(n_blocks) - 1) * int(width) :])
    means = [block.mean() for block in blocks]
    assert len(blocks) == min(10, len(gap)) and all(len(block) >= width for block in blocks)
    assert [first, last, lowest] == near(means[0], means[-1], min(means))
    inside = gap[(steps >= start) & (steps <= end)]
    assert inside.mean() == pytest.approx(min(means))
    at = next(i for i, block in enumerate(blocks) if len(block) == len(inside) and block.mean() == min(means))
    n_rises, n_later = int((np.diff(means[at:]) > 0).sum()), len(means) - 1 - at
    which = "each" if n_rises == n_later else str(n_rises or "none")
    assert later == ([n_later, *([n_rises] if which.isdigit() else [])] if n_later else [])
    assert not n_later or re.search(rf"after that, {which} (has|have) a larger mean than the block before\.$", course)
    if "not the higher" in sign:
        assert gap[-1] <= 0
    else:
        (step,) = numbers(sign)
        assert (gap[steps >= step] > 0).all() and (gap[steps < step][-1:] <= 0).all()
    read = re.findall(
        r"at step ([\d,]+) the gap is (\S+), (no )?more than chance explains \(p ([=<]) ([\d.]+)\)", tests
    )
    assert len(read) == (2 if steps[-1] > 2500 else 1)
    for number, value, by_chance, relation, p in read:
        (place,) = np.flatnonzero(steps == int(number.replace(",", "")))
        assert value == signed(gap[place] / 100)
        train, validation = curves.checks["train_accuracy"][place], curves.checks["validation_accuracy"][place]
        pooled = (train * n_train + validation * n_validation) / (n_train + n_validation)
        error = (pooled * (1 - pooled) * (1 / n_train + 1 / n_validation)) ** 0.5
        expected = 2 * (1 - NormalDist().cdf(abs(train - validation) / error)) if error else 1.0
        assert bool(by_chance) == (expected >= 0.05)
        if relation == "<":
            assert expected < float(p) and float(p) in (0.05, 0.0001)
        else:
            assert float(p) == pytest.approx(expected, rel=0.051)


def check_spikes(curves: Curves) -> None:
    steps, accuracy = curves.check_steps, curves.checks["validation_accuracy"]
    if len(steps) < 2 or curves.batches_per_epoch is None:
        return
    period = lcm(int(steps[1] - steps[0]), curves.batches_per_epoch)
    found = most_regular(curves, period)
    if found is None:
        return
    first, heights = found
    marked = [i for i in range(1, len(steps) - 1) if steps[i] >= first and (steps[i] - first) % period == 0]
    expected = [accuracy[i] - (accuracy[i - 1] + accuracy[i + 1]) / 2 for i in marked]
    assert heights.tolist() == expected
    assert len(marked) >= 2
    assert len(set(np.sign(heights))) == 1 and 0 not in np.sign(heights)
    # More than chance: against the checks that follow other batches, at five percent over all of these.
    inner = range(1, len(steps) - 1)
    apart = [i for i in inner if steps[i] >= period and (steps[i] - first) % period]
    others = np.array([accuracy[i] - (accuracy[i - 1] + accuracy[i + 1]) / 2 for i in apart])
    n_batches = len({int(steps[i]) % period for i in inner})
    z = abs(heights.mean()) * np.sqrt(len(heights)) / others.std() if others.std() else np.inf
    assert n_batches * 2 * NormalDist().cdf(-z) < 0.05 + 1e-9


def check_trend(values: Sequence[tuple[float, float]], form: str) -> None:
    (sentence,) = said("trend", Trend.of(values, form), "It")
    printed = {penalty: format(value, form) for penalty, value in values}
    for penalty, text in printed.items():
        assert f"{text} at λ = {penalty:g}" in sentence
    ordered = sorted(printed)
    kinds = {}
    for a, b in pairwise(ordered):
        before, after = (float(printed[penalty].rstrip("%")) for penalty in (a, b))
        kinds[a, b] = "falls" if after < before else "rises" if after > before else "stays the same"
    if len(set(kinds.values())) == 1:
        assert sentence.endswith(f"it {kinds[ordered[0], ordered[1]]} with every larger penalty.")
    elif kinds:
        read = re.findall(r"(falls|rises|stays the same) from λ = (\S+) to λ = (\d[\d.]*\d|\d)", sentence)
        courses = [(kind, float(a), float(b)) for kind, a, b in read]
        assert all(kinds[a, b] == kind for kind, start, end in courses for a, b in kinds if start <= a < b <= end)
        assert [start for _, start, _ in courses] == [ordered[0], *(end for *_, end in courses[:-1])]
        assert courses[-1][2] == ordered[-1] and all(a[0] != b[0] for a, b in pairwise(courses))


@pytest.mark.slow
@given(histories(), histories())
def test_histories_of_every_kind(curves: Curves, other: Curves) -> None:
    check_loss(curves)
    check_gap(curves, 20_000, 10_000)
    check_spikes(curves)
    changes = [np.diff(one.checks["validation_accuracy"]) for one in (curves, other)]
    found = Fluctuation.of(curves, other)
    assert (found is None) == any(len(each) == 0 for each in changes)
    if found:
        deviations = [100 * each[len(each) // 2 :].std() for each in changes]
        read = numbers(said("fluctuation", found)[0])
        assert read[:2] == near(*deviations)
        assert read[2:] == ([pytest.approx(deviations[0] / deviations[1], abs=0.051)] if deviations[1] else [])


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.001, 0.01, 0.1, 1.0]), SHARES), min_size=1, unique_by=lambda pair: pair[0]
    )
)
def test_trends_in_every_order(values: list[tuple[float, float]]) -> None:
    check_trend(values, ".2%")
    check_trend(values, ".3f")
    slopes = Slopes.of(values)
    positive = sorted((penalty, value) for penalty, value in values if penalty)
    assert (slopes is None) == (len(positive) < 2 or any(value == 0 for _, value in positive))
    if slopes:
        expected = np.diff(np.log10([value for _, value in positive])) / np.diff(
            np.log10([penalty for penalty, _ in positive])
        )
        (sentence,) = said("slopes_of", slopes)
        assert [float(text.replace("−", "-")) for text in re.findall(r"(−?[\d.]+) from", sentence)] == near(*expected)
        assert ("not inversely" in sentence) == bool((np.abs(expected + 1) > 0.1).any())


@pytest.mark.slow
@given(histories(), histories())
def test_what_a_change_brought(before: Curves, after: Curves) -> None:
    convergence, generalisation, overfitting = said("change", Change.of(("one", "other"), before, after))
    lowest = [curves.checks["validation_loss"].min() for curves in (before, after)]
    at = before.check_steps[before.checks["validation_loss"] == lowest[0]][0]
    reached = after.check_steps[after.checks["validation_loss"] <= lowest[0]]
    ends = [(curves.check_steps[-1], curves.stop_step is None) for curves in (after, before)]
    assert numbers(convergence) == [*reached[:1], at, *(step for step, _ in dict.fromkeys(ends))]
    assert ("never reaches" in convergence) == (lowest[1] > lowest[0])
    accuracies = [100 * curves.checks["validation_accuracy"][-1] for curves in (before, after)]
    comparisons = re.findall(
        r"([\d.]+)%?, (lower than|higher than|the same as) (?:([\d.]+)%?|the other)", generalisation
    )
    for (mine, word, theirs), (other, value) in zip(comparisons, (lowest, accuracies), strict=True):
        assert float(mine) == pytest.approx(value, abs=0.0051)
        if word == "the same as":
            assert value == pytest.approx(other, abs=1e-4)
        else:
            assert (word == "lower than") == (value < other) and float(theirs) == pytest.approx(other, abs=0.0051)
    train = [100 * curves.checks["train_accuracy"][-1] for curves in (before, after)]
    assert numbers(overfitting) == near(train[1] - accuracies[1], train[0] - accuracies[0])


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_costs(validation: float, train: float) -> None:
    (words,) = said("cost", Cost(l2_penalty=0.1, validation=validation, train=train))
    assert numbers(words) == near(-100 * validation, -100 * train, 0.1)


def test_a_single_rise_among_drops_is_no_spike() -> None:
    """The 19 spikes of classes 4 and 9 in a quick report: one rise, then 18 drops."""
    accuracy = np.full(120, 0.9)
    marked = np.arange(6, 119, 6)
    accuracy[marked] -= np.linspace(0.002, 0.015, len(marked))
    accuracy[marked[0]] = 0.95
    checks = dict.fromkeys(METRICS, accuracy)
    steps = np.arange(120)
    curves = Curves(check_steps=steps, checks=checks, train_loss_steps=steps, train_loss=accuracy, batches_per_epoch=6)
    found = most_regular(curves, 6)
    assert found is not None
    first, heights = found
    assert first == marked[1] and len(heights) == len(marked) - 1 and (heights < 0).all()


@pytest.mark.slow
def test_the_sentences_of_real_runs(service: Service, finished: Report, contents: Contents, findings: Findings) -> None:
    in_order, shuffled, *softmax = (service.jobs.curves(job.id) for job in finished.jobs if job)
    text = {sentence for section in contents.sections for sentence in section.sentences}
    for curves in (in_order, shuffled, *softmax):
        check_loss(curves)
        check_gap(curves, 20_000, 10_000)
        check_spikes(curves)
    plain = findings.plain
    gap = Gap.of(softmax[0], n_train=plain.n_train, n_validation=plain.n_validation)
    for curves in (in_order, softmax[0]):
        assert set(said("loss_course", LossCourse.of(curves))) <= text
    assert set(said("gap_of", gap)) <= text
    check_trend([(run.l2_penalty, run.norm) for run in findings.softmax], ".3f")
    assert findings.spikes is not None
    assert findings.spikes.height == pytest.approx(most_regular(in_order, 186)[1].mean())  # type: ignore[index]


def test_numbers_stay_with_what_they_are_of() -> None:
    for whole in ("λ = 1", "p < 0.01", "p = 0.73", "2 × 10³", "0.1 ± 0.2", "31 steps"):
        assert " " not in unbroken(whole)


def test_ordinals() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        "1st",
        "2nd",
        "3rd",
        "4th",
        "11th",
        "12th",
        "13th",
        "21st",
        "112th",
    ]
