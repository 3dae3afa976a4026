"""How much of what strangers send is read."""

from __future__ import annotations

from dataclasses import dataclass, fields

from service.errors import InputTooLarge


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingLimits:
    """What a picture or a batch of images may be at most.

    Parameters
    ----------
    max_image_bytes : of one PNG, JPEG or WebP file.
    max_streamed_pixels : of any picture. The default takes photographs of 24 megapixels.
    max_image_pixels : of a picture that has to be in memory as a whole while it is decoded, at 4 bytes a pixel
        and as much again for its conversion: all but those JPEG files that come row by row, as from cameras,
        and can be reduced on the way. The default takes a screenshot of 3840x2160.
    min_side_px, max_aspect_ratio : a picture that is smaller or longer than this shows no digit.
    max_images_per_request : of 28x28 images in one request.
    """

    max_image_bytes: int = 16 * 1024 * 1024
    max_streamed_pixels: int = 25_000_000
    max_image_pixels: int = 8_388_608
    min_side_px: int = 4
    max_aspect_ratio: int = 20
    max_images_per_request: int = 10_000

    def __post_init__(self) -> None:
        """Check that every limit lets something through."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value < 1:
                raise ValueError(f"{field.name} must be 1 or more, not {value!r}")

    def check_n_images(self, n_images: int) -> None:
        """Raise InputTooLarge if these are more 28x28 images than one request may hold."""
        if n_images > self.max_images_per_request:
            raise InputTooLarge(
                "There are too many images in one request.",
                allowed=f"at most {self.max_images_per_request:,} images",
            )


DEFAULT_LIMITS = DecodingLimits()
