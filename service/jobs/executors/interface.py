"""The interface of every executor: run stacks in slots, forward their messages, and always report how they ended."""

from enum import Enum
from typing import Protocol

from service.worker import Message, StackSpec


class Outcome(Enum):
    """How an execution ended."""

    #: The worker returned, after its last message.
    RETURNED = "returned"
    #: The worker died or was killed; the stack may be retried by another one.
    LOST = "lost"
    #: The worker raised an error that is a bug; a retry would raise it again.
    CRASHED = "crashed"


class Listener(Protocol):
    """Receiver of an execution's messages, called from the executor's threads, one call at a time per execution."""

    def on_message(self, message: Message) -> None:
        """Receive a message."""

    def on_end(self, outcome: Outcome) -> None:
        """Receive the end: called exactly once, after the last message."""


class Execution(Protocol):
    """A stack that was submitted to a worker."""

    @property
    def silent_s(self) -> float:
        """Time since the worker's last message; 0 if it cannot stop sending without its end being noticed."""

    def cancel(self, member: int) -> None:
        """Request one member to stop with its results so far."""

    def hand_back(self) -> None:
        """Request all members to stop, to be resumed from there."""

    def kill(self) -> None:
        """Stop the worker at once, if this executor can; `Outcome.LOST` follows."""


class Executor(Protocol):
    """A number of slots, one stack each.

    At most ``n_slots`` stacks may be in execution; the caller counts them. Requests to stop, kills and the end may
    happen in any order, also before the worker has started.
    """

    @property
    def n_slots(self) -> int:
        """The present number of slots."""

    def prepare(self) -> None:
        """Make a free slot ready for a stack, before each `submit`; raise OSError if no worker can be started."""

    def submit(self, spec: StackSpec, listener: Listener) -> Execution:
        """Start a stack in a free slot."""

    def close(self) -> None:
        """Kill what is still running and free the slots."""
