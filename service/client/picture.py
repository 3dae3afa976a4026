"""Pictures that notebooks show by themselves."""

from __future__ import annotations

from pathlib import Path


class Picture(bytes):
    """The bytes of a PNG or SVG file, which a notebook shows as the last value of a cell."""

    def _repr_png_(self) -> bytes | None:
        return bytes(self) if self.startswith(b"\x89PNG") else None

    def _repr_svg_(self) -> str | None:
        return None if self.startswith(b"\x89PNG") else self.decode()

    def __repr__(self) -> str:
        return f"<picture of {len(self):,} bytes>"

    def save(self, path: str | Path) -> Path:
        """Write the file and return where it is."""
        path = Path(path)
        path.write_bytes(self)
        return path
