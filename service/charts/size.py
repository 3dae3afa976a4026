"""How large a chart may be asked for."""

from __future__ import annotations

from dataclasses import dataclass

from service.errors import InvalidField

_WIDTHS_PX = 320, 3840
_HEIGHTS_PX = 240, 2160
_DPIS = 50, 600


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartSize:
    """The size of a chart in pixels, and how many of them make an inch of type.

    Parameters
    ----------
    width_px : 320 to 3840.
    height_px : 240 to 2160.
    dpi : 50 to 600, and leaving at least 4 by 3 inches, or the type would not fit. When not given, such that
        the chart is at least 8 by 5 inches, so that a larger one is the same picture with more pixels;
        a small one keeps its type legible (never below 72).

    Raises
    ------
    InvalidField : one of them is out of its range.
    """

    width_px: int = 960
    height_px: int = 600
    dpi: int | None = None

    def __post_init__(self) -> None:
        """Check all three ranges; that of ``dpi`` depends on the others."""
        _check("width_px", self.width_px, *_WIDTHS_PX)
        _check("height_px", self.height_px, *_HEIGHTS_PX)
        smallest, largest = _DPIS
        _check("dpi", self.dots_per_inch, smallest, min(largest, self.width_px // 4, self.height_px // 3))

    @property
    def dots_per_inch(self) -> int:
        """The given ``dpi``, or the one that follows from the size."""
        return max(72, min(self.width_px // 8, self.height_px // 5)) if self.dpi is None else self.dpi


def _check(field: str, value: int, smallest: int, largest: int) -> None:
    if not isinstance(value, int) or not smallest <= value <= largest:
        allowed = f"a whole number from {smallest} to {largest}"
        raise InvalidField(f"{field} must be {allowed}.", field=field, allowed=allowed)
