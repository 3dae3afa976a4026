"""The runs of a report with all that was recorded of them, and their results in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.charts import Curves
from service.core import Check, Floats, norm
from service.datasets import load_dataset, plan_split
from service.errors import NoDataYet
from service.jobs import Job, Jobs, JobState

from .report import Report, ReportOptions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """One job, its history, and its parameters of the last step."""

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
    """The runs of task 2, which end long before the others."""

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
        """Softmax regression without a penalty, the run of task 3."""
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
        runs = {"in_order": in_order, "shuffled": shuffled}
        return cls(report_id=report.id, options=report.options, **runs, softmax=tuple(softmax))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNumbers:
    """The results of one run. ``norm`` is the Frobenius norm of its last weights, bias row included."""

    job: str
    model: str
    l2_penalty: float
    shuffle: bool
    epochs_allowed: int
    batches_per_epoch: int
    stopped_early: bool
    patience: int | None
    n_train: int
    n_validation: int
    first_loss: float
    last: Check
    best: Check
    highest_validation_accuracy: float
    norm: float


def numbers_of(run: Run) -> RunNumbers:
    """Return the results of a run."""
    job, curves = run.job, run.curves
    plan = plan_split(load_dataset(job.dataset), job.config)
    if job.latest is None or job.best is None or curves.batches_per_epoch is None:
        raise ValueError("a run that has succeeded has checks")
    return RunNumbers(
        job=job.id,
        model=job.config.model,
        l2_penalty=run.l2_penalty,
        shuffle=job.config.shuffle,
        epochs_allowed=job.config.epochs,
        batches_per_epoch=curves.batches_per_epoch,
        stopped_early=curves.stop_step is not None,
        patience=job.config.patience,
        n_train=plan.n_train,
        n_validation=plan.n_validation,
        first_loss=float(curves.train_loss[0]),
        last=job.latest,
        best=job.best,
        highest_validation_accuracy=float(curves.checks["validation_accuracy"].max()),
        norm=norm(run.last),
    )


def _run(job: Job, jobs: Jobs) -> Run:
    return Run(
        job=job,
        curves=jobs.curves(job.id),
        last=jobs.weights(job.id, "last").parameters,
        provenance=jobs.provenance(job.id),
    )
