"""The states of a job and the moves between them: the whole table."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Where a job is. Final states never change again."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether the job is over."""
        return not MOVES[self]

    @property
    def sentence(self) -> str:
        """The state as a sentence for a person."""
        return _SENTENCES[self]


MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
    JobState.RUNNING: frozenset(
        {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLING, JobState.QUEUED}  # queued: its worker was lost
    ),
    # A run that ends by itself before it hears of the cancel has succeeded or failed all the same.
    JobState.CANCELLING: frozenset({JobState.CANCELLED, JobState.SUCCEEDED, JobState.FAILED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}

_SENTENCES = {
    JobState.QUEUED: "Waiting for a worker.",
    JobState.RUNNING: "A worker is training it.",
    JobState.CANCELLING: "It was asked to stop and will, after the step it is making.",
    JobState.SUCCEEDED: "Training is over and the model is registered.",
    JobState.FAILED: "It ended without a model; the error says why.",
    JobState.CANCELLED: "It was stopped on request; the best weights up to then were kept.",
}


def sources(to: JobState) -> frozenset[JobState]:
    """Return the states from which a job may move to ``to``."""
    return frozenset(state for state, targets in MOVES.items() if to in targets)


FINAL = frozenset(state for state in JobState if state.final)
