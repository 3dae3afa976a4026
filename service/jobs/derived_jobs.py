"""Jobs that begin where others ended: with the weights of a model, with a checkpoint, or to verify one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Annotated, Any

import numpy as np

from service.answers import Doc
from service.core import DIGITS, Floats, StopReason, TrainingConfig, TrainingState, completed
from service.database import JobRow, JobState
from service.datasets import Datasets
from service.errors import Corrupted, DatasetNotFound, InvalidField, InvalidJobTransition, ModelNotFound
from service.registry import Model, Registry, write_weights
from service.worker import decode_checkpoint, encode_checkpoint

INHERITED = ("model", "classes", "hidden_layers", "activation", "input_scaling", "initialization")
"""What a job has as the version has it that it starts from."""

_REFERENCE = re.compile(r"(?P<name>[^/@]+)([/@](?P<version>(?!sha256:)[^/@]+))?(@sha256:(?P<sha256>[0-9a-f]{64}))?")
_ALLOWED = "a model, model/version or model@alias"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A version of a model."""

    name: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """Where a resumed job began."""

    job: Annotated[str, Doc("The job whose checkpoint it began with; its earlier checks are copies.")]
    step: Annotated[int, Doc("The first step that it made itself.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class LargestDifference:
    """Of two sets of weights, the largest absolute difference; null where their shapes differ."""

    best: float | None
    last: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDifference:
    """Something in which a record and the training that repeated it differ."""

    what: Annotated[str, Doc("As in `environment.numpy`, `config.seed`, `dataset.sha256`.")]
    recorded: Any
    now: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationOutcome:
    """Whether the same weights came out."""

    identical: Annotated[bool, Doc("Whether best and last weights are the same to the bit.")]
    recorded_sha256: Annotated[str, Doc("Of the weight file of the model.")]
    retrained_sha256: Annotated[str, Doc("Of the weight file that this training would make.")]
    largest_difference: LargestDifference
    differences: list[RecordDifference]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a job trains again, and what came of it."""

    job: str
    model: ModelVersion
    outcome: Annotated[VerificationOutcome | None, Doc("null until the job has succeeded.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartingPoint:
    """A version by its number and the SHA-256 of its weights; in a record ``name/version@sha256:...``."""

    name: str
    version: int
    weights_sha256: str

    @classmethod
    def of(cls, start_from: str | None) -> StartingPoint | None:
        """Return where an accepted job begins, None with new weights."""
        if start_from is None:
            return None
        found = _REFERENCE.fullmatch(start_from)
        if found is None or found["sha256"] is None or not (found["version"] or "").isdecimal():
            raise _refused("It does not say which version.")
        return cls(name=found["name"], version=int(found["version"]), weights_sha256=found["sha256"])

    def __str__(self) -> str:
        return f"{self.name}/{self.version}@sha256:{self.weights_sha256}"

    def checkpoint(self, registry: Registry, config: TrainingConfig) -> bytes:
        """Return a checkpoint before the first step: the published weights, velocity 0, nothing known of the loss.

        Raises `ModelNotFound` or `Corrupted` if the version was deleted, or is not that of when the job was accepted.
        """
        model = registry.load(self.name, self.version)
        if model.manifest.weights_sha256 != self.weights_sha256:
            raise Corrupted(f"Version {self.version} of {self.name} is not the one that the job was to start from.")
        parameters = model.parameters.astype(config.dtype)
        n_rows = config.n_optimizer_rows
        return encode_checkpoint(TrainingState.at_start(parameters, config.patience, n_optimizer_rows=n_rows))


def started(values: Mapping[str, Any], registry: Registry | None) -> dict[str, Any]:
    """Return the hyperparameters of a request with the version that it starts from and what it has as that has it.

    A null in ``values`` is not given. Raises `InvalidField` if there is no such version, or it has other values.
    """
    text = values.get("start_from")
    if text is None:
        return dict(values)
    found = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
    if found is None or registry is None:
        raise _refused(f"start_from must be {_ALLOWED}.")
    try:
        manifest = registry.manifest(found["name"], registry.resolve(found["name"], found["version"]))
    except ModelNotFound:
        raise _refused("There is no such model to start from, or it has no such version or alias.") from None
    if found["sha256"] not in (None, manifest.weights_sha256):
        raise _refused("The version to start from has another SHA-256.")
    if manifest.image_shape != DIGITS.image_shape:
        raise _refused("The model to start from is for images of another size.")
    config = completed(manifest.config)
    inherited: dict[str, Any] = {name: config.get(name) for name in INHERITED}
    inherited |= {"model": manifest.model, "classes": list(manifest.classes)}
    inherited["hidden_layers"] = list(inherited["hidden_layers"])
    for name, value in inherited.items():
        given = values.get(name)
        if given is not None and (list(given) if isinstance(given, tuple) else given) != value:
            allowed = str(value)
            raise InvalidField(
                f"{name} must be as the model to start from has it: {allowed}.", field=name, allowed=allowed
            )
    start = StartingPoint(name=manifest.name, version=manifest.version, weights_sha256=manifest.weights_sha256)
    return {**values, **inherited, "start_from": str(start)}


def _refused(message: str) -> InvalidField:
    return InvalidField(message, field="start_from", allowed=_ALLOWED)


def require_dataset(row: JobRow, datasets: Datasets) -> None:
    """Raise `InvalidJobTransition` unless the data set that a job was trained on is still there."""
    try:
        if row.dataset_sha256 in (None, datasets.get(row.dataset).sha256):
            return
    except DatasetNotFound:
        raise InvalidJobTransition(f"The data set {row.dataset} of the job was deleted.") from None
    raise InvalidJobTransition("The data set is not the one that the job was trained on.")


def require_versions(row: JobRow, registry: Registry | None) -> None:
    """Raise `InvalidJobTransition` if the version that a job made, or the one that it started from, was deleted."""
    needed: list[tuple[str, int | None]] = [(row.name, row.model_version)]
    if start := StartingPoint.of(row.config.get("start_from")):
        needed.append((start.name, start.version))
    for name, version in needed:
        if registry and version is not None and not registry.has_version(name, version):
            raise InvalidJobTransition(f"Version {version} of {name}, which this needs, was deleted.")


def resumable_state(row: JobRow, checkpoint: bytes | None) -> TrainingState:
    """Return the last state of a job; raise `InvalidJobTransition` unless it is over, has one, and did not diverge."""
    if not JobState(row.state).final:
        raise InvalidJobTransition(f"The job is {row.state}; it can be resumed when it is finished.")
    if checkpoint is None:
        raise InvalidJobTransition("The job ended before its first checkpoint; submit it again instead.")
    if row.stop_reason == StopReason.NON_FINITE_LOSS:
        raise InvalidJobTransition("The job diverged and would diverge again; submit it with a smaller learning rate.")
    return decode_checkpoint(checkpoint, TrainingConfig.from_record(row.config))


def continued(row: JobRow, state: TrainingState, changes: Mapping[str, Any]) -> TrainingConfig:
    """Return the configuration of a job that resumes from ``state``: unchanged except for epochs and patience.

    Raises `InvalidField` if nothing would be left to train; or patience is lower than before, so that one long run
    would have stopped earlier.
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
            f"The job has trained {n_epochs:,} epoch{'' if n_epochs == 1 else 's'}; to resume it needs {allowed}.",
            field="epochs",
            allowed=allowed,
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
    """Return what verifying a job needs, even once it is deleted; raise `InvalidJobTransition` if it has no model."""
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


def outcome(model: Model, row: JobRow, state: TrainingState, stop_reason: StopReason) -> VerificationOutcome:
    """Compare the results of a verifying run with a model and its record."""
    retrained = write_weights(model.function.layout, state.best, state.last)
    manifest = model.manifest
    recorded = _facts(manifest.config, manifest.dataset["sha256"], manifest.environment, manifest.stop_reason)
    now = _facts(row.config, row.dataset_sha256, row.environment or {}, stop_reason.value)
    pairs = {"best": (model.best, state.best), "last": (model.last, state.last)}
    return VerificationOutcome(
        identical=all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in pairs.values()),
        recorded_sha256=manifest.weights_sha256,
        retrained_sha256=hashlib.sha256(retrained).hexdigest(),
        largest_difference=LargestDifference(**{which: _largest_difference(*pair) for which, pair in pairs.items()}),
        differences=[
            RecordDifference(what=what, recorded=recorded.get(what), now=now.get(what))
            for what in {**recorded, **now}
            if recorded.get(what) != now.get(what)
        ],
    )


def _facts(
    config: Mapping[str, Any], dataset_sha256: str | None, environment: Mapping[str, Any], stop_reason: str
) -> dict[str, Any]:
    """Return what decides the bits of a training and how it ended, by name."""
    return {
        **{f"config.{name}": value for name, value in completed(config).items()},
        "dataset.sha256": dataset_sha256,
        **{f"environment.{name}": value for name, value in environment.items()},
        "stop_reason": stop_reason,
    }


def _largest_difference(one: Floats, other: Floats) -> float | None:
    """Return the largest absolute difference, None if the shapes differ."""
    if one.shape != other.shape:
        return None
    return float(np.abs(one.astype(np.float64) - other).max())
