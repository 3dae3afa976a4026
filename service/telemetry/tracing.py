"""Spans by OpenTelemetry. Where nothing is configured, they cost next to nothing and go nowhere."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from opentelemetry import propagate, trace

from .origin import Origin

logger = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_TIMEOUT_S = 3.0
"""By itself the library would take 10 s, with which a collector that is away would hold up a stop."""

_tracer = trace.get_tracer("inkling")


def start_tracing(version: str) -> None:
    """Send spans where the standard variables of the environment say, if they say so.

    ``OTEL_TRACES_EXPORTER`` is ``otlp`` (over HTTP; also meant if there is an ``OTEL_EXPORTER_OTLP_ENDPOINT``),
    ``console`` or ``none``; the library reads the others by itself. Without the extra ``tracing`` a warning is logged.
    """
    wanted = os.environ.get("OTEL_TRACES_EXPORTER") or ("otlp" if any(map(os.environ.get, _ENDPOINTS)) else "none")
    if wanted == "none" or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter  # noqa: PLC0415
    except ImportError:
        logger.warning("traces are wanted by OTEL_* variables, and the extra is not installed: inkling-digits[tracing]")
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
    """Whether spans go anywhere."""
    return hasattr(trace.get_tracer_provider(), "force_flush")


def flush_spans() -> None:
    """Send what has ended, now rather than with the next batch."""
    if flush := getattr(trace.get_tracer_provider(), "force_flush", None):
        flush()


def start_span(
    name: str, origin: Origin | None, attributes: Mapping[str, str | int], *, started_at: datetime | None = None
) -> trace.Span:
    """Begin a span of the trace that the work comes from; whoever begins it ends it.

    Parameters
    ----------
    started_at : where it began earlier than now.
    """
    context = propagate.extract(origin or {})
    start_ns = None if started_at is None else int(1e9 * started_at.timestamp())
    return _tracer.start_span(name, context, attributes=attributes, start_time=start_ns)


@contextmanager
def span(name: str, origin: Origin | None, attributes: Mapping[str, str | int]) -> Iterator[trace.Span]:
    """Be a span of the trace that the work comes from; an error that leaves the block is in it."""
    with trace.use_span(start_span(name, origin, attributes), end_on_exit=True) as current:
        yield current
