"""A report as a request: its runs are jobs, and all operations on jobs hold for them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from service.bootstrap import Service
from service.errors import IdempotencyMismatch, InvalidField, InvalidJobTransition, JobNotFound, NoDataYet
from service.jobs import JobState
from service.reports import Report, ReportOptions

Eventually = Callable[[Callable[[], bool]], None]

QUICK = ReportOptions(quick=True, l2_penalties=(1.0,))


def test_the_runs_are_jobs(service: Service, finished: Report) -> None:
    assert finished.state is JobState.SUCCEEDED
    assert finished.fraction == 1
    in_order, shuffled, *softmax = (job for job in finished.jobs if job)
    assert (in_order.config.model, in_order.config.shuffle, shuffled.config.shuffle) == ("logistic", False, True)
    assert [job.config.l2_penalty for job in softmax] == [0.0, 1.0]
    assert [member.id for member in service.sweeps.get(finished.sweep_id).members] == [job.id for job in softmax]
    for job in (in_order, shuffled, *softmax):
        assert job.model is not None
    assert finished.id in [report.id for report in service.reports.page()[0]]


@pytest.mark.slow
def test_a_restart_in_the_middle_loses_nothing(
    start: Callable[[Path], Service], tmp_path: Path, eventually: Eventually
) -> None:
    with start(tmp_path) as service:
        report = service.reports.submit(QUICK)
        with pytest.raises(NoDataYet):
            service.reports.file(report.id, "report.html")
        eventually(lambda: service.reports.get(report.id).fraction > 0)
        begun = service.reports.get(report.id)
    assert not begun.state.final
    with start(tmp_path) as service:
        eventually(lambda: service.reports.get(report.id).state.final)
        assert service.reports.get(report.id).state is JobState.SUCCEEDED
        assert service.reports.file(report.id, "report.html").startswith(b"<!doctype html>")
        first = service.reports.get(report.id).jobs[0]
        assert first is not None
        service.jobs.delete(first.id)
        assert service.reports.get(report.id).state is JobState.FAILED


@pytest.mark.slow
def test_figures_drawn_while_the_others_train_are_not_drawn_again(
    start: Callable[[Path], Service], tmp_path: Path, eventually: Eventually
) -> None:
    with start(tmp_path) as service:
        report = service.reports.submit(QUICK)
        service.reports.prepare(report.id)
        logistic = service.reports.get(report.id).logistic_jobs
        assert all(job is not None and job.state is JobState.SUCCEEDED for job in logistic)
        eventually(lambda: service.reports.get(report.id).state.final)
        figure = service.reports.contents(report.id).figures["2b-loss"]
        assert figure.draw("png") is figure.draw("png") is service.reports.file(report.id, "figures/2b-loss.png")


def test_preparing_a_cancelled_report_ends(start: Callable[[Path], Service], tmp_path: Path) -> None:
    service = start(tmp_path)
    from service.database import migrate

    migrate(service.database)
    report = service.reports.submit(QUICK)
    service.reports.cancel(report.id)
    service.reports.prepare(report.id)
    with pytest.raises(NoDataYet):
        service.reports.file(report.id, "figures/2b-loss.png")
    service.stop()


def test_preparing_ends_where_the_folder_is_gone(start: Callable[[Path], Service], tmp_path: Path) -> None:
    """As after a command that has ended; in a thread, nobody would see the error."""
    folder = tmp_path / "data"
    service = start(folder)
    from service.database import migrate

    migrate(service.database)
    report = service.reports.submit(QUICK)
    service.stop()
    shutil.rmtree(folder)
    service.reports.prepare(report.id)


def test_submitting_twice_and_cancelling(start: Callable[[Path], Service], tmp_path: Path) -> None:
    service = start(tmp_path)
    from service.database import migrate

    migrate(service.database)  # nothing runs here: the jobs stay where they are
    report = service.reports.submit(QUICK, idempotency_key="one")
    assert service.reports.submit(QUICK, idempotency_key="one").id == report.id
    with pytest.raises(IdempotencyMismatch):
        service.reports.submit(ReportOptions(), idempotency_key="one")
    assert report.state is JobState.QUEUED
    assert len(service.jobs.page()[0]) == 4
    assert service.reports.cancel(report.id).state is JobState.CANCELLED
    with pytest.raises(InvalidJobTransition):
        service.reports.cancel(report.id)
    with pytest.raises(NoDataYet):
        service.reports.contents(report.id)
    with pytest.raises(JobNotFound):
        service.reports.get("01ARZ3NDEKTSV4RRFFQ69G5FAV")
    service.stop()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"classes": (2, 2)}, "classes"),
        ({"classes": (2, 3, 4)}, "classes"),
        ({"l2_penalties": (0.0,)}, "l2_penalties"),
        ({"l2_penalties": (-1.0,)}, "l2_penalty"),
        ({"seed": -1}, "seed"),
    ],
)
def test_impossible_options_are_refused(options: Any, field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        ReportOptions(**options)
    assert refused.value.field in (field, f"grid.{field}")


def test_options_have_an_order_and_a_plain_form() -> None:
    options = ReportOptions(l2_penalties=(0.01, 1, 0.01, 0))
    assert options.l2_penalties == (0.0, 1.0, 0.01)
    assert ReportOptions(**json.loads(json.dumps(asdict(options)))) == options
