"""A job, its checks and its times in words.

The states are written down here once more, because importing them would bring the database along, which a
command for a server elsewhere never needs; a test holds them against the table of `service.jobs`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from rich.text import Text

from service.core import StopReason

from .backend import Json
from .quantities import duration_text, loss_text, percent

STATE_STYLES = {
    "queued": "yellow",
    "running": "cyan",
    "cancelling": "yellow",
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
}
FINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})


def is_final(job: Json) -> bool:
    """Whether a job is over."""
    return job["state"] in FINAL_STATES


def state_text(job: Json) -> Text:
    """Return the state in its colour."""
    return Text(job["state"], STATE_STYLES[job["state"]])


def check_text(check: Json) -> str:
    """Return what a validation check found, and when."""
    return (
        f"validation loss {loss_text(check['validation_loss'])}, accuracy {percent(check['validation_accuracy'])}, "
        f"at epoch {check['epoch']}, step {check['step']:,}"
    )


def ending_text(job: Json) -> str:
    """Return why a job that is over ended, as a sentence."""
    if job["error"]:
        return str(job["error"].get("detail") or job["error"]["title"])
    if job["stop_reason"] is None or job["started_at"] is None:
        return f"It was {job['state']} before it began."
    return StopReason(job["stop_reason"]).sentence


def duration_of(job: Json) -> float | None:
    """Return how many seconds a job has been in training, from its first step until its end or now."""
    if job["started_at"] is None:
        return None
    started_at = datetime.fromisoformat(job["started_at"])
    ended_at = datetime.fromisoformat(job["finished_at"]) if job["finished_at"] else datetime.now(UTC)
    return (ended_at - started_at).total_seconds()


def age_text(time: str, now: datetime) -> str:
    """Return how long ago something was."""
    return duration_text(max(0.0, (now - datetime.fromisoformat(time)).total_seconds()))


def time_text(time: str) -> str:
    """Return a time to the minute."""
    return f"{datetime.fromisoformat(time).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
