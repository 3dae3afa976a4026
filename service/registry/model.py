"""What the registry loads: a version with its weights, verified."""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
