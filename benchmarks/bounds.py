"""What one GET costs at most: memory, and how long it keeps other requests waiting, where there is very much of all.

    python -m benchmarks.bounds [--json FILE]

A job of 6,000,000 steps, 10,000 jobs, a model of 1,000 versions and a sweep of 1,000 members are written straight
into the data folder. Memory is how far the resident memory of the service grows during a request, after one before it
that imports what it needs. Waiting is that of `GET /livez` over a connection of its own, from another process than the
one that takes the large answer; beside it is what it takes for as long while nothing else is asked. Linux only.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np

from benchmarks.paired import machine, warn_if_busy
from benchmarks.start import resident_mb, service
from service.bootstrap import Service
from service.core import METRICS, Check, TrainingConfig
from service.database import JOBS, NewJob, event_rows, job_rows
from service.jobs import JobRequest, SweepRequest
from service.settings import Settings

WANTED = {"grown_mb": 32, "waiting_ms": 100}

_STEPS, _PER_CHECK, _JOBS, _VERSIONS, _MEMBERS = 6_000_000, 60_000, 10_000, 1_000, 1_000


def fill(folder: Path) -> list[str]:
    """Write all of it; return the paths to ask for."""
    parts = Service(Settings(data_dir=folder, max_queue_length=2 * _JOBS))
    parts.require_keys_if_exposed()
    parts.install_models()
    config = TrainingConfig().to_record()
    new = NewJob(id="", name="x", dataset="mnist", config=config, idempotency_key=None, request_sha256="")
    sweep = parts.sweeps.submit(SweepRequest(base={"model": "softmax"}, grid={"seed": list(range(_MEMBERS))}))
    job = parts.jobs.submit(JobRequest(config=TrainingConfig()))
    losses = np.random.default_rng(0).random(_PER_CHECK, dtype=np.float32).astype("<f4").tobytes()
    with parts.database.write() as connection:
        job_rows.insert(connection, [replace(new, id=f"{n:026}") for n in range(_JOBS)])
        for number in range(_STEPS // _PER_CHECK):
            values = dict.fromkeys(METRICS, 1 / (number + 1))
            step = (number + 1) * _PER_CHECK - 1
            check = Check(epoch=number, step=step, **values), {"fraction": 0.5}, losses
            event_rows.append_checks(connection, job.id, [check], at=datetime.now(UTC))
        event_rows.pack_checks(connection, job.id)
        for found in JOBS.all(connection):
            job_rows.update_columns(connection, found.id, state="cancelled")
    manifest, weights = parts.registry.manifest("mnist-softmax", 1), parts.registry.weights_bytes("mnist-softmax", 1)
    for version in range(1, _VERSIONS + 1):
        parts.registry.put(replace(manifest, name="many", version=version), weights)
    parts.stop()
    history = [f"jobs/{job.id}/{part}" for part in ("metrics", "metrics?max_points=1000000", "metrics?format=csv")]
    charts = [f"jobs/{job.id}/{part}" for part in ("loss.png", "accuracy.svg", "events")]
    sweeps = [f"sweeps/{sweep.id}", "sweeps"]
    return [*history, *charts, *sweeps, "jobs?limit=200", "models", "models/many?limit=200"]


_ASK = """
import http.client, sys
connection = http.client.HTTPConnection(sys.argv[1], timeout=60)
connection.request("GET", sys.argv[2])
answer, size = connection.getresponse(), 0
while part := answer.read(1 << 20):
    size += len(part)
print(answer.status, size)
"""


def cost(url: str, path: str, pid: int) -> dict[str, float]:
    """Return what one GET costs."""
    host = url.removeprefix("http://")
    probe = http.client.HTTPConnection(host, timeout=60)

    def waiting_ms() -> float:
        started_s = time.perf_counter()
        probe.request("GET", "/livez")
        probe.getresponse().read()
        return 1000 * (time.perf_counter() - started_s)

    before_mb = peak_mb = resident_mb(pid)
    begun_s = time.perf_counter()
    command = [sys.executable, "-S", "-c", _ASK, host, f"/api/v1/{path}"]
    waiting, idle_ms = [], 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as asking:
        while asking.poll() is None:
            waiting.append(waiting_ms())
            peak_mb = max(peak_mb, resident_mb(pid))
        status, n_bytes = asking.communicate()[0].split()
    assert status == "200", (path, status)
    seconds = time.perf_counter() - begun_s
    while time.perf_counter() < begun_s + 2 * seconds:
        idle_ms = max(idle_ms, waiting_ms())
    return {
        "seconds": seconds,
        "answer_mb": int(n_bytes) / 1e6,
        "grown_mb": peak_mb - before_mb,
        "waiting_ms": max(waiting),
        "waiting_median_ms": statistics.median(waiting),
        "waiting_idle_ms": idle_ms,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    warn_if_busy()
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        paths = fill(Path(name))
        for path in paths:
            with service(Path(name)) as (process, url):
                short = path.replace(path.split("/")[1][:26], "ID") if "/" in path else path
                httpx.get(f"{url}/api/v1/{path}", timeout=60)
                found[short] = cost(url, path, process.pid)
            print(short, {name: round(value, 2) for name, value in found[short].items()}, flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine(), "wanted": WANTED, "found": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
