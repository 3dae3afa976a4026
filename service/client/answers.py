"""What comes back, with names: predictions, explanations, and jobs as they were when they were asked about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .call import Json
from .picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model says of one image.

    Parameters
    ----------
    model, version : which spoke.
    digit, class_name : the most probable class, and what its data set calls it.
    probabilities : of every class; they sum to 1.
    preprocessing, warnings : what was done to the image, and what may make the answer wrong.
    """

    model: str
    version: int
    digit: int
    class_name: str
    probabilities: dict[int, float]
    preprocessing: tuple[str, ...]
    warnings: tuple[str, ...]

    @classmethod
    def all_of(cls, answer: Json) -> list[Prediction]:
        """Read an answer, one prediction for each image."""
        return [
            cls(
                model=answer["model"],
                version=answer["version"],
                digit=one["digit"],
                class_name=one["class_name"],
                probabilities={int(label): value for label, value in one["probabilities"].items()},
                preprocessing=tuple(one["preprocessing"]),
                warnings=tuple(one["warnings"]),
            )
            for one in answer["predictions"]
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What each pixel says for a class; a notebook shows it as a picture, red for the class and blue against it.

    Parameters
    ----------
    model, version : which spoke.
    digit, against : the class that is explained, and the one that it is held against, if there is one.
    logit, bias : ``evidence`` and ``bias`` sum to the logit, or to the difference of the two.
    evidence : 28 rows of 28.
    details : the whole answer.
    picture : the image, and beside it the evidence.
    """

    model: str
    version: int
    digit: int
    against: int | None
    logit: float
    bias: float
    evidence: list[list[float]]
    details: Json
    picture: Picture

    @classmethod
    def of(cls, answer: Json, picture: Picture) -> Explanation:
        """Read an answer."""
        names = ("model", "version", "digit", "against", "logit", "bias", "evidence")
        return cls(**{name: answer[name] for name in names}, details=answer, picture=picture)

    def _repr_png_(self) -> bytes | None:
        return self.picture._repr_png_()


class JobFacts:
    """A job as it was when it was asked about last.

    Parameters
    ----------
    data : as ``GET /jobs/{id}`` gives it.
    """

    def __init__(self, data: Json) -> None:
        self.data = data

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.data["id"])

    @property
    def state(self) -> str:
        """``queued``, ``running``, ``cancelling``, ``succeeded``, ``failed`` or ``cancelled``."""
        return str(self.data["state"])

    @property
    def is_over(self) -> bool:
        """Whether its state is final."""
        return self.data["finished_at"] is not None

    @property
    def config(self) -> Json:
        """What was asked for, with everything that was left open."""
        return dict(self.data["config"])

    @property
    def latest(self) -> Json | None:
        """The newest validation check."""
        return self._check("latest")

    @property
    def best(self) -> Json | None:
        """The validation check with the lowest loss."""
        return self._check("best")

    @property
    def model(self) -> tuple[str, int] | None:
        """Name and version of the model that it made, once it is over."""
        made = self.data["model"]
        return (made["name"], made["version"]) if made else None

    @property
    def error(self) -> str | None:
        """Why it failed."""
        error = self.data["error"]
        return str(error["detail"]) if error else None

    def __repr__(self) -> str:
        check = self.best
        how = f", validation accuracy {check['validation_accuracy']:.2%}" if check else ""
        return f"<job {self.id}: {self.config['name']}, {self.state}{how}>"

    def _check(self, which: str) -> Json | None:
        check: Any = self.data["metrics"][which]
        return dict(check) if check else None
