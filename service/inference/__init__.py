"""From the content of a request to predicted digits.

`decode_upload` and `decode_pixels` turn bytes and numbers into `ModelInputs`: pictures are preprocessed into
the form of MNIST, pixels are used as given. `ModelCatalogue` finds the model that a request names;
`predict` computes its predictions, `judge` what they are worth, and `answer` writes both in the form of the HTTP API.
"""

from .catalogue import ModelCatalogue
from .comparison import SIGNIFICANT, Comparison, compare, mcnemar, printed_p
from .dataset_files import FILE, MAX_PICTURES, MAX_PIXELS, MAX_PREPROCESSED, read_dataset
from .decoding import decode_pixels, decode_small_upload, decode_upload, has_known_start
from .evaluation import ConfusionCell, Evaluation, EvaluationSummary, evaluate, prepare_weights
from .explanation import Explanation, explain
from .files import MAX_FILES, DecodedFile, FileResult, ImageFile, RefusedFile, decode_files, expand_files
from .mnist_form import to_mnist_form
from .model_inputs import DecodingLimits, ModelInputs, array_from_values, image_bytes, images_from_array
from .onnx_files import write_onnx
from .picture import Picture, read_picture
from .prediction import predict, predictions_csv
from .preprocessing import Preprocessed, preprocess
from .reading import MAX_CANDIDATES, read
from .verdicts import Rivals, Thresholds, Verdict, answer, judge, predictions_of
from .weights_import import INPUT_SCALINGS, LAYER_ACTIVATIONS, import_weights
