"""Deleting what jobs may need: versions, models and data sets, which are not in the database."""

from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import ColumnElement

from service.database import AdvisoryLock, AnnotatedKind, Database, annotation_rows, job_rows
from service.datasets import Datasets
from service.errors import InUse
from service.registry import Registry

_N_NAMED = 5


class Deletion:
    """Deletes what no unfinished job needs. Jobs that are over need nothing: only verifying them is not possible then.

    It excludes submissions while it looks for jobs and deletes. A job whose request was being checked at that moment
    may still be accepted; it fails, and says why. ``default_model`` returns the name of the model that predicts by
    default.
    """

    def __init__(
        self, database: Database, registry: Registry, datasets: Datasets, default_model: Callable[[], str]
    ) -> None:
        self._database = database
        self._registry = registry
        self._datasets = datasets
        self._default_model = default_model

    def version(self, name: str, version: int) -> None:
        """Delete a version; no other one gets its number.

        Raises `ModelNotFound`, or `InUse` if an alias or unfinished job needs it, or the default model has no other.
        """
        if self._registry.has_version(name, version) and self._registry.versions(name) == (version,):
            self._refuse_default(name)
        delete = partial(self._registry.delete_version, name, version)
        self._delete("versions", f"{name}/{version}", delete, job_rows.needs_version(name, version))

    def model(self, name: str) -> None:
        """Delete all versions of a model, and its aliases; errors as for `version`, but aliases protect nothing.

        A crash leaves those versions that were not deleted yet; a repeated call deletes them.
        """
        versions = self._registry.versions(name)
        self._refuse_default(name)
        with self._database.read() as connection:
            refuse_needed(job_rows.unfinished(connection, job_rows.needs_version(name)))
        for alias in self._registry.aliases(name):
            self._registry.delete_alias(name, alias)
        for version in versions:  # each by itself: a thousand would hold up submissions for too long
            self.version(name, version)

    def dataset(self, name: str) -> None:
        """Delete a data set; its name may be used again.

        Raises `DatasetNotFound`, or `InUse` if an unfinished job needs it or it is part of Inkling.
        """
        self._delete("datasets", name, partial(self._datasets.delete, name), dataset=name)

    def _refuse_default(self, name: str) -> None:
        if name == self._default_model():
            raise InUse("It is the model that predicts when none is named; the setting default_model names another.")

    def _delete(
        self,
        kind: AnnotatedKind,
        object_id: str,
        delete: Callable[[], None],
        *needed_by: ColumnElement[bool],
        **columns: str,
    ) -> None:
        with self._database.write() as connection:
            AdvisoryLock.SUBMISSION.acquire(connection)
            refuse_needed(job_rows.unfinished(connection, *needed_by, **columns))
            delete()
            annotation_rows.delete(connection, kind, [object_id])


def refuse_needed(job_ids: Sequence[str]) -> None:
    """Raise `InUse`, naming some of the jobs, if there are any."""
    if job_ids:
        more = f" and {len(job_ids) - _N_NAMED:,} more" if len(job_ids) > _N_NAMED else ""
        named = ", ".join(job_ids[:_N_NAMED])
        raise InUse(f"Cancel the jobs first that need it: {named}{more}.")
