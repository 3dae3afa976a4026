"""The detector of digits: whether there is a digit in an image at all. ``benchmarks/detector.py`` makes it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from service.core import DIGITS, Floats, Model, Task, build_model
from service.core.npz import ArraySpec, read_npz
from service.errors import Corrupted

WEIGHTS = Path(__file__).with_name("detector.npz")
SHA256 = "3c9855808aebe67a3a79802869644f79b8f077a97163b7e6a99be48997f983b4"
DETECTOR_DATASET_SHA256 = "c65580678af93f1ea48c2c0d01d543ec89307c6b8a0eb7ca542d7c18c5f4c681"
"""Of MNIST: a model of other data may take other things for digits."""
DIGIT_BELOW = 0.2925
"""An image that is less probably a digit is refused, as are 1 % of MNIST's last 10,000 training images."""
HIDDEN_UNITS = 64


@cache
def load_detector() -> tuple[Model, Floats]:
    """Return the model, whose first class is a digit, and its parameters.

    Raises
    ------
    Corrupted
        Its file is not the one that was measured.
    """
    config = {"hidden_layers": [HIDDEN_UNITS], "activation": "relu", "input_scaling": "standard"}
    function, content = build_model("logistic", Task(DIGITS.image_shape, n_classes=2), config), WEIGHTS.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise Corrupted("The weights of the detector of digits do not match their checksum.")
    specs = {tensor.name: ArraySpec(shape=tensor.shape, dtypes=("float32",)) for tensor in function.layout.tensors}
    return function, function.layout.row(read_npz(content, specs))
