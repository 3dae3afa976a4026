"""A report: its options, the runs that they need, the progress of those, and the records that they leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any, TypeAlias

from service import __version__
from service.answers import Doc
from service.charts import Curves
from service.core import Check, Floats, TrainingConfig, norm
from service.database import NO_ANNOTATION, Annotation
from service.datasets import load_dataset, select
from service.errors import InvalidField, NoDataYet
from service.jobs import Job, JobRequest, Jobs, JobState, SweepRequest

from .networks import NETWORKS, values_of
from .wording import listed

Grid: TypeAlias = tuple[SweepRequest, list[TrainingConfig]]
"""A sweep, and those of its grid that are its members."""

MAX_PENALTIES = 20
MAX_SEEDS = 10
LOGISTIC_EPOCHS, SOFTMAX_EPOCHS = 500, 50
QUICK_LOGISTIC_EPOCHS, QUICK_SOFTMAX_EPOCHS = 20, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """The options of a report; the defaults are those of the course report.

    Parameters
    ----------
    assignment : 1, logistic and softmax regression; or 2, networks with hidden layers.
    classes : the two digits of logistic regression, the positive one first.
    seed, seeds : the first seed and how many, one after the other. Beside the first, what depends on the seed is
        trained again with each further one, and is shown as a mean with its interval and in bands.
    l2_penalties : of softmax regression. 0 is always among them, since all others are compared with it.
    quick : train fewer epochs; a note on every page states this.
    title, authors, group : to stand at the head of the report; the title by default names its subject.

    Raises
    ------
    InvalidField : an option is out of its range.
    """

    assignment: int = 1
    dataset: str = "mnist"
    seed: int = 0
    seeds: int = 1
    classes: tuple[int, ...] = (2, 3)
    l2_penalties: tuple[float, ...] = (1.0, 0.1, 0.01, 0.001)
    quick: bool = False
    title: str = ""
    authors: tuple[str, ...] = ()
    group: str = ""

    def __post_init__(self) -> None:
        """Sort the penalties, 0 first and then falling, and check the configuration of every run."""
        if self.assignment not in (1, 2):
            raise InvalidField("There is no such assignment.", field="assignment", allowed="1 or 2")
        if not 1 <= self.seeds <= MAX_SEEDS:
            allowed = f"1 to {MAX_SEEDS}"
            raise InvalidField(f"A report has {allowed} seeds.", field="seeds", allowed=allowed)
        penalties = sorted({float(penalty) for penalty in self.l2_penalties} - {0.0}, reverse=True)
        if not 0 < len(penalties) <= MAX_PENALTIES:
            allowed = f"1 to {MAX_PENALTIES} different penalties above 0"
            raise InvalidField(f"A report compares {allowed}.", field="l2_penalties", allowed=allowed)
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "authors", tuple(self.authors))
        object.__setattr__(self, "l2_penalties", (0.0, *penalties))
        self.logistic(shuffle=True)
        self.requests()

    def fingerprinted(self) -> dict[str, Any]:
        """Return what identifies a request: later options only where they are used, as before there were any."""
        later = {"assignment": 1, "seeds": 1, "title": "", "authors": (), "group": ""}
        return {name: value for name, value in asdict(self).items() if name not in later or value != later[name]}

    @property
    def byline(self) -> str:
        """The authors and their group."""
        return ", ".join(filter(None, [listed(self.authors), self.group])) if self.authors else self.group

    @property
    def all_seeds(self) -> range:
        """The seeds, the first of which is that of what is shown of a single run."""
        return range(self.seed, self.seed + self.seeds)

    def requests(self) -> tuple[list[JobRequest], list[Grid]]:
        """Return the runs: single jobs, and sweeps, of which the last has runs of every seed, seed by seed."""
        if self.assignment == 2:
            members = [values_of(key, seed, quick=self.quick) for seed in self.all_seeds for key in NETWORKS]
            return [], [self._grid(members, "networks")]
        repeats = [{**self._logistic(shuffle=True), "seed": seed} for seed in self.all_seeds[1:]]
        members = [
            {**self._softmax(), "seed": seed, "l2_penalty": penalty}
            for seed in self.all_seeds
            for penalty in self.l2_penalties
        ]
        sweeps = [*([self._grid(repeats, "logistic")] if repeats else []), self._grid(members, "softmax")]
        return [self.logistic(shuffle=False), self.logistic(shuffle=True)], sweeps

    def logistic(self, *, shuffle: bool) -> JobRequest:
        """Return the run of task 2 with the first seed, in file order or shuffled."""
        config = TrainingConfig(**self._logistic(shuffle=shuffle), seed=self.seed)
        return JobRequest(config=config, dataset=self.dataset, name=f"{self.dataset}-report-logistic")

    def softmax(self) -> TrainingConfig:
        """Return the configuration of tasks 3 and 4 without a penalty; those with one are trained beside it."""
        return TrainingConfig(**self._softmax(), seed=self.seed, l2_penalty=0.0)

    def _logistic(self, *, shuffle: bool) -> dict[str, Any]:
        epochs = QUICK_LOGISTIC_EPOCHS if self.quick else LOGISTIC_EPOCHS
        run = {"model": "logistic", "learning_rate": 0.05, "epochs": epochs}
        return {**run, "classes": self.classes, "shuffle": shuffle}

    def _softmax(self) -> dict[str, Any]:
        epochs = QUICK_SOFTMAX_EPOCHS if self.quick else SOFTMAX_EPOCHS
        return {"model": "softmax", "learning_rate": 0.01, "epochs": epochs}

    def _grid(self, members: Sequence[Mapping[str, Any]], noun: str) -> Grid:
        configs = [TrainingConfig(**values) for values in members]
        base, grid = {}, {}
        for name in dict.fromkeys(name for values in members for name in values):
            found = tuple(dict.fromkeys(getattr(config, name) for config in configs))
            if len(found) > 1 or (len(members) == 1 and name == "seed"):
                grid[name] = found
            else:
                base[name] = found[0]
        return SweepRequest(base=base, grid=grid, dataset=self.dataset, name=f"{self.dataset}-report-{noun}"), configs


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report and its ``jobs``, None for a deleted one.

    Of assignment 1 they are: in file order, shuffled with each seed, then softmax by penalty, seed by seed; of
    assignment 2 those of `NETWORKS`, seed by seed.
    """

    id: str
    options: ReportOptions
    sweep_id: str
    created_at: datetime
    jobs: Sequence[Job | None]
    annotation: Annotation = NO_ANNOTATION

    @property
    def logistic_jobs(self) -> Sequence[Job | None]:
        """The jobs of logistic regression: in file order, shuffled with each seed."""
        return self.jobs[: 1 + self.options.seeds] if self.options.assignment == 1 else ()

    @property
    def state(self) -> JobState:
        """The state of the report, from those of its runs; a deleted run counts as failed."""
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
        """The mean progress of its runs, 0 to 1."""
        done = [job.progress.fraction if job and not job.state.final else 1.0 for job in self.jobs]
        return sum(done) / len(done)

    def shown(self, **files: str) -> dict[str, Any]:
        """Return the fields of its `ReportSummary`, with links to its files."""
        return {
            "id": self.id,
            "state": self.state,
            "fraction": self.fraction,
            "options": self.options,
            "jobs": [job and job.id for job in self.jobs],
            "sweep": self.sweep_id,
            "links": files,
            "created_at": self.created_at,
            **self.annotation.texts(self.options.title),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSummary(Annotation):
    """A report and how far it is."""

    id: str
    state: JobState
    fraction: float
    options: Annotated[ReportOptions, Doc(written_as=dict[str, Any])]
    jobs: Annotated[
        list[str | None], Doc("By seed. Of assignment 1: in file order, shuffled, then softmax by penalty.")
    ]
    sweep: Annotated[str, Doc("The runs of softmax regression, or of networks.")]
    links: Annotated[dict[str, str], Doc("Every file by its name, once all runs have succeeded.")]
    created_at: datetime


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
class Runs:
    """The runs of a report in the order of its jobs: all, or only those of logistic regression, which end long before.

    Of assignment 1 they are also found by what they are, of assignment 2 by their key in `NETWORKS`.
    """

    report_id: str
    options: ReportOptions
    all_runs: tuple[Run, ...]

    @classmethod
    def of(cls, report: Report, jobs: Jobs, *, only_logistic: bool = False) -> Runs:
        """Read what was recorded.

        Raises
        ------
        NoDataYet : not all of these runs have succeeded.
        """
        wanted = report.logistic_jobs if only_logistic else report.jobs
        found = [job for job in wanted if job and job.state is JobState.SUCCEEDED]
        if len(found) < len(wanted):
            raise NoDataYet(f"The report is {report.state}; it can be read once all its runs have succeeded.")
        runs = [
            Run(
                job=job,
                curves=jobs.curves(job.id),
                last=jobs.weights(job.id, "last").parameters,
                provenance=jobs.provenance(job.id),
            )
            for job in found
        ]
        return cls(report_id=report.id, options=report.options, all_runs=tuple(runs))

    @property
    def in_order(self) -> Run:
        """The run of task 2 in file order."""
        return self.all_runs[0]

    @property
    def shuffled_by_seed(self) -> Sequence[Run]:
        """The same with shuffling, with each seed."""
        return self.all_runs[1 : 1 + self.options.seeds]

    @property
    def softmax_by_seed(self) -> Sequence[Sequence[Run]]:
        """Those of tasks 3 and 4: for each seed without a penalty, which is the run of task 3, and then falling."""
        return _cut(self.all_runs[1 + self.options.seeds :], len(self.options.l2_penalties))

    @property
    def networks_by_seed(self) -> Sequence[Mapping[str, Run]]:
        """The runs of the second assignment by key, for each seed."""
        return [dict(zip(NETWORKS, runs, strict=True)) for runs in _cut(self.all_runs, len(NETWORKS))]

    def by_seed(self, key: str) -> list[Run]:
        """Return a run of the second assignment with each seed."""
        return [runs[key] for runs in self.networks_by_seed]


def _cut(runs: Sequence[Run], length: int) -> list[Sequence[Run]]:
    return [runs[at : at + length] for at in range(0, len(runs), length)]


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

    @property
    def last_step(self) -> int:
        """The last step that was made; of a run that made all its epochs, no check need follow it."""
        return self.last.step if self.stopped_early else self.epochs_allowed * self.batches_per_epoch - 1


def numbers_of(run: Run) -> RunNumbers:
    """Return the results of a run."""
    job, curves = run.job, run.curves
    training, validation = select(load_dataset(job.config.dataset), job.config)
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
        n_train=len(training),
        n_validation=len(validation),
        first_loss=float(curves.train_loss[0]),
        last=job.latest,
        best=job.best,
        highest_validation_accuracy=float(curves.checks["validation_accuracy"].max()),
        norm=norm(run.last),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFindings:
    """What every report has in its JSON file; ``elapsed_s`` is from the first start of a run to the last end."""

    report: str
    inkling: str
    options: Mapping[str, Any]
    dataset: Mapping[str, str]
    elapsed_s: float

    @staticmethod
    def common(runs: Runs) -> dict[str, Any]:
        """Return these values."""
        dataset, jobs = load_dataset(runs.options.dataset), [run.job for run in runs.all_runs]
        start = min(job.started_at for job in jobs if job.started_at)
        return {
            "report": runs.report_id,
            "inkling": __version__,
            "options": asdict(runs.options),
            "dataset": {"name": dataset.name, "title": dataset.title, "sha256": dataset.sha256},
            "elapsed_s": (ended_at(jobs) - start).total_seconds(),
        }


def ended_at(jobs: Sequence[Job]) -> datetime:
    """Return when the last run ended."""
    return max(job.finished_at for job in jobs if job.finished_at)
