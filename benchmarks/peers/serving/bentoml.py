"""BentoML: a method for each kind. A PNG is the body of its request, raw pixels are base64 in JSON.

``python -m benchmarks.peers.serving.bentoml PORT FOLDER [tuned]`` runs ``bentoml serve``. Tuned is: no metrics, and no
line in the log for each request. One worker is the default.
"""

import base64
import os
import sys
from typing import Annotated

import bentoml
import numpy as np
from bentoml.validators import DType, Shape
from PIL import Image

from benchmarks.peers.serving.linear import Linear


class Kinds:
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


AsItComes = bentoml.service(Kinds)
Tuned = bentoml.service(logging={"access": {"enabled": False}}, metrics={"enabled": False})(Kinds)

if __name__ == "__main__":
    port, _, *tuned = sys.argv[1:]
    served = f"benchmarks.peers.serving.bentoml:{'Tuned' if tuned else 'AsItComes'}"
    command = f"{sys.prefix}/bin/bentoml"
    os.execv(command, [command, "serve", served, "--host", "127.0.0.1", "--port", port])
