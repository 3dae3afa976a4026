"""The states of a job, and the table of legal moves between them."""

from enum import StrEnum


class JobState(StrEnum):
    """Where a job is. Final states never change again."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
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
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.PAUSED, JobState.CANCELLING, JobState.CANCELLED}),
    JobState.RUNNING: frozenset(
        {  # queued: its worker was lost
            JobState.SUCCEEDED,
            JobState.FAILED,
            JobState.PAUSED,
            JobState.CANCELLING,
            JobState.QUEUED,
        }
    ),
    JobState.PAUSED: frozenset({JobState.QUEUED, JobState.CANCELLING, JobState.CANCELLED}),
    # A run that ends before the cancel reaches it has succeeded or failed.
    JobState.CANCELLING: frozenset({JobState.CANCELLED, JobState.SUCCEEDED, JobState.FAILED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}

_SENTENCES = {
    JobState.QUEUED: "Waiting for a worker.",
    JobState.RUNNING: "A worker is training it.",
    JobState.PAUSED: "It waits to be continued, and uses no worker.",
    JobState.CANCELLING: "A stop was requested; it follows after the current step.",
    JobState.SUCCEEDED: "Training is over and the model is registered.",
    JobState.FAILED: "It ended without a model; see the error.",
    JobState.CANCELLED: "It was stopped on request; the best weights so far were kept.",
}


def sources(to: JobState) -> frozenset[JobState]:
    """Return the states from which a job may move to ``to``."""
    return frozenset(state for state, targets in MOVES.items() if to in targets)


FINAL = frozenset(state for state in JobState if state.final)
