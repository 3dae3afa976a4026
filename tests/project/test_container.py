"""The container image, built and run as a user would: by itself, and as compose.yaml runs it on a Dask cluster."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import yaml

from inkling import InklingClient
from service.datasets import load_dataset
from tests.free_port import free_port
from tests.jobs.job_system import eventually

pytestmark = [pytest.mark.slow, pytest.mark.needs("container"), pytest.mark.timeout(900)]


LIFETIME_S = 900
"""In which containers end by themselves, also when whoever runs the tests is killed."""


@pytest.fixture(scope="module")
def checked(root: Path) -> str:
    """Return the output of the script that builds and checks the image."""
    run = subprocess.run([root / "tools" / "containercheck.sh"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    print(run.stdout)
    return run.stdout


def test_the_image_keeps_its_promises(checked: str) -> None:
    """Small, any user, read-only, healthy, predicts, trains, stops cleanly, keeps its data: see the script."""
    report = dict(line.split(": ", 1) for line in checked.splitlines())
    total, base = (int(size.split()[-2]) for size in report["size"].split(", "))
    assert total - base < 300, "MB above the base image"
    assert report["stop"].startswith("exit 0")
    assert int(report["materials"]) >= 40, "packages in the bill of materials"
    assert report["user"] == "10001:0" and report["extras"] == "dask,objects,postgresql,sqlite"
    assert report["folder"].startswith("chown -R 10001 its path outside")
    assert report["answers"] == "http://127.0.0.1:8000"
    assert {report[name] for name in ("health", "key", "prediction", "training", "volume")} == {"ok"}


class Compose:
    """compose.yaml with the profile `cluster`, the variables of the manifest for Kubernetes, and SQLite in place of a
    server whose image is not here.
    """

    def __init__(self, root: Path, folder: Path):
        self.address = f"127.0.0.1:{free_port()}"
        override = folder / "override.yaml"
        manifests = yaml.safe_load_all((root / "deploy" / "kubernetes" / "inkling.yaml").read_text())
        (pod,) = (each["spec"]["template"]["spec"] for each in manifests if each["kind"] == "Deployment")
        variables = {each["name"]: each["value"] for each in pod["containers"][0]["env"]}
        variables["INKLING_DATABASE_URL"] = "sqlite:////data/inkling.db"
        override.write_text(yaml.safe_dump({"services": {"inkling": {"environment": variables}}}))
        (folder / "prometheus.key").touch()
        files = [arg for file in (root / "compose.yaml", override) for arg in ("--file", str(file))]
        self.project = f"inkling-test-{os.getpid()}"
        options = ["--project-name", self.project, "--profile", "cluster", f"--podman-run-args=--timeout={LIFETIME_S}"]
        self._with = [str(root / "tools" / "containercheck.sh"), "--with"]
        self._command = [*self._with, sys.executable, "-P", "-m", "podman_compose", *files, *options]
        self._environment = {
            **os.environ,
            "PYTHONWARNINGS": "",
            "INKLING_EXECUTOR": "dask",
            "INKLING_PUBLISH": self.address,
            "POSTGRES_PASSWORD": "none",
            "GRAFANA_PASSWORD": "none",
        }

    def __call__(self, *arguments: str) -> str:
        return self._run(*self._command, *arguments)

    def podman(self, *arguments: str) -> str:
        return self._run(*self._with, "podman", *arguments)

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=self._environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()


@pytest.fixture
def compose(root: Path, tmp_path: Path, checked: str) -> Iterator[Compose]:
    compose = Compose(root, tmp_path)
    yield compose
    compose("down", "--volumes", "--timeout", "5")


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def few_of_mnist() -> bytes:
    """Return an `.npz` file of 2,500 images."""
    mnist = load_dataset("mnist")
    file = io.BytesIO()
    train, test = {"x_train": mnist.training.images[:2000], "y_train": mnist.training.labels[:2000]}, mnist.test
    np.savez(file, **train, x_test=test.images[:500], y_test=test.labels[:500])
    return file.getvalue()


def test_compose_trains_on_its_dask_workers(compose: Compose) -> None:
    """Which have neither the database nor the store, only a network with the service; an upload goes to them too."""
    key = compose("run", "--rm", "--no-deps", "inkling", "keys", "create", "me", "--scope", "admin").split()[-1]
    compose("up", "--detach", "--no-build", "--no-deps", "inkling", "scheduler")
    url = f"http://{compose.address}"
    eventually(lambda: answers(f"{url}/readyz"))
    for host, status in (("inkling.inkling", 200), ("inkling.digits.svc.cluster.local", 200), ("elsewhere", 400)):
        assert httpx.get(f"{url}/livez", headers={"Host": host}).status_code == status, host
    form: dict[str, Any] = {"data": {"name": "few"}, "files": {"file": ("few.npz", few_of_mnist())}}
    headers = {"Authorization": f"Bearer {key}"}
    httpx.post(f"{url}/api/v1/datasets", **form, headers=headers).raise_for_status()
    with closing(InklingClient(url, key)) as client:
        job = client.train("softmax", dataset="few", epochs=2, train_size=1500, validation_size=500)
        assert job.refresh().state == "queued", "there are no workers yet"
        compose("up", "--detach", "--no-build", "--no-deps", "worker")
        assert job.wait().state == "succeeded", (job.error, job.data["history"])
    service, scheduler, worker, another = (
        f"{compose.project}_{part}" for part in ("inkling_1", "scheduler_1", "worker_1", "worker_2")
    )
    for name in (service, scheduler, worker, another):
        compose.podman("healthcheck", "run", name)
    routes = compose.podman("exec", worker, "sh", "-c", "ls /data; cut -f 2 /proc/net/route").split()
    assert routes[0] == "Destination" and "00000000" not in routes, "no data, and no way out of the network"
    with closing(InklingClient(url, key)) as client:
        running = client.train("softmax", epochs=10_000, patience=None)
        eventually(lambda: running.refresh().state == "running")
    for name in (service, worker, another, scheduler):  # in the order of compose
        compose.podman("stop", "--time", "20", name)
        assert compose.podman("inspect", name, "--format", "{{.State.ExitCode}}") == "0", name
