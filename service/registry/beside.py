"""What stands beside the manifests of shipped versions: measured later than their files, which stay byte for byte."""

from collections.abc import Mapping

from service.core import Certainty

_DIGITS = "ffe888bcb81bdda7f496ed3832110a443aceefb985cb55a5192a517a6fab7e0b"
_SOFTMAX = "bb86441e8f0bd5274e76ccc025405361cf8600b7758df350d5128e4ebf05148d"
_TWO_OR_THREE = "297c5fa499c479031fd9e323b05cf12bc441ce68c2639547eaa2dbdbd5141b07"

CERTAINTY: Mapping[str, Certainty] = {
    # Of a training by the same recipe on the first 50,000 images: docs/models.md has the command. 2 % of what it has
    # right is below 0.88, and 1.3 % below 0.8, which is taken since of users' pictures two to three times as much is.
    _DIGITS: Certainty(temperature=1.23, unsure_below=0.8, part="training", n_images=10_000),
    _SOFTMAX: Certainty(temperature=0.984, unsure_below=0.5331, part="training", n_images=10_000),
    _TWO_OR_THREE: Certainty(temperature=0.905, unsure_below=0.744, part="training", n_images=2_020),
}
"""Of first versions, by the SHA-256 of their weights; measured on the last 10,000 training images of MNIST."""
