"""A report: its options, the runs that they need, and the progress of those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from service.core import TrainingConfig
from service.errors import InvalidField
from service.jobs import Job, JobRequest, JobState, SweepRequest
from service.registry import utc_text

MAX_PENALTIES = 20
LOGISTIC_EPOCHS, SOFTMAX_EPOCHS = 500, 50
QUICK_LOGISTIC_EPOCHS, QUICK_SOFTMAX_EPOCHS = 20, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """The options of a report; the defaults are those of the course report.

    Parameters
    ----------
    classes : the two digits of logistic regression, the positive one first.
    l2_penalties : of softmax regression. 0 is always among them, since all others are compared with it.
    quick : train fewer epochs; a note on every page states this.

    Raises
    ------
    InvalidField : an option is out of its range.
    """

    dataset: str = "mnist"
    seed: int = 0
    classes: tuple[int, ...] = (2, 3)
    l2_penalties: tuple[float, ...] = (1.0, 0.1, 0.01, 0.001)
    quick: bool = False

    def __post_init__(self) -> None:
        """Sort the penalties, 0 first and then falling, and check the configuration of every run."""
        penalties = sorted({float(penalty) for penalty in self.l2_penalties} - {0.0}, reverse=True)
        if not 0 < len(penalties) <= MAX_PENALTIES:
            allowed = f"1 to {MAX_PENALTIES} different penalties above 0"
            raise InvalidField(f"A report compares {allowed}.", field="l2_penalties", allowed=allowed)
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "l2_penalties", (0.0, *penalties))
        self.logistic(shuffle=True)
        self.softmax()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ReportOptions:
        """Build from the plain data of `to_dict`."""
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {**asdict(self), "classes": list(self.classes), "l2_penalties": list(self.l2_penalties)}

    def logistic(self, *, shuffle: bool) -> JobRequest:
        """Return the run of task 2, in file order or shuffled."""
        epochs = QUICK_LOGISTIC_EPOCHS if self.quick else LOGISTIC_EPOCHS
        config = TrainingConfig(
            model="logistic", classes=self.classes, learning_rate=0.05, epochs=epochs, shuffle=shuffle, seed=self.seed
        )
        return JobRequest(config=config, dataset=self.dataset, name=f"{self.dataset}-report-logistic")

    def softmax(self) -> SweepRequest:
        """Return the runs of tasks 3 and 4, which share their batches and so are trained as one stack."""
        epochs = QUICK_SOFTMAX_EPOCHS if self.quick else SOFTMAX_EPOCHS
        base = {"model": "softmax", "learning_rate": 0.01, "epochs": epochs, "seed": self.seed}
        grid = {"l2_penalty": self.l2_penalties}
        return SweepRequest(base=base, grid=grid, dataset=self.dataset, name=f"{self.dataset}-report-softmax")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report and its ``jobs``: in file order, shuffled, then softmax by penalty; None for a deleted one."""

    id: str
    options: ReportOptions
    sweep_id: str
    created_at: datetime
    jobs: Sequence[Job | None]

    @property
    def logistic_jobs(self) -> Sequence[Job | None]:
        """The jobs of logistic regression: in file order, shuffled."""
        return self.jobs[:2]

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

    def to_dict(self) -> dict[str, Any]:
        """Return the report as in the API, without its findings."""
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
