"""Models, their versions and their aliases, over any `BlobStore`.

::

    <name>/<version>/weights.npz            members best and last
    <name>/<version>/manifest.json          sealed; written last, exclusively: with it the version exists
    <name>/aliases/<alias>/000001.json      sealed; the highest number holds

Weights without a manifest, which a crash can leave behind, are no version. A retry with the same weights
takes them up, any other registration steps over the number, and nothing ever deletes them.
"""

from __future__ import annotations

import hashlib

from service.core import Floats
from service.core.npz import read_npz, write_npz
from service.errors import Corrupted, ModelNotFound

from .alias import UNSET, AliasEntry, AliasHistory, Unset
from .manifest import Manifest, ModelDraft
from .model import Model
from .names import CHAMPION, LATEST, check_alias, check_model_name, is_alias, is_model_name, parse_version
from .stores import BlobStore
from .summary import ModelSummary, VersionSummary
from .versions import VersionFiles, weight_specs


class Registry:
    """The model registry. It keeps nothing of a store in memory, so several processes may share one.

    Whatever looks for a name, a version or an alias that is not there raises ModelNotFound, whatever characters
    it is made of. A store that cannot be read is StorageFailed.

    Parameters
    ----------
    store : where the bytes are.

    Attributes
    ----------
    changes : grows with each version, and each move of an alias, that is made here.
    """

    def __init__(self, store: BlobStore) -> None:
        self.changes = 0
        self._store = store
        self._files = VersionFiles(store)

    # Versions

    def register(
        self, name: str, draft: ModelDraft, best: Floats, last: Floats, *, first_attempt: bool = False
    ) -> Manifest:
        """Make the next version of a model, the first one if the name is new.

        Idempotent: the same job with the same weights under the same name gives the version there is.

        Parameters
        ----------
        best, last : (785, n_outputs), of the draft's dtype.
        first_attempt : True promises that nobody began to register these weights for this job before, which
            spares the search among all versions.

        Raises
        ------
        InvalidField
            The name is not one that a model may have.
        Corrupted
            The weights are not what the draft says, or hold a number that is not finite. Nothing was stored.
        StorageFull, StorageFailed
            The store refused. The version is absent, or whole; the same call again makes or finds it.
        """
        check_model_name(name)
        weights = write_npz({"best": best, "last": last})
        read_npz(weights, weight_specs(draft))
        sha256 = hashlib.sha256(weights).hexdigest()
        # First the highest version, then the search below it, then the attempts above it: so two engines that
        # finish the same job at the same moment cannot miss each other.
        latest = self._files.latest(name)
        for version in () if first_attempt else range(latest, 0, -1):
            if made := self._files.of_job(name, version, draft.job_id, sha256):
                return made
        version = latest
        while True:
            version += 1
            manifest = draft.as_version(name=name, version=version, weights_sha256=sha256, size_bytes=len(weights))
            if self.put(manifest, weights):
                return manifest
            if made := self._files.of_job(name, version, draft.job_id, sha256):
                return made

    def put(self, manifest: Manifest, weights: bytes) -> bool:
        """Store a version under the number that its manifest has.

        Parameters
        ----------
        weights : the weight file, verified, as the manifest describes it.

        Returns
        -------
        False when the number is taken; what has it stays as it is.
        """
        is_new = self._files.put(manifest, weights)
        self.changes += 1
        return is_new

    def has_version(self, name: str, version: int) -> bool:
        """Whether there is such a version."""
        return self._files.exists(name, version)

    def manifest(self, name: str, version: int) -> Manifest:
        """Return a version's manifest.

        Raises
        ------
        Corrupted
            It is not as it was written, or it is another version's.
        """
        return self._files.manifest(name, version)

    def load(self, name: str, version: int) -> Model:
        """Return a version with its weights, everything verified.

        Raises
        ------
        Corrupted
            Size, checksum, members, shapes, types or values of its file are not what its manifest says, or
            one of the two files is missing or damaged.
        """
        return self._files.read(name, version)[0]

    def weights_bytes(self, name: str, version: int) -> bytes:
        """Return a version's weight file, verified as `load` does."""
        return self._files.read(name, version)[1]

    # Listing

    def names(self) -> tuple[str, ...]:
        """Return the names of all models that have a version."""
        return tuple(name for name in self._store.list("") if self._files.latest(name))

    def versions(self, name: str) -> tuple[int, ...]:
        """Return the versions of a model, ascending. A crash may have left a number out."""
        versions = tuple(number for number in self._files.numbers(name) if self._files.exists(name, number))
        if not versions:
            raise ModelNotFound("There is no model of this name.")
        return versions

    def resolve(self, name: str, reference: int | str | None = None) -> int:
        """Return the version that a reference means.

        Parameters
        ----------
        reference : a version, as a number or in digits; an alias; ``latest`` for the highest version; None
            for the alias ``champion`` if there is one, else the highest version.

        Raises
        ------
        Corrupted
            The alias cannot be read.
        """
        version: int | None
        if reference is None:
            version = self._current(name, CHAMPION) or self._files.latest(name)
        elif reference == LATEST:
            version = self._files.latest(name)
        elif isinstance(reference, str):
            version = parse_version(reference) or self._current(name, reference)
        else:
            version = reference
        if version is None or not self.has_version(name, version):
            raise ModelNotFound("There is no model of this name, or it has no such version or alias.")
        return version

    def summary(self, name: str) -> ModelSummary:
        """Return what a listing says of one model."""
        versions = self.versions(name)
        try:
            aliases = self.aliases(name)
        except Corrupted:
            aliases = None
        try:
            default = self._summary_of(name, self.resolve(name))
        except Corrupted:
            default = None
        return ModelSummary(name=name, versions=versions, aliases=aliases, default=default)

    def version_summaries(self, name: str) -> tuple[VersionSummary, ...]:
        """Return what a listing says of each version of a model, ascending."""
        return tuple(self._summary_of(name, version) for version in self.versions(name))

    # Aliases

    def alias_names(self, name: str) -> tuple[str, ...]:
        """Return every alias that a model has or had, none for an unknown model; no entry is read."""
        folders = self._store.list(f"{name}/aliases") if is_model_name(name) else []
        return tuple(alias for alias in folders if is_alias(alias) and self._history(name, alias).length())

    def aliases(self, name: str) -> dict[str, int]:
        """Return the version that each alias of a model names now.

        Raises
        ------
        Corrupted
            One of them cannot be read.
        """
        if not self._files.latest(name):
            raise ModelNotFound("There is no model of this name.")
        current = {alias: self._history(name, alias).version() for alias in self.alias_names(name)}
        return {alias: version for alias, version in current.items() if version is not None}

    def aliases_of(self, name: str, version: int) -> list[str]:
        """Return the aliases that name a version now; raise as `aliases`."""
        return [alias for alias, number in self.aliases(name).items() if number == version]

    def alias_history(self, name: str, alias: str) -> tuple[AliasEntry, ...]:
        """Return every move of an alias, the oldest first, deletions included.

        Raises
        ------
        Corrupted
            One of the entries cannot be read.
        """
        entries = self._history(name, alias).entries() if is_model_name(name) and is_alias(alias) else ()
        if not entries:
            raise ModelNotFound("The model has no such alias.")
        return entries

    def set_alias(
        self,
        name: str,
        alias: str,
        version: int,
        *,
        expected: int | Unset | None = UNSET,
        by: str | None = None,
        reason: str | None = None,
    ) -> AliasEntry:
        """Let an alias name a version from now on, in one atomic step.

        Parameters
        ----------
        expected : the version that it must name now, None for none; the default is to expect nothing.
        by, reason : who and why, for the history.

        Raises
        ------
        InvalidField
            The alias is not one that a model may have, or a text is too long.
        AliasMoved
            The alias does not name the expected version.
        Corrupted
            Something was expected of the alias, and it cannot be read.
        """
        check_alias(alias)
        if not self.has_version(name, version):
            raise ModelNotFound("There is no model of this name, or no such version.")
        entry = self._history(name, alias).move(version, expected=expected, by=by, reason=reason)
        self.changes += 1
        return entry

    def delete_alias(
        self,
        name: str,
        alias: str,
        *,
        expected: int | Unset = UNSET,
        by: str | None = None,
        reason: str | None = None,
    ) -> AliasEntry:
        """Let an alias name no version any more. Its history stays.

        Raises
        ------
        AliasMoved
            The alias does not name the expected version.
        Corrupted
            The alias cannot be read.
        """
        if self._current(name, alias) is None:
            raise ModelNotFound("The model has no such alias.")
        entry = self._history(name, alias).move(None, expected=expected, by=by, reason=reason)
        self.changes += 1
        return entry

    def _history(self, name: str, alias: str) -> AliasHistory:
        return AliasHistory(self._store, name, alias)

    def _current(self, name: str, alias: str) -> int | None:
        return self._history(name, alias).version() if is_model_name(name) and is_alias(alias) else None

    def _summary_of(self, name: str, version: int) -> VersionSummary:
        try:
            return VersionSummary(version=version, manifest=self.manifest(name, version))
        except Corrupted:
            return VersionSummary(version=version, manifest=None)
