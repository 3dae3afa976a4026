"""The two clients: all nouns, and how to connect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Generic, Literal, Self

import httpx

from .call import Call, get, read_table
from .collections import Collections
from .connection import TIMEOUT, AsyncConnection, Connection, HttpClient
from .datasets import Datasets
from .display import Record, Table
from .jobs import Jobs
from .methods import Awaitable, Blocking, request
from .models import Models
from .predictions import Predictions
from .sweeps import Reports, Sweeps


class _Client(Jobs, Sweeps, Reports, Models, Predictions, Datasets, Collections, Generic[HttpClient]):
    """All requests to a server."""

    _connection: ClassVar[Callable[..., Any]]
    connection: Any

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout: float | httpx.Timeout = TIMEOUT,
        retries: int = 2,
        http_client: HttpClient | None = None,
    ) -> None:
        self.connection = self._connection(url, key, timeout, retries, http_client)

    @request
    def hyperparameters(self) -> Call[Table[Record]]:
        """Return the table of hyperparameters: name, range, default and meaning of each."""
        return get(read_table("hyperparameters"), "hyperparameters")

    @request
    def tags(
        self, kind: Literal["jobs", "sweeps", "reports", "versions", "datasets", "collections"] = "jobs"
    ) -> Call[Table[Record]]:
        """Return the tags that are used most, each with how many have it."""
        return get(read_table("tags"), "tags", kind=kind)

    @request
    def audit(self, *, limit: int | None = None, before: int | None = None) -> Call[Table[Record]]:
        """Return who changed what, the newest first; ``before`` is an id."""
        return get(read_table("entries"), "audit", limit=limit, before=before)


class InklingClient(_Client[httpx.Client], Blocking):
    """Inkling on a server, from Python.

    It goes direct to a server on this machine, and elsewhere by the proxies that the environment names. Every method
    raises errors of the tree in `inkling.errors`: `InvalidField` names the field and its allowed range,
    `ServiceUnreachable` means that the server does not answer.

    Parameters
    ----------
    url : of the server; by default that of ``INKLING_URL``, or ``http://127.0.0.1:8000``.
    key : for that server, if it needs one; by default that of ``INKLING_KEY``.
    timeout : seconds to wait for each part of a response, or an `httpx.Timeout`.
    retries : how often a request is repeated whose response was lost, if that does no harm.
    http_client : sends the requests, with its own proxies and certificates; it is left open.

    Raises
    ------
    InvalidField : the URL is not one, or the key cannot be one.
    ServiceUnreachable : the proxies or certificates that the environment names cannot be used.
    """

    _connection = Connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.connection.close()


class AsyncInklingClient(_Client[httpx.AsyncClient], Awaitable):
    """Inkling on a server, with methods that are awaited; see `InklingClient`."""

    _connection = AsyncConnection

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self.connection.close()
