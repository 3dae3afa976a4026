"""MLServer: its V2 protocol, numbers or bytes in base64; inference in the server's process, which its settings allow.

``python -m benchmarks.peers.serving.mlserver PORT``
"""

import asyncio
import sys

import numpy as np
from fastapi import Request
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import Base64Codec, NumpyCodec
from mlserver.handlers import custom_handler
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.peers.serving.linear import Linear

NAME = "mnist-softmax"


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


async def main(port: int) -> None:
    """Serve."""
    settings = Settings(
        debug=False,
        host="127.0.0.1",
        http_port=port,
        grpc_port=port + 1,
        metrics_endpoint=None,
        parallel_workers=0,
        gzip_enabled=False,
    )
    model = ModelSettings(name=NAME, implementation="benchmarks.peers.serving.mlserver.Softmax")
    await MLServer(settings).start([model])


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
