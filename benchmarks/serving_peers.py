"""How many predictions a second Inkling answers beside MLServer, LitServe, MLflow and BentoML with the same model.

    python -m benchmarks.serving_peers [--rounds N] [--seconds N] [--json FILE] [--picture FILE]

Each is installed into an environment of its own (.venv-bench-NAME) and serves the shipped softmax weights on one
core, its processes pinned to it together; wrk drives one after the other over 16 connections from the second core, and
all others are stopped meanwhile. What counts is the ratio within a round. wrk and taskset must be installed.

- raw: 784 bytes. All but Inkling and LitServe take them as base64 in JSON.
- JSON: 784 numbers, in the form that each takes.
- PNG: 28 x 28, grey. MLServer and MLflow take it as base64 in JSON.
- V2 JSON: the same bytes to Inkling and to MLServer, which both speak that protocol.

Like is compared with like, twice:

- as they come: each installed and started as its documentation says, with its default settings but for address and
  port. All, Inkling too, log each request, into a file. MLServer infers in a worker process, LitServe always does.
- tuned: none logs requests, and all have uvloop and httptools. MLServer infers in its own process, without metrics,
  gzip and debugging; LitServe talks to its worker by ZeroMQ; BentoML has no metrics.

"MLServer, bare route" is told for comparison and nothing is claimed against it: a route of FastAPI that MLServer
opens for code of one's own, without checks, metrics or protocol. It is about what `benchmarks.serving` calls doing
nothing.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.paired import OURS, Comparison, interleave, new_figure, show, warn_if_busy, write
from benchmarks.peers.serving.contender import BARE_ROUTE, KINDS, PEERS, ROOT, Requests, inkling
from benchmarks.serving import drive
from benchmarks.web_workers import family
from service.datasets import load_dataset

AS_THEY_COME, TUNED = "as they come", "tuned"
WANTED = {AS_THEY_COME: 3.5, TUNED: 1.5}
"""Times as many as the best peer answers to the same kind of request."""
_SERVE = (sys.executable, "-m", "service", "serve", "--data-dir", "{folder}", "--port", "{port}")
_INKLING = {AS_THEY_COME: _SERVE, TUNED: (*_SERVE, "--log-level", "warning")}
_START_S = 60
_N_COMPARED = 20
_TRIES = 3


class Contender:
    """A server, stopped with all its processes but while it is needed.

    Parameters
    ----------
    images : (n, 28, 28) uint8; the first is sent when it is measured.
    """

    def __init__(self, pid: int, port: int, requests: Requests, images: Any) -> None:
        self._pid, self._url = pid, f"http://127.0.0.1:{port}"
        self._requests = [requests(image.tobytes(), png_of(image)) for image in images]

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Let it run for as long as the block."""
        signal_all(self._pid, signal.SIGCONT)
        try:
            yield
        finally:
            signal_all(self._pid, signal.SIGSTOP)

    def digits(self) -> dict[str, list[int]]:
        """Return what it takes the images for, by kind, once it has its model: some listen before."""
        give_up_s = time.monotonic() + _START_S
        with self.awake(), httpx.Client(base_url=self._url, timeout=30) as client:
            while True:
                try:
                    self._ask(client, next(iter(self._requests[0].values())))
                    break
                except httpx.HTTPError:
                    if time.monotonic() > give_up_s:
                        raise
                    time.sleep(0.1)
            return {kind: [digit_of(self._ask(client, one[kind])) for one in self._requests] for kind in self.kinds}

    def _ask(self, client: httpx.Client, request: Any) -> Any:
        headers = {"Content-Type": request.media_type, "Accept": "application/json"}
        return client.post(request.path, content=request.body, headers=headers).raise_for_status().json()

    @property
    def kinds(self) -> list[str]:
        """The kinds of request that it takes."""
        return list(self._requests[0])

    def rate(self, kind: str, folder: Path, seconds: int) -> float:
        """Return the requests answered a second, once it has answered one: it was stopped until now."""
        request = self._requests[0][kind]
        with self.awake():
            with httpx.Client(base_url=self._url, timeout=_START_S) as client:
                self._ask(client, request)
            for _ in range(_TRIES):
                rate = drive(
                    self._url + request.path,
                    request.body,
                    request.media_type,
                    folder,
                    seconds=seconds,
                    connections=16,
                    accept="application/json",
                )
                if rate:
                    return rate
        raise SystemExit(f"{self._url + request.path} answers nothing to {kind}.")


def png_of(image: Any) -> bytes:
    """Return a PNG of a grey image."""
    png = BytesIO()
    Image.fromarray(image).save(png, "PNG")
    return png.getvalue()


def digit_of(answer: dict[str, Any]) -> int:
    """Find the digit in an answer, whoever gave it."""
    if "outputs" in answer:
        (answer,) = ({"digit": output["data"][0]} for output in answer["outputs"] if output["name"] == "digit")
    return int(answer.get("predictions", [answer])[0]["digit"])


def signal_all(pid: int, number: signal.Signals) -> None:
    """Signal a process and all that come from it, whatever sessions they are in."""
    for one in list(family(pid)):
        with suppress(ProcessLookupError):
            os.kill(one, number)


