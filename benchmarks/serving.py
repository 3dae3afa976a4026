"""How many predictions a second one web process on one core answers, beside an endpoint that does nothing.

    python -m benchmarks.serving [--rounds N] [--seconds N] [--json FILE]

The do-nothing endpoint reads the body and returns ready-made bytes. It is added to Inkling's own application, so that
both go through the same server and layers. wrk drives them in turn over 16 connections from the second core;
what counts is the ratio of the medians. wrk and taskset must be installed.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from starlette.requests import Request
from starlette.responses import Response

from service.access import Scope
from service.bootstrap import build
from service.datasets import load_dataset
from service.settings import Settings
from service.web.access import ACCESS
from service.web.app import create_app
from service.web.server import Server, listen

_READY_MADE = Response(b'{"digit": 7}', media_type="application/json")


async def nothing(request: Request) -> Response:
    """Read the body, and answer the same whatever it is."""
    await request.body()
    return _READY_MADE


def serve(folder: Path) -> None:
    """Serve on a free port, printing it once requests are answered."""
    listener = listen("127.0.0.1", 0)
    with build(Settings(data_dir=folder, log_level="warning")) as service:
        ACCESS["POST /nothing"] = Scope.PREDICT  # it goes through the same gate as a prediction
        app = create_app(service)
        app.add_api_route("/nothing", nothing, methods=["POST"])
        app.router.routes.insert(0, app.router.routes.pop())  # where it is found first
        Server(app, lambda: print(listener.getsockname()[1], flush=True)).run([listener])


def drive(
    url: str, body: bytes, media_type: str, folder: Path, *, seconds: int, connections: int, accept: str
) -> float:
    """Send one body again and again, and return the requests answered a second."""
    (folder / "body").write_bytes(body)
    script = folder / "post.lua"
    script.write_text(
        f'local file = io.open("{folder / "body"}", "rb")\nwrk.method = "POST"\nwrk.body = file:read("*a")\n'
        f'wrk.headers["Content-Type"] = "{media_type}"\nwrk.headers["Accept"] = "{accept}"\n'
    )
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if rate is None or "Non-2xx" in said:
        raise SystemExit(said)
    return float(rate[1])


def kinds() -> dict[str, tuple[str, bytes, str, int]]:
    """Return path, body, media type and number of images of each kind of request."""
    images = load_dataset("mnist").test.images
    png = BytesIO()
    Image.fromarray(images[0]).save(png, "PNG")
    pixels = json.dumps({"pixels": images[0].reshape(-1).tolist()}).encode()
    octets, predict = "application/octet-stream", "/api/v1/predict"
    return {
        "nothing": ("/nothing", images[0].tobytes(), octets, 1),
        "raw": (predict, images[0].tobytes(), octets, 1),
        "JSON": (predict, pixels, "application/json", 1),
        "PNG": (predict, png.getvalue(), "image/png", 1),
        "batch": (predict, images.tobytes(), octets, len(images)),
        "batch, npy": (predict, images.tobytes(), octets, len(images)),
    }


def measure(rounds: int, seconds: int) -> dict[str, list[float]]:
    """Return images a second by kind, one number a round."""
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = ["taskset", "-c", "0", sys.executable, "-m", "benchmarks.serving", "--serve", name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            address = f"http://127.0.0.1:{int(server.stdout.readline())}"
            try:
                for _ in range(rounds):
                    for kind, (path, body, media_type, n_images) in kinds().items():
                        connections = 16 if n_images == 1 else 1
                        accept = "application/x-npy" if kind == "batch, npy" else "application/json"
                        rate = drive(
                            address + path,
                            body,
                            media_type,
                            folder,
                            seconds=seconds,
                            connections=connections,
                            accept=accept,
                        )
                        rates.setdefault(kind, []).append(rate * n_images)
            finally:
                server.terminate()
    return rates


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    rates = measure(arguments.rounds, arguments.seconds)
    medians = {kind: statistics.median(values) for kind, values in rates.items()}
    for kind, median in medians.items():
        print(f"{kind:12} {median:10,.0f} images/s   {median / medians['nothing']:6.2f} of nothing")
    if arguments.json:
        arguments.json.write_text(json.dumps({"rates": rates, "medians": medians}, indent=2))


if __name__ == "__main__":
    main()
