"""Files of pictures, PNG, JPEG and TIFF: opened by their content, never by their name; headers; what is refused.

Sizes are (H, W). TIFF tags: https://www.loc.gov/preservation/digital/formats/content/tiff_tags.shtml
"""

import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL import Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin
from PIL.ImageFile import ImageFile

from monai_gi.errors import DataError

DEFAULT_MAX_PIXELS = 1_000_000_000
"""Of one picture: 3 GB as RGB. Pillow's own limit of 179 megapixels is not asked."""

_STARTS = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpeg",
    b"II*\x00": "tiff",
    b"MM\x00*": "tiff",
    b"II+\x00": "tiff",
    b"MM\x00+": "tiff",
}
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "YCbCr")
_BITS_PER_SAMPLE, _PHOTOMETRIC, _ORIENTATION, _SAMPLES, _EXTRA_SAMPLES = 258, 262, 274, 277, 338
_UNSPECIFIED = (0, 0)
_BLACK_IS_ZERO, _RGB = 1, 2
_PNG_DEPTH_AT = 24
_UPRIGHT, _DEPTH = 1, 8
_LOCK = threading.Lock()
_readers = 0
_pillow_limit: int | None = None
BROKEN = (
    Warning,  # Pillow's about broken tags, where they are made errors
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""What libraries raise for damaged bytes."""


class PictureHeader(NamedTuple):
    """What a file says about its picture before any pixel is decoded.

    Attributes:
        format: `png`, `jpeg` or `tiff`.
        size: (H, W) in pixels.
        channels: stored a pixel; 1 for grey and for palettes, alpha counts.
        bits: a sample.
        mode: as Pillow names it, such as `RGB`, `L`, `P` (palette), `CMYK`.
        frames: pages of a TIFF, pictures of an animation; 1 as a rule.
        orientation: of EXIF and TIFF, 1 is upright.
    """

    format: str
    size: tuple[int, int]
    channels: int
    bits: int
    mode: str
    frames: int
    orientation: int


def picture_header(path: str | Path) -> PictureHeader:
    """Read the header of a picture of any depth and size.

    Args:
        path: PNG, JPEG or TIFF.

    Returns:
        What it says.

    Raises:
        DataError: the file is missing, empty, of another kind, or its header is broken.
    """
    with opened(path) as (image, kind):
        return header_of(image, kind)


def require_readable(path: str | Path, header: PictureHeader, max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
    """Refuse what the header alone shows to be unreadable; a broken file or an alpha channel shows only later.

    Args:
        path: of the picture, for the error.
        header: of the picture.
        max_pixels: larger pictures are refused.

    Raises:
        DataError: the picture is larger, has more than 8 bits, CMYK, several pictures, or a turned orientation.
    """
    require_within(path, header.size, max_pixels)
    fault = _fault(header)
    if fault:
        raise DataError(path, fault)


def require_within(path: str | Path, size: tuple[int, int], max_pixels: int) -> None:
    """Refuse what is larger than the budget.

    Args:
        path: of the picture, for the error.
        size: (H, W) of it.
        max_pixels: the budget.

    Raises:
        DataError: it is larger.
    """
    height, width = size
    if height * width > max_pixels:
        problem = f"{width} x {height} (W x H) are {height * width:,} pixels, over the budget of {max_pixels:,}"
        raise DataError(
            path, f"{problem}; raise it (--max-pixels, max_pixels) if the picture is meant to be that large"
        )


class _GreyTaggedTiff(TiffImagePlugin.TiffImageFile):
    """A TIFF whose tags may call three samples grey, as the originals of CVC-ClinicDB do; Pillow refuses that."""

    def _setup(self) -> None:
        if self.tag_v2.get(_SAMPLES) == 3 and self.tag_v2.get(_PHOTOMETRIC) == _BLACK_IS_ZERO:
            self.tag_v2[_PHOTOMETRIC] = _RGB
            if self.tag_v2.get(_EXTRA_SAMPLES) == _UNSPECIFIED:
                del self.tag_v2[_EXTRA_SAMPLES]
        super()._setup()


# Opened by class: nobody has to try every format that Pillow knows on a stranger's file.
_OPENERS: dict[str, type[ImageFile]] = {
    "png": PngImagePlugin.PngImageFile,
    "jpeg": JpegImagePlugin.JpegImageFile,
    "tiff": _GreyTaggedTiff,
}


@contextmanager
def opened(path: str | Path) -> Iterator[tuple[ImageFile, str]]:
    """Open a picture; Pillow decodes it when its pixels are asked for.

    Args:
        path: PNG, JPEG or TIFF.

    Yields:
        tuple[ImageFile, str]: the picture and its kind.

    Raises:
        DataError: whatever goes wrong with the file while it is open.
    """
    try:
        with Path(path).open("rb") as file:
            kind = _kind(path, file)
            with _no_other_limit(), _OPENERS[kind](file) as image:
                yield image, kind
    except FileNotFoundError as error:
        raise DataError(path, "no such file; a PNG, JPEG or TIFF is wanted") from error
    except MemoryError as error:
        raise DataError(
            path, "the memory does not hold the picture; wanted a smaller one, or a larger machine"
        ) from error
    except BROKEN as error:
        raise DataError(path, f"can not be read as a picture ({error}); copy it again from its source") from error


@contextmanager
def _no_other_limit() -> Iterator[None]:
    """Lift Pillow's own limit, one for the whole process, while any thread reads: the budget is asked instead."""
    global _readers, _pillow_limit
    with _LOCK:
        if not _readers:
            _pillow_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _readers += 1
    try:
        yield
    finally:
        with _LOCK:
            _readers -= 1
            if not _readers:
                Image.MAX_IMAGE_PIXELS = _pillow_limit


def _kind(path: str | Path, file: BinaryIO) -> str:
    start = file.read(max(map(len, _STARTS)))
    file.seek(0)
    if not start:
        raise DataError(path, "is empty (0 bytes), wanted a PNG, JPEG or TIFF; copy it again from its source")
    for known, kind in _STARTS.items():
        if start.startswith(known):
            return kind
    raise DataError(path, f"is no PNG, JPEG or TIFF (it starts with {start!r}); convert it to PNG")


def header_of(image: ImageFile, kind: str) -> PictureHeader:
    """The header of an open picture, as `picture_header` gives it."""
    return PictureHeader(
        format=kind,
        size=(image.height, image.width),
        channels=len(image.getbands()),
        bits=_bits(image, kind),
        mode=image.mode,
        frames=int(getattr(image, "n_frames", 1)),
        orientation=_orientation(image, kind),
    )


def _orientation(image: ImageFile, kind: str) -> int:
    if kind == "png" and "exif" not in image.info:
        return _UPRIGHT  # asked for its EXIF, a PNG would decode every pixel to look behind them
    return int(image.getexif().get(_ORIENTATION, _UPRIGHT))


def _bits(image: ImageFile, kind: str) -> int:
    """Bits a sample as stored: Pillow itself cuts 16 bits of colour to 8 without a word."""
    if kind == "png" and image.fp is not None:
        place = image.fp.tell()
        image.fp.seek(_PNG_DEPTH_AT)
        depth = image.fp.read(1)[0]
        image.fp.seek(place)
        return depth
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return max(image.tag_v2.get(_BITS_PER_SAMPLE, (1,)))
    return _DEPTH


def _fault(header: PictureHeader) -> str | None:
    if header.bits > _DEPTH:
        return f"{header.bits} bits a sample, wanted {_DEPTH}; export it with {_DEPTH}, so that nobody guesses a window"
    if header.mode not in _MODES:
        return f"colours are stored as {header.mode}, wanted RGB or grey of {_DEPTH} bits; convert it to RGB"
    if header.frames != 1:
        return f"{header.frames} pictures in one file (pages or an animation), wanted one; export the one that is meant"
    if header.orientation != _UPRIGHT:
        turned = f"is to be turned before it is shown (orientation {header.orientation})"
        return f"{turned}, and not every program does so; save it upright, together with its mask"
    return None