@contextmanager
def started(name: str, command: list[str], port: int, log: Path) -> Iterator[int]:
    """Start a server on one core, yield its process once it listens, and end all its processes afterwards."""
    show(f"starting {name}")
    environment = {**os.environ, "BENTOML_DO_NOT_TRACK": "true"}
    with log.open("w") as output:
        process = subprocess.Popen(
            ["taskset", "-c", "0", *command],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        give_up_s = time.monotonic() + _START_S
        while not is_listened_on(port):
            if process.poll() is not None or time.monotonic() > give_up_s:
                raise SystemExit(f"{name} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield process.pid
    finally:
        signal_all(process.pid, signal.SIGKILL)
        process.wait()


def is_listened_on(port: int) -> bool:
    """Say whether somebody is there."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a port that nobody has, nor the next two."""
    while True:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        if port < 65534 and not any(map(is_listened_on, (port + 1, port + 2))):
            return port


def measure(rounds: int, seconds: int) -> list[Comparison]:
    """Return a comparison for each kind of request, as they come and tuned."""
    missing = {name: why for name, peer in PEERS.items() if (why := peer.install()) is not None}
    for name, why in missing.items():
        print(f"{name} cannot be installed here: {why}")
    images = load_dataset("mnist").test.images[:_N_COMPARED]
    with tempfile.TemporaryDirectory() as name, ExitStack() as until_done:
        folder = Path(name)
        contenders: dict[tuple[str, str], Contender] = {}
        for how, who, requests, command in [
            *((how, OURS, inkling, command) for how, command in _INKLING.items()),
            *(
                (TUNED if peer.tuned else AS_THEY_COME, who, peer.requests, peer.command())
                for who, peer in PEERS.items()
                if who not in missing
            ),
        ]:
            port, own_folder = free_port(), folder / f"{who} {how}"
            own_folder.mkdir()
            words = [word.format(port=port, folder=own_folder) for word in command]
            pid = until_done.enter_context(started(who, words, port, folder / f"{who} {how}.log"))
            one = contenders[how, who] = Contender(pid, port, requests, images)
            digits = one.digits()
            ours = contenders[AS_THEY_COME, OURS].digits() if who != OURS else digits
            if any(found != ours["raw"] for found in digits.values()):
                raise SystemExit(f"{who} does not serve the same model: {digits}")
        pairs = {
            f"{kind}, {how}: {who}": (kind, how, who)
            for kind in KINDS
            for (how, who), one in contenders.items()
            if kind in one.kinds
        }
        rates = interleave(
            {
                label: lambda _, kind=kind, how=how, who=who: contenders[how, who].rate(kind, folder, seconds)
                for label, (kind, how, who) in pairs.items()
            },
            rounds,
        )
    found = []
    for how in _INKLING:
        for kind in KINDS:
            values = {who: rates[label] for label, (*of, who) in pairs.items() if of == [kind, how]}
            found.append(
                Comparison(
                    title=f"{kind}, {how}",
                    unit="requests/s",
                    values=values,
                    larger_is_better=True,
                    targets={who: WANTED[how] for who in values if who not in (OURS, BARE_ROUTE)},
                    facts={"not_installed": missing, "seconds": seconds},
                )
            )
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement")
    parser.add_argument("--quick", action="store_true", help="two short rounds, to try")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    warn_if_busy()
    found = measure(*((2, 1) if arguments.quick else (arguments.rounds, arguments.seconds)))
    for comparison in found:
        print(comparison.table())
    facts = {"kinds": {comparison.title: comparison.to_dict() for comparison in found}}
    write(facts, picture(found), json_file=arguments.json, picture=arguments.picture)


def picture(found: list[Comparison]) -> Figure:
    """A field for each kind of request, above as they come and below tuned, with Inkling's ratio to each."""
    figure = new_figure(11, 5)
    rows = [found[: len(KINDS)], found[len(KINDS) :]]
    names = [list(max((one.values for one in row), key=len)) for row in rows]
    grid = figure.subplots(2, len(KINDS), sharex="col", sharey="row", height_ratios=list(map(len, names)))
    for fields, row, order in zip(grid, rows, names, strict=True):
        for axes, comparison in zip(fields, row, strict=True):
            for name, values in comparison.values.items():
                place, rate = order.index(name), comparison.median(name)
                axes.barh(place, rate, color="tab:blue" if name == OURS else "0.75")
                axes.plot(values, [place] * len(values), "o", color="0.2", markersize=3)
                ratio = "" if name == OURS else f" ({statistics.median(comparison.ratios(name)):.1f}x)"
                axes.text(max(values), place, f"  {rate:,.0f}{ratio}", va="center", fontsize=7)
            axes.set_title(comparison.title, fontsize=9)
            axes.tick_params(labelsize=8)
            axes.margins(x=0.5)
        fields[0].set_yticks(range(len(order)), order)
        fields[0].invert_yaxis()
    figure.supxlabel("requests a second on one core (Inkling answers so many times as many)", fontsize=9)
    return figure


if __name__ == "__main__":
    main()
