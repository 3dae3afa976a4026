"""Where a job begins that does not begin with new weights: with those of a version of a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.core import DIGITS, TrainingConfig, TrainingState, completed
from service.errors import Corrupted, InvalidField, ModelNotFound
from service.registry import Registry
from service.worker import encode_checkpoint

INHERITED = ("model", "classes", "hidden_layers", "activation", "input_scaling", "initialization")
"""What a job has as the version has it that it starts from."""

_REFERENCE = re.compile(r"(?P<name>[^/@]+)([/@](?P<version>(?!sha256:)[^/@]+))?(@sha256:(?P<sha256>[0-9a-f]{64}))?")
_ALLOWED = "a model, model/version or model@alias"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartingPoint:
    """A version by its number and the SHA-256 of its weights; in a record ``name/version@sha256:...``."""

    name: str
    version: int
    weights_sha256: str

    @classmethod
    def of(cls, config: TrainingConfig) -> StartingPoint | None:
        """Return where an accepted job begins, None with new weights."""
        if config.start_from is None:
            return None
        found = _REFERENCE.fullmatch(config.start_from)
        if found is None or found["sha256"] is None or not (found["version"] or "").isdecimal():
            raise _refused("It does not say which version.")
        return cls(name=found["name"], version=int(found["version"]), weights_sha256=found["sha256"])

    def __str__(self) -> str:
        """Return the text in a record."""
        return f"{self.name}/{self.version}@sha256:{self.weights_sha256}"

    def checkpoint(self, registry: Registry, config: TrainingConfig) -> bytes:
        """Return a checkpoint before the first step: the published weights, velocity 0, nothing known of the loss.

        Raises
        ------
        ModelNotFound, Corrupted : the version was deleted, or its weights are not those that were there when the job
            was accepted.
        """
        model = registry.load(self.name, self.version)
        if model.manifest.weights_sha256 != self.weights_sha256:
            raise Corrupted(f"Version {self.version} of {self.name} is not the one that the job was to start from.")
        parameters = model.parameters.astype(config.float_type)
        n_rows = config.n_optimizer_rows
        return encode_checkpoint(TrainingState.at_start(parameters, config.patience, n_optimizer_rows=n_rows))


def started(values: Mapping[str, Any], registry: Registry | None) -> dict[str, Any]:
    """Return the hyperparameters of a request with the version that it starts from and what it has as that has it.

    Parameters
    ----------
    values : what was given; null is not given.

    Raises
    ------
    InvalidField : there is no such version, or a field was given otherwise.
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
