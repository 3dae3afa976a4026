"""The model that all serve: Inkling's shipped weights, with nothing but NumPy and Pillow."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

PNG_SIGNATURE = b"\x89PNG"
_WEIGHTS = Path(__file__).parents[3] / "model_store/mnist-softmax/1/weights.npz"


class Linear:
    """Softmax regression on 784 pixels and a 1."""

    def __init__(self) -> None:
        with np.load(_WEIGHTS) as arrays:
            self._weights = arrays["best"]

    def __call__(self, pixels: np.ndarray) -> dict:
        """Return digit and probabilities of one image of 784 numbers from 0 to 255."""
        x = np.ones(785, dtype=np.float32)
        x[:784] = pixels.reshape(784) / np.float32(127.5) - 1
        z = x @ self._weights
        p = np.exp(z - z.max())
        p /= p.sum()
        return {"digit": int(p.argmax()), "probabilities": p.tolist()}

    def of_bytes(self, body: bytes) -> dict:
        """Likewise of a PNG, or of 784 bytes."""
        if body.startswith(PNG_SIGNATURE):
            return self(np.asarray(Image.open(BytesIO(body)).convert("L")))
        return self(np.frombuffer(body, dtype=np.uint8))
