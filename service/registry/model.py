"""A version in memory, verified: what predictions and pictures are made from."""

from __future__ import annotations

from dataclasses import dataclass

from service.core import Floats

from .manifest import Manifest


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """One version with both sets of its weights.

    Parameters
    ----------
    manifest : its manifest.
    best : weights of the lowest validation loss, (785, n_outputs), read-only.
    last : weights after the last step, likewise.
    """

    manifest: Manifest
    best: Floats
    last: Floats

    @property
    def weights(self) -> Floats:
        """The published ones, which predictions use."""
        return self.best if self.manifest.published == "best" else self.last
