"""Pictures: arrays in, PNG, SVG or PDF bytes out, with their provenance inside.

Nothing here depends on jobs, models or files, and no two pictures share state: any number of threads may
draw at once, and the same arguments give the same bytes. matplotlib is imported when a chart is first drawn.
"""

from .architecture import DrawnLayer as DrawnLayer
from .architecture import architecture_picture as architecture_picture
from .calibration import calibration_chart as calibration_chart
from .cells import confusion_chart as confusion_chart
from .cells import heatmap_chart as heatmap_chart
from .curves import Curves as Curves
from .curves import Line as Line
from .curves import thin as thin
from .frame import ChartSize as ChartSize
from .frame import superscript as superscript
from .norms import norms_chart as norms_chart
from .pictures import batch_sheet as batch_sheet
from .pictures import contact_sheet as contact_sheet
from .pictures import digit_picture as digit_picture
from .pictures import evidence_picture as evidence_picture
from .pictures import weights_grid as weights_grid
from .pictures import weights_picture as weights_picture
from .provenance import Provenance as Provenance
from .provenance import png_chunks as png_chunks
from .step_charts import accuracy_chart as accuracy_chart
from .step_charts import gap_chart as gap_chart
from .step_charts import lines_chart as lines_chart
from .step_charts import loss_chart as loss_chart
from .step_charts import shuffle_chart as shuffle_chart
from .tiles import TileGrid as TileGrid
from .tiles import diverging as diverging
from .tiles import grey as grey
