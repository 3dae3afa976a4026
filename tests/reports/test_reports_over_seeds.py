"""What a report says over several seeds, and with a holdout: computed anew from the runs, and read back."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bootstrap import Service
from service.database import REPORTS
from service.database.tables import jobs as jobs_table
from service.database.tables import reports as reports_table
from service.datasets import load_dataset
from service.errors import InUse, InvalidField
from service.jobs import prepare_sweep_weights
from service.reports import Contents, Findings, Report, ReportOptions
from service.reports.claims import Cost, GapTest
from service.reports.holdout import Chosen, Holdout
from service.reports.network_report import NetworkFindings, network_contents
from service.reports.networks import COLUMNS, NETWORKS
from service.reports.report import MAX_SEEDS, Runs
from service.reports.seeds import _T_QUANTILES, CostOverSeeds, OverSeeds, Spread
from service.reports.wording import signed
from tests.reports.texts import said

QUICK = ReportOptions(quick=True, l2_penalties=(1.0,))
DIFFERENCES = st.sampled_from([-0.02, -0.0004, 0.0, 0.0001, 0.0123, 0.3])


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def interval(values: list[float]) -> tuple[float, float]:
    """Mean and half width, with the quantile of Student's t found by integrating its density."""
    n = len(values)
    nu, x = n - 1, np.linspace(0, 13, 130_001)
    scale = math.gamma((nu + 1) / 2) / (math.sqrt(nu * math.pi) * math.gamma(nu / 2))
    density = scale * (1 + x**2 / nu) ** (-(nu + 1) / 2)
    below = 0.5 + np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)]) * (x[1] - x[0])
    quantile = float(x[np.searchsorted(below, 0.975)])
    return float(np.mean(values)), quantile * float(np.std(values, ddof=1)) / math.sqrt(n)


def test_intervals_are_those_of_students_t() -> None:
    assert len(_T_QUANTILES) == MAX_SEEDS - 1
    for n in range(2, MAX_SEEDS + 1):
        values = [0.1 * i**2 for i in range(n)]
        spread = Spread.of(values)
        assert (spread.mean, spread.half_width) == pytest.approx(interval(values), rel=1e-3)


@st.composite
def over_some_seeds(draw: st.DrawFn) -> OverSeeds:
    n = draw(st.integers(2, MAX_SEEDS))

    def each(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=n, max_size=n))

    epochs = st.one_of(st.none(), st.integers(0, 40))
    gaps = [GapTest(step=9, gap=gap, p=p) for gap, p in zip(each(DIFFERENCES), each(st.floats(0, 1)), strict=True)]
    costs = [
        [
            Cost(l2_penalty=penalty, validation=v, train=t)
            for v, t in zip(each(DIFFERENCES), each(DIFFERENCES), strict=True)
        ]
        for penalty in (1.0, 0.1)
    ]
    return OverSeeds(
        seeds=range(3, 3 + n),
        in_order_epoch=draw(epochs),
        stop_epochs=each(epochs),
        gaps=gaps,
        costs=[CostOverSeeds.of(cost) for cost in costs],
        numbers=[],
    )


@pytest.mark.slow
@given(over_some_seeds())
def test_sentences_over_seeds_of_every_kind(found: OverSeeds) -> None:
    n = len(found.seeds)
    stopped = [epoch for epoch in found.stop_epochs if epoch is not None]
    (stop,) = said("stops_over_seeds", found)
    assert stop.startswith(f"Over the {n} seeds from 3 to {n + 2} early stopping ")
    if stopped:
        listed = re.search(r"in epoch ((?:\d+(?:, | and )?)+)", stop)
        assert listed and [int(epoch) for epoch in re.findall(r"\d+", listed[1])] == stopped
        unstopped = re.search(r"not at all with (\d+)", stop)
        assert (int(unstopped[1]) if unstopped else 0) == n - len(stopped)
        beside = re.search(rf"before epoch (\d+), where .* with (\d+) of {n} seeds\.$", stop)
        assert (beside is None) == (found.in_order_epoch is None)
        if beside:
            assert int(beside[1]) == found.in_order_epoch
            assert int(beside[2]) == sum(epoch < int(beside[1]) for epoch in stopped)
    else:
        assert "never ends the run with shuffling" in stop
    (sentence,) = said("gap_over_seeds", found)
    gap = re.search(r"is (\S+) ± ([\d.]+) percentage points .* chance explains with (\d+) of", sentence)
    assert gap and int(gap[3]) == sum(each.p < 0.05 for each in found.gaps)
    assert [number(gap[1]), number(gap[2])] == pytest.approx(
        [100 * value for value in interval([each.gap for each in found.gaps])], rel=2e-3, abs=0.0051
    )
    each, unclear = said("costs_over_seeds", found)
    read = re.findall(r"(\S+) ± ([\d.]+) and (\S+) ± ([\d.]+) with λ = ([\d.]*\d)", each)
    assert [float(penalty) for *_, penalty in read] == [0.1, 1.0]
    for (*numbers, _), cost in zip(read, reversed(found.costs), strict=True):
        expected = [*interval(list(cost.validation.values)), *interval(list(cost.train.values))]
        assert [number(text) for text in numbers] == pytest.approx(
            [100 * value for value in expected], rel=2e-3, abs=0.0051
        )
        mean, half = interval(list(cost.validation.values))
        if abs(abs(mean) - half) > 1e-4 * abs(mean) + 1e-12:
            assert (f"λ = {cost.l2_penalty:g}" in unclear) == (abs(mean) < half)


