"""What one GET costs at most: memory, and how long it keeps other requests waiting, where there is very much of all.

    python -m benchmarks.bounds [--json FILE]

A job of 6,000,000 steps, 10,000 jobs, a model of 1,000 versions and a sweep of 1,000 members are written straight
into the data folder. Memory is how far the resident memory of the service grows during a request, after one before it
that imports what it needs. Linux only.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np

from benchmarks.paired import machine, warn_if_busy
from benchmarks.start import resident_mb, service
from service.bootstrap import build
from service.core import METRICS, TrainingConfig
from service.database import NewCheck, NewJob, event_rows, job_rows
from service.jobs import JobRequest, SweepRequest
from service.settings import Settings

WANTED = {"grown_mb": 32, "waiting_ms": 100}

_STEPS, _PER_CHECK, _JOBS, _VERSIONS, _MEMBERS = 6_000_000, 60_000, 10_000, 1_000, 1_000


def fill(folder: Path) -> list[str]:
    """Write all of it; return the paths to ask for."""
    parts = build(Settings(data_dir=folder, max_queue_length=2 * _JOBS))
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
            check = NewCheck(epoch=number, step=step, detail={"fraction": 0.5}, step_losses=losses, **values)
            event_rows.append_checks(connection, job.id, [check], at=datetime.now(UTC))
        event_rows.pack_checks(connection, job.id)
        for found in job_rows.page(connection, state=None, before=None, limit=2 * _JOBS):
            job_rows.update_columns(connection, found.id, state="cancelled")
    manifest, weights = parts.registry.manifest("mnist-softmax", 1), parts.registry.weights_bytes("mnist-softmax", 1)
    for version in range(1, _VERSIONS + 1):
        parts.registry.put(replace(manifest, name="many", version=version), weights)
    parts.stop()
    history = [f"jobs/{job.id}/{part}" for part in ("metrics", "metrics?max_points=1000000", "metrics?format=csv")]
    charts = [f"jobs/{job.id}/{part}" for part in ("loss.png", "accuracy.svg", "events")]
    sweeps = [f"sweeps/{sweep.id}", "sweeps"]
    return [*history, *charts, *sweeps, "jobs?limit=200", "models", "models/many?limit=200"]


def cost(url: str, path: str, pid: int) -> dict[str, float]:
    """Return what one GET costs."""
    before_mb = peak_mb = resident_mb(pid)
    begun_s = time.perf_counter()
    with httpx.Client(base_url=url, timeout=60) as client:
        answer: list[httpx.Response] = []
        asking = threading.Thread(target=lambda: answer.append(client.get(f"/api/v1/{path}")))
        asking.start()
        waiting_s = 0.0
        while asking.is_alive():
            started_s = time.perf_counter()
            httpx.get(f"{url}/livez", timeout=60)
            waiting_s = max(waiting_s, time.perf_counter() - started_s)
            peak_mb = max(peak_mb, resident_mb(pid))
        assert answer[0].status_code == 200, (path, answer[0].text)
    return {
        "seconds": time.perf_counter() - begun_s,
        "answer_mb": len(answer[0].content) / 1e6,
        "grown_mb": peak_mb - before_mb,
        "waiting_ms": 1000 * waiting_s,
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
