"""What a Dask cluster promises beyond other executors: workers and schedulers come and go, and nothing is lost."""

from __future__ import annotations

import io
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from distributed import Client, Queue

from service import __version__
from service.bootstrap import Service
from service.core import TrainingConfig
from service.datasets import Dataset, read_upload
from service.errors import InvalidField
from service.jobs import DaskExecutor, JobRequest, JobState, check_scheduler
from service.jobs.executors import Outcome
from service.settings import Settings
from service.worker import Checked, Failed, Started, StopRequests
from service.worker.cluster import _Connection
from tests.jobs.dask_cluster import DaskCluster
from tests.jobs.job_system import ENDLESS, LONG, JobSystem, eventually
from tests.jobs.test_executors import spec_of, start

ENOUGH = {**LONG, "epochs": 400}
"""A few seconds: time to break something."""


@pytest.fixture
def executor(two_dask_workers: DaskCluster) -> Iterator[DaskExecutor]:
    executor = two_dask_workers.executor()
    yield executor
    executor.close()


@pytest.fixture
def cluster_system(make_system: Callable[..., JobSystem], two_dask_workers: DaskCluster) -> JobSystem:
    system = make_system(two_dask_workers.executor)
    system.engine.start()
    return system


def held_by(dask_scheduler: Any) -> list[str]:
    """Return the names of the tasks and queues in a scheduler; it runs there."""
    return [*dask_scheduler.tasks, *dask_scheduler.extensions["queues"].queues]


@pytest.mark.slow
def test_worker_and_scheduler_die_and_the_job_ends_with_the_same_bits(
    cluster_system: JobSystem, two_dask_workers: DaskCluster
) -> None:
    system = cluster_system
    undisturbed = system.train(**ENOUGH)
    job_id = system.submit(**ENOUGH)
    system.wait_for_step(job_id, 15 * 10)
    two_dask_workers.busy_worker().kill()
    system.wait(job_id, lambda job: len(job.history) == 4)  # lost, and running again
    system.wait_for_step(job_id, 15 * 100)
    two_dask_workers.kill()
    system.wait(job_id, lambda job: job.state is JobState.QUEUED)
    two_dask_workers.start()
    assert system.wait(job_id).state is JobState.SUCCEEDED
    assert system.states(job_id) == ["queued", "running", "queued", "running", "queued", "running", "succeeded"]
    assert system.weights_sha256(job_id) == system.weights_sha256(undisturbed.id)
    assert system.curve(job_id) == system.curve(undisturbed.id), "no check twice, none left out"


@pytest.mark.slow
def test_a_killed_worker_is_lost_once_and_dask_s_second_start_does_nothing(
    executor: DaskExecutor, two_dask_workers: DaskCluster
) -> None:
    inbox, _ = start(executor, spec_of(**ENDLESS))
    inbox.wait_for(Checked)
    two_dask_workers.busy_worker().kill()
    assert inbox.outcome() is Outcome.LOST
    assert sum(isinstance(message, Started) for message in inbox.messages) == 1
    following, _ = start(executor, spec_of())
    assert following.outcome() is Outcome.RETURNED
    eventually(lambda: executor.n_slots == 2)


@pytest.mark.slow
def test_two_seeds_spread_over_two_workers(executor: DaskExecutor, two_dask_workers: DaskCluster) -> None:
    """Each in a process of its own, with one thread of BLAS."""
    running = [start(executor, spec_of(seed=seed, **ENDLESS)) for seed in (1, 2)]
    for inbox, _ in running:
        started = inbox.wait_for(Started)
        assert isinstance(started, Started) and started.environment.blas_threads == 1
    two_dask_workers.busy_workers(2)
    for inbox, execution in running:
        execution.cancel(0)
        assert inbox.outcome() is Outcome.RETURNED


