"""How an engine asks a worker to stop: one member, or all of it so that another can go on."""

from __future__ import annotations

from threading import Event


class StopRequests:
    """Set from one thread, asked by the training loop before each step, so asking is a set look-up."""

    def __init__(self) -> None:
        self._cancelled: set[int] = set()
        self._hand_back = Event()

    def cancel(self, member: int) -> None:
        """Ask one member to end with what it has."""
        self._cancelled.add(member)

    def hand_back(self) -> None:
        """Ask all members to end where they are, to be gone on with elsewhere."""
        self._hand_back.set()

    def should_stop(self, member: int) -> bool:
        """Answer the training loop."""
        return self._hand_back.is_set() or member in self._cancelled

    def was_handed_back(self, member: int) -> bool:
        """Tell whether a stopped member is to go on elsewhere; a cancel wins over handing back."""
        return self._hand_back.is_set() and member not in self._cancelled
