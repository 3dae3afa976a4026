"""A sheet of one drawing of each style of `service.reports.drawings`.

python -m benchmarks.drawings --picture drawings.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from service.reports.drawings import STYLES, draw


def main() -> None:
    """Write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, default=Path("drawings.png"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, side_px, columns = np.random.default_rng(options.seed), 140, 9
    sheet = Image.new("L", (columns * side_px, -(-len(STYLES) // columns) * side_px), 255)
    for place, style in enumerate(STYLES):
        row, column = divmod(place, columns)
        sheet.paste(Image.fromarray(draw(style, rng, side_px=side_px)), (column * side_px, row * side_px))
    sheet.save(options.picture)


if __name__ == "__main__":
    main()
