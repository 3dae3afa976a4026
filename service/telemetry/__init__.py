"""What ties together what is said about one request in several processes: its id in logs, its trace in spans."""

from __future__ import annotations

from .logs import LogFormat as LogFormat
from .logs import configure_logging as configure_logging
from .origin import Origin as Origin
from .origin import origin as origin
from .origin import request_id as request_id
from .tracing import flush_spans as flush_spans
from .tracing import span as span
from .tracing import start_span as start_span
from .tracing import start_tracing as start_tracing
from .tracing import tracing as tracing
