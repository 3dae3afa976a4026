"""A report: its options, and how the runs fare that it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.jobs import Job, JobState
from service.registry import utc_text

from .options import ReportOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A request for a report. ``jobs`` are in file order, shuffled, then softmax by penalty; None was deleted."""

    id: str
    options: ReportOptions
    sweep_id: str
    created_at: datetime
    jobs: Sequence[Job | None]

    @property
    def logistic_jobs(self) -> Sequence[Job | None]:
        """Those of logistic regression: in file order, shuffled."""
        return self.jobs[:2]

    @property
    def state(self) -> JobState:
        """The state of the whole, by those of its runs; a run that was deleted counts as failed."""
        states = {job.state if job else JobState.FAILED for job in self.jobs}
        if states <= {JobState.QUEUED}:
            return JobState.QUEUED
        if not all(state.final for state in states):
            stopping = states & {JobState.CANCELLING, JobState.CANCELLED}
            return JobState.CANCELLING if stopping else JobState.RUNNING
        for state in (JobState.FAILED, JobState.CANCELLED):
            if state in states:
                return state
        return JobState.SUCCEEDED

    @property
    def fraction(self) -> float:
        """How far the whole is: the mean over its runs, those that are over counting whole."""
        done = [job.progress.fraction if job and not job.state.final else 1.0 for job in self.jobs]
        return sum(done) / len(done)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as the API shows it, without its findings."""
        return {
            "id": self.id,
            "state": self.state.value,
            "fraction": self.fraction,
            "options": self.options.to_dict(),
            "jobs": [job.id if job else None for job in self.jobs],
            "sweep": self.sweep_id,
            "links": {},
            "created_at": utc_text(self.created_at),
        }
