"""The request for a sweep: a grid of hyperparameters, with a job for each of its points."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from service.answers import Doc
from service.core import BY_NAME, TrainingConfig
from service.database import Annotation
from service.errors import InvalidField
from service.registry import Registry

from .derived_jobs import started

MAX_MEMBERS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRequest(Annotation):
    """A request for a sweep: members are all combinations of the values in ``grid``, the last name changing fastest.

    They share the hyperparameters of ``base``; the others have their defaults. Raises `InvalidField` at construction,
    of ``base.learning_rate``, ``grid.seed`` or ``grid``: a name is unknown or in both, a value is outside its range, or
    the grid is empty or holds a value twice.
    """

    base: Annotated[Mapping[str, Any], Doc("What all members share, as far as it was given.", dict[str, Any])]
    grid: Annotated[Mapping[str, Sequence[Any]], Doc(written_as=dict[str, list[Any]])]
    dataset: str = "mnist"
    name: str | None = None

    def __post_init__(self) -> None:
        Annotation.__post_init__(self)
        base = {name: _check("base", name, value) for name, value in self.base.items()}
        grid = {name: tuple(_check("grid", name, value) for value in values) for name, values in self.grid.items()}
        for name, values in grid.items():
            if name in base:
                raise InvalidField(f"{name} is in the grid too.", field=f"base.{name}", allowed="in one of the two")
            if not values or len(set(values)) != len(values):
                allowed = "one value or more, each once"
                raise InvalidField(f"The grid must hold {allowed}, of {name}.", field=f"grid.{name}", allowed=allowed)
        if not grid:
            raise _wrong_size()
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "grid", grid)

    @property
    def varied(self) -> tuple[str, ...]:
        """The hyperparameters of the grid that have several values."""
        return tuple(name for name, values in self.grid.items() if len(values) > 1)

    def configs(self, registry: Registry | None = None) -> list[TrainingConfig]:
        """Return each member's configuration, of a model where it starts from one; raise `InvalidField` as above."""
        if math.prod(map(len, self.grid.values())) > MAX_MEMBERS:
            raise _wrong_size()
        points = itertools.product(*self.grid.values())
        members = [{**self.base, **dict(zip(self.grid, point, strict=True))} for point in points]
        try:
            return [TrainingConfig(**started(values, registry)) for values in members]
        except InvalidField as error:
            raise self.placed(error) from None

    def placed(self, error: InvalidField) -> InvalidField:
        """Return the error of a member with its field named as in this request."""
        place = "grid" if error.field in self.grid else "base"
        return InvalidField(error.message, field=f"{place}.{error.field}", allowed=error.allowed)

    @property
    def model_name(self) -> str:
        """The given name, or one made of data set and model."""
        if self.name is not None:
            return self.name
        return f"{self.dataset}-{self.base.get('model', 'softmax')}-sweep"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        grid = {name: list(values) for name, values in self.grid.items()}
        return {"base": dict(self.base), "grid": grid, "dataset": self.dataset, "name": self.model_name}


def _wrong_size() -> InvalidField:
    allowed = f"1 to {MAX_MEMBERS:,} members"
    return InvalidField(f"A sweep has {allowed}, the product of its grid.", field="grid", allowed=allowed)


def _check(place: str, name: str, value: Any) -> Any:
    field = f"{place}.{name}"
    if name not in BY_NAME:
        raise InvalidField("There is no hyperparameter of that name.", field=field, allowed=", ".join(BY_NAME))
    try:
        return BY_NAME[name].check(value)
    except InvalidField as error:
        raise InvalidField(error.message, field=field, allowed=error.allowed) from None
