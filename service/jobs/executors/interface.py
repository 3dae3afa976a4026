"""What every executor does: run stacks in slots, pass on what they say, and always say how they ended."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from service.worker import Message, StackSpec


class Outcome(Enum):
    """How an execution came to its end."""

    #: The worker returned; everything it had to say was said before.
    RETURNED = "returned"
    #: The worker died or was killed; the same work may be given to another.
    LOST = "lost"
    #: The worker raised an error that is a bug; trying again would raise it again.
    CRASHED = "crashed"


class Listener(Protocol):
    """Who hears of an execution. Called from the executor's threads, one call at a time for each execution."""

    def on_message(self, message: Message) -> None:
        """Take one message."""

    def on_end(self, outcome: Outcome) -> None:
        """Take the end: called exactly once, after the last message."""


class Execution(Protocol):
    """A stack that was given to a worker."""

    @property
    def silent_s(self) -> float:
        """How long nothing was heard of the worker; 0 where it cannot fall silent without its end being noticed."""

    def cancel(self, member: int) -> None:
        """Ask one member to stop with what it has."""

    def hand_back(self) -> None:
        """Ask all members to stop where they are."""

    def kill(self) -> None:
        """Stop the worker at once, if this executor can; `Outcome.LOST` follows."""


class Executor(Protocol):
    """A number of slots, one stack each.

    ``n_slots`` stacks at most may be in execution; the caller counts. Asking to stop, killing and ending may
    come in any order, also before the worker has started.
    """

    @property
    def n_slots(self) -> int:
        """How many slots there are at the moment."""

    def prepare(self) -> None:
        """Make sure that a free slot can take a stack; called before each `submit`.

        Raises
        ------
        OSError
            No worker can be started.
        """

    def submit(self, spec: StackSpec, listener: Listener) -> Execution:
        """Start a stack in a free slot."""

    def close(self) -> None:
        """Kill what is still running and give the slots up."""
