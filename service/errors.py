"""All errors that the service raises on purpose, as one tree that is independent of HTTP.

::

    ServiceError
    ├── InvalidInput: InvalidField, MalformedInput, UnsupportedMedia, InvalidImage, InputTooLarge, InvalidDataset
    ├── NotFound: JobNotFound, ModelNotFound, DatasetNotFound
    ├── Conflict: InvalidJobTransition, NoDataYet, AliasMoved, IdempotencyMismatch, NameTaken, InUse
    ├── AccessDenied: Unauthenticated, InsufficientScope, KeysRequired
    ├── StorageFailed: StorageFull
    └── QueueFull, TooManyRequests, Corrupted, WorkerMismatch, ServiceUnreachable, ExtraMissing
"""

import re
from typing import ClassVar

_BY_CODE: dict[str, type["ServiceError"]] = {}


class ServiceError(Exception):
    """The root. ``code``, the name of the class in kebab case, is stable: it is the problem type of an answer.

    Parameters
    ----------
    message : one sentence for a person, without a path, a trace or the rejected input.
    field : the offending field, as in the request (``learning_rate``, ``pixels``).
    allowed : the legal range or the legal values, in words.
    """

    code: ClassVar[str] = "service-error"

    def __init_subclass__(cls) -> None:
        """Derive the code."""
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()
        _BY_CODE[cls.code] = cls

    def __init__(self, message: str, *, field: str | None = None, allowed: str | None = None):
        super().__init__(message)
        self.message = message
        self.field = field
        self.allowed = allowed


class InvalidInput(ServiceError):
    """The input cannot be used."""


class InvalidField(InvalidInput):
    """A named field is outside its allowed range."""


class MalformedInput(InvalidInput):
    """The input cannot be parsed."""


class UnsupportedMedia(InvalidInput):
    """A kind of content that is not accepted."""


class InvalidImage(InvalidInput):
    """An image that is empty, truncated or degenerate."""


class InputTooLarge(InvalidInput):
    """More bytes, pixels or items than the stated limit."""


class InvalidDataset(InvalidInput):
    """Training data that is inconsistent or damaged."""


class NotFound(ServiceError):
    """The requested object does not exist."""


class JobNotFound(NotFound):
    """The job is unknown."""


class ModelNotFound(NotFound):
    """The name, the version or the alias is unknown."""


class DatasetNotFound(NotFound):
    """The data set, or the image in it, is unknown."""


class Conflict(ServiceError):
    """Not possible in the present state."""


class InvalidJobTransition(Conflict):
    """The state machine has no such move."""


class NoDataYet(Conflict):
    """There are no results so far."""


class AliasMoved(Conflict):
    """Another request moved the alias first."""


class IdempotencyMismatch(Conflict):
    """The key was used before with another request."""


class NameTaken(Conflict):
    """The name is already in use."""


class InUse(Conflict):
    """Something else needs it, so it cannot be deleted."""


class AccessDenied(ServiceError):
    """The client may not do this."""


class Unauthenticated(AccessDenied):
    """There is no key, or it is not a valid one."""


class InsufficientScope(AccessDenied):
    """The key is valid, but lacks the scope."""


class KeysRequired(AccessDenied):
    """The service would be exposed without a key."""


class QueueFull(ServiceError):
    """No more jobs are accepted now."""


class TooManyRequests(ServiceError):
    """A client exceeds its rate or its concurrent requests; it may retry after ``retry_after_s``."""

    def __init__(self, message: str, *, retry_after_s: float = 1.0):
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Corrupted(ServiceError):
    """Stored bytes do not match their checksum."""


class StorageFailed(ServiceError):
    """The disk or the database failed."""


class StorageFull(StorageFailed):
    """No space is left."""


class WorkerMismatch(ServiceError):
    """Engine and worker are not of the same version."""


class ServiceUnreachable(ServiceError):
    """The server named by ``--url`` does not answer, or another program that is to receive something."""


class ExtraMissing(ServiceError):
    """A package that is needed is not installed."""


def error_of_code(code: str) -> type[ServiceError]:
    """Return the class with this ``code``; the root if there is none."""
    return _BY_CODE.get(code, ServiceError)
