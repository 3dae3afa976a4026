"""What travels to a worker and back, as frozen values in MessagePack: plain data and bytes, never code."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, TypeAlias

import msgpack
import numpy as np
from threadpoolctl import ThreadpoolController

from service import __version__
from service.core import Certainty, Check, StopReason, TrainingConfig
from service.errors import WorkerMismatch
from service.telemetry import Origin

FORMAT = 6
"""Of specifications and messages; the version of the package rises with it."""


@cache
def thread_pools() -> ThreadpoolController:
    """Return the controller of BLAS; to look for it among the libraries of the process takes milliseconds."""
    return ThreadpoolController()


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSpec:
    """One job of a stack.

    ``fence`` numbers the claim under which it runs, so that messages of an older claim can be told from its own.
    ``checkpoint`` is where to go on from, as bytes of `encode_checkpoint`; None starts with initial parameters.
    ``origin`` is that of the request that asked for it.
    """

    job_id: str
    fence: int
    config: TrainingConfig
    checkpoint: bytes | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSpec:
    """What a worker is asked to train: one or more jobs that share a data set and batch order.

    For ``until_step`` see `train_stack`; at ``pause_at_step`` the members end in the same way, handed back. For
    ``max_snapshots`` (of each member) see `snapshot_stride`; 0 is none.
    ``dataset_files`` are the files of a data set that is not in the package: a worker has no store to read them from.
    """

    dataset: str
    members: tuple[MemberSpec, ...]
    dataset_files: Mapping[str, bytes] | None = None
    until_step: int | None = None
    pause_at_step: int | None = None
    max_snapshots: int = 0

    def to_bytes(self) -> bytes:
        """Return the specification as MessagePack."""
        packed: bytes = msgpack.packb({**asdict(self), "format": FORMAT})
        return packed

    @classmethod
    def from_bytes(cls, data: bytes) -> StackSpec:
        """Read back what `to_bytes` wrote; raise `WorkerMismatch` if it is of another format."""
        plain: dict[str, Any] = msgpack.unpackb(data)
        if plain.pop("format", 1) != FORMAT:
            raise WorkerMismatch(mismatch("another version"))
        members = [
            MemberSpec(**{**member, "config": TrainingConfig.from_dict(member["config"])})
            for member in plain.pop("members")
        ]
        return cls(**plain, members=tuple(members))


def n_members_of(data: bytes) -> int:
    """Return how many members a specification has, of whatever format it is."""
    return len(msgpack.unpackb(data)["members"])


def mismatch(engine: str) -> str:
    """Return what is wrong where engine and worker cannot work together."""
    return f"The worker has Inkling {__version__} and the engine {engine}: install the same version on both."


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What decides the bits of a result besides its configuration, recorded with every model.

    ``blas_threads`` is 0 where no BLAS could be asked.
    """

    inkling: str
    python: str
    numpy: str
    machine: str
    blas: str
    blas_architecture: str
    blas_threads: int

    @classmethod
    def current(cls) -> Environment:
        """Describe this process; called inside a run, so that the number of BLAS threads is the one in force."""
        blas: dict[str, Any] = next((info for info in thread_pools().info() if info["user_api"] == "blas"), {})
        return cls(
            inkling=__version__,
            python=platform.python_version(),
            numpy=np.__version__,
            machine=platform.machine(),
            blas=f"{blas.get('internal_api', 'unknown')} {blas.get('version', '')}".strip(),
            blas_architecture=str(blas.get("architecture", "unknown")),
            blas_threads=int(blas.get("num_threads", 0)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run stands after a check.

    ``fraction`` is of the steps of all epochs; early stopping may end a run long before 1. ``images_per_s``
    counts training images of this attempt by the clock, checks included. ``eta_s`` assumes that all epochs are
    made; both are None after the very first step. ``patience_left`` is in checks, None without early stopping.
    """

    fraction: float = 0.0
    epoch: int = 0
    step: int = 0
    images_per_s: float | None = None
    eta_s: float | None = None
    patience_left: int | None = None


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

    ``step_losses`` holds the training losses of the steps since the last check, as `core.pack_losses` gives them;
    ``number`` counts the checks from 0; ``snapshot`` holds the parameters, as `pack_snapshot` gives them, at those
    checks at which they are kept.
    """

    member: int
    check: Check
    improved: bool
    progress: Progress
    step_losses: bytes
    number: int
    snapshot: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpointed:
    """The member could go on from here: bytes of `encode_checkpoint`."""

    member: int
    step: int
    checkpoint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The member trains no more. With ``handed_back`` it was only interrupted, and is to go on elsewhere.

    ``certainty`` is measured for the parameters that are to be published.
    """

    member: int
    stop_reason: StopReason
    checkpoint: bytes
    handed_back: bool = False
    failed_step: int | None = None
    certainty: Certainty | None = None


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
    packed: bytes = msgpack.packb({"format": FORMAT, "kind": type(message).__name__, **asdict(message)})
    return packed


def decode_message(data: bytes) -> Message:
    """Read back what `encode_message` wrote; a message of another format becomes `Failed`."""
    fields: dict[str, Any] = msgpack.unpackb(data)
    kind = _KINDS[fields.pop("kind")]
    if fields.pop("format", 1) != FORMAT and kind is not Failed:  # a failure is the same in every format
        sentence = f"The engine has Inkling {__version__} and the worker another version: install the same on both."
        return Failed(member=fields["member"], code=WorkerMismatch.code, message=sentence)
    if kind is Started:
        fields["environment"] = Environment(**fields["environment"])
    if kind is Checked:
        fields["check"] = Check(**fields["check"])
        fields["progress"] = Progress(**fields["progress"])
    if kind is Ended:
        fields["stop_reason"] = StopReason(fields["stop_reason"])
        fields["certainty"] = fields["certainty"] and Certainty(**fields["certainty"])
    return kind(**fields)
