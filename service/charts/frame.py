"""What stands around every chart, and what kind of file it becomes."""

from __future__ import annotations

from typing import Literal, Required, TypeAlias, TypedDict

from .provenance import Provenance
from .size import ChartSize

ImageFormat: TypeAlias = Literal["png", "svg", "pdf"]


class Frame(TypedDict, total=False):
    """What every chart may be told.

    Parameters
    ----------
    title, caption : one line each, or two if they are long; what does not fit ends in "…".
    size : 960 by 600 pixels, if none is given.
    image_format : ``png``, ``svg`` or ``pdf``, which is one page.
    provenance : written into the file.
    """

    title: Required[str]
    caption: str
    size: ChartSize | None
    image_format: ImageFormat
    provenance: Required[Provenance]
