"""Inkling from Python: `InklingClient` waits, `AsyncInklingClient` is awaited. Needs httpx and nothing of a server."""

from __future__ import annotations

from .client import AsyncInklingClient as AsyncInklingClient
from .client import InklingClient as InklingClient
from .connection import Event as Event
from .display import Picture as Picture
from .display import Record as Record
from .display import Table as Table
from .errors import AccessDenied as AccessDenied
from .errors import AliasMoved as AliasMoved
from .errors import Conflict as Conflict
from .errors import DatasetNotFound as DatasetNotFound
from .errors import InklingError as InklingError
from .errors import InsufficientScope as InsufficientScope
from .errors import InvalidField as InvalidField
from .errors import InvalidInput as InvalidInput
from .errors import JobNotFound as JobNotFound
from .errors import ModelNotFound as ModelNotFound
from .errors import NoDataYet as NoDataYet
from .errors import NotFound as NotFound
from .errors import ServerFailed as ServerFailed
from .errors import ServiceUnreachable as ServiceUnreachable
from .errors import TooManyRequests as TooManyRequests
from .errors import Unauthenticated as Unauthenticated
from .jobs import AsyncJob as AsyncJob
from .jobs import Job as Job
from .predictions import Explanation as Explanation
from .predictions import Prediction as Prediction
from .predictions import Reading as Reading
from .predictions import RefusedFile as RefusedFile
from .sweeps import AsyncReport as AsyncReport
from .sweeps import AsyncSweep as AsyncSweep
from .sweeps import Report as Report
from .sweeps import Sweep as Sweep
