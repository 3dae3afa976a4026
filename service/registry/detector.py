"""Two binary networks beside models of digits: whether there is a digit in an image at all, and whether what was cut
out of a line is one whole digit. ``benchmarks/detector.py`` and ``benchmarks/segments.py`` train them."""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from service.core import DIGITS, Floats, Model, Task, build_model, design_matrix
from service.core.npz import ArraySpec, read_npz
from service.errors import Corrupted

WEIGHTS = Path(__file__).with_name("detector.npz")
SHA256 = "3c9855808aebe67a3a79802869644f79b8f077a97163b7e6a99be48997f983b4"
_DATASET_SHA256 = "c65580678af93f1ea48c2c0d01d543ec89307c6b8a0eb7ca542d7c18c5f4c681"
"""Of MNIST: a model of other data may take other things for digits."""
DIGIT_BELOW = 0.2925
"""An image that is less probably a digit is refused, as are 1 % of MNIST's last 10,000 training images."""
REFUSED_FRACTION = 0.01
HIDDEN_UNITS = 64
WHOLE_WEIGHTS = Path(__file__).with_name("whole_digits.npz")
WHOLE_SHA256 = "0f7330c2f2267b7a2a4edb5187c4e8cc4c2b5e3aec91345633fc6b21f749f183"
WHOLE_LAYERS = (128, 64)
_LEAST_DIGIT_BELOW = 0.05
"""Whatever a user labels as a digit, scribbles too: half of what is no digit, and was refused, still is."""
_MAX_ADDED = 2_000
"""More images would change the threshold little, and take a second."""


def digit_below(dataset_sha256: str, added: npt.NDArray[np.uint8] | None = None) -> float:
    """Return the probability of a digit below which a model of a data set takes an image for none; 0 refuses nothing.

    The checksum is that of the data set, or of the first one in a mixture; ``added`` are the training images of the
    others, (n, 28, 28), each as often as it is trained on. They are labelled as digits, so 1 % of them are refused at
    most, unless that needs less than 0.05.
    """
    if dataset_sha256 != _DATASET_SHA256:
        return 0.0
    if added is None or not len(added):
        return DIGIT_BELOW
    function, parameters = load_detector()
    x = design_matrix(added[:: -(-len(added) // _MAX_ADDED)], parameters.dtype, function.scaling)
    sure = np.sort(function.probabilities(parameters, x)[:, 0])
    lowest = np.floor(1e4 * float(sure[int(REFUSED_FRACTION * len(sure))])) / 1e4
    return float(np.clip(lowest, _LEAST_DIGIT_BELOW, DIGIT_BELOW))


@cache
def load_detector() -> tuple[Model, Floats]:
    """Return the model, whose first class is a digit, and its parameters; raise `Corrupted` for another file."""
    return _load(WEIGHTS, SHA256, [HIDDEN_UNITS])


@cache
def load_whole_digits() -> tuple[Model, Floats]:
    """Return the model, whose first class is one whole digit; else as `load_detector`."""
    return _load(WHOLE_WEIGHTS, WHOLE_SHA256, WHOLE_LAYERS)


def _load(weights: Path, sha256: str, hidden_layers: Sequence[int]) -> tuple[Model, Floats]:
    config = {"hidden_layers": hidden_layers, "activation": "relu", "input_scaling": "standard"}
    function, content = build_model("logistic", Task(DIGITS.image_shape, n_classes=2), config), weights.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Corrupted(f"The weights in {weights.name} do not match their checksum.")
    specs = {tensor.name: ArraySpec(tensor.shape, "float32") for tensor in function.layout.tensors}
    return function, function.layout.row(read_npz(content, specs))
