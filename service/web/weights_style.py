"""How a picture of weights is asked for, of a job, a model and a sweep alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal

from fastapi import Depends, Query


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsStyle:
    """The arguments of `weights_picture` and `weights_grid` that a client may choose."""

    scale: Literal["shared", "per_row", "per_tile"]
    colours: Literal["diverging", "grey"]
    upscale: int
    scale_bar: bool

    @property
    def arguments(self) -> dict[str, Any]:
        """By name, for the function."""
        return asdict(self)


async def _weights_look(
    colours: Annotated[
        Literal["diverging", "grey"],
        Query(
            description="White is 0, red positive, blue negative; or from the smallest, black, to the largest, white."
        ),
    ] = "diverging",
    upscale: Annotated[int, Query(ge=1, le=16, description="Pixels to a side of each weight.")] = 4,
    scale_bar: Annotated[bool, Query(description="With a shared scale, show which colour is which weight.")] = True,
) -> WeightsStyle:
    return WeightsStyle(scale="shared", colours=colours, upscale=upscale, scale_bar=scale_bar)


async def _weights_style(
    look: Annotated[WeightsStyle, Depends(_weights_look)],
    scale: Annotated[
        Literal["shared", "per_tile"], Query(description="One scale for all tiles, or one for each.")
    ] = "shared",
) -> WeightsStyle:
    return replace(look, scale=scale)


async def _weights_grid_style(
    look: Annotated[WeightsStyle, Depends(_weights_look)],
    scale: Annotated[
        Literal["shared", "per_row", "per_tile"],
        Query(description="One scale for all tiles, one for each member, or one for each tile."),
    ] = "shared",
) -> WeightsStyle:
    return replace(look, scale=scale)


WeightsStyleDep = Annotated[WeightsStyle, Depends(_weights_style)]
WeightsGridStyleDep = Annotated[WeightsStyle, Depends(_weights_grid_style)]
