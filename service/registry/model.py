"""What the registry returns: a version with its weights, verified, and summaries for listings.

A summary is made without reading a weight file. A damaged document does not affect the rest of a listing: its entry has
the state ``corrupted``. Damaged weights are detected when they are loaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from service.core import Floats, Ints
from service.core import Model as Function

from .manifest import Manifest


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """One version with both sets of its weights, (n_parameters,), read-only: of the lowest loss, and the last.

    Attributes
    ----------
    function : the model of the core, a function of parameters and images.
    parameters : the published set of the two, which predictions use.
    classes : (n_classes,) int64, the label of each class, as in the manifest; ``labels`` are their texts.
    name_of : the name of the class of each label.
    """

    manifest: Manifest
    best: Floats
    last: Floats
    function: Function = field(init=False)
    parameters: Floats = field(init=False)
    classes: Ints = field(init=False)
    labels: tuple[str, ...] = field(init=False)
    name_of: Mapping[int, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "function", self.manifest.build_model())
        object.__setattr__(self, "parameters", self.best if self.manifest.published == "best" else self.last)
        classes = self.manifest.classes
        object.__setattr__(self, "classes", np.array(classes, np.int64))
        object.__setattr__(self, "labels", tuple(map(str, classes)))
        object.__setattr__(self, "name_of", dict(zip(classes, self.manifest.class_names, strict=True)))


State = Literal["ready", "corrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSummary:
    """One version. ``manifest`` is None exactly when the state is ``corrupted``."""

    version: int
    manifest: Manifest | None

    @property
    def state(self) -> State:
        """Whether the manifest could be read."""
        return "corrupted" if self.manifest is None else "ready"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as in an answer; what is unknown is None."""
        about = self.manifest.to_dict() if self.manifest else {}
        shown = {
            name: about.get(name) for name in ("model", "classes", "class_names", "published", "created_at", "job_id")
        }
        metrics = about["metrics"]["published"] if about else None
        return {"version": self.version, "state": self.state, **shown, "metrics": metrics}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSummary:
    """One model: its versions, ascending, and the version that each alias names; None if one cannot be read.

    The default is the version that is used when none is named; None if its alias could not be read.
    """

    name: str
    versions: tuple[int, ...]
    aliases: Mapping[str, int] | None
    default: VersionSummary | None

    @property
    def state(self) -> State:
        """Whether every alias and the default version's manifest could be read."""
        intact = self.aliases is not None and self.default is not None and self.default.state == "ready"
        return "ready" if intact else "corrupted"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as in an answer."""
        return {
            "name": self.name,
            "state": self.state,
            "versions": list(self.versions),
            "aliases": None if self.aliases is None else dict(self.aliases),
            "default": None if self.default is None else self.default.to_dict(),
        }
