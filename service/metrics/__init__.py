"""What the service counts and times, for Prometheus and for the statistics of the inference protocol.

With the variable ``PROMETHEUS_MULTIPROC_DIR`` set, every process keeps its figures in files in that folder, and each
can answer for all of them. The library decides that at its import, which is therefore left to `Metrics`.
"""

from __future__ import annotations

from .inference import STAGES as STAGES
from .inference import InferenceFigures as InferenceFigures
from .inference import Stages as Stages
from .metrics import CONTENT_TYPE as CONTENT_TYPE
from .metrics import Metrics as Metrics
from .shared import figures_of_the_first as figures_of_the_first
from .shared import shared_figures as shared_figures
