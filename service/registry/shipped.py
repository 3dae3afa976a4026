"""The models that come with Inkling: copied into the user's store, so that prediction works at once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from service.errors import AliasMoved, Corrupted

from .registry import Registry
from .stores import LocalStore


def install_shipped(source: Path, registry: Registry) -> None:
    """Copy every version that the registry does not have, byte for byte, and every alias it never had.

    Called at every start: when nothing is missing, only folders are listed. A number that the user's own
    training has taken stays the user's, and an alias that the user has moved or deleted stays so.

    Parameters
    ----------
    source : a read-only store; nothing is installed when it is missing.
    registry : of the user's store.

    Raises
    ------
    Corrupted
        A version that would be copied is damaged.
    StorageFull, StorageFailed
        One of the stores refused. What is missing is installed at the next start.
    """
    shipped = Registry(LocalStore(source))
    for name in shipped.names():
        for version in shipped.versions(name):
            if not registry.has_version(name, version):
                registry.put(shipped.manifest(name, version), shipped.weights_bytes(name, version))
        for alias in sorted(set(shipped.alias_names(name)) - set(registry.alias_names(name))):
            version = shipped.resolve(name, alias)
            # Another process that starts now may set it first; then there is nothing left to do.
            with suppress(AliasMoved):
                if _is_installed(shipped, registry, name, version):
                    registry.set_alias(name, alias, version, expected=None, reason="shipped with Inkling")


def _is_installed(shipped: Registry, registry: Registry, name: str, version: int) -> bool:
    """Whether the registry's version is the shipped one, and not the user's own of that number."""
    try:
        return registry.has_version(name, version) and (
            registry.manifest(name, version) == shipped.manifest(name, version)
        )
    except Corrupted:
        return False
