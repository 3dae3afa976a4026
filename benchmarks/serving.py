"""How many predictions a second one web process on one core answers, beside an endpoint that does nothing.

    python -m benchmarks.serving [--client NAME] [--model NAME] [--rounds N] [--seconds N] [--json FILE]
                                [--picture FILE]

The do-nothing endpoint reads the body and returns ready-made bytes. It is added to Inkling's own application, so that
both go through the same server and layers. A client asks them in turn from the second core; what counts is the ratio
within a round. wrk and hey keep 16 connections busy; httpx and inkling, the Python client, send one request after
another over one connection. wrk or hey, and taskset, must be installed.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.paired import interleave, new_figure, warn_if_busy, write
from inkling import InklingClient
from inkling.call import Call, read_bytes
from inkling.images import File
from service.bootstrap import Service
from service.datasets import load_dataset
from service.settings import Settings
from service.web.access_control import PREDICT
from service.web.app import create_app
from service.web.server import Server, listen

SHARES = {"raw": 0.75, "JSON": 0.55, "PNG": 0.5}
"""Of the rate of doing nothing: what is wanted of each kind."""
RATES = {"batch": 150_000, "batch, npy": 150_000}
"""Images a second: likewise."""

CLIENTS = ("wrk", "hey", "httpx", "inkling")
NOTHING = "/api/v1/nothing"

_READY_MADE = Response(b'{"digit": 7}', media_type="application/json")


async def nothing(request: Request) -> Response:
    """Read the body, and answer the same whatever it is."""
    await request.body()
    return _READY_MADE


def serve(folder: Path) -> None:
    """Serve on a free port, printing it once requests are answered."""
    listener = listen("127.0.0.1", 0)
    with Service(Settings(data_dir=folder, log_level="warning")) as service:
        app = create_app(service)
        app.add_api_route(NOTHING, nothing, methods=["POST"], dependencies=[PREDICT])
        app.router.routes.insert(0, app.router.routes.pop())  # where it is found first
        Server(app, lambda: print(listener.getsockname()[1], flush=True)).run([listener])


def drive(
    url: str,
    body: bytes,
    media_type: str,
    folder: Path,
    *,
    seconds: int,
    connections: int,
    accept: str,
    cores: str = "1",
) -> float:
    """Send one body again and again from some cores, and return the requests answered a second."""
    (folder / "body").write_bytes(body)
    script = folder / "post.lua"
    script.write_text(
        f'local file = io.open("{folder / "body"}", "rb")\nwrk.method = "POST"\nwrk.body = file:read("*a")\n'
        f'wrk.headers["Content-Type"] = "{media_type}"\nwrk.headers["Accept"] = "{accept}"\n'
    )
    command = ["taskset", "-c", cores, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if rate is None or "Non-2xx" in said:
        raise SystemExit(said)
    return float(rate[1])


def drive_hey(url: str, body: bytes, media_type: str, folder: Path, *, seconds: int, connections: int) -> float:
    """Do as `drive` does with hey."""
    (folder / "body").write_bytes(body)
    command = ["taskset", "-c", "1", "hey", "-z", f"{seconds}s", "-c", str(connections), "-m", "POST", "-T", media_type]
    printed = subprocess.run(
        [*command, "-D", str(folder / "body"), url], check=True, capture_output=True, text=True
    ).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    if rate is None or re.findall(r"^\s+\[(\d+)\]", printed, flags=re.MULTILINE) != ["200"]:
        raise SystemExit(printed)
    return float(rate[1])


def drive_python(client: str, model: str | None, kind: str, address: str, seconds: float) -> float:
    """Send one request after another with a Python client, and return how many were answered a second."""
    path, body, media_type, n_images = kinds(model)[kind]
    images = np.frombuffer(body, np.uint8).reshape(-1, 28, 28) if media_type == "application/octet-stream" else None
    with httpx.Client(trust_env=False) as http_client, InklingClient(address) as inkling_client:
        ask: Callable[[], object]
        if client == "httpx":
            headers = {"Content-Type": media_type}
            ask = lambda: http_client.post(address + path, content=body, headers=headers).raise_for_status()  # noqa: E731
        elif kind == "nothing":
            call = Call(method="POST", path="/nothing", read=read_bytes, request=File(body).body)
            ask = partial(inkling_client.connection.run, call)
        elif n_images > 1:
            ask = partial(inkling_client.predict_all, images, model=model)
        else:
            pixels = json.loads(body)["pixels"] if kind == "JSON" else images[0] if images is not None else body
            ask = partial(inkling_client.predict, pixels, model=model)
        ask()
        n_answers, started = 0, time.perf_counter()
        while (took := time.perf_counter() - started) < seconds:
            ask()
            n_answers += 1
        return n_answers / took


def kinds(model: str | None = None) -> dict[str, tuple[str, bytes, str, int]]:
    """Return path, body, media type and number of images of each kind of request, to the default model or another."""
    images = load_dataset("mnist").test.images
    png = BytesIO()
    Image.fromarray(images[0]).save(png, "PNG")
    pixels = json.dumps({"pixels": images[0].reshape(-1).tolist()}).encode()
    octets, predict = (
        "application/octet-stream",
        "/api/v1/predict" if model is None else f"/api/v1/models/{model}/predict",
    )
    return {
        "nothing": (NOTHING, images[0].tobytes(), octets, 1),
        "raw": (predict, images[0].tobytes(), octets, 1),
        "JSON": (predict, pixels, "application/json", 1),
        "PNG": (predict, png.getvalue(), "image/png", 1),
        "batch": (predict, images.tobytes(), octets, len(images)),
        "batch, npy": (predict, images.tobytes(), octets, len(images)),
    }


def measure(client: str, model: str | None, rounds: int, seconds: int) -> dict[str, list[float]]:
    """Return images a second by kind, one number a round."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = ["taskset", "-c", "0", sys.executable, "-m", "benchmarks.serving", "--serve", name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            address = f"http://127.0.0.1:{int(server.stdout.readline())}"

            def rate_of(kind: str, path: str, body: bytes, media_type: str, n_images: int) -> float:
                url, connections = address + path, 16 if n_images == 1 else 1
                if client == "wrk":
                    accept = "application/x-npy" if kind == "batch, npy" else "application/json"
                    options = {"seconds": seconds, "connections": connections, "accept": accept}
                    return n_images * drive(url, body, media_type, folder, **options)
                if client == "hey":
                    return n_images * drive_hey(url, body, media_type, folder, seconds=seconds, connections=connections)
                command = ["taskset", "-c", "1", sys.executable, "-m", "benchmarks.serving", "--seconds", str(seconds)]
                command += [*([] if model is None else ["--model", model]), "--drive", client, kind, address]
                return n_images * float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

            contenders = {
                kind: partial(_of_round, partial(rate_of, kind, *what))
                for kind, what in kinds(model).items()
                if client == "wrk" or kind != "batch, npy"
            }
            try:
                return interleave(contenders, rounds)
            finally:
                server.terminate()


