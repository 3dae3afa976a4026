"""Models, their versions and their aliases, over any `BlobStore`.

::

    <name>/<version>/weights.npz            members best and last
    <name>/<version>/manifest.json          sealed; written last, exclusively: with it the version exists
    <name>/<version>/deleted.json           with it the version does not exist, and its number is never used again
    <name>/aliases/<alias>/000001.json      sealed; the entry with the highest number is current

Weights without a manifest, which a crash can leave behind, are not a version. A retry with the same weights adopts
them, and any other registration skips the number, until `Registry.clean` deletes them.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from service.core import Floats, Ints
from service.core import Model as Function
from service.errors import AliasMoved, Corrupted, InUse, ModelNotFound
from service.stores import BlobStore

from .alias import UNSET, AliasEntry, AliasHistory, Unset
from .document import MAX_DOCUMENT_BYTES
from .manifest import Manifest, ModelDraft, read_weights, write_weights
from .names import CHAMPION, LATEST, check_alias, check_model_name, is_model_name, is_version, parse_version

MANIFEST = "manifest.json"
WEIGHTS = "weights.npz"
TOMBSTONE = "deleted.json"
_OLD_S = 3600.0
"""No registration takes longer: weights without a manifest that are as old as this were abandoned."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Model:
    """One version with both sets of its weights, (n_parameters,), read-only: of the lowest loss, and the last.

    Attributes
    ----------
    function : the model of the core, a function of parameters and images.
    parameters : the published set of the two, which predictions use.
    classes : (n_classes,) int64, the label of each class, as in the manifest; ``labels`` are their texts.
    name_of : the name of the class of each label.
    """

    manifest: Manifest
    best: Floats
    last: Floats
    function: Function = field(init=False)
    parameters: Floats = field(init=False)
    classes: Ints = field(init=False)
    labels: tuple[str, ...] = field(init=False)
    name_of: Mapping[int, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "function", self.manifest.build_model())
        object.__setattr__(self, "parameters", self.best if self.manifest.published == "best" else self.last)
        classes = self.manifest.classes
        object.__setattr__(self, "classes", np.array(classes, np.int64))
        object.__setattr__(self, "labels", tuple(map(str, classes)))
        object.__setattr__(self, "name_of", dict(zip(classes, self.manifest.class_names, strict=True)))


