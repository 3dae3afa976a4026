"""Jobs that are made from other jobs: one that resumes another, and one that verifies another's model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np

from service.core import Floats, StopReason, TrainingConfig, TrainingState, completed
from service.core.npz import write_npz
from service.database import JobRow, JobState
from service.datasets import Dataset
from service.errors import InvalidField, InvalidJobTransition
from service.registry import Model, weight_arrays
from service.worker import decode_checkpoint


def resumable_state(row: JobRow, checkpoint: bytes | None, dataset: Dataset) -> TrainingState:
    """Return the state with which a job ended.

    Raises
    ------
    InvalidJobTransition : it is not finished, has no checkpoint, or diverged; or its data set has changed since.
    """
    if not JobState(row.state).final:
        raise InvalidJobTransition(f"The job is {row.state}; it can be resumed when it is finished.")
    if checkpoint is None:
        raise InvalidJobTransition("The job ended before its first checkpoint; submit it again instead.")
    if row.stop_reason == StopReason.NON_FINITE_LOSS:
        raise InvalidJobTransition("The job diverged and would diverge again; submit it with a smaller learning rate.")
    if dataset.sha256 != row.dataset_sha256:
        raise InvalidJobTransition("The data set is not the one that the job was trained on.")
    return decode_checkpoint(checkpoint, TrainingConfig.from_record(row.config))


def continued(row: JobRow, state: TrainingState, changes: Mapping[str, Any]) -> TrainingConfig:
    """Return the configuration of a job that resumes from ``state``: unchanged except for epochs and patience.

    Raises
    ------
    InvalidField : nothing would be left to train; or patience is lower than before, so that one long run would have
        stopped earlier.
    """
    before = TrainingConfig.from_record(row.config)
    config = replace(before, **changes)
    if before.learning_rate_schedule != "constant" and config.epochs != before.epochs:
        raise InvalidField(
            f"The learning rate follows a {before.learning_rate_schedule} over {before.epochs:,} epochs, which cannot "
            "be changed afterwards; a new job can start_from its model.",
            field="epochs",
            allowed=f"{before.epochs:,}",
        )
    n_epochs, rest = divmod(state.next_step, row.batches_per_epoch or 1)
    if config.epochs < n_epochs + (rest > 0) or (config.epochs == n_epochs and not rest):
        allowed = f"{n_epochs + 1:,} or more"
        raise InvalidField(
            f"The job has trained {n_epochs:,} epochs; to resume it needs {allowed}.", field="epochs", allowed=allowed
        )
    least = max(inf if before.patience is None else before.patience, state.stopping.checks_without_improvement + 1)
    if config.patience is not None and config.patience < least:
        allowed = "null" if before.patience is None else f"{least:,} or more, or null"
        raise InvalidField(f"To resume, patience must be {allowed}.", field="patience", allowed=allowed)
    return config


def rescaled(detail: Mapping[str, Any], *, before: TrainingConfig, now: TrainingConfig) -> Mapping[str, Any]:
    """Return the progress at an earlier check in terms of other epochs and patience."""
    progress = dict(detail)
    left = progress["patience_left"]
    progress["fraction"] *= before.epochs / now.epochs
    progress["eta_s"] = None
    if now.patience is None or before.patience is None or left is None:
        progress["patience_left"] = None
    else:
        progress["patience_left"] = left + now.patience - before.patience
    return progress


def verification_of(row: JobRow, next_step: int) -> Mapping[str, Any]:
    """Return what a job needs to verify another one, even after that has been deleted.

    Raises
    ------
    InvalidJobTransition : the job has no model to compare with.
    """
    if row.model_version is None:
        reason = "it has no model" if JobState(row.state).final else f"it is {row.state}"
        raise InvalidJobTransition(f"Only a job with a model can be verified, and {reason}.")
    return {
        "job": row.id,
        "model": {"name": row.name, "version": row.model_version},
        "until_step": next_step if row.stop_reason == StopReason.CANCELLED else None,
        "outcome": None,
    }


def is_complete(verification: Mapping[str, Any], stop_reason: StopReason, next_step: int) -> bool:
    """Whether a verifying run has reached the last step of the original run."""
    return stop_reason is not StopReason.CANCELLED or next_step == verification["until_step"]


def outcome(model: Model, row: JobRow, state: TrainingState, stop_reason: StopReason) -> dict[str, Any]:
    """Compare the results of a verifying run with a model and its record.

    Returns
    -------
    ``identical``, whether both sets of weights are the same to the bit; the SHA-256 of both weight files; the
    largest difference of a weight of either set; and ``differences`` between the record and this training.
    """
    retrained = write_npz(weight_arrays(model.function.layout, state.best, state.last))
    manifest = model.manifest
    recorded = {
        **_named("config", completed(manifest.config)),
        "dataset.sha256": manifest.dataset["sha256"],
        **_named("environment", manifest.environment),
        "stop_reason": manifest.stop_reason,
    }
    now = {
        **_named("config", completed(row.config)),
        "dataset.sha256": row.dataset_sha256,
        **_named("environment", row.environment or {}),
        "stop_reason": stop_reason.value,
    }
    return {
        "identical": all(_same_bits(*pair) for pair in ((model.best, state.best), (model.last, state.last))),
        "recorded_sha256": manifest.weights_sha256,
        "retrained_sha256": hashlib.sha256(retrained).hexdigest(),
        "largest_difference": {
            "best": _largest_difference(model.best, state.best),
            "last": _largest_difference(model.last, state.last),
        },
        "differences": list(_differences(recorded, now)),
    }


def _named(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}.{name}": value for name, value in values.items()}


def _differences(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for what in {**recorded, **now}:
        if recorded.get(what) != now.get(what):
            yield {"what": what, "recorded": recorded.get(what), "now": now.get(what)}


def _same_bits(one: Floats, other: Floats) -> bool:
    return one.dtype == other.dtype and one.tobytes() == other.tobytes()


def _largest_difference(one: Floats, other: Floats) -> float | None:
    """Return the largest absolute difference, None if the shapes differ."""
    if one.shape != other.shape:
        return None
    return float(np.abs(one.astype(np.float64) - other).max())
