"""The Open Inference Protocol, version 2, as Triton, KServe and their clients speak it.

`parse_infer_request` and `write_infer_response` are pure functions between bytes and arrays; the addresses are in
`service.web.routes.inference_protocol`. Every error under ``/v2`` is ``{"error": "..."}``, of which
`service.web.problems` takes care.
"""

from __future__ import annotations

from .infer_request import HEADER_LENGTH as HEADER_LENGTH
from .infer_request import InferRequest as InferRequest
from .infer_request import RequestedOutput as RequestedOutput
from .infer_request import parse_infer_request as parse_infer_request
from .infer_response import write_infer_response as write_infer_response
from .tensors import DIGIT as DIGIT
from .tensors import INPUT as INPUT
from .tensors import PROBABILITIES as PROBABILITIES
