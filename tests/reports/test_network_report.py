"""The report of the second assignment: its runs are those of the staff, and its numbers those of its runs."""

from __future__ import annotations

import json
import re
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bootstrap import Service
from service.errors import InvalidField
from service.reports import Report, ReportOptions
from service.reports.claims import Change
from service.reports.network_report import NetworkFindings
from service.reports.networks import NETWORKS
from service.reports.transfer import Transfer, drawn_images, other_writers
from tests.reports.texts import said


def test_the_runs_are_those_of_the_assignment() -> None:
    with pytest.raises(InvalidField):
        ReportOptions(assignment=3)
    single, [(sweep, configs)] = ReportOptions(assignment=2, seed=5).requests()
    assert single == [] and {config.seed for config in configs} == {5}
    by_key = dict(zip(NETWORKS, configs, strict=True))
    first, last = by_key["uniform"], by_key["momentum"]
    assert (first.batch_size, first.epochs, first.patience, first.train_size) == (32, 50, 50, 20_000)
    assert (first.activation, first.initialization, first.momentum, first.learning_rate) == (
        "sigmoid",
        "uniform",
        0,
        0.1,
    )
    assert (last.activation, last.initialization, last.momentum) == ("improved_sigmoid", "xavier", 0.9)
    assert by_key["ten"].hidden_layers == (64,) * 10 and by_key["ten"].epochs == 10
    assert {len(values) > 1 for values in sweep.grid.values()} == {True}


@pytest.mark.slow
def test_its_numbers_are_those_of_its_runs(service: Service, networks: Report) -> None:
    assert networks.state.value == "succeeded" and len(networks.jobs) == len(NETWORKS)
    contents = service.reports.contents(networks.id)
    findings = contents.findings
    assert isinstance(findings, NetworkFindings)
    jobs = {key: job for key, job in zip(NETWORKS, networks.jobs, strict=True) if job}
    for key in NETWORKS:
        assert (findings.runs[key].last, findings.runs[key].best) == (jobs[key].latest, jobs[key].best)
    assert findings.n_parameters["uniform"] == 50_890 and findings.n_parameters["59-59"] == 50_455
    assert all(0 < check.largest_relative_error < 1e-6 for check in findings.gradients)
    assert [check.n_layers for check in findings.gradients] == [2, 3, 11]
    curves = {key: service.jobs.curves(job.id) for key, job in jobs.items()}
    titles = NETWORKS["uniform"].title, NETWORKS["xavier"].title
    text = [sentence for section in contents.sections for sentence in section.sentences]
    assert set(said("change", Change.of(titles, curves["uniform"], curves["xavier"]))) <= set(text)
    beside = ["64 sigmoid units with uniform weights", "sigmoid units with Xavier initialization"]
    beside += ["the improved sigmoid with Xavier initialization", *["64 units"] * 5]
    assert [change.before.title for change in findings.changes.values()] == beside
    assert any(sentence.startswith("A quick report trains fewer epochs on fewer images") for sentence in text)
    assert (
        "the learning rate is 0.02 instead of 0.1."
        in next(s for s in contents.sections if s.number == "3").sentences[0]
    )
    assert [jobs[key].config.learning_rate for key in ("improved", "momentum")] == [0.1, 0.02]
    norms = findings.layer_norms["before training, with the plain sigmoid"]
    assert len(norms) == 11 and norms[0] < norms[-1] / 1000, "the gradient vanishes"
    plain, distorted, drawn, written = findings.transfers
    assert plain.augmented[0] == pytest.approx(findings.runs["augmented"].last.validation_accuracy, abs=0.02)
    assert (plain.n_images, distorted.n_images, drawn.n_images, written.n_images) == (1000, 1000, 450, 1797)
    assert {said("transfer", found)[0] for found in findings.transfers} <= set(text)
    for found, (images, labels) in ((drawn, drawn_images()), (written, other_writers())):
        for key, share in (("momentum", found.without), ("augmented", found.augmented)):
            config, weights = jobs[key].config, service.jobs.weights(jobs[key].id, "last").parameters
            x = (images.reshape(len(images), -1) - 33.318) / 78.567
            hidden, output = config.build_model().layout.views(weights).values()
            logits = 1.7159 * np.tanh(2 / 3 * (x @ hidden[:-1] + hidden[-1])) @ output[:-1] + output[-1]
            assert share[0] == pytest.approx(np.mean(logits.argmax(axis=1) == labels), abs=0.003)


RIGHT = st.lists(st.lists(st.booleans(), min_size=40, max_size=40), min_size=2, max_size=2)


@given(st.lists(RIGHT, min_size=1, max_size=4))
def test_what_augmentation_changes_is_read_back(seeds: list[list[list[bool]]]) -> None:
    """Of each seed, which images the run without augmentation and that with it classify correctly."""
    (without, augmented), ((lost, won), *_) = np.mean(seeds, axis=2).T.tolist(), np.array(seeds)
    n_lost, n_won = int((lost & ~won).sum()), int((won & ~lost).sum())
    n = {"n_images": 40, "n_lost": n_lost, "n_won": n_won}
    (sentence,) = said("transfer", Transfer(kind="drawings", without=without, augmented=augmented, **n))
    numbers = r"(\d+\.\d\d)% .* (\d+\.\d\d)% without it: (\S+) percentage points, (\w+).* \(p (.*?)\)"
    after, before, change, verdict, printed = re.findall(numbers, sentence)[0]
    as_coins_fall = reduce(np.convolve, [np.full(2, 0.5)] * (n_won + n_lost), np.ones(1))
    p = as_coins_fall[as_coins_fall <= as_coins_fall[n_won] * (1 + 1e-9)].sum()
    assert verdict == ("more" if p < 0.05 else "no")
    assert printed == "< 0.0001" if p < 1e-4 else float(printed[2:]) == pytest.approx(p, rel=0.0501)
    assert (float(after), float(before)) == pytest.approx((100 * augmented[0], 100 * without[0]), abs=0.00501)
    assert float(change.replace("−", "-")) == pytest.approx(float(after) - float(before), abs=1e-6)
    assert ("seeds, mean and 95% confidence interval" in sentence) == (len(without) > 1)


@pytest.mark.slow
def test_its_files(service: Service, networks: Report) -> None:
    names = service.reports.file_names(networks.id)
    assert {"figures/3-loss.png", "figures/3-accuracy.svg", "figures/4e-gradients.png", "report.pdf"} <= set(names)
    page = service.reports.file(networks.id, "report.html").decode()
    for number in ("1", "2a", "2b", "2c", "2d", "3", "4a", "4b", "4c", "4d", "4e", "4f", "5", "6"):
        assert f'id="task-{number}"' in page
    assert service.reports.file(networks.id, "report.pdf").startswith(b"%PDF-")
    numbers = json.loads(service.reports.file(networks.id, "report.json"))
    assert numbers["options"]["assignment"] == 2 and numbers["answers"]["2d"]
    assert page.count("Quick report") == 2
