"""A sweep: the same request with some hyperparameters taken from a grid, one job for each point of it."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.core import BY_NAME, METRICS, TrainingConfig
from service.database import JobState
from service.errors import InvalidField
from service.registry import utc_text

from .job import Job

MAX_MEMBERS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRequest:
    """What somebody wants compared.

    Parameters
    ----------
    base : the hyperparameters that all members share; the others have their defaults.
    grid : for each hyperparameter in which members differ, its values. Members are all combinations, the last
        name changing fastest.

    Raises
    ------
    InvalidField
        At construction: a name is unknown or in both, a value is outside its range, or the grid is empty, too
        large or holds a value twice. ``field`` is ``base.learning_rate``, ``grid.seed`` or ``grid``.
    """

    base: Mapping[str, Any]
    grid: Mapping[str, Sequence[Any]]
    dataset: str = "mnist"
    name: str | None = None

    def __post_init__(self) -> None:
        """Check every value by itself and bring it into its canonical type."""
        base = {name: _check("base", name, value) for name, value in self.base.items()}
        grid = {name: tuple(_check("grid", name, value) for value in values) for name, values in self.grid.items()}
        n_members = 1
        for name, values in grid.items():
            if name in base:
                raise InvalidField(f"{name} is in the grid too.", field=f"base.{name}", allowed="in one of the two")
            if not values or len(set(values)) != len(values):
                allowed = "one value or more, each once"
                raise InvalidField(f"The grid must hold {allowed}, of {name}.", field=f"grid.{name}", allowed=allowed)
            n_members *= len(values)
        if not grid or n_members > MAX_MEMBERS:
            allowed = f"1 to {MAX_MEMBERS:,} members"
            raise InvalidField(f"A sweep has {allowed}, the product of its grid.", field="grid", allowed=allowed)
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "grid", grid)

    @property
    def varied(self) -> tuple[str, ...]:
        """The hyperparameters of the grid that have several values."""
        return tuple(name for name, values in self.grid.items() if len(values) > 1)

    def configs(self) -> list[TrainingConfig]:
        """Return the configuration of each member.

        Raises
        ------
        InvalidField
            A value does not go with the others; ``field`` as above.
        """
        points = itertools.product(*self.grid.values())
        try:
            return [TrainingConfig(**{**self.base, **dict(zip(self.grid, point, strict=True))}) for point in points]
        except InvalidField as error:
            raise self.placed(error) from None

    def placed(self, error: InvalidField) -> InvalidField:
        """Say of an error in a member where in this request its field is."""
        place = "grid" if error.field in self.grid else "base"
        return InvalidField(error.message, field=f"{place}.{error.field}", allowed=error.allowed)

    @property
    def model_name(self) -> str:
        """The name that was given, or one made of data set and model."""
        if self.name is not None:
            return self.name
        return f"{self.dataset}-{self.base.get('model', 'softmax')}-sweep"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        grid = {name: list(values) for name, values in self.grid.items()}
        return {"base": dict(self.base), "grid": grid, "dataset": self.dataset, "name": self.model_name}


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSummary:
    """A sweep without its members: what a listing says of it.

    Attributes
    ----------
    states : how many members are in each state.
    """

    id: str
    request: SweepRequest
    created_at: datetime
    states: Mapping[str, int]

    @property
    def over(self) -> bool:
        """Whether every member is."""
        return all(JobState(state).final for state in self.states)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "id": self.id,
            **self.request.to_dict(),
            "state": "finished" if self.over else "running",
            "states": dict(self.states),
            "created_at": utc_text(self.created_at),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One job of a sweep, without its history, and the values in which it differs from the others."""

    values: Mapping[str, Any]
    job: Job

    def metric(self, name: str) -> float | None:
        """Return a metric at the member's best check, None before its first."""
        return None if self.job.best is None else float(getattr(self.job.best, name))

    def to_dict(self) -> dict[str, Any]:
        """Return the member as the API shows it."""
        job = self.job.to_dict()
        shown = ("state", "progress", "metrics", "stop_reason", "error", "model", "started_at", "finished_at")
        return {"values": dict(self.values), "job": self.job.id, **{name: job[name] for name in shown}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A sweep and how its members fare, in the order of the grid. Members whose job was deleted are missing.

    ``batches_per_epoch`` is None unless all members that have begun agree in it.
    """

    id: str
    request: SweepRequest
    created_at: datetime
    members: tuple[Member, ...]
    batches_per_epoch: int | None

    @property
    def summary(self) -> SweepSummary:
        """The sweep without its members."""
        return SweepSummary(id=self.id, request=self.request, created_at=self.created_at, states=self.states)

    @property
    def states(self) -> Counter[str]:
        """How many members are in each state."""
        return Counter(member.job.state.value for member in self.members)

    @property
    def over(self) -> bool:
        """Whether every member is."""
        return self.summary.over

    @property
    def fraction(self) -> float:
        """How far the whole is: the mean over the members, those that are over counting whole."""
        done = [1.0 if m.job.state.final else m.job.progress.fraction for m in self.members]
        return sum(done) / len(done) if done else 1.0

    @property
    def caption(self) -> str:
        """What stands below the title of a picture of the sweep."""
        config = TrainingConfig(
            **{**self.request.base, **{name: values[0] for name, values in self.request.grid.items()}}
        )
        said = {
            "learning_rate": f"learning rate {config.learning_rate:g}",
            "batch_size": f"batch size {config.batch_size}",
            "l2_penalty": f"L2 penalty {config.l2_penalty:g}",
            "shuffle": "shuffled" if config.shuffle else "in file order",
            "seed": f"seed {config.seed}",
        }
        fixed = [words for name, words in said.items() if name not in self.request.varied]
        model = "" if "model" in self.request.varied else f"{config.model} "
        n_over = sum(member.job.state.final for member in self.members)
        return f"{model}on {self.request.dataset}, {', '.join(fixed)}; {n_over:,} of {len(self.members):,} members over"

    def ranked(self, metric: str) -> list[Member]:
        """Return the members, best first; those without a check come last."""
        sign = METRICS[metric].sign

        def key(member: Member) -> tuple[bool, float]:
            value = member.metric(metric)
            return (value is None, sign * (value or 0.0))

        return sorted(self.members, key=key)

    def grouped(self, names: Collection[str]) -> dict[tuple[Any, ...], list[Member]]:
        """Return the members that agree in these hyperparameters together, by their values."""
        groups: dict[tuple[Any, ...], list[Member]] = defaultdict(list)
        for member in self.members:
            groups[tuple(getattr(member.job.config, name) for name in names)].append(member)
        return groups

    def to_dict(self, metric: str = "validation_loss") -> dict[str, Any]:
        """Return the sweep as the API shows it, its members ranked."""
        ranked = self.ranked(metric)
        best = ranked[0] if ranked and ranked[0].job.best else None
        return {
            **self.summary.to_dict(),
            "fraction": self.fraction,
            "ranked_by": metric,
            "best": best.job.id if best else None,
            "members": [{**member.to_dict(), "rank": rank} for rank, member in enumerate(ranked, start=1)],
        }


def _check(place: str, name: str, value: Any) -> Any:
    field = f"{place}.{name}"
    if name not in BY_NAME:
        raise InvalidField("There is no hyperparameter of that name.", field=field, allowed=", ".join(BY_NAME))
    try:
        return BY_NAME[name].check(value)
    except InvalidField as error:
        raise InvalidField(error.message, field=field, allowed=error.allowed) from None