class Registry:
    """The model registry, over a store. It caches nothing, so several processes may share one.

    A name, version or alias that does not exist raises ModelNotFound, also if it is not a legal one. A store that
    cannot be read raises StorageFailed. ``changes`` is incremented with each version that is made or deleted, and each
    move of an alias, through this object.
    """

    def __init__(self, store: BlobStore) -> None:
        self.changes = 0
        self._store = store

    # Versions

    def register(
        self, name: str, draft: ModelDraft, best: Floats, last: Floats, *, first_attempt: bool = False
    ) -> Manifest:
        """Make the next version of a model, of weights, (n_parameters,), in the draft's dtype.

        Idempotent: the same job with the same weights under the same name returns the existing version.
        ``first_attempt`` promises that this job has never begun to register these weights, which saves a search.

        Raises
        ------
        InvalidField : the name cannot be a model's.
        Corrupted : the weights do not agree with the draft, or are not all finite. Nothing was stored.
        StorageFull, StorageFailed : the version is absent or whole; a repeated call makes or finds it.
        """
        check_model_name(name)
        layout = draft.build_model().layout
        if not best.size == last.size == layout.size:
            raise Corrupted("The weights are not as many as the model has.")
        weights = write_weights(layout, best, last)
        read_weights(layout, draft.dtype, weights)
        sha256 = hashlib.sha256(weights).hexdigest()
        # First the highest version, then the search below it, then the attempts above it: two engines that
        # finish the same job at the same moment cannot miss each other.
        latest = self.latest(name)
        for version in () if first_attempt else range(latest, 0, -1):
            if made := self._manifest_of_job(name, version, draft.job_id, sha256):
                return made
        version = latest
        while True:
            version += 1
            manifest = draft.as_version(name=name, version=version, weights_sha256=sha256, size_bytes=len(weights))
            if self.put(manifest, weights):
                return manifest
            if made := self._manifest_of_job(name, version, draft.job_id, sha256):
                return made

    def put(self, manifest: Manifest, weights: bytes) -> bool:
        """Store a version, with its verified weight file, under the number in its manifest.

        False when the number is taken, or was that of a version that is deleted; its holder stays as it is.
        """
        folder = f"{manifest.name}/{manifest.version}"
        if TOMBSTONE in self._store.list(folder):
            return False
        key = f"{folder}/{WEIGHTS}"
        try:
            self._store.create(key, weights)
        except FileExistsError:
            if not self._holds(key, weights):
                return False
        try:
            self._store.create(f"{folder}/{MANIFEST}", manifest.to_json())
        except FileExistsError:
            return False
        if TOMBSTONE in self._store.list(folder):  # the weights were abandoned ones that were being deleted
            self._delete_files(folder)
            return False
        self.changes += 1
        return True

    def delete_version(self, name: str, version: int) -> None:
        """Delete a version for ever: no other one gets its number.

        The tombstone decides: what a crash leaves of the files after it is deleted by `clean`. Raises `InUse` if an
        alias names it; `StorageFailed`, when the version is there as before, or deleted.
        """
        self._require(name, version)
        folder = f"{name}/{version}"
        self._refuse_named(name, version)
        with suppress(FileExistsError):
            self._store.create(f"{folder}/{TOMBSTONE}", b"{}")
        try:
            self._refuse_named(name, version)  # an alias may have moved to it; from now on, none can
        except InUse:
            self._store.delete(f"{folder}/{TOMBSTONE}")
            raise
        self.changes += 1
        self._delete_files(folder)

    def clean(self) -> None:
        """Finish what a crash interrupted: deletions, and registrations whose weights nobody came back for."""
        folders: dict[str, dict[str, float]] = {}
        for key, age_s in self._store.walk():
            folder, _, name = key.rpartition("/")
            folders.setdefault(folder, {})[name] = age_s
        for folder, ages_s in folders.items():
            if TOMBSTONE in ages_s and len(ages_s) > 1:
                self._delete_files(folder)
            elif ages_s.keys() == {WEIGHTS} and ages_s[WEIGHTS] > _OLD_S:
                with suppress(FileExistsError):  # first, so that no registration can adopt what is being deleted
                    self._store.create(f"{folder}/{TOMBSTONE}", b"{}")
                self._delete_files(folder)

    def has_version(self, name: str, version: int) -> bool:
        """Whether there is such a version: one whose manifest is stored."""
        is_key = is_model_name(name) and is_version(version)
        found = self._store.list(f"{name}/{version}") if is_key else []
        return MANIFEST in found and TOMBSTONE not in found

    def manifest(self, name: str, version: int) -> Manifest:
        """Return a version's manifest; raise `Corrupted` if it has been changed, or belongs to another version."""
        self._require(name, version)
        manifest = Manifest.from_json(self._manifest_bytes(name, version))
        if (manifest.name, manifest.version) != (name, version):
            raise Corrupted("The manifest of this version belongs to another version.")
        return manifest

    def load(self, name: str, version: int) -> Model:
        """Return a version with its weights, everything verified.

        Raises `Corrupted` if size, checksum, members, shapes, types or values of its file do not agree with its
        manifest, or one of the two files is missing or damaged.
        """
        return self._read(name, version)[0]

    def weights_bytes(self, name: str, version: int) -> bytes:
        """Return a version's weight file, verified as by `load`."""
        return self._read(name, version)[1]

    # Listing

    def names(self) -> tuple[str, ...]:
        """Return the names of all models that have a version."""
        return tuple(name for name in self._store.list("") if self.latest(name))

    def versions(self, name: str) -> tuple[int, ...]:
        """Return the versions of a model, ascending. Numbers may be missing, deleted or after a crash."""
        versions = tuple(number for number in self._numbers(name) if self.has_version(name, number))
        if not versions:
            raise ModelNotFound("There is no model of this name.")
        return versions

    def latest(self, name: str) -> int:
        """Return the highest version, or 0 if there is no such model."""
        return next((number for number in reversed(self._numbers(name)) if self.has_version(name, number)), 0)

    def resolve(self, name: str, reference: int | str | None = None) -> int:
        """Return the version that a reference means.

        That is a version, as a number or in digits; an alias; ``latest`` for the highest version; None for the alias
        ``champion`` if there is one, else the highest version. Raises `Corrupted` if the alias cannot be read.
        """
        version: int | None
        if reference is None:
            version = self._history(name, CHAMPION).version() or self.latest(name)
        elif reference == LATEST:
            version = self.latest(name)
        elif isinstance(reference, str):
            version = parse_version(reference) or self._history(name, reference).version()
        else:
            version = reference
        if version is None or not self.has_version(name, version):
            raise ModelNotFound("There is no model of this name, or it has no such version or alias.")
        return version

    def summary(self, name: str) -> dict[str, Any]:
        """Return one model for a listing, as in an answer; no weight file is read.

        A damaged document does not affect the rest: where an alias cannot be read, all and the default are None.
        """
        versions = self.versions(name)
        aliases = default = None
        with suppress(Corrupted):
            aliases = self.aliases(name)
        with suppress(Corrupted, ModelNotFound):
            default = self._summary_of(name, self.resolve(name))
        if default is None and self.versions(name) != versions:  # it was deleted meanwhile
            return self.summary(name)
        is_ready = aliases is not None and default is not None and default["state"] == "ready"
        state = "ready" if is_ready else "corrupted"
        return {"name": name, "state": state, "versions": [*versions], "aliases": aliases, "default": default}

    def version_summaries(
        self, name: str, *, limit: int, before: int | None = None
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Return the newest versions, or those below one, ascending, and where the next page begins."""
        numbers = [version for version in self.versions(name) if before is None or version < before]
        page = numbers[-limit:]
        following = page[0] if len(numbers) > limit else None
        found = []
        for version in page:
            with suppress(ModelNotFound):  # deleted meanwhile
                found.append(self._summary_of(name, version))
        return found, following

    # Aliases

    def alias_names(self, name: str) -> tuple[str, ...]:
        """Return every alias that a model has or had, none for an unknown model; no entry is read."""
        folders = self._store.list(f"{name}/aliases") if is_model_name(name) else []
        return tuple(alias for alias in folders if self._history(name, alias).length())

    def aliases(self, name: str) -> dict[str, int]:
        """Return the current version of each alias of a model; raise `Corrupted` if one cannot be read."""
        if not self.latest(name):
            raise ModelNotFound("There is no model of this name.")
        current = {alias: self._history(name, alias).version() for alias in self.alias_names(name)}
        return {alias: version for alias, version in current.items() if version is not None}

    def aliases_of(self, name: str, version: int) -> list[str]:
        """Return the current aliases of a version; raise `Corrupted` if one cannot be read."""
        return [alias for alias in self.alias_names(name) if self._history(name, alias).version() == version]

    def alias_history(self, name: str, alias: str) -> tuple[AliasEntry, ...]:
        """Return every move of an alias, oldest first, deletions included; raise `Corrupted` if one cannot be read."""
        if entries := self._history(name, alias).entries():
            return entries
        raise ModelNotFound("The model has no such alias.")

    def set_alias(
        self, name: str, alias: str, version: int, *, expected: int | Unset | None = UNSET, reason: str | None = None
    ) -> AliasEntry:
        """Point an alias to a version, in one atomic step, for a ``reason`` that its history keeps.

        By default nothing is ``expected`` of the version that it names now; None expects none. Raises `InvalidField`
        for an alias that is not legal or a text that is too long, `AliasMoved`; `Corrupted` if a version was expected
        and the alias cannot be read.
        """
        check_alias(alias)
        self._require(name, version)
        history = self._history(name, alias)
        entry = history.move(version, expected=expected, reason=reason)
        if not self.has_version(name, version):  # its deletion may not have seen this entry, or stops because of it
            before = history.entries()[entry.number - 2].version if entry.number > 1 else None
            with suppress(AliasMoved):
                history.move(before, expected=version, reason="the version was being deleted")
            raise _no_version()
        self.changes += 1
        return entry

    def delete_alias(self, name: str, alias: str, *, expected: int | Unset = UNSET) -> AliasEntry:
        """Delete an alias. Its history stays. Raise as `set_alias`, and `Corrupted` if it cannot be read."""
        history = self._history(name, alias)
        if history.version() is None:
            raise ModelNotFound("The model has no such alias.")
        entry = history.move(None, expected=expected)
        self.changes += 1
        return entry

    def _require(self, name: str, version: int) -> None:
        if not self.has_version(name, version):
            raise _no_version()

    def _numbers(self, name: str) -> list[int]:
        """Return all numbers that any registration has begun to use, ascending."""
        folders = self._store.list(name) if is_model_name(name) else []
        return sorted(number for folder in folders if (number := parse_version(folder)) is not None)

    def _refuse_named(self, name: str, version: int) -> None:
        if named := self.aliases_of(name, version):
            raise InUse(f"The version has the alias {', '.join(named)}; move or delete that first.")

    def _delete_files(self, folder: str) -> None:
        for name in self._store.list(folder):
            if name != TOMBSTONE:
                self._store.delete(f"{folder}/{name}")

    def _read(self, name: str, version: int) -> tuple[Model, bytes]:
        manifest = self.manifest(name, version)
        try:
            data = self._store.read(f"{name}/{version}/{WEIGHTS}", max_bytes=manifest.size_bytes)
        except FileNotFoundError as error:
            self.manifest(name, version)  # raises if the version was deleted meanwhile
            raise Corrupted("The weights of this version are missing.") from error
        if (len(data), hashlib.sha256(data).hexdigest()) != (manifest.size_bytes, manifest.weights_sha256):
            raise Corrupted("The weights of this version do not match their checksum.")
        best, last = read_weights(manifest.build_model().layout, manifest.dtype, data)
        return Model(manifest=manifest, best=best, last=last), data

    def _manifest_of_job(self, name: str, version: int, job_id: str | None, weights_sha256: str) -> Manifest | None:
        """Return the version's manifest, if this job made it of these weights."""
        if job_id is None:
            return None
        try:
            # This rules most versions out, many times faster than parsing.
            if weights_sha256.encode("ascii") not in self._manifest_bytes(name, version):
                return None
            manifest = self.manifest(name, version)
        except (ModelNotFound, Corrupted):
            return None
        return manifest if (manifest.job_id, manifest.weights_sha256) == (job_id, weights_sha256) else None

    def _manifest_bytes(self, name: str, version: int) -> bytes:
        try:
            return self._store.read(f"{name}/{version}/{MANIFEST}", max_bytes=MAX_DOCUMENT_BYTES)
        except FileNotFoundError as error:
            raise _no_version() from error

    def _holds(self, key: str, data: bytes) -> bool:
        try:
            return self._store.read(key, max_bytes=len(data)) == data
        except Corrupted:
            return False

    def _summary_of(self, name: str, version: int) -> dict[str, Any]:
        """Return a version for a listing; nothing is known of one whose manifest is corrupted."""
        try:
            about = self.manifest(name, version).to_dict()
        except Corrupted:
            about = {}
        shown = ("model", "classes", "class_names", "published", "created_at", "job_id")
        return {
            "version": version,
            "state": "ready" if about else "corrupted",
            **{field: about.get(field) for field in shown},
            "metrics": about["metrics"]["published"] if about else None,
        }

    def _history(self, name: str, alias: str) -> AliasHistory:
        return AliasHistory(self._store, name, alias)


def _no_version() -> ModelNotFound:
    return ModelNotFound("There is no model of this name, or no such version.")
