"""MLflow: a pyfunc model behind its scoring server, as `mlflow models serve` starts it. Bytes are base64 in JSON.

``python -m benchmarks.peers.serving.mlflow PORT``
"""

import base64
import sys
import tempfile

import mlflow.pyfunc
import numpy as np
import uvicorn
from mlflow.pyfunc import scoring_server

from benchmarks.peers.serving.linear import Linear


class Softmax(mlflow.pyfunc.PythonModel):
    """Answers `/invocations`."""

    def load_context(self, context: object) -> None:
        """Read the weights."""
        self._linear = Linear()

    def predict(self, context: object, model_input, params=None) -> list:
        """Answer one row of numbers, or one text that is 784 bytes or a PNG."""
        (row,) = np.asarray(model_input)
        if isinstance(row, str):
            return [self._linear.of_bytes(base64.b64decode(row))]
        return [self._linear(row)]


def main(port: int) -> None:
    """Save the model, load it as MLflow does, and serve."""
    with tempfile.TemporaryDirectory() as folder:
        mlflow.pyfunc.save_model(f"{folder}/model", python_model=Softmax(), pip_requirements=[])
        app = scoring_server.init(mlflow.pyfunc.load_model(f"{folder}/model"))
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]))
