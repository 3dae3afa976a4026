"""MLServer: its V2 protocol, numbers or bytes in base64.

``python -m benchmarks.peers.serving.mlserver PORT FOLDER [tuned]`` writes its two files of settings into the folder and
runs ``mlserver start`` there. As it comes, one worker process infers, and every request is counted and logged. Tuned
is: inference in the server's own process, no metrics, no gzip, and no debugging, which also ends the line in the log.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
from fastapi import Request
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec
from mlserver.handlers import custom_handler
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.peers.serving.linear import Linear

_MODEL = {"name": "mnist-softmax", "implementation": "benchmarks.peers.serving.mlserver.Softmax"}
_TUNED = {"parallel_workers": 0, "metrics_endpoint": None, "gzip_enabled": False, "debug": False}


class Softmax(MLModel):
    """One model under its name; beside it `/octets`, a route without MLServer's ways, for bodies that are an image."""

    async def load(self) -> bool:
        """Read the weights."""
        self._linear = Linear()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer a V2 request with one tensor."""
        (tensor,) = payload.inputs
        if tensor.datatype == "BYTES":
            answer = self._linear.of_bytes(Base64Codec.decode_input(tensor)[0])
        else:
            answer = self._linear(NumpyCodec.decode_input(tensor))
        outputs = [
            NumpyCodec.encode_output("probabilities", np.array([answer["probabilities"]], dtype=np.float32)),
            NumpyCodec.encode_output("digit", np.array([[answer["digit"]]])),
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)

    @custom_handler(rest_path="/octets")
    async def octets(self, request: Request) -> dict:
        """Answer 784 bytes, or a PNG."""
        return self._linear.of_bytes(await request.body())


def main(port: str, folder: str, *tuned: str) -> None:
    """Write the settings, and become the server."""
    ports = {name: int(port) + number for number, name in enumerate(("http_port", "grpc_port", "metrics_port"))}
    settings = {"host": "127.0.0.1", **ports, **(_TUNED if tuned else {})}
    for name, content in {"settings": settings, "model-settings": _MODEL}.items():
        Path(folder, f"{name}.json").write_text(json.dumps(content))
    os.environ["PYTHONPATH"] = str(Path.cwd())
    os.chdir(folder)  # it keeps its metrics where it is started
    command = f"{sys.prefix}/bin/mlserver"
    os.execv(command, [command, "start", "."])


if __name__ == "__main__":
    main(*sys.argv[1:])