@pytest.mark.parametrize("seeds", [0, MAX_SEEDS + 1])
def test_the_number_of_seeds_is_bounded(seeds: int) -> None:
    with pytest.raises(InvalidField) as refused:
        ReportOptions(seeds=seeds)
    assert refused.value.field == "seeds"
    most = ReportOptions(assignment=2, seeds=MAX_SEEDS)
    assert len(most.requests()[1][0][1]) == MAX_SEEDS * len(NETWORKS)


@pytest.mark.slow
def test_a_report_over_seeds(
    service: Service, finished: Report, contents: Contents, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    submitted = service.reports.submit(replace(QUICK, seeds=2))
    eventually(lambda: service.reports.get(submitted.id).state.final)
    report = service.reports.get(submitted.id)
    in_order, *shuffled = report.logistic_jobs
    softmax = report.jobs[3:]
    assert [job.config.seed for job in (*shuffled, *softmax) if job] == [0, 1, 0, 0, 1, 1]
    # The runs of the first seed are those of the report of that seed alone, to the bit.
    alone = [job.id for job in finished.jobs if job]
    first = [job.id for job in (in_order, shuffled[0], *softmax[:2]) if job]
    for mine, other in zip(first, alone, strict=True):
        assert (service.jobs.weights(mine, "last").parameters == service.jobs.weights(other, "last").parameters).all()
    many = service.reports.contents(report.id)
    findings = many.findings
    assert isinstance(findings, Findings) and findings.over_seeds
    jobs = [job for job in softmax if job]
    values = [
        after.best.validation_accuracy - before.best.validation_accuracy
        for before, after in ((jobs[0], jobs[1]), (jobs[2], jobs[3]))
        if before.best and after.best
    ]
    text = [sentence for section in many.sections for sentence in section.sentences]
    mean, half = interval(values)
    assert any(f"are {signed(mean)} ± " in sentence for sentence in text) and len(values) == 2
    assert findings.over_seeds.costs[0].validation.half_width == pytest.approx(half, rel=1e-3)
    # What is said of the first seed alone is what its report says.
    alone_text = [sentence for section in contents.sections for sentence in section.sentences]
    assert [sentence for sentence in alone_text if sentence not in text] == []
    captions = {name: figure.caption for name, figure in many.figures.items()}
    assert all("seeds 0 to 1" in captions[name] for name in ("2e-shuffle", "3d-gap", "4c-accuracy"))
    assert "2 seeds" in captions["4e-norms"]
    for name in ("2e-shuffle", "3d-gap", "4c-accuracy", "4e-norms"):
        assert many.figures[name].draw("svg") != contents.figures[name].draw("svg")
    table = next(section for section in many.sections if section.title == "Over the seeds").table
    assert table and len(table.rows) == 6 + 2
    # Each of its two sweeps has runs of one kind, which can be drawn together.
    with service.database.read() as connection:
        row = REPORTS.get(connection, report.id)
    assert row and row.repeats_sweep_id
    for sweep_id, n_members in zip(row.sweep_ids, (4, 1), strict=True):
        sweep = service.sweeps.get(sweep_id)
        assert len(sweep.members) == n_members == math.prod(map(len, sweep.grid.values()))
        assert prepare_sweep_weights(service.sweeps, sweep_id).draw()
        with pytest.raises(InUse):
            service.sweeps.delete(sweep_id)
    # Those of earlier versions have one sweep for both.
    with service.database.write() as connection:
        connection.execute(
            jobs_table.update().where(jobs_table.c.sweep_id == row.repeats_sweep_id).values(sweep_id=row.sweep_id)
        )
        connection.execute(reports_table.update().where(reports_table.c.id == report.id).values(repeats_sweep_id=None))
    assert [job and job.id for job in service.reports.get(report.id).jobs] == [job and job.id for job in report.jobs]


def test_networks_over_seeds(service: Service, networks: Report) -> None:
    runs = Runs.of(networks, service.jobs)
    # The same runs stand for those of another seed, but for one that is swapped.
    (by_key,) = runs.networks_by_seed
    other = {**by_key, "xavier": by_key["improved"]}
    many = replace(runs, options=replace(runs.options, seeds=2), all_runs=(*runs.all_runs, *other.values()))
    contents = network_contents(many)
    findings = contents.findings
    assert isinstance(findings, NetworkFindings)
    losses = [
        [run.curves.checks["validation_loss"].min() for run in many.by_seed(key)] for key in ("uniform", "xavier")
    ]
    mean, _ = interval([after - before for before, after in zip(*losses, strict=True)])
    assert findings.over_seeds["xavier"].loss.mean == pytest.approx(mean)
    text = " ".join(sentence for section in contents.sections for sentence in section.sentences)
    lower = sum(after < before for before, after in zip(*losses, strict=True))
    assert f"changes by {mean:+.4f}".replace("-", "−") in text and f"the loss is lower with {lower} of 2 seeds" in text
    staff = next(section for section in contents.sections if section.number == "5").table
    assert staff and len(staff.rows) == 8 * len(COLUMNS)
    inside = 0
    for row, (key, column) in zip(
        staff.rows, ((k, c) for k in NETWORKS if NETWORKS[k].staff for c in COLUMNS), strict=True
    ):
        assert row[:2] == [NETWORKS[key].title, column]
        low, high, theirs = (float(cell.replace(",", "")) for cell in row[4:7])
        inside += row[7] == "yes"
        assert (low - 1e-4 <= theirs <= high + 1e-4) == (row[7] == "yes")
    assert f"Of its 40 numbers, {inside} {'is' if inside == 1 else 'are'} within" in text
    assert "bands reach from the smallest to the largest" in contents.figures["3-loss"].caption


def test_a_holdout_chooses_the_weights(service: Service, finished: Report, findings: Findings) -> None:
    """The run is made again in plain NumPy, in float64, with the last 10,000 training images as validation."""
    mnist = load_dataset("mnist")
    job = finished.jobs[0]
    assert job is not None

    def select(images: Any, labels: Any) -> tuple[Any, Any]:
        chosen = (labels == 2) | (labels == 3)
        x = images[chosen].reshape(-1, 784) / 127.5 - 1
        return np.hstack([x, np.ones((len(x), 1))]), np.where(labels[chosen] == 2, 1.0, -1.0)

    x, y = select(mnist.training.images[:20_000], mnist.training.labels[:20_000])
    holdout = select(mnist.training.images[50_000:], mnist.training.labels[50_000:])
    test = select(mnist.test.images, mnist.test.labels)
    w, n_batches, found = np.zeros(785), len(x) // 128, []

    def loss(images: Any, signs: Any) -> float:
        return float(np.logaddexp(0, -signs * (images @ w)).mean())

    for step in range(20 * n_batches):
        batch = slice(128 * (step % n_batches), 128 * (step % n_batches + 1))
        margins = y[batch] * (x[batch] @ w)
        w += 0.05 * (y[batch] / (1 + np.exp(margins))) @ x[batch] / 128
        if step % (n_batches // 5) == 0:
            found.append((loss(*holdout), step, loss(*test), float((np.sign(test[0] @ w) == test[1]).mean())))
    _, step, test_loss, accuracy = min(found)
    chosen = findings.holdout.by_holdout
    assert (chosen.step, chosen.n_images) == (step, len(holdout[1]))
    assert (chosen.loss, chosen.accuracy) == pytest.approx((test_loss, accuracy), abs=1e-3)
    best = job.best
    assert best and (findings.holdout.by_test.step, findings.holdout.by_test.loss) == (best.step, best.validation_loss)
    assert service.reports.contents(finished.id).to_dict()["answers"]["2d"][1:] == said("holdout", findings.holdout)


LOSSES = st.sampled_from([0.06571, 0.06574, 0.0661, 0.3])
SHARES = st.sampled_from([0.9, 0.97943, 0.979431, 0.98])


@given(LOSSES, LOSSES, SHARES, SHARES, st.sampled_from([666, 1200]))
def test_the_effect_of_the_test_images(
    test_loss: float, held_loss: float, test: float, held: float, held_step: int
) -> None:
    chosen = Chosen(n_images=2042, step=978, last_step=1038, loss=test_loss, accuracy=test)
    other = replace(chosen, step=held_step, loss=held_loss, accuracy=held)
    first, effect = said("holdout", Holdout(by_test=chosen, by_holdout=other))
    printed = re.findall(r"0\.\d{4}|\d+\.\d\d%", first)
    assert printed == [f"{test_loss:.4f}", f"{test:.2%}", f"{held_loss:.4f}", f"{held:.2%}"]
    read = re.search(r"(?:makes the loss look (\S+) (?=lower)|leaves the loss (\S+) (?=higher))(lower|higher)", effect)
    assert (read is None) == (printed[0] == printed[2])
    if read:
        assert float(read[1] or read[2]) == pytest.approx(abs(float(printed[0]) - float(printed[2])), abs=1e-9)
        assert (read[3] == "lower") == (test_loss < held_loss)
        assert ("ends the run before step 1,200" in effect) == (read[3] == "higher" and held_step > 1038)
    gain = re.search(r"accuracy (?:look )?(\S+) percentage points? (lower|higher)", effect)
    assert (gain is None) == (printed[1] == printed[3])
    if gain:
        assert float(gain[1]) == pytest.approx(abs(float(printed[1][:-1]) - float(printed[3][:-1])), abs=1e-9)
        assert (gain[2] == "higher") == (test > held)
    assert ("changes neither" in effect) == (read is None and gain is None)
