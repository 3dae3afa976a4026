"""What decides the bits of a result besides its configuration: versions and the BLAS library."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from service import __version__


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Recorded with every model. ``blas_threads`` is 0 where no BLAS could be asked."""

    inkling: str
    python: str
    numpy: str
    machine: str
    blas: str
    blas_architecture: str
    blas_threads: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return asdict(self)


def describe_environment() -> Environment:
    """Ask this process; inside a run, so that the number of BLAS threads is the one in force."""
    blas: dict[str, Any] = next((info for info in threadpool_info() if info["user_api"] == "blas"), {})
    return Environment(
        inkling=__version__,
        python=platform.python_version(),
        numpy=np.__version__,
        machine=platform.machine(),
        blas=f"{blas.get('internal_api', 'unknown')} {blas.get('version', '')}".strip(),
        blas_architecture=str(blas.get("architecture", "unknown")),
        blas_threads=int(blas.get("num_threads", 0)),
    )
