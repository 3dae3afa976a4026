"""Weights as they are kept for looking back: at every check of a short run, at fewer and fewer of a long one."""

from __future__ import annotations

import numpy as np

from service.core import Floats


def snapshot_stride(n_checks: int, max_snapshots: int) -> int:
    """Return every how many checks a snapshot is kept: the smallest power of two that keeps ``max_snapshots`` at most.

    With each power the snapshots are half of those before, so that a run in progress only has to drop some.
    """
    return 1 << max(0, -(-n_checks // max_snapshots) - 1).bit_length()


def pack_weights(weights: Floats) -> bytes:
    """Return weights, (785, n_outputs), as little-endian float32, row after row."""
    return weights.astype("<f4").tobytes()


def unpack_weights(data: bytes, n_outputs: int) -> Floats:
    """Read back what `pack_weights` wrote."""
    return np.frombuffer(data, dtype="<f4").astype(np.float32).reshape(-1, n_outputs)
