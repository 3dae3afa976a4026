"""Inkling from Python: `InklingClient` waits, `AsyncInklingClient` is awaited. Needs httpx and nothing of a server."""

from __future__ import annotations

from service.errors import ServiceError as ServiceError

from .answers import Explanation as Explanation
from .answers import Prediction as Prediction
from .async_client import AsyncInklingClient as AsyncInklingClient
from .async_client import AsyncJob as AsyncJob
from .client import InklingClient as InklingClient
from .client import Job as Job
from .connection import Event as Event
from .picture import Picture as Picture
