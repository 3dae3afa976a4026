"""What a worker says, as frozen values that travel as MessagePack: plain data and bytes, never code."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, TypeAlias

import msgpack
import numpy as np
from numpy.typing import NDArray

from service.core import Check, Floats, StopReason

from .environment import Environment
from .progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The member is about to make its first step, on this data and in this environment."""

    member: int
    environment: Environment
    dataset_sha256: str
    batches_per_epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A validation check was made; ``improved`` if its validation loss is the lowest so far.

    ``step_losses`` holds the training losses of the steps since the last check, as `pack_losses` gives them;
    ``number`` counts the checks from 0; ``snapshot`` holds the weights, as `pack_weights` gives them, at those
    checks at which they are kept.
    """

    member: int
    check: Check
    improved: bool
    progress: Progress
    step_losses: bytes
    number: int
    snapshot: bytes | None

    LOSS_BYTES: ClassVar[int] = 4

    @staticmethod
    def pack_losses(losses: Floats) -> bytes:
        """Return losses as little-endian float32; a larger one than that has room for becomes the largest."""
        return np.minimum(losses, np.finfo(np.float32).max).astype("<f4").tobytes()

    @staticmethod
    def unpack_losses(data: bytes) -> NDArray[np.float32]:
        """Read back `pack_losses`."""
        return np.frombuffer(data, dtype="<f4").astype(np.float32, copy=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpointed:
    """The member could go on from here: bytes of `encode_checkpoint`."""

    member: int
    step: int
    checkpoint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The member trains no more. With ``handed_back`` it was only interrupted, and wants to go on elsewhere."""

    member: int
    stop_reason: StopReason
    checkpoint: bytes
    handed_back: bool = False
    failed_step: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The member could not be trained, for a reason that trying again would not mend."""

    member: int
    code: str
    message: str


Message: TypeAlias = Started | Checked | Checkpointed | Ended | Failed

_KINDS: dict[str, type[Message]] = {kind.__name__: kind for kind in (Started, Checked, Checkpointed, Ended, Failed)}


def encode_message(message: Message) -> bytes:
    """Return a message as MessagePack."""
    packed: bytes = msgpack.packb({"kind": type(message).__name__, **asdict(message)})
    return packed


def decode_message(data: bytes) -> Message:
    """Read back what `encode_message` wrote."""
    fields: dict[str, Any] = msgpack.unpackb(data)
    kind = _KINDS[fields.pop("kind")]
    if kind is Started:
        fields["environment"] = Environment(**fields["environment"])
    if kind is Checked:
        fields["check"] = Check(**fields["check"])
        fields["progress"] = Progress(**fields["progress"])
    if kind is Ended:
        fields["stop_reason"] = StopReason(fields["stop_reason"])
    return kind(**fields)
