"""The log of finished jobs: what it does about a log that refuses."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from service.errors import InvalidInput
from service.jobs import InlineExecutor, Job, Jobs
from service.tracking import Tracker
from tests.jobs.job_system import JobSystem, eventually


class Refusing:
    """A log that refuses some times, as MLflow does while the experiment is deleted."""

    def __init__(self, n_refusals: int) -> None:
        self.n_left = n_refusals
        self.added: list[str] = []

    def has(self, job_id: str) -> bool:
        if self.n_left:
            self.n_left -= 1
            raise InvalidInput("The experiment inkling was deleted in MLflow.")
        return job_id in self.added

    def add(self, job: Job, _: Jobs) -> None:
        self.added.append(job.id)


def test_a_refusal_is_reported_once_and_ends(
    make_system: Callable[..., JobSystem], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("service.tracking._POLL_S", 0.01)
    monkeypatch.setattr("service.tracking._RETRY_REFUSED_S", 0.01)
    system = make_system(lambda: InlineExecutor(1))
    system.engine.start()
    job, log = system.train(epochs=1), Refusing(5)
    tracker = Tracker(log, system.jobs, lambda: True)
    with caplog.at_level(logging.WARNING):
        tracker.start()
        try:
            eventually(lambda: log.added)
        finally:
            tracker.stop()
    assert log.added == [job.id]
    assert [record.message for record in caplog.records] == ["The experiment inkling was deleted in MLflow."]