@pytest.mark.slow
def test_a_suspended_worker_times_out_and_occupies_its_slot_until_it_stops(
    executor: DaskExecutor, two_dask_workers: DaskCluster
) -> None:
    inbox, execution = start(executor, spec_of(**ENDLESS))
    inbox.wait_for(Checked)
    worker = two_dask_workers.busy_worker()
    worker.suspend()
    try:
        eventually(lambda: execution.silent_s > 3)
        execution.kill()
        assert inbox.outcome() is Outcome.LOST
        assert executor.n_slots == 1
        following, _ = start(executor, spec_of())
        assert following.outcome() is Outcome.RETURNED, "on the other worker"
    finally:
        worker.resume()
    eventually(lambda: executor.n_slots == 2)


@pytest.mark.slow
def test_nothing_is_left_in_the_scheduler(executor: DaskExecutor, two_dask_workers: DaskCluster) -> None:
    """However it ended."""
    for _ in range(2):
        start(executor, spec_of())[0].outcome()
    for begun in (True, False):
        inbox, execution = start(executor, spec_of(**ENDLESS))
        if begun:
            inbox.wait_for(Started)
        execution.kill()
        assert inbox.outcome() is Outcome.LOST
    with Client(two_dask_workers.address, set_as_default=False) as client:
        eventually(lambda: client.run_on_scheduler(held_by) == [])


def waits_for(dask_scheduler: Any, name: str) -> bool:
    """Whether a client waits for the next item of a queue; it runs in the scheduler."""
    return any(not waiting.done() for waiting in dask_scheduler.extensions["queues"].queues[name]._getters)


def forget(dask_scheduler: Any, name: str) -> None:
    del dask_scheduler.extensions["queues"].queues[name]


@pytest.mark.slow
def test_a_run_ends_whose_engine_abandons_it_at_the_last_moment(two_dask_workers: DaskCluster) -> None:
    """A task that waits in a deleted queue never ends: it occupied a thread of its worker for ever."""
    with Client(two_dask_workers.address, set_as_default=False) as client:
        requests, messages = (Queue(name, client=client) for name in ("asked", "said"))
        with _Connection(requests, messages, StopRequests()) as line:
            eventually(lambda: client.run_on_scheduler(waits_for, name="asked"))
            client.run_on_scheduler(forget, name="asked")
        assert line.broken
        messages.close()


def trained_in(service: Service, request: JobRequest) -> bytes:
    """Have a job trained and return the bytes of its weights."""
    job_id = service.jobs.submit(request).id
    job = eventually(lambda: job if (job := service.jobs.get(job_id)).state.final else None)
    assert job.state is JobState.SUCCEEDED
    return service.jobs.weights(job_id, "best").parameters.tobytes()


@pytest.mark.slow
def test_an_uploaded_data_set_goes_to_workers_that_have_no_store(
    two_dask_workers: DaskCluster, tmp_path: Path, mnist: Dataset
) -> None:
    """The files go with the specification; what comes of them is what comes of them here."""
    arrays = {}
    for part, suffix in ((mnist.training, "train"), (mnist.test, "test")):
        chosen = np.flatnonzero(part.labels < 3)[:1000]
        arrays |= {f"x_{suffix}": part.images[chosen], f"y_{suffix}": part.labels[chosen]}
    file = io.BytesIO()
    np.savez(file, **arrays)
    config = TrainingConfig(classes=(0, 1, 2), train_size=700, validation_size=300, epochs=3)
    found = []
    for options in ({"executor": "dask", "dask_scheduler": two_dask_workers.address}, {"executor": "inline"}):
        with Service(Settings(data_dir=tmp_path / options["executor"], **options)) as service:
            service.datasets.receive(
                {"name": "three"}, lambda names, limit: read_upload({"file": file.getvalue()}, names, limit_bytes=limit)
            )
            found.append(trained_in(service, JobRequest(config=config, dataset="three")))
    assert found[0] == found[1]
    held = [file.path for worker in two_dask_workers.workers() for file in worker.open_files()]
    assert not [path for path in held if path.startswith(str(tmp_path))]


TLS = "distributed.comm.tls"


