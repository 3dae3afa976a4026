"""From the content of a request to predicted digits.

`decode_upload` and `decode_pixels` turn bytes and numbers into `ModelInputs`: pictures are preprocessed into
the form of MNIST, pixels are used as given. `ModelCatalogue` finds the model that a request names;
`predict` computes its predictions, and `answer` writes them in the form of the HTTP API.
"""

from __future__ import annotations

from .catalogue import ModelCatalogue as ModelCatalogue
from .comparison import compare as compare
from .decoding import decode_pixels as decode_pixels
from .decoding import decode_upload as decode_upload
from .decoding import is_small_upload as is_small_upload
from .evaluation import Evaluation as Evaluation
from .evaluation import evaluate as evaluate
from .explanation import Explanation as Explanation
from .explanation import explain as explain
from .flip import Flip as Flip
from .model_inputs import DecodingLimits as DecodingLimits
from .model_inputs import ModelInputs as ModelInputs
from .model_inputs import array_from_values as array_from_values
from .model_inputs import image_bytes as image_bytes
from .model_inputs import images_from_array as images_from_array
from .onnx_export import write_onnx as write_onnx
from .prediction import answer as answer
from .prediction import predict as predict
from .preprocessing import Preprocessed as Preprocessed
from .preprocessing import preprocess as preprocess
from .weights_import import import_weights as import_weights
