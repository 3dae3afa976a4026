"""From what a request carries to digits.

`decode_upload` and `decode_pixels` turn bytes and numbers into `ModelInputs`: pictures are preprocessed into
the form of MNIST, pixels are used as given. `ModelCatalogue` finds the model that a request means;
`predict` lets it speak, and `answer` gives what it said the shape that the HTTP API has.
"""

from __future__ import annotations

from .answer import answer as answer
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
from .limits import DecodingLimits as DecodingLimits
from .model_inputs import ModelInputs as ModelInputs
from .onnx_export import write_onnx as write_onnx
from .pixels import array_from_values as array_from_values
from .pixels import image_bytes as image_bytes
from .pixels import images_from_array as images_from_array
from .prediction import predict as predict
from .preprocessing import Preprocessed as Preprocessed
from .preprocessing import preprocess as preprocess
from .weights_import import import_weights as import_weights
