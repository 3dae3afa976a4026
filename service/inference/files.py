"""Many files at once: those of a form and the members of zip archives, each decoded, or refused, by itself."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TypeAlias

from service.core.archive import MAGIC, open_archive, read_member
from service.errors import Corrupted, InputTooLarge, InvalidImage, MalformedInput, ServiceError

from .model_inputs import DecodingLimits, ModelInputs

MAX_FILES = 1000
"""In one request, in a form and in archives."""
_MAX_LISTED = 4 * MAX_FILES
"""In the directory of an archive: folders and hidden files, which are passed over, are listed too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """A file, or a whole body, as it was sent, with the media type and the name that the sender gave it."""

    content: bytes
    media_type: str | None = None
    name: str | None = None

    @property
    def is_archive(self) -> bool:
        """Whether it is a zip archive, and not an empty one."""
        return self.content.startswith(MAGIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedFile:
    """The images of a file."""

    name: str
    inputs: ModelInputs

    @property
    def image_names(self) -> list[str]:
        """The name of each image: of several in a file with their numbers, from 0, as in ``digits.npy[3]``."""
        n_images = len(self.inputs)
        return [self.name] if n_images == 1 else [f"{self.name}[{number}]" for number in range(n_images)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedFile:
    """A file that cannot be read as an image, and why."""

    name: str
    error: ServiceError


FileResult: TypeAlias = DecodedFile | RefusedFile


def decode_files(
    files: Sequence[ImageFile], limits: DecodingLimits, decode: Callable[[ImageFile], ModelInputs]
) -> list[FileResult]:
    """Decode files in their order, those in an archive in its order; a file that is refused has its error instead.

    ``decode`` is for a file that is no archive. Raises `MalformedInput` if an archive that came alone cannot be read or
    holds no files; `InputTooLarge` for more files, images or expanded bytes than one request may hold.
    """
    decoded: list[FileResult] = []
    n_images = 0
    for file in expand_files(files, limits):
        if len(decoded) == MAX_FILES:
            raise InputTooLarge("There are too many files in one request.", allowed=f"at most {MAX_FILES:,} files")
        decoded.append(_decoded(file, decode) if isinstance(file, ImageFile) else file)
        if isinstance(decoded[-1], DecodedFile):
            n_images += len(decoded[-1].inputs)
            limits.check_n_images(n_images)
    if not decoded:
        raise MalformedInput("The archive holds no files.")
    return decoded


def _decoded(file: ImageFile, decode: Callable[[ImageFile], ModelInputs]) -> FileResult:
    name = file.name or ""
    try:
        return DecodedFile(name=name, inputs=decode(file))
    except ServiceError as error:
        error.__cause__ = error.__context__ = None
        return RefusedFile(name=name, error=error.with_traceback(None))  # frames would keep the content


def expand_files(
    files: Sequence[ImageFile], limits: DecodingLimits, *, max_listed: int = _MAX_LISTED
) -> Iterator[ImageFile | RefusedFile]:
    """Yield the files, and the members of each archive instead of it; of several, their names begin with its own.

    An archive may list ``max_listed`` members.
    """
    left_bytes = limits.max_archive_bytes
    for number, file in enumerate(files):
        if not file.is_archive:
            yield replace(file, name=file.name or str(number))
            continue
        name = file.name or str(number)
        try:
            archive = open_archive(file.content, max_members=max_listed)
        except Corrupted as damage:
            error = MalformedInput(damage.message)
            if len(files) == 1:
                raise error from None
            yield RefusedFile(name=name, error=error)
            continue
        with archive:
            members = [
                info for info in archive.infolist() if not (info.filename.endswith("/") or is_hidden(info.filename))
            ]
            left_bytes -= sum(info.file_size for info in members)
            if left_bytes < 0:
                allowed = f"at most {limits.max_archive_bytes:,} bytes expanded"
                raise InputTooLarge("The archive is too large.", allowed=allowed)
            for info in members:
                full_name = info.filename if len(files) == 1 else f"{name}/{info.filename}"
                try:
                    content = read_member(archive, info)
                except Corrupted as damage:
                    yield RefusedFile(name=full_name, error=InvalidImage(damage.message))
                else:
                    yield ImageFile(content=content, name=full_name)


def is_hidden(name: str) -> bool:
    """Whether it is a file that systems add to folders and archives: ``.DS_Store``, ``__MACOSX/._digit.png``."""
    file = PurePosixPath(name).name
    return file.startswith(".") or name.startswith("__MACOSX/") or file in ("Thumbs.db", "desktop.ini")
