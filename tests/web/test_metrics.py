"""What Prometheus reads: right counts under few labels."""

from __future__ import annotations

from typing import Any

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from service import __version__
from service.jobs import JobState, ProcessesExecutor
from tests.web.serving import long_job, wait_for

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(url: str) -> Samples:
    answer = httpx.get(f"{url}/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, frozenset(labels.items())), 0.0)


def test_requests_by_the_template_of_their_address(url: str) -> None:
    def counts(samples: Samples) -> list[float]:
        name = "inkling_http_requests_total"
        return [
            value(samples, name, method="GET", route="/api/v1/jobs/{job_id}", status="404"),
            value(samples, name, method="HEAD", route="/livez", status="200"),
            value(samples, name, method="GET", route="/static", status="200"),
            value(samples, name, method="GET", route="none", status="404"),
            value(samples, name, method="other", route="none", status="404"),
            value(samples, "inkling_http_request_duration_seconds_count", method="HEAD", route="/livez"),
            value(samples, "inkling_http_request_duration_seconds_bucket", method="HEAD", route="/livez", le="+Inf"),
        ]

    before = counts(scraped(url))
    httpx.get(f"{url}/api/v1/jobs/one")
    httpx.get(f"{url}/api/v1/jobs/another")
    httpx.head(f"{url}/livez")
    httpx.get(f"{url}/static/index.css")
    httpx.get(f"{url}/nothing/of/the/kind")
    httpx.request("TRACE", f"{url}/nothing/of/the/kind")
    after = scraped(url)
    assert [new - old for new, old in zip(counts(after), before, strict=True)] == [2, 1, 1, 1, 1, 1, 1]
    assert not any("kind" in text for _, labels in after for _, text in labels)


def test_jobs_by_state_and_their_pace(client: httpx.Client, url: str) -> None:
    with long_job(client) as job_id, long_job(client):
        wait_for(client, job_id, "check")
        samples = scraped(url)
        assert value(samples, "inkling_jobs", state="running") == 1
        assert value(samples, "inkling_jobs", state="queued") == value(samples, "inkling_queue_length") >= 1
        assert value(samples, "inkling_training_images_per_second") > 0
    samples = scraped(url)
    states = {dict(labels)["state"] for name, labels in samples if name == "inkling_jobs"}
    assert states == set(JobState)
    assert value(samples, "inkling_jobs", state="cancelled") >= 1


def test_predictions_are_counted_however_they_are_asked_for(client: httpx.Client, url: str, finished_job: Any) -> None:
    about = {"model": "mnist-softmax", "version": "1"}
    kinds = ("request_success", "request_failure", "count", "exec_count")

    def counts() -> list[float]:
        samples = scraped(url)
        digits = [value(samples, "inkling_predicted_digits_total", **about, digit=str(digit)) for digit in range(10)]
        certainty = value(samples, "inkling_predicted_probability_count", **about)
        return [*(value(samples, f"inkling_inference_{kind}_total", **about) for kind in kinds), sum(digits), certainty]

    before, address = counts(), "/models/mnist-softmax/versions/1/predict"
    client.post(address, content=bytes(784)).raise_for_status()
    client.post(address, content=bytes(2000 * 784)).raise_for_status()
    client.post(address, content=bytes(2 * 784), headers={"Accept": "application/x-npy"}).raise_for_status()
    client.post(address, json={"pixels": [0] * 784}).raise_for_status()
    assert client.post(address, content=bytes(783)).status_code == 415
    assert client.post(address, json={"pixels": [[256] * 784] * 300}).status_code == 422
    assert [new - old for new, old in zip(counts(), before, strict=True)] == [4, 2, 2004, 4, 2004, 2004]


def test_build_info(url: str) -> None:
    builds = [(dict(labels), value) for (name, labels), value in scraped(url).items() if name == "inkling_build_info"]
    ((labels, one),) = builds
    assert (labels["version"], one) == (__version__, 1)


def test_worker_restarts_are_counted() -> None:
    restarts: list[None] = []
    others = set(psutil.Process().children())
    executor = ProcessesExecutor(1, lambda: restarts.append(None))
    try:
        executor.prepare()
        assert restarts == []
        (worker,) = set(psutil.Process().children()) - others
        worker.kill()
        psutil.wait_procs([worker], timeout=30)
        executor.prepare()
        assert len(restarts) == 1
    finally:
        executor.close()
