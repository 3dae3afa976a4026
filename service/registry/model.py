"""A version in memory, verified: what predictions and pictures are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from service.core import Floats, Ints
from service.core import Model as Function

from .manifest import Manifest


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """One version with both sets of its weights.

    Parameters
    ----------
    manifest : its manifest.
    best : parameters of the lowest validation loss, (n_parameters,), read-only.
    last : those after the last step, likewise.

    Attributes
    ----------
    function : what it is a function of parameters and images as; see `service.core.Model`.
    parameters : the published ones of both, which predictions use.
    classes : (n_classes,) int64, the label of each class, as in the manifest; ``labels`` are the same as texts.
    name_of : what the class of each label is called.
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
        """Work out what every prediction would have to."""
        object.__setattr__(self, "function", self.manifest.build_model())
        object.__setattr__(self, "parameters", self.best if self.manifest.published == "best" else self.last)
        classes = self.manifest.classes
        object.__setattr__(self, "classes", np.array(classes, np.int64))
        object.__setattr__(self, "labels", tuple(map(str, classes)))
        object.__setattr__(self, "name_of", dict(zip(classes, self.manifest.class_names, strict=True)))
