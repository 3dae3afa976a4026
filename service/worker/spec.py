"""What a worker is asked to train: a stack of one or more jobs that share a data set and batch order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgpack

from service.core import TrainingConfig
from service.telemetry import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSpec:
    """One job of the stack.

    ``fence`` numbers the claim under which it runs, so that what an older claim still sends can be told apart.
    ``checkpoint`` is where to go on from, as bytes of `encode_checkpoint`; None starts from zero weights.
    ``origin`` is that of the request that asked for it.
    """

    job_id: str
    fence: int
    config: TrainingConfig
    checkpoint: bytes | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSpec:
    """The jobs to train together, and the data set that they share.

    For ``until_step`` see `train_stack`, for ``max_snapshots`` (of each member) `snapshot_stride`; 0 is none.
    ``dataset_files`` are the files of a data set that is not in the package: a worker has no store to read them from.
    """

    dataset: str
    members: tuple[MemberSpec, ...]
    dataset_files: Mapping[str, bytes] | None = None
    until_step: int | None = None
    max_snapshots: int = 0

    def to_bytes(self) -> bytes:
        """Return the specification as MessagePack."""
        members = [
            {**{name: getattr(m, name) for name in MemberSpec.__dataclass_fields__}, "config": m.config.to_dict()}
            for m in self.members
        ]
        shared = {
            "dataset": self.dataset,
            "dataset_files": self.dataset_files,
            "until_step": self.until_step,
            "max_snapshots": self.max_snapshots,
        }
        packed: bytes = msgpack.packb({**shared, "members": members})
        return packed

    @classmethod
    def from_bytes(cls, data: bytes) -> StackSpec:
        """Read back what `to_bytes` wrote."""
        plain: dict[str, Any] = msgpack.unpackb(data)
        members = [
            MemberSpec(**{**member, "config": TrainingConfig.from_dict(member["config"])})
            for member in plain.pop("members")
        ]
        return cls(**plain, members=tuple(members))
