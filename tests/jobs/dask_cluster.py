"""A Dask cluster in processes of its own; run as a program, it is one until its standard input ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import psutil

from service.jobs import DaskExecutor
from tests.jobs.job_system import eventually

_QUIET = {
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "100ms",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "5s",
}
"""So that an idle cluster observes itself less, which takes a tenth of a processor otherwise."""


class DaskCluster:
    """A scheduler on loopback with single-threaded worker processes, each under a nanny that replaces it."""

    def __init__(self, n_workers: int, environment: Mapping[str, str] | None = None) -> None:
        self.n_workers = n_workers
        self.port = 0
        self._environment = {**os.environ, **_QUIET, **(environment or {})}
        self.start()

    def start(self) -> None:
        """Start it, at the address that it had before."""
        command = [sys.executable, "-P", "-W", "ignore", "-m", __name__, str(self.n_workers), str(self.port)]
        self._program = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self._environment
        )
        assert self._program.stdout
        self.address = self._program.stdout.readline().strip()
        self.port = int(self.address.rpartition(":")[2])

    def executor(self) -> DaskExecutor:
        """Return an executor that sees all workers."""
        executor = DaskExecutor(self.address)
        eventually(lambda: executor.n_slots == self.n_workers)
        return executor

    def workers(self) -> list[psutil.Process]:
        """Return all processes of it but the scheduler's."""
        return psutil.Process(self._program.pid).children(recursive=True)

    def busy_workers(self, n: int) -> list[psutil.Process]:
        """Wait until so many worker processes train, and return them.

        However little of a busy machine's time they get, each gets much more than one that is idle.
        """
        before: dict[psutil.Process, float] = {}

        def training() -> list[psutil.Process] | None:
            now = {worker: _cpu_s(worker) for worker in self.workers()}
            used_s = {worker: cpu_s - before.setdefault(worker, cpu_s) for worker, cpu_s in now.items()}
            most = sorted(used_s, key=used_s.__getitem__, reverse=True)[:n]
            return most if len(most) == n and used_s[most[-1]] > max(0.2, used_s[most[0]] / 4) else None

        return eventually(training)

    def busy_worker(self) -> psutil.Process:
        """Wait until one trains and return it."""
        return self.busy_workers(1)[0]

    def kill(self) -> None:
        """Kill the scheduler and the nannies; their workers notice and leave."""
        family = self.workers()
        self._program.kill()
        self._see_out()
        psutil.wait_procs(family, timeout=45)

    def close(self) -> None:
        """End it in order."""
        assert self._program.stdin
        self._program.stdin.close()
        self._see_out()

    def _see_out(self) -> None:
        self._program.wait(45)
        for pipe in (self._program.stdin, self._program.stdout):
            assert pipe
            pipe.close()


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def main(n_workers: int, port: int) -> None:
    """Run a cluster, with TLS if the environment names certificates."""
    from distributed import LocalCluster, Security

    with LocalCluster(
        protocol="tls" if Security().tls_ca_file else "tcp",
        n_workers=n_workers,
        threads_per_worker=1,
        host="127.0.0.1",
        scheduler_port=port,
        dashboard_address="127.0.0.1:0",
        silence_logs="ERROR",
    ) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
