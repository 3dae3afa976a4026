"""The command line in this process and in others, on a data folder with a server beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from service.cli import cli
from service.cli.backend import Backend
from service.cli.local import LocalBackend
from service.cli.remote import RemoteBackend
from service.datasets import Dataset
from service.settings import Settings
from tests.web.serving import TINY, service, settings, url  # noqa: F401


@pytest.fixture(scope="session")
def run() -> Callable[..., Result]:
    """Run a command line in this process, training in a thread of it."""

    def run(*args: str | Path, **options: Any) -> Result:
        runner = CliRunner(env={"INKLING_EXECUTOR": "inline", "INKLING_WORKERS": "1", "COLUMNS": "80"})
        return runner.invoke(cli, [str(arg) for arg in args], prog_name="inkling", **options)

    return run


@pytest.fixture(scope="module")
def here(run: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run a command on a folder of the module's own; return its output."""
    folder = tmp_path_factory.mktemp("data")

    def here(*args: str | Path, exit_code: int = 0, **options: Any) -> str:
        result = run(*args, "--data-dir", folder, **options)
        assert result.exit_code == exit_code, result.output
        return result.output

    return here


@pytest.fixture(scope="session")
def digit_png(mnist: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a picture of a 7: dark on light, and larger than a model takes it."""
    path = tmp_path_factory.mktemp("digits") / "seven.png"
    Image.fromarray(255 - mnist.test.images[0]).resize((140, 140)).save(path)
    return path


@pytest.fixture(scope="session")
def remote(url: str) -> Iterator[RemoteBackend]:
    with closing(RemoteBackend(url)) as backend:
        yield backend


@pytest.fixture(scope="session")
def local(settings: Settings, url: str) -> Iterator[LocalBackend]:
    """Work on the folder of the running server, as a second process would."""
    with closing(LocalBackend(settings)) as backend:
        yield backend


@pytest.fixture(scope="session", params=["local", "remote"])
def backend(request: pytest.FixtureRequest) -> Backend:
    backend: Backend = request.getfixturevalue(request.param)
    return backend


@pytest.fixture(scope="session")
def finished_job(remote: RemoteBackend) -> dict[str, Any]:
    """Return a job that has succeeded; it made a version of mnist-softmax."""
    job = remote.submit("jobs", TINY)
    for _ in remote.events(job["id"]):
        pass
    over: dict[str, Any] = remote.one("jobs", job["id"])
    return over
