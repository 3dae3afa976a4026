"""What is installed is whole: the wheel, and `make run` from nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.free_port import free_port

pytestmark = pytest.mark.slow

USE_THE_WHEEL = """
import sys
from pathlib import Path
import service
from service.bootstrap import shipped_models
from service.datasets import load_dataset
from service.registry import Registry
from service.stores import LocalStore
assert Path(service.__file__).is_relative_to(sys.argv[1]), service.__file__
assert load_dataset("mnist").test.images.shape == (10_000, 28, 28)
shipped = Registry(LocalStore(shipped_models()))
print(*[name for name in shipped.names() if shipped.load(name, shipped.resolve(name, "champion"))])
"""


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-P", "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=root, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"inkling", "service", "inkling_digits"}
    assert len([name for name in names if name.endswith("-ubyte.gz")]) == 4
    assert not [name for name in names if "__pycache__" in name or "/test" in name]


def test_the_wheel_works_without_the_repository(wheel: Path, root: Path, tmp_path: Path) -> None:
    ZipFile(wheel).extractall(tmp_path / "installed")
    run = subprocess.run(
        [sys.executable, "-P", "-c", USE_THE_WHEEL, tmp_path / "installed"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    shipped = sorted(path.name for path in (root / "model_store").glob("[!.]*"))
    assert run.stdout.split() == shipped
    assert len(shipped) >= 2


USE_THE_CLIENT = """
import sys
import service
from inkling import AsyncInklingClient, InklingClient
assert service.MINE
assert [name for name in sys.modules if name.startswith("service.")] == []
assert (sys.modules["inkling"].__file__ or "").startswith(sys.argv[1])
InklingClient("http://127.0.0.1:1").close()
"""


def test_the_client_stands_beside_a_service_of_ones_own(wheel: Path, tmp_path: Path) -> None:
    ZipFile(wheel).extractall(tmp_path / "installed")
    (tmp_path / "application" / "service").mkdir(parents=True)
    (tmp_path / "application" / "service" / "__init__.py").write_text("MINE = True\n")
    (tmp_path / "application" / "main.py").write_text(USE_THE_CLIENT)
    subprocess.run(
        [sys.executable, "main.py", tmp_path / "installed"],
        cwd=tmp_path / "application",
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        check=True,
    )
    names = ZipFile(wheel).namelist()
    assert {"inkling/py.typed", "service/py.typed"} <= set(names)


@contextmanager
def make_run(root: Path, venv: Path, data: Path, port: int) -> Iterator[float]:
    """Start `make run`; give the seconds until /readyz answers, and stop it as a service manager would.

    That signals make and the server, and make passes its own signal on, so the server receives two.
    """
    started = time.monotonic()
    with subprocess.Popen(
        ["make", "--silent", "run", f"VENV={venv}", f"ARGS=--port {port} --data-dir {data}"],
        cwd=root,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            wait_until_ready(process, port)
            yield time.monotonic() - started
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            output, errors = process.communicate(timeout=20)
    assert f"http://127.0.0.1:{port}" in output + errors
    assert "Traceback" not in errors


def wait_until_ready(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except OSError:
            time.sleep(0.02)
    pytest.fail("it did not get ready")


@pytest.mark.timeout(300)
def test_make_run_sets_everything_up_once(root: Path, tmp_path: Path) -> None:
    port = free_port()
    with make_run(root, tmp_path / "venv", tmp_path / "data", port):
        pass
    for _ in range(3):
        with make_run(root, tmp_path / "venv", tmp_path / "data", port) as ready_after_s:
            is_busy = os.getloadavg()[0] > (os.cpu_count() or 1)  # with other work, which is not ours to measure
        if ready_after_s < (10 if is_busy else 2):
            return
    pytest.fail(f"a later start took {ready_after_s:.1f} s")
