"""What the state of the server, its audit log and its table of hyperparameters look like as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from service.web.answers import Answer


class HyperparameterRow(Answer):
    """One hyperparameter: what it is called, what it may be, and what it does."""

    name: str
    kind: Literal["integer", "number", "boolean", "choice", "classes"]
    default: Any
    nullable: bool
    minimum: float | None
    maximum: float | None
    choices: list[str]
    allowed: str
    help: str
    formulas: Annotated[dict[str, str] | None, Field(description="For the L2 penalty: what each convention means.")]


class HyperparameterList(Answer):
    """The table of hyperparameters, in the order in which a person would think of them."""

    hyperparameters: list[HyperparameterRow]


class AuditEntry(Answer):
    """A call that changes something, and how it was answered."""

    id: int
    at: datetime
    key_id: Annotated[str | None, Field(description="Null where no key was needed.")]
    method: str
    route: Annotated[str, Field(description="As this description has it, with its parameters in braces.")]
    object_id: Annotated[str | None, Field(description="What was made, or what the address named.")]
    status: int
    request_id: str


class AuditLog(Answer):
    """Calls that change something, the newest first."""

    entries: list[AuditEntry]


class Liveness(Answer):
    """The process answers."""

    live: bool


class Readiness(Answer):
    """Whether this server can work, part by part."""

    ready: bool
    parts: dict[str, bool]
