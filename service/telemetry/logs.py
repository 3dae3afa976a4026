"""Log lines on standard error: text for a person, or JSON for a program, one object a line."""

from __future__ import annotations

import json
import logging.config
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from .origin import request_id

LogFormat: TypeAlias = Literal["text", "json"]

_OWN = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
"""What every record has; the rest was given as ``extra``."""


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
        line.update((name, value) for name, value in vars(record).items() if name not in _OWN)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logging(level: str, format_: LogFormat) -> None:
    """Let this process log on standard error.

    Parameters
    ----------
    level : the lowest: ``debug``, ``info``, ``warning`` or ``error``.
    """
    # What no line says need not be found out for each (see "Optimization" in the documentation of `logging`).
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
