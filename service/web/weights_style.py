"""How a picture of weights is asked for, of a job and of a model alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Query


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsStyle:
    """The arguments of `weights_picture` that a client may choose."""

    scale: Literal["shared", "per_tile"]
    colours: Literal["diverging", "grey"]
    upscale: int
    scale_bar: bool

    @property
    def arguments(self) -> dict[str, Any]:
        """By name, for the function."""
        return asdict(self)

    @staticmethod
    def labels(model: str, class_names: Sequence[str]) -> Sequence[str]:
        """What to write above each tile: a logistic model has one for its two classes."""
        return class_names if model == "softmax" else [" v ".join(class_names)]


async def _weights_style(
    scale: Annotated[
        Literal["shared", "per_tile"], Query(description="One scale for all tiles, or one for each.")
    ] = "shared",
    colours: Annotated[
        Literal["diverging", "grey"],
        Query(
            description="White is 0, red positive, blue negative; or from the smallest, black, to the largest, white."
        ),
    ] = "diverging",
    upscale: Annotated[int, Query(ge=1, le=16, description="Pixels to a side of each weight.")] = 4,
    scale_bar: Annotated[bool, Query(description="With a shared scale, show which colour is which weight.")] = True,
) -> WeightsStyle:
    return WeightsStyle(scale=scale, colours=colours, upscale=upscale, scale_bar=scale_bar)


WeightsStyleDep = Annotated[WeightsStyle, Depends(_weights_style)]
