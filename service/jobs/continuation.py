"""Going on where another job ended: what may be asked for, so that the result is that of one long run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import Any

from service.core import StopReason, TrainingConfig, TrainingState
from service.database import JobRow, JobState
from service.datasets import Dataset
from service.errors import InvalidField, InvalidJobTransition
from service.worker import decode_checkpoint


def resumable_state(row: JobRow, checkpoint: bytes | None, dataset: Dataset) -> TrainingState:
    """Return the state that a job ended with.

    Raises
    ------
    InvalidJobTransition
        It is not over, has trained nothing, or diverged; or its data set has changed since.
    """
    if not JobState(row.state).final:
        raise InvalidJobTransition(f"The job is {row.state}; it can be resumed once it is over.")
    if checkpoint is None:
        raise InvalidJobTransition("The job ended before its first checkpoint; submit it again instead.")
    if row.stop_reason == StopReason.NON_FINITE_LOSS:
        raise InvalidJobTransition("The job diverged and would again; submit it with a smaller learning rate.")
    if dataset.sha256 != row.dataset_sha256:
        raise InvalidJobTransition("The data set is not the one that the job was trained on.")
    return decode_checkpoint(checkpoint, TrainingConfig.from_record(row.config))


def continued(row: JobRow, state: TrainingState, changes: Mapping[str, Any]) -> TrainingConfig:
    """Return the configuration with which a job goes on from ``state``: its own, but for epochs and patience.

    Raises
    ------
    InvalidField
        There would be nothing left to train; or patience is less than it was, so that one long run would have
        stopped elsewhere.
    """
    before = TrainingConfig.from_record(row.config)
    config = replace(before, **changes)
    n_epochs, rest = divmod(state.next_step, row.batches_per_epoch or 1)
    if config.epochs < n_epochs + (rest > 0) or (config.epochs == n_epochs and not rest):
        allowed = f"{n_epochs + 1:,} or more"
        raise InvalidField(
            f"The job has made {n_epochs:,} epochs; it goes on with {allowed}.", field="epochs", allowed=allowed
        )
    least = max(inf if before.patience is None else before.patience, state.stopping.checks_without_improvement + 1)
    if config.patience is not None and config.patience < least:
        allowed = "null" if before.patience is None else f"{least:,} or more, or null"
        raise InvalidField(f"To go on, patience must be {allowed}.", field="patience", allowed=allowed)
    return config


def rescaled(detail: Mapping[str, Any], *, before: TrainingConfig, now: TrainingConfig) -> Mapping[str, Any]:
    """Return the progress at an earlier check as it is in a run of other epochs and patience."""
    progress = dict(detail)
    left = progress["patience_left"]
    progress["fraction"] *= before.epochs / now.epochs
    progress["eta_s"] = None
    if now.patience is None or before.patience is None or left is None:
        progress["patience_left"] = None
    else:
        progress["patience_left"] = left + now.patience - before.patience
    return progress
