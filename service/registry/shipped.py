"""The models that come with Inkling: how they get into a user's store, and which of them is the default."""

from contextlib import suppress
from pathlib import Path

from service.errors import AliasMoved, Corrupted, ModelNotFound
from service.stores import LocalStore

from .names import CHAMPION
from .registry import Registry

DEFAULT_MODEL, FORMER_DEFAULT_MODEL = "mnist-digits", "mnist-softmax"
_REASON = "shipped with Inkling"


def install_shipped(source: Path, registry: Registry) -> None:
    """Copy the models that come with Inkling from a read-only store, if it is there, so that prediction works at once.

    Every version that the registry lacks is copied byte for byte, and every alias that it never had; an alias that only
    installations have set moves to the version that is shipped for it now. A number that the user's own training has
    taken stays the user's, and an alias that the user has moved or deleted stays so. Raises `Corrupted` if a version is
    damaged; `StorageFull`, `StorageFailed`, when the next start installs what is missing.
    """
    shipped = Registry(LocalStore(source))
    for name in shipped.names():
        for version in shipped.versions(name):
            if not registry.has_version(name, version):
                registry.put(shipped.manifest(name, version), shipped.weights_bytes(name, version))
        for alias in shipped.alias_names(name):
            version, before = shipped.resolve(name, alias), None
            # Another process that starts now may set it first; a damaged version gets no alias.
            with suppress(AliasMoved, Corrupted, ModelNotFound):
                if alias in registry.alias_names(name):
                    moves = registry.alias_history(name, alias)
                    before = moves[-1].version
                    if before == version or any(move.reason != _REASON for move in moves):
                        continue
                if registry.manifest(name, version) == shipped.manifest(name, version):
                    registry.set_alias(name, alias, version, expected=before, reason=_REASON)


def default_model(source: Path, registry: Registry) -> str:
    """Return the model to use where neither a request nor the settings name one, after `install_shipped`.

    It is `DEFAULT_MODEL`, once that is installed. Until then it was `FORMER_DEFAULT_MODEL`; whoever had given that a
    champion of their own keeps it. The histories of both aliases decide, so that every process and every start finds
    the same, whatever is promoted later.
    """
    shipped = Registry(LocalStore(source))
    with suppress(Corrupted, ModelNotFound):
        installed = registry.alias_history(DEFAULT_MODEL, CHAMPION)[0]
        moves = registry.alias_history(FORMER_DEFAULT_MODEL, CHAMPION)
        before = [move.version for move in moves if move.at < installed.at]
        former = before[-1] if before else moves[0].version
        if _is_shipped(shipped, registry, DEFAULT_MODEL, installed.version) and _is_shipped(
            shipped, registry, FORMER_DEFAULT_MODEL, former
        ):
            return DEFAULT_MODEL
    return FORMER_DEFAULT_MODEL


def _is_shipped(shipped: Registry, registry: Registry, name: str, version: int | None) -> bool:
    if version is None or not shipped.has_version(name, version):
        return False
    # Under a number that was deleted there was the shipped version: nobody else's was ever installed there.
    return not registry.has_version(name, version) or registry.manifest(name, version) == shipped.manifest(
        name, version
    )
