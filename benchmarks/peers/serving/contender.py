"""Who serves, in which environment, and what a request to them looks like."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[3]
KINDS = RAW, JSON, PNG, V2 = "raw", "JSON", "PNG", "V2 JSON"
BARE_ROUTE = "MLServer, bare route"
"""A route of FastAPI that MLServer opens for code of one's own; nothing of its inference is on that way."""
V2_PATH = "/v2/models/mnist-softmax/infer"

_OCTETS, _JSON = "application/octet-stream", "application/json"
_COMMON = ("numpy==2.4.6", "pillow==13.0.0")


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: a path, a body and its media type."""

    path: str
    body: bytes
    media_type: str


Requests = Callable[[bytes, bytes], dict[str, Request]]
"""From 784 bytes and their PNG to a request of each kind that the contender knows."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A server beside Inkling.

    Attributes
    ----------
    module : under `benchmarks.peers.serving`; also the package's name.
    version : of the package.
    needs : what is installed beside the package, with what that brings itself, and the model's NumPy and Pillow.
    tuned : rather than as it comes; its module says what that changes.
    """

    module: str
    version: str
    requests: Requests
    needs: tuple[str, ...] = ()
    tuned: bool = False

    @property
    def environment(self) -> Path:
        """The peer's own virtual environment, which `install` makes."""
        return ROOT / f".venv-bench-{self.module}{'-tuned' if self.tuned else ''}"

    def command(self) -> list[str]:
        """Return what starts it, with ``{port}`` and an empty ``{folder}`` of its own in it."""
        python, module = str(self.environment / "bin/python"), f"benchmarks.peers.serving.{self.module}"
        return [python, "-m", module, "{port}", "{folder}", *(["tuned"] if self.tuned else [])]

    def install(self) -> str | None:
        """Make its environment unless it is there; return why that cannot be done, if so."""
        wanted = [f"{self.module}=={self.version}", *self.needs, *_COMMON]
        ready = self.environment / "ready"
        if ready.exists() and ready.read_text().split() == wanted:
            return None
        uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
        if uv is None:
            return "it is installed with uv, which is not here"
        python = str(self.environment / "bin/python")
        for command in (
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(self.environment)],
            [uv, "pip", "install", "--quiet", "--python", python, *wanted],
        ):
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode:
                return done.stderr.strip()
        ready.write_text("\n".join(wanted))
        return None


def _pixels(octets: bytes) -> bytes:
    return json.dumps({"pixels": list(octets)}).encode()


def _v2(octets: bytes) -> Request:
    tensor = {"name": "image", "datatype": "UINT8", "shape": [1, 784], "data": list(octets)}
    return Request(V2_PATH, json.dumps({"inputs": [tensor]}).encode(), _JSON)


def inkling(octets: bytes, png: bytes) -> dict[str, Request]:
    """Inkling's own requests, and the V2 protocol's."""
    path = "/api/v1/models/mnist-softmax/predict"
    return {
        RAW: Request(path, octets, _OCTETS),
        JSON: Request(path, _pixels(octets), _JSON),
        PNG: Request(path, png, "image/png"),
        V2: _v2(octets),
    }


def _mlserver(octets: bytes, png: bytes) -> dict[str, Request]:
    def in_base64(content: bytes) -> Request:
        text, how = base64.b64encode(content).decode(), {"content_type": "base64"}
        tensor = {"name": "image", "datatype": "BYTES", "shape": [1], "parameters": how, "data": [text]}
        return Request(V2_PATH, json.dumps({"inputs": [tensor]}).encode(), _JSON)

    return {RAW: in_base64(octets), JSON: _v2(octets), PNG: in_base64(png), V2: _v2(octets)}


def _mlserver_route(octets: bytes, png: bytes) -> dict[str, Request]:
    return {RAW: Request("/octets", octets, _OCTETS), PNG: Request("/octets", png, "image/png")}


def _litserve(octets: bytes, png: bytes) -> dict[str, Request]:
    path = "/predict"
    return {
        RAW: Request(path, octets, _OCTETS),
        JSON: Request(path, _pixels(octets), _JSON),
        PNG: Request(path, png, "image/png"),
    }


def _mlflow(octets: bytes, png: bytes) -> dict[str, Request]:
    def request(row: object) -> Request:
        return Request("/invocations", json.dumps({"inputs": [row]}).encode(), _JSON)

    return {
        RAW: request(base64.b64encode(octets).decode()),
        JSON: request(list(octets)),
        PNG: request(base64.b64encode(png).decode()),
    }


def _bentoml(octets: bytes, png: bytes) -> dict[str, Request]:
    text = base64.b64encode(octets).decode()
    return {
        RAW: Request("/octets", json.dumps({"octets": text}).encode(), _JSON),
        JSON: Request("/pixels", _pixels(octets), _JSON),
        PNG: Request("/png", png, "image/png"),
    }


_UVLOOP, _HTTPTOOLS = ("uvloop==0.23.0",), ("httptools==0.9.0",)
"""What uvicorn uses wherever it is installed; LitServe brings both, MLServer the first, the others neither."""
_AS_THEY_COME = {
    "MLServer": Peer(
        "mlserver", "1.7.1", _mlserver, ("uvloop==0.21.0",)
    ),  # its worker does not start with 0.22 and later
    "LitServe": Peer("litserve", "0.2.19", _litserve),
    "MLflow": Peer("mlflow", "3.17.2", _mlflow),
    "BentoML": Peer("bentoml", "1.4.40", _bentoml),
}
PEERS: Mapping[str, Peer] = {
    **_AS_THEY_COME,
    **{
        f"{name}, tuned": replace(peer, tuned=True, needs=(*(peer.needs or _UVLOOP), *_HTTPTOOLS))
        for name, peer in _AS_THEY_COME.items()
    },
    BARE_ROUTE: Peer("mlserver", "1.7.1", _mlserver_route, ("uvloop==0.21.0", *_HTTPTOOLS), tuned=True),
}
"""Each as its documentation installs and starts it, then each tuned."""
