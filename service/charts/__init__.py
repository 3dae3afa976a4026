"""Pictures: arrays in, PNG, SVG or PDF bytes out, with their provenance inside.

Nothing here knows jobs, models or files, and nothing is shared between two pictures: any number of threads may
draw at once, and the same arguments give the same bytes. matplotlib is imported when a chart is first drawn.
"""

from .confusion import confusion_chart as confusion_chart
from .curves import Curves as Curves
from .digits import batch_sheet as batch_sheet
from .digits import contact_sheet as contact_sheet
from .digits import digit_picture as digit_picture
from .evidence import evidence_picture as evidence_picture
from .first_use import load_matplotlib as load_matplotlib
from .gap import gap_chart as gap_chart
from .heatmap import heatmap_chart as heatmap_chart
from .learning import accuracy_chart as accuracy_chart
from .learning import loss_chart as loss_chart
from .lines import Line as Line
from .lines import lines_chart as lines_chart
from .norms import norms_chart as norms_chart
from .provenance import Provenance as Provenance
from .shuffle import shuffle_chart as shuffle_chart
from .size import ChartSize as ChartSize
from .thinning import thin as thin
from .tiles import TileGrid as TileGrid
from .weights import weights_grid as weights_grid
from .weights import weights_picture as weights_picture
