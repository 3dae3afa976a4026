"""Log lines and spans, and the origin of work, which connects those of one request across processes."""

import json
import logging.config
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from opentelemetry import propagate, trace

logger = logging.getLogger(__name__)

LogFormat: TypeAlias = Literal["text", "json"]

Origin: TypeAlias = Mapping[str, str]
"""``request_id`` of the request that work comes from; ``traceparent`` and the like, if that was traced."""

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request that is being answered."""

_STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
"""Attributes of every record; the others were given as ``extra``."""

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_TIMEOUT_S = 3.0
"""The library's default of 10 s would let an unreachable collector delay a stop."""

_tracer = trace.get_tracer("inkling")


def origin() -> Origin | None:
    """Return the origin of work that is requested now; None outside of a request."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    if (id_ := request_id.get()) is not None:
        carrier["request_id"] = id_
    return carrier or None


# Logs


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time``, ``level``, ``logger``, ``message``, and what was given as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (id_ := request_id.get()) is not None:
            line["request_id"] = id_
        line.update((name, value) for name, value in vars(record).items() if name not in _STANDARD)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logging(level: str, format_: LogFormat) -> None:
    """Log to standard error; ``level`` is the lowest that is logged: ``debug``, ``info``, ``warning`` or ``error``."""
    # Details that no line contains are not collected (see "Optimization" in the documentation of `logging`).
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    text = {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": JsonFormatter} if format_ == "json" else text},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "loggers": {
                "service": {"level": level.upper(), "handlers": ["stderr"]},
                "uvicorn": {"level": "WARNING", "handlers": ["stderr"]},
                "opentelemetry": {"level": "WARNING", "handlers": ["stderr"]},
            },
        }
    )


# Spans, by OpenTelemetry. Unless an exporter is configured, they cost next to nothing and go nowhere.


def start_tracing(version: str) -> None:
    """Export spans as the standard environment variables say.

    ``OTEL_TRACES_EXPORTER`` is ``otlp`` (over HTTP; the default if there is an ``OTEL_EXPORTER_OTLP_ENDPOINT``),
    ``console`` or ``none``; the library reads the other variables. Without the extra ``tracing`` a warning is logged.
    """
    wanted = os.environ.get("OTEL_TRACES_EXPORTER") or ("otlp" if any(map(os.environ.get, _ENDPOINTS)) else "none")
    if wanted == "none" or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter  # noqa: PLC0415
    except ImportError:
        logger.warning("OTEL_* variables ask for traces, which need: pip install 'inkling-digits[tracing]'")
        return
    about = {"service.version": version}
    if not (os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")):
        about["service.name"] = "inkling"
    provider = TracerProvider(resource=Resource.create(about))
    timeout_s = None if "OTEL_EXPORTER_OTLP_TIMEOUT" in os.environ else _TIMEOUT_S
    exporter = ConsoleSpanExporter() if wanted == "console" else OTLPSpanExporter(timeout=timeout_s)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def tracing() -> bool:
    """Whether spans are exported."""
    return hasattr(trace.get_tracer_provider(), "force_flush")


def flush_spans() -> None:
    """Export ended spans now rather than with the next batch."""
    if flush := getattr(trace.get_tracer_provider(), "force_flush", None):
        flush()


def start_span(
    name: str, origin: Origin | None, attributes: Mapping[str, str | int], *, started_at: datetime | None = None
) -> trace.Span:
    """Start a span in the trace of the origin, now or at ``started_at``; the caller ends it."""
    context = propagate.extract(origin or {})
    start_ns = None if started_at is None else int(1e9 * started_at.timestamp())
    return _tracer.start_span(name, context, attributes=attributes, start_time=start_ns)


@contextmanager
def span(name: str, origin: Origin | None, attributes: Mapping[str, str | int]) -> Iterator[trace.Span]:
    """Run a block in a span of the trace of the origin, which records an error that leaves the block."""
    with trace.use_span(start_span(name, origin, attributes), end_on_exit=True) as current:
        yield current
