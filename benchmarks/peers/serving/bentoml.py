"""BentoML: a method for each kind; one worker. A PNG is the body of its request, raw pixels are base64 in JSON.

``bentoml serve benchmarks.peers.serving.bentoml:Softmax --port PORT``
"""

import base64
from typing import Annotated

import bentoml
import numpy as np
from bentoml.validators import DType, Shape
from PIL import Image

from benchmarks.peers.serving.linear import Linear


@bentoml.service(workers=1, logging={"access": {"enabled": False}}, metrics={"enabled": False})
class Softmax:
    """Answers `/pixels`, `/octets` and `/png`."""

    def __init__(self) -> None:
        self._linear = Linear()

    @bentoml.api
    def pixels(self, pixels: Annotated[np.ndarray, DType("uint8"), Shape((784,))]) -> dict:
        """Answer 784 numbers."""
        return self._linear(pixels)

    @bentoml.api
    def octets(self, octets: str) -> dict:
        """Answer 784 bytes."""
        return self._linear.of_bytes(base64.b64decode(octets))

    @bentoml.api
    def png(self, image: Image.Image, /) -> dict:
        """Answer a PNG."""
        return self._linear(np.asarray(image.convert("L")))
