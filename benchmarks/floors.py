"""What no training can pass on this machine: ``python -m benchmarks.floors`` measures both floors, as JSON.

Reading: seconds to read 30,000 x 785 float32 once from memory, as a scalar product of BLAS with itself does it.
Arithmetic: floating-point operations a second in one large product of float32 matrices. Each on one thread of BLAS
and on all; the best of several, since a floor is asked for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

CHECKED_IMAGES = 30_000
SIDE = 2048


def measure(repeats: int = 5) -> dict[str, Any]:
    """Return ``read_s`` and ``flops_per_s``, each for "1" thread and for "all"."""
    images = np.ones(CHECKED_IMAGES * 785, np.float32)
    square = np.ones((SIDE, SIDE), np.float32)
    product = np.empty_like(square)
    found: dict[str, Any] = {"read_s": {}, "flops_per_s": {}}
    for name, threads in (("1", 1), ("all", None)):
        with threadpool_limits(limits=threads):
            found["read_s"][name] = best(lambda: np.dot(images, images), repeats)
            found["flops_per_s"][name] = 2 * SIDE**3 / best(lambda: np.matmul(square, square, out=product), repeats)
    return found


def best(action: Callable[[], Any], repeats: int) -> float:
    """Return the shortest time of several, after one that is not counted."""
    action()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return min(times)


if __name__ == "__main__":
    print(json.dumps(measure()))
