"""What the workers of a service with the fault ``poison`` run first: a job with one seed kills its worker."""

from __future__ import annotations

import os
import signal
from typing import Any

from service.worker import StackSpec, run

POISON_SEED = 666


def poison_this_process() -> None:
    """Let training with the seed be the end of this process."""
    run_training = run.run_training

    def die(spec: StackSpec, *args: Any) -> None:
        if any(member.config.seed == POISON_SEED for member in spec.members):
            os.kill(os.getpid(), signal.SIGSEGV)
        run_training(spec, *args)

    run.run_training = die  # type: ignore[assignment]
