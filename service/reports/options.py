"""What a report is asked for, and the runs that answer it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from service.core import TrainingConfig
from service.errors import InvalidField
from service.jobs import JobRequest, SweepRequest

MAX_PENALTIES = 20
LOGISTIC_EPOCHS, SOFTMAX_EPOCHS = 500, 50
QUICK_LOGISTIC_EPOCHS, QUICK_SOFTMAX_EPOCHS = 20, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """The options of a report; the defaults are those of the course report.

    Parameters
    ----------
    classes : the two digits that logistic regression tells apart, the positive one first.
    l2_penalties : of softmax regression. 0 is always among them, since all others are compared with it.
    quick : train fewer epochs. Every page then says so.

    Raises
    ------
    InvalidField : at construction, naming the option and what it may be.
    """

    dataset: str = "mnist"
    seed: int = 0
    classes: tuple[int, ...] = (2, 3)
    l2_penalties: tuple[float, ...] = (1.0, 0.1, 0.01, 0.001)
    quick: bool = False

    def __post_init__(self) -> None:
        """Put the penalties in order, 0 first and then falling, and let every run check its configuration."""
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
        """Build from plain data; `to_dict` gives it."""
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {**asdict(self), "classes": list(self.classes), "l2_penalties": list(self.l2_penalties)}

    def logistic(self, *, shuffle: bool) -> JobRequest:
        """Return the run of task 2, in file order or shuffled."""
        config = TrainingConfig(
            model="logistic",
            classes=self.classes,
            learning_rate=0.05,
            epochs=QUICK_LOGISTIC_EPOCHS if self.quick else LOGISTIC_EPOCHS,
            shuffle=shuffle,
            seed=self.seed,
        )
        return JobRequest(config=config, dataset=self.dataset, name=f"{self.dataset}-report-logistic")

    def softmax(self) -> SweepRequest:
        """Return the runs of tasks 3 and 4, which share their batches and so are trained as one stack."""
        base = {
            "model": "softmax",
            "learning_rate": 0.01,
            "epochs": QUICK_SOFTMAX_EPOCHS if self.quick else SOFTMAX_EPOCHS,
            "seed": self.seed,
        }
        return SweepRequest(
            base=base,
            grid={"l2_penalty": self.l2_penalties},
            dataset=self.dataset,
            name=f"{self.dataset}-report-softmax",
        )
