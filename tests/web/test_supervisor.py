"""Several web processes on one address: each answers, one trains, the dead and the hung are replaced, none is left.

Each of them imports everything, which takes more than a second of processor time: two are several too.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from service.database import Database, job_rows
from service.errors import ServiceError
from service.metrics import share_metrics
from service.web.server import listen
from tests.new_folder import add_database
from tests.web.serving import DEADLINE_S, LONG, TINY, wait_until_over
from tests.web.test_metrics import scraped, value

pytestmark = pytest.mark.slow

SERVE = """
from pathlib import Path
from service.settings import Settings
from service.web import server, supervisor
supervisor.HANG_S, supervisor._STOP_S = 5.0, 3.0
server.run(
    Settings(port=0, data_dir=Path({data_dir!r}), executor="inline", workers=1, web_workers={n}, log_level="error"),
    lambda url: print(url, flush=True),
)
"""
HANG = "import signal, threading; signal.signal(signal.SIGUSR1, lambda *_: threading.Event().wait())\n"
"""Blocks the main thread of a process, in which its event loop runs, and no other thread."""
ROOT = Path(__file__).parents[2]


@contextmanager
def several_processes(data_dir: Path, n: int = 2) -> Iterator[tuple[psutil.Process, str]]:
    """Yield the supervisor of web processes, and their address."""
    hooks = data_dir / "hooks"
    hooks.mkdir(parents=True, exist_ok=True)
    (hooks / "sitecustomize.py").write_text(HANG)
    add_database(data_dir)
    with subprocess.Popen(
        [sys.executable, "-c", SERVE.format(data_dir=str(data_dir), n=n)],
        env={**os.environ, "PYTHONPATH": f"{hooks}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert len(web_processes(psutil.Process(process.pid))) == n
            yield psutil.Process(process.pid), url
        finally:
            process.terminate()
            process.wait(DEADLINE_S)


def web_processes(supervisor: psutil.Process) -> list[psutil.Process]:
    """Return those that serve; another one cleans up after Python's multiprocessing."""
    found = []
    for child in supervisor.children():
        try:
            if any("spawn_main" in word for word in child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue  # it has just ended
    return found


def three_serve(supervisor: psutil.Process) -> bool:
    """Whether three processes accept connections: also those that came in place of others."""
    try:
        connections = [process.net_connections("tcp") for process in web_processes(supervisor)]
    except psutil.Error:
        return False  # one has just ended
    return [any(c.status == psutil.CONN_LISTEN for c in of_one) for of_one in connections] == [True] * 3


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; to ask looks through all files of processes, or has them add their figures up."""
    for _ in range(int(DEADLINE_S / 0.2)):
        if condition():
            return
        psutil.wait_procs([psutil.Process()], timeout=0.2)
    raise AssertionError("it did not come about")


@contextmanager
def new_connections(url: str) -> Iterator[httpx.Client]:
    """Yield a client that opens a connection for each request, so that any of the processes accepts it."""
    with httpx.Client(base_url=url, limits=httpx.Limits(max_keepalive_connections=0), timeout=DEADLINE_S) as client:
        yield client


def ask(running: tuple[psutil.Process, str], n_times: int = 30) -> None:
    """Ask whichever process accepts the connection."""
    supervisor, url = running
    before = web_processes(supervisor)
    with new_connections(url) as client:
        for _ in range(n_times):
            try:
                answer = client.get("/readyz")
            except httpx.TransportError:
                # A machine so busy that 5 s pass without a turn of an event loop has one more replaced; nothing else.
                assert web_processes(supervisor) != before
                until(lambda: three_serve(supervisor))
                before = web_processes(supervisor)
                answer = client.get("/readyz")
            assert answer.json() == {
                "ready": True,
                "parts": {"database": True, "model": True, "engine": True},
                "reasons": {},
            }


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[psutil.Process, str]]:
    """Three processes for the tests that leave three behind."""
    with several_processes(tmp_path_factory.mktemp("running"), 3) as running:
        yield running


def test_all_answer_and_every_job_runs_once(running: tuple[psutil.Process, str]) -> None:
    _, url = running
    ask(running)
    with new_connections(f"{url}/api/v1") as client:
        ids = [client.post("/jobs", json=TINY).raise_for_status().json()["id"] for _ in range(12)]
        for job_id in ids:
            job = wait_until_over(client, job_id)
            assert [move["state"] for move in job["history"]] == ["queued", "running", "succeeded"]


def test_all_may_be_suspended_together(running: tuple[psutil.Process, str]) -> None:
    """As by ``docker pause``, for longer than one alone may."""
    supervisor, _ = running
    before = web_processes(supervisor)
    for process in (supervisor, *before):
        process.suspend()
    psutil.wait_procs([supervisor], timeout=6)
    for process in (supervisor, *before):
        process.resume()
    ask(running)
    assert web_processes(supervisor) == before


def test_the_address_is_kept_while_none_listens(running: tuple[psutil.Process, str]) -> None:
    supervisor, url = running
    victims = web_processes(supervisor)
    supervisor.suspend()
    try:
        for victim in victims:
            victim.kill()
        until(lambda: all(victim.status() == psutil.STATUS_ZOMBIE for victim in victims))
        with pytest.raises(ServiceError, match="cannot be listened on"):
            listen("127.0.0.1", int(url.rpartition(":")[2])).close()
    finally:
        supervisor.resume()
    until(lambda: three_serve(supervisor))
    ask(running)


def test_those_that_die_or_hang_are_replaced(running: tuple[psutil.Process, str]) -> None:
    """Killed, suspended, or with an event loop that blocks: all three at once."""
    supervisor, _ = running
    victims = web_processes(supervisor)
    for victim, sent in zip(victims, (signal.SIGKILL, signal.SIGSTOP, signal.SIGUSR1), strict=True):
        victim.send_signal(sent)
    until(lambda: three_serve(supervisor) and not set(victims) & set(web_processes(supervisor)))
    ask(running)


def test_none_minds_that_somebody_removes_their_figures(running: tuple[psutil.Process, str]) -> None:
    """As a session that ends removes what its user has in memory."""
    supervisor, url = running
    one = web_processes(supervisor)[0]
    shutil.rmtree(one.environ()["PROMETHEUS_MULTIPROC_DIR"])
    assert {httpx.get(f"{url}/metrics").status_code for _ in range(12)} == {200}
    one.kill()
    until(lambda: three_serve(supervisor) and one not in web_processes(supervisor))
    ask(running)


def test_each_answers_for_all(tmp_path: Path) -> None:
    """In a service of its own, of which none has been replaced: counts are exact."""
    body = {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 784], "data": [0] * 784}]}
    with several_processes(tmp_path) as (supervisor, url):
        for _ in range(30):
            httpx.post(f"{url}/v2/models/mnist-softmax/versions/1/infer", json=body).raise_for_status()
            httpx.post(f"{url}/api/v1/models/nobody/predict", json={"pixels": [0] * 784})
        labels = {"method": "POST", "route": "/api/v1/models/{name}/predict", "status": "404"}
        until(lambda: value(scraped(url), "inkling_http_requests_total", **labels) == 30)
        assert [value(scraped(url), "inkling_http_requests_total", **labels) for _ in range(6)] == [30] * 6
        version = {"model": "mnist-softmax", "version": "1"}
        until(lambda: value(scraped(url), "inkling_inference_count_total", **version) == 30)
        one = web_processes(supervisor)[0]
        one.kill()  # what it counted is not lost
        psutil.wait_procs([one], timeout=DEADLINE_S)  # it may accept a connection until it is dead
        until(lambda: value(scraped(url), "inkling_http_requests_total", **labels) == 30)
        (figures,) = httpx.get(f"{url}/v2/models/mnist-softmax/versions/1/stats").json()["model_stats"]
        assert figures["inference_count"] == 30


@pytest.mark.parametrize(
    ("sent", "is_suspended"),
    [
        pytest.param(signal.SIGTERM, False, marks=pytest.mark.long),
        (signal.SIGTERM, True),
        pytest.param(signal.SIGINT, False, marks=pytest.mark.long),
        pytest.param(signal.SIGHUP, False, marks=pytest.mark.long),
        (signal.SIGKILL, True),
    ],
)
def test_none_outlives_its_supervisor(tmp_path: Path, sent: signal.Signals, is_suspended: bool) -> None:
    """Nor keeps the port, also one that is suspended, or that has just been started and imports."""
    with several_processes(tmp_path) as (supervisor, url):
        one, other = web_processes(supervisor)
        figures = Path(one.environ()["PROMETHEUS_MULTIPROC_DIR"])
        assert figures.stat().st_mode & 0o777 == 0o700
        if sent == signal.SIGKILL:
            other.kill()
            until(lambda: bool(set(web_processes(supervisor)) - {one, other}))
        if is_suspended:
            one.suspend()
        processes = supervisor.children(recursive=True)
        supervisor.send_signal(sent)
        _, alive = psutil.wait_procs([supervisor, *processes], timeout=DEADLINE_S)
        assert alive == []
        listen("127.0.0.1", int(url.rpartition(":")[2])).close()
        # Of a killed one they may be gone already: a service of a test beside this one removes them too.
        assert sent == signal.SIGKILL or not figures.exists()
    with share_metrics(tmp_path):
        assert not figures.exists(), "the next one removes what a killed one leaves"


def test_a_stop_ends_what_is_begun(tmp_path: Path) -> None:
    """As with one process: who follows a job gets the end of the stream, and the job goes back to the queue."""
    with several_processes(tmp_path) as (supervisor, url), httpx.Client(timeout=DEADLINE_S) as client:
        job_id = client.post(f"{url}/api/v1/jobs", json=LONG).json()["id"]
        with client.stream("GET", f"{url}/api/v1/jobs/{job_id}/events") as answer:
            lines = answer.iter_lines()
            assert "event: check" in lines
            supervisor.send_signal(signal.SIGTERM)
            list(lines)  # the stream is ended, not cut
            psutil.wait_procs([supervisor], timeout=DEADLINE_S)
    with closing(Database(f"sqlite:///{tmp_path / 'inkling.db'}")) as database, database.read() as connection:
        assert job_rows.state_of(connection, job_id) == "queued", "handed back, not lost"


def test_none_is_left_by_a_supervisor_that_fails(tmp_path: Path) -> None:
    """As where nobody reads the address any more that it prints."""
    program = SERVE.format(data_dir=str(tmp_path), n=2).replace("print(url, flush=True)", "1 / 0")
    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, cwd=ROOT, capture_output=True, text=True, timeout=3 * DEADLINE_S
    )
    assert ended.returncode == 1 and "ZeroDivisionError" in ended.stderr.splitlines()[-1]


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("where a folder is needed")
    program = SERVE.format(data_dir=str(tmp_path), n=2).replace(
        "executor=", f"store_url={str(tmp_path / 'store')!r}, executor="
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, cwd=ROOT, capture_output=True, text=True, timeout=3 * DEADLINE_S
    )
    assert ended.returncode == 1
    assert "the log says why" in ended.stderr.splitlines()[-1]
    assert "Error: The model store cannot be read or written." in ended.stderr
