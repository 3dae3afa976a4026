"""MLflow: a pyfunc model behind its scoring server. Bytes are base64 in JSON.

``python -m benchmarks.peers.serving.mlflow PORT FOLDER [tuned]`` saves the model and runs ``mlflow models serve``, in
this environment instead of one that it would make. Tuned is: no line in the log for each request, which that command
has no option for, so the server that it starts is started here. One worker is the default.
"""

import base64
import os
import sys

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


def main(port: str, folder: str, *tuned: str) -> None:
    """Save the model and serve it."""
    model = f"{folder}/model"
    mlflow.pyfunc.save_model(model, python_model=Softmax(), pip_requirements=[])
    if tuned:
        app = scoring_server.init(mlflow.pyfunc.load_model(model))
        uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning", access_log=False)
    os.environ["PATH"] = f"{sys.prefix}/bin:{os.environ['PATH']}"  # where it looks for uvicorn
    where = ["--host", "127.0.0.1", "--port", port, "--env-manager", "local"]
    os.execvp("mlflow", ["mlflow", "models", "serve", "--model-uri", model, *where])


if __name__ == "__main__":
    main(*sys.argv[1:])
