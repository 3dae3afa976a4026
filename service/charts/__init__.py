"""Pictures: arrays in, PNG, SVG or PDF bytes out, with their provenance inside.

Nothing here depends on jobs, models or files, and no two pictures share state: any number of threads may
draw at once, and the same arguments give the same bytes. matplotlib is imported when a chart is first drawn.
"""

from .architecture import DrawnLayer, architecture_picture
from .calibration import calibration_chart
from .cells import confusion_chart, heatmap_chart
from .curves import BlockAverage, Curves, Line, Thinning, steps_averaged, thin
from .frame import MEDIA_TYPES, ChartSize, Drawing, superscript
from .norms import layers_chart, norms_chart
from .pictures import (
    Colours,
    batch_sheet,
    contact_sheet,
    digit_picture,
    evidence_picture,
    reading_picture,
    steps_sheet,
    weights_grid,
    weights_picture,
)
from .provenance import Provenance, picture_svg, png_chunks
from .step_charts import accuracy_chart, gap_chart, lines_chart, loss_chart, shuffle_chart
from .tiles import TileGrid, diverging, grey
