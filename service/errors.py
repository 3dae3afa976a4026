"""Everything that can go wrong on purpose, as one tree. It knows nothing of HTTP.

::

    ServiceError
    ├── InvalidInput              what was given cannot be used
    │   ├── InvalidField          a named field is outside its allowed range
    │   ├── MalformedInput        it could not be parsed at all
    │   ├── UnsupportedMedia      a kind of content that is not accepted
    │   ├── InvalidImage          an image that is empty, truncated or degenerate
    │   ├── InputTooLarge         more bytes, pixels or items than the stated limit
    │   └── InvalidDataset        training data that is not what it claims to be
    ├── NotFound
    │   ├── JobNotFound
    │   ├── ModelNotFound         the name, the version or the alias is unknown
    │   └── DatasetNotFound       the data set, or the image in it, is unknown
    ├── Conflict                  well-formed, but not in the present state
    │   ├── InvalidJobTransition  the state machine has no such move
    │   ├── NoDataYet             nothing to show so far
    │   ├── AliasMoved            somebody else moved the alias first
    │   ├── IdempotencyMismatch   the key was used before with another request
    │   └── NameTaken             something else has that name already
    ├── AccessDenied
    │   ├── Unauthenticated       there is no key, or it is not a valid one
    │   ├── InsufficientScope     the key is valid, and not for this
    │   └── KeysRequired          the service would be open to others, and nobody said that it may be
    ├── QueueFull                 no more jobs are accepted for the moment
    ├── TooManyRequests           a client asks faster, or for more at a time, than it may
    ├── Corrupted                 stored bytes are not what their checksum says
    ├── StorageFailed             the disk or the database refused
    │   └── StorageFull           there is no space left
    ├── ServiceUnreachable        the server named by ``--url`` does not answer
    └── ExtraMissing              it needs a package that is not installed
"""

from __future__ import annotations

from typing import ClassVar


class ServiceError(Exception):
    """The root. ``code`` is stable: it becomes the problem type of an answer.

    Parameters
    ----------
    message : one sentence for a person; never holds a path, a trace or the rejected input.
    field : the offending field, as its sender wrote it (``learning_rate``, ``pixels``).
    allowed : the legal range or the legal values, in words.
    """

    code: ClassVar[str] = "service-error"

    def __init__(self, message: str, *, field: str | None = None, allowed: str | None = None):
        super().__init__(message)
        self.message = message
        self.field = field
        self.allowed = allowed


class InvalidInput(ServiceError):
    """What was given cannot be used."""

    code = "invalid-input"


class InvalidField(InvalidInput):
    """A named field is outside its allowed range."""

    code = "invalid-field"


class MalformedInput(InvalidInput):
    """It could not be parsed at all."""

    code = "malformed-input"


class UnsupportedMedia(InvalidInput):
    """A kind of content that is not accepted."""

    code = "unsupported-media"


class InvalidImage(InvalidInput):
    """An image that is empty, truncated or degenerate."""

    code = "invalid-image"


class InputTooLarge(InvalidInput):
    """More bytes, pixels or items than the stated limit."""

    code = "input-too-large"


class InvalidDataset(InvalidInput):
    """Training data that is not what it claims to be."""

    code = "invalid-dataset"


class NotFound(ServiceError):
    """It is not there."""

    code = "not-found"


class JobNotFound(NotFound):
    """The job is unknown."""

    code = "job-not-found"


class ModelNotFound(NotFound):
    """The name, the version or the alias is unknown."""

    code = "model-not-found"


class DatasetNotFound(NotFound):
    """The data set, or the image in it, is unknown."""

    code = "dataset-not-found"


class Conflict(ServiceError):
    """Well-formed, but not in the present state."""

    code = "conflict"


class InvalidJobTransition(Conflict):
    """The state machine has no such move."""

    code = "invalid-job-transition"


class NoDataYet(Conflict):
    """Nothing to show so far."""

    code = "no-data-yet"


class AliasMoved(Conflict):
    """Somebody else moved the alias first."""

    code = "alias-moved"


class IdempotencyMismatch(Conflict):
    """The key was used before with another request."""

    code = "idempotency-mismatch"


class NameTaken(Conflict):
    """Something else has that name already."""

    code = "name-taken"


class AccessDenied(ServiceError):
    """Not for this client."""

    code = "access-denied"


class Unauthenticated(AccessDenied):
    """There is no key, or it is not a valid one."""

    code = "unauthenticated"


class InsufficientScope(AccessDenied):
    """The key is valid, and not for this."""

    code = "insufficient-scope"


class KeysRequired(AccessDenied):
    """The service would be open to others, and nobody said that it may be."""

    code = "keys-required"


class QueueFull(ServiceError):
    """No more jobs are accepted for the moment."""

    code = "queue-full"


class TooManyRequests(ServiceError):
    """A client asks faster, or for more at a time, than it may. ``retry_after_s`` says when it may again."""

    code = "too-many-requests"

    def __init__(self, message: str, *, retry_after_s: float = 1.0):
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Corrupted(ServiceError):
    """Stored bytes are not what their checksum says."""

    code = "corrupted"


class StorageFailed(ServiceError):
    """The disk or the database refused."""

    code = "storage-failed"


class StorageFull(StorageFailed):
    """There is no space left."""

    code = "storage-full"


class ServiceUnreachable(ServiceError):
    """The server named by ``--url`` does not answer."""

    code = "service-unreachable"


class ExtraMissing(ServiceError):
    """It needs a package that is not installed."""

    code = "extra-missing"


def error_of_code(code: str) -> type[ServiceError]:
    """Return the class with this ``code``; the root if there is none."""
    classes: list[type[ServiceError]] = [ServiceError]
    for known in classes:
        if known.code == code:
            return known
        classes += known.__subclasses__()
    return ServiceError
