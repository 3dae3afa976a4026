"""Data sets from uploaded files: pictures, each preprocessed, tables as CSV, archives of both, and arrays."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from service.core import DIGITS
from service.core.archive import MAGIC
from service.datasets import LabelledFiles, Upload, read_upload, shown
from service.errors import InputTooLarge, InvalidDataset, ServiceError

from .decoding import has_known_start
from .files import ImageFile, RefusedFile, expand_files, is_hidden
from .model_inputs import DecodingLimits
from .picture import read_picture
from .preprocessing import preprocess

FILE = "file"
"""The part of a form that may come several times."""
MAX_PICTURES, MAX_PREPROCESSED, MAX_PIXELS = 70_000, 10_000, 1_000_000_000
"""Of a data set: pictures, those of another size than 28x28, and pixels in all of them."""
_TABLES = (".csv", ".gz", ".txt", "")


def read_dataset(
    files: Sequence[tuple[str, ImageFile]], class_names: Sequence[str] | None, limit_bytes: int, limits: DecodingLimits
) -> Upload:
    """Read and check the files of a data set, each with the name of its part of the form.

    ``file`` is an ``.npz`` file; or CSV; or pictures in a folder for each class, by the paths in their names; or zip
    archives of these. Otherwise they are IDX files, see `read_upload`. Raises as these, naming the file.
    """
    given = [file for part, file in files if part == FILE]
    if len(given) != len(files) or not given or (len(given) == 1 and _is_npz(given[0])):
        return read_upload({part: file.content for part, file in files}, class_names, limit_bytes=limit_bytes)
    gathered = LabelledFiles(limit_bytes=limit_bytes)
    n_pictures = n_preprocessed = n_pixels = 0
    for file in expand_files(given, replace(limits, max_archive_bytes=limit_bytes), max_listed=2 * MAX_PICTURES):
        name = file.name or ""
        if is_hidden(name):
            continue
        try:
            if isinstance(file, RefusedFile):
                raise file.error
            if PurePosixPath(name).suffix.lower() in _TABLES and not has_known_start(file.content):
                gathered.add_csv(file.content, name)
                continue
            picture = read_picture(file.content, limits)
            width, height = picture.size_px
            n_pictures, n_pixels = n_pictures + 1, n_pixels + width * height
            n_preprocessed += picture.size_px != DIGITS.image_shape
            if n_pictures > MAX_PICTURES or n_preprocessed > MAX_PREPROCESSED or n_pixels > MAX_PIXELS:
                allowed = f"{MAX_PICTURES:,}, of them {MAX_PREPROCESSED:,} not 28x28, and {MAX_PIXELS:,} pixels"
                raise InputTooLarge("There are too many pictures.", allowed=allowed)
            gathered.add_picture(preprocess(picture.pixels).image, name)
        except (InvalidDataset, InputTooLarge) as error:
            error.field = error.field or FILE
            raise
        except ServiceError as error:
            message = f"{shown(name)}: {error.message}"
            raise InvalidDataset(message, field=FILE, allowed=error.allowed) from error
    return gathered.upload(class_names)


def _is_npz(file: ImageFile) -> bool:
    """Whether a file is named so, or the first member of an archive is an array that is in no folder.

    The length of a member's name is at byte 26, the name at byte 30. Source: APPNOTE.TXT 4.3.7 of PKWARE.
    """
    member = file.content[30:][: int.from_bytes(file.content[26:][:2], "little")]
    is_array = file.content.startswith(MAGIC) and member.endswith(b".npy") and b"/" not in member
    return is_array or (file.name or "").endswith(".npz")
