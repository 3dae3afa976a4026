"""A child process that is killed in the middle of its work, at a system call that can be chosen."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any


def is_killed_at(nth: int, calls: Sequence[str], work: Callable[[], Any]) -> bool:
    """Do work in a child that is killed at its ``nth`` call of these functions of `os`; return whether it was."""
    child = os.fork()
    if child == 0:
        numbers = count(1)

        def counted(call: Callable[..., Any]) -> Callable[..., Any]:
            def call_or_die(*arguments: Any, **options: Any) -> Any:
                if next(numbers) == nth:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*arguments, **options)

            return call_or_die

        for name in calls:
            setattr(os, name, counted(getattr(os, name)))
        work()
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended in (0, -signal.SIGKILL), "the work itself failed"
    return ended != 0
