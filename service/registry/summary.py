"""What a listing says of a model or a version without reading a weight file.

A damaged document takes nothing else out of a listing: its line has the state ``corrupted`` instead of its
contents. Damaged weights show when they are loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .manifest import Manifest

State = Literal["ready", "corrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSummary:
    """One version. ``manifest`` is None exactly when the state is ``corrupted``."""

    version: int
    manifest: Manifest | None

    @property
    def state(self) -> State:
        """Whether the manifest could be read."""
        return "corrupted" if self.manifest is None else "ready"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as the API shows it; what is not known is None."""
        about = self.manifest.to_dict() if self.manifest else {}
        shown = {
            name: about.get(name) for name in ("model", "classes", "class_names", "published", "created_at", "job_id")
        }
        metrics = about["metrics"]["published"] if about else None
        return {"version": self.version, "state": self.state, **shown, "metrics": metrics}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSummary:
    """One model.

    Parameters
    ----------
    name : its name.
    versions : all of them, ascending.
    aliases : the version that each alias names; None if one of them could not be read.
    default : the version that answers when none is asked for; None if its alias could not be read.
    """

    name: str
    versions: tuple[int, ...]
    aliases: Mapping[str, int] | None
    default: VersionSummary | None

    @property
    def state(self) -> State:
        """Whether every alias and the default version's manifest could be read."""
        intact = self.aliases is not None and self.default is not None and self.default.state == "ready"
        return "ready" if intact else "corrupted"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as the API shows it."""
        return {
            "name": self.name,
            "state": self.state,
            "versions": list(self.versions),
            "aliases": None if self.aliases is None else dict(self.aliases),
            "default": None if self.default is None else self.default.to_dict(),
        }
