"""How certain a model may be, measured on images that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log
from typing import Literal, TypeAlias, get_args

import numpy as np

from .models.interface import Output
from .task import Floats, Ints

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.5, 10.0
MIN_IMAGES = 100
"""Fewer say too little: a model that has all of them right would be made as sure as it can be."""
REFUSED_FRACTION = 0.02
"""Of the images that are classified correctly, the share whose predictions are to count as unsure."""
_N_HALVINGS = 15

Part: TypeAlias = Literal["training", "test"]
"""Of a data set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certainty:
    """What turns logits into probabilities that agree with how often they are right, and which of them are low.

    Logits are divided by the temperature before they become probabilities; a prediction of a probability lower than
    ``unsure_below`` is unsure. The part is that of the data set on which both were measured; None if not known.
    """

    temperature: float = 1.0
    unsure_below: float = 0.7
    part: Part | None = None
    n_images: int | None = None

    def __post_init__(self) -> None:
        if not MIN_TEMPERATURE <= self.temperature <= MAX_TEMPERATURE:
            raise ValueError(f"temperature must be from {MIN_TEMPERATURE} to {MAX_TEMPERATURE}, not {self.temperature}")
        if not 0 <= self.unsure_below <= 1:
            raise ValueError(f"unsure_below must be a probability, not {self.unsure_below}")
        if self.part not in (None, *get_args(Part)) or not (
            self.n_images is None or (type(self.n_images) is int and self.n_images >= MIN_IMAGES)
        ):
            raise ValueError(f"part must be one of a data set, and n_images {MIN_IMAGES} or more")

    @classmethod
    def measure(cls, output: Output, logits: Floats, y: Ints, part: Part | None = None) -> Certainty | None:
        """Measure both on images held out, from a part of the data set; None if there are too few.

        Logits are (n_outputs, n_images); y, (n_images,), is the place of each image's class. The temperature T is that
        of the lowest cross-entropy of logits / T, which has one minimum; it is found by halving the interval of log T.
        Source: Guo et al., On Calibration of Modern Neural Networks (2017).
        """
        if len(y) < MIN_IMAGES:
            return None
        z = logits[np.newaxis]
        low, high = log(MIN_TEMPERATURE), log(MAX_TEMPERATURE)
        for _ in range(_N_HALVINGS):
            middle = (low + high) / 2
            # dC/dT has the other sign of the sum of dC/dz * z.
            is_too_sure = np.vdot(output.loss_and_gradient(z / exp(middle), y)[1], z) > 0
            low, high = (middle, high) if is_too_sure else (low, middle)
        temperature = round(exp((low + high) / 2), 3)
        table = output.probabilities(z / temperature)[0]
        sure = table.max(axis=0)[table.argmax(axis=0) == y]
        unsure_below = round(float(np.quantile(sure, REFUSED_FRACTION)), 4)
        return cls(temperature=temperature, unsure_below=unsure_below, part=part, n_images=len(y))
