"""Log lines for programs: one JSON object each, whatever is in them."""

from __future__ import annotations

import json
import logging
import sys

from service.telemetry import JsonFormatter, request_id


def record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    return logging.getLogger("service.test").makeRecord(
        "service.test", logging.WARNING, "file", 1, message, arguments, None, extra=extra
    )


def test_a_line_is_one_object() -> None:
    line = JsonFormatter().format(record('two\nlines of "%s"', "ü", job_id="7", at=object))
    assert "\n" not in line
    said = json.loads(line)
    assert (said["level"], said["logger"], said["message"]) == ("warning", "service.test", 'two\nlines of "ü"')
    assert said["job_id"] == "7"
    assert said["time"].endswith("+00:00")
    assert "request_id" not in said


def test_the_request_is_in_what_is_said_while_it_is_answered() -> None:
    token = request_id.set("one")
    try:
        assert json.loads(JsonFormatter().format(record("x")))["request_id"] == "one"
        assert json.loads(JsonFormatter().format(record("x", request_id="another")))["request_id"] == "another"
    finally:
        request_id.reset(token)


def test_an_exception_has_its_traceback() -> None:
    failed = record("x")
    try:
        raise ValueError("sesame")
    except ValueError:
        failed.exc_info = sys.exc_info()
    assert json.loads(JsonFormatter().format(failed))["exception"].endswith("ValueError: sesame")