def make_certificate(folder: Path) -> dict[str, str]:
    """Make a certificate that is its own authority, as docs/scale.md has it, and return the configuration for it."""
    folder.mkdir()
    key, certificate = str(folder / "dask.key"), str(folder / "dask.pem")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    subprocess.run(
        ["openssl", "req", "-x509", *curve, "-nodes", "-subj", "/CN=dask", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    files = {"cert": certificate, "key": key}
    return {f"{TLS}.ca-file": certificate} | {
        f"{TLS}.{role}.{kind}": file for role in ("scheduler", "worker", "client") for kind, file in files.items()
    }


@pytest.mark.slow
@pytest.mark.needs("openssl")
def test_over_tls_a_job_is_trained_and_a_certificate_is_required(tmp_path: Path) -> None:
    ours, theirs = make_certificate(tmp_path / "ours"), make_certificate(tmp_path / "theirs")
    names = {name: f"DASK_{name}".upper().replace(".", "__").replace("-", "_") for name in ours}
    with closing(DaskCluster(1, {names[name]: file for name, file in ours.items()})) as cluster:
        settings = Settings(executor="dask", dask_scheduler=cluster.address, data_dir=tmp_path / "data")
        with dask.config.set(ours), Service(settings) as service:
            trained_in(service, JobRequest(config=TrainingConfig(train_size=512, validation_size=500, epochs=3)))
        with pytest.raises(InvalidField, match="certificate"):
            Service(settings)
        with dask.config.set({**theirs, f"{TLS}.ca-file": ours[f"{TLS}.ca-file"]}), pytest.raises(OSError, match="TLS"):
            Client(cluster.address, timeout=2, set_as_default=False)
        context = ssl.create_default_context(cafile=ours[f"{TLS}.ca-file"])
        context.check_hostname = False
        with (
            socket.create_connection(("127.0.0.1", cluster.port)) as line,
            context.wrap_socket(line) as encrypted,
            pytest.raises((ssl.SSLError, ConnectionError)),
        ):
            encrypted.sendall(bytes(64))
            encrypted.recv(1)


def test_without_a_certificate_every_failed_connection_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever asks for such an executor without `check_scheduler`, or loses the files later."""
    with closing(DaskExecutor("tls://127.0.0.1:1")):
        eventually(lambda: caplog.text.count("retrying") >= 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "where", [("service.jobs.executors.dask.__version__", "0.0.1"), ("service.worker.messages.FORMAT", 0)], ids=str
)
def test_a_worker_of_another_version_or_format_fails_the_job_with_a_sentence(
    executor: DaskExecutor, monkeypatch: pytest.MonkeyPatch, where: tuple[str, Any]
) -> None:
    monkeypatch.setattr(*where)
    inbox, _ = start(executor, spec_of())
    assert inbox.outcome() is Outcome.RETURNED
    (failed,) = inbox.messages
    assert isinstance(failed, Failed) and failed.code == "worker-mismatch"
    assert f"Inkling {__version__}" in failed.message and "install the same version" in failed.message


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:8786", "tcp://[::1]:1", "tcp://localhost:2"])
def test_schedulers_that_may_be_used(address: str) -> None:
    assert check_scheduler(address) == address


@pytest.mark.parametrize("address", [None, "", "dask:8786", "tcp://dask", "inproc://1:2", "tcp://dask:x", "tcp://[:1"])
def test_what_is_no_address(address: str | None) -> None:
    with pytest.raises(InvalidField, match="address of a scheduler"):
        check_scheduler(address, insecure=True)


def test_an_unencrypted_connection_to_another_machine_is_refused_unless_allowed(tmp_path: Any) -> None:
    """Before anything is opened; where it is wanted, an engine waits for the scheduler without a slot."""
    settings = Settings(executor="dask", dask_scheduler="tcp://192.0.2.1:8786", data_dir=tmp_path)
    with pytest.raises(InvalidField, match="pickled code"):
        Service(settings)
    Service(settings.model_copy(update={"dask_insecure": True})).stop()


def test_without_a_scheduler_there_are_no_slots_and_closing_is_quick() -> None:
    executor = DaskExecutor("tcp://127.0.0.1:1")
    assert executor.n_slots == 0
    with pytest.raises(OSError, match="cannot be reached"):
        executor.prepare()
    executor.close()
