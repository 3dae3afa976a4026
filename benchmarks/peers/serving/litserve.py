"""LitServe: one path for all three, whose body is JSON or bytes.

``python -m benchmarks.peers.serving.litserve PORT FOLDER [tuned]`` serves as its documentation does. Tuned is: ZeroMQ
between the processes instead of a queue of Python's, and no line in the log for each request. One worker is usual.
"""

import os
import sys
from typing import Annotated

import litserve
import numpy as np
from fastapi import Body

from benchmarks.peers.serving.linear import Linear


class Softmax(litserve.LitAPI):
    """Answers `/predict`."""

    def setup(self, device: str) -> None:
        """Read the weights."""
        self._linear = Linear()

    def decode_request(self, request: Annotated[dict | bytes, Body()]) -> dict | bytes:
        """Take it as it is."""
        return request

    def predict(self, body: dict | bytes) -> dict:
        """Answer numbers, 784 bytes or a PNG."""
        if isinstance(body, bytes):
            return self._linear.of_bytes(body)
        return self._linear(np.array(body["pixels"]))

    def encode_response(self, output: dict) -> dict:
        """Leave it as it is."""
        return output


if __name__ == "__main__":
    port, folder, *tuned = sys.argv[1:]
    os.chdir(folder)  # a client is written there
    quiet = {"log_level": "warning", "access_log": False} if tuned else {}
    litserve.LitServer(Softmax(), fast_queue=bool(tuned)).run(host="127.0.0.1", port=int(port), **quiet)
