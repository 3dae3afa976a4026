"""One request through all processes: its id in the log of each, and one trace from the POST to the registry."""

from __future__ import annotations

import gzip
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.web.serving import DEADLINE_S, TINY, wait_until_over

pytestmark = pytest.mark.slow

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@contextmanager
def collector() -> Iterator[tuple[str, queue.SimpleQueue[Any]]]:
    """Take spans as a collector does, by OTLP over HTTP."""
    spans: queue.SimpleQueue[Any] = queue.SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = {item.key: item.value.string_value for item in resource.resource.attributes}
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        spans.put((service["service.name"], span))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", spans
        server.shutdown()


@contextmanager
def served(data_dir: Path, **environment: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    root = Path(__file__).parents[2]
    options = ["--port", "0", "--data-dir", str(data_dir), "--workers", "1", "--log-format", "json"]
    with subprocess.Popen(
        [sys.executable, "-m", "service", "serve", *options],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[3], process
        finally:
            process.kill()


def test_one_trace_and_one_request_id_from_the_post_to_the_registry(tmp_path: Path) -> None:
    with (
        collector() as (endpoint, spans),
        served(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_BSP_SCHEDULE_DELAY="100") as (url, process),
        httpx.Client(base_url=f"{url}/api/v1", timeout=DEADLINE_S) as client,
    ):
        answer = client.post("/jobs", json=TINY, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
        job_id, request_id = answer.json()["id"], answer.headers["x-request-id"]
        wait_until_over(client, job_id)
        found: dict[str, Any] = {}
        while len(found) < 4:
            service, span = spans.get(timeout=DEADLINE_S)
            assert service == "inkling"
            if span.trace_id.hex() == TRACE:
                found[span.name] = span
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0

    assert found.keys() == {"POST /api/v1/jobs", "queue", "train", "register"}
    post = found.pop("POST /api/v1/jobs")
    assert post.parent_span_id.hex() == PARENT
    for span in found.values():
        assert span.parent_span_id == post.span_id
        assert {item.key: item.value.string_value for item in span.attributes}["inkling.job.id"] == job_id
    queued, trained, registered = (found[name] for name in ("queue", "train", "register"))
    assert post.start_time_unix_nano < queued.start_time_unix_nano <= queued.end_time_unix_nano
    assert queued.end_time_unix_nano <= trained.start_time_unix_nano < trained.end_time_unix_nano
    assert trained.end_time_unix_nano <= registered.start_time_unix_nano < registered.end_time_unix_nano

    lines = [json.loads(line) for line in stderr.splitlines()]
    (asked,) = [line for line in lines if line["logger"] == "service.web.middleware" and line["status"] == 202]
    assert (asked["request_id"], asked["method"], asked["path"]) == (request_id, "POST", "/api/v1/jobs")
    logged = [line for line in lines if line["logger"] == "service.worker.run"]
    assert [(line["request_id"], line["job_id"]) for line in logged] == [(request_id, job_id)] * 2
    assert logged[1]["message"].endswith("is over: max_epochs")


def test_a_collector_that_is_away_holds_nothing_up(tmp_path: Path) -> None:
    with (
        served(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9") as (url, _),
        httpx.Client(base_url=f"{url}/api/v1", timeout=DEADLINE_S) as client,
    ):
        for _ in range(2):
            job_id = client.post("/jobs", json=TINY).json()["id"]
            assert wait_until_over(client, job_id)["state"] == "succeeded"
