"""The runs of a finished report with all that was recorded of them: what every number and figure is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.charts import Curves
from service.core import Floats
from service.errors import NoDataYet
from service.jobs import Job, Jobs, JobState

from .options import ReportOptions
from .report import Report


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """One job, its history, and its weights of the last step, (785, n_outputs)."""

    job: Job
    curves: Curves
    last: Floats
    provenance: Mapping[str, str]

    @property
    def l2_penalty(self) -> float:
        """Of its configuration."""
        return self.job.config.l2_penalty


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogisticRuns:
    """The runs of task 2, which are over long before the others."""

    report_id: str
    options: ReportOptions
    in_order: Run
    shuffled: Run

    @classmethod
    def of(cls, report: Report, jobs: Jobs) -> LogisticRuns:
        """Read what was recorded.

        Raises
        ------
        NoDataYet
            One of the two has not succeeded.
        """
        runs = [_run(job, jobs) for job in report.logistic_jobs if job and job.state is JobState.SUCCEEDED]
        if len(runs) < len(report.logistic_jobs):
            raise NoDataYet("The runs of logistic regression can be read once both have succeeded.")
        in_order, shuffled = runs
        return cls(report_id=report.id, options=report.options, in_order=in_order, shuffled=shuffled)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Runs(LogisticRuns):
    """All runs of a report; ``softmax`` has penalty 0 first and then falling."""

    softmax: tuple[Run, ...]

    @property
    def plain(self) -> Run:
        """Softmax regression without a penalty, which task 3 is about."""
        return self.softmax[0]

    @classmethod
    def of(cls, report: Report, jobs: Jobs) -> Runs:
        """Read what was recorded.

        Raises
        ------
        NoDataYet
            Not every run has succeeded.
        """
        if report.state is not JobState.SUCCEEDED:
            raise NoDataYet(f"The report is {report.state}; it can be read once all its runs have succeeded.")
        in_order, shuffled, *softmax = (_run(job, jobs) for job in report.jobs if job)
        return cls(
            report_id=report.id, options=report.options, in_order=in_order, shuffled=shuffled, softmax=tuple(softmax)
        )


def _run(job: Job, jobs: Jobs) -> Run:
    return Run(
        job=job,
        curves=jobs.curves(job.id),
        last=jobs.weights(job.id, "last").weights,
        provenance=jobs.provenance(job.id),
    )