def _of_round(rate_of: Callable[[], float], number: int) -> float:
    """Measure once, whatever the number of the round."""
    return rate_of()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--client", choices=CLIENTS, default="wrk", help="which client asks")
    parser.add_argument("--model", help="which model is asked, by default the service's default model")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="two short rounds, to try")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--drive", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    if arguments.drive:
        client, kind, address = arguments.drive
        print(drive_python(client, arguments.model, kind, address, arguments.seconds))
        return
    warn_if_busy()
    rates = measure(
        arguments.client, arguments.model, *((2, 1) if arguments.quick else (arguments.rounds, arguments.seconds))
    )
    shares = {
        kind: statistics.median(rate / nothing for rate, nothing in zip(values, rates["nothing"], strict=True))
        for kind, values in rates.items()
    }
    for kind, values in rates.items():
        line = f"{kind:12} {statistics.median(values):10,.0f} images/s ({min(values):,.0f} to {max(values):,.0f})"
        if kind in SHARES:
            line += f"   {shares[kind]:.2f} of nothing, wanted {SHARES[kind]:g}"
        if kind in RATES:
            line += f"   wanted {RATES[kind]:,}"
        print(line)
    facts = {
        "client": arguments.client,
        "model": arguments.model,
        "rates": rates,
        "shares": shares,
        "wanted_shares": SHARES,
        "wanted_rates": RATES,
    }
    write(facts, picture(rates, shares), json_file=arguments.json, picture=arguments.picture)


def picture(rates: Mapping[str, Sequence[float]], shares: Mapping[str, float]) -> Figure:
    """Bars of the single requests, a dot for each round, a mark where each is wanted to be."""
    figure = new_figure(8, 3)
    axes = figure.add_subplot()
    single = ["nothing", *SHARES]
    for place, kind in enumerate(single):
        median = statistics.median(rates[kind])
        axes.barh(place, median, color="0.75" if kind == "nothing" else "tab:blue")
        axes.plot(rates[kind], [place] * len(rates[kind]), "o", color="0.2", markersize=4)
        axes.text(max(rates[kind]), place, f"  {median:,.0f}/s, {shares[kind]:.2f} of nothing", va="center")
    axes.set_yticks(range(len(single)), single)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.5 * max(max(rates[kind]) for kind in single))
    axes.set_xlabel("requests a second, one process on one core")
    return figure


if __name__ == "__main__":
    main()
