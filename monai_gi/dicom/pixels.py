"""Voxels of a DICOM series in the modality's values: decoded in threads, rescaled frame by frame.

Source: PS3.3 sections C.7.6.3 (image pixels), C.11.1 (modality LUT), C.7.6.16.2.9 (pixel value transformation).
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.pixels import apply_modality_lut, get_decoder
from pydicom.pixels.decoders.base import Decoder
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from monai_gi.dicom.headers import READ_ERRORS, frame_groups, numbers, text
from monai_gi.dicom.series import Frame, Series
from monai_gi.errors import DataError, DataErrors

THREADS = 4
GREY = ("MONOCHROME1", "MONOCHROME2")
DECODE_ERRORS = (*READ_ERRORS, RuntimeError)
LARGEST = np.iinfo(np.uint16).max
PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
KEYWORDS = (
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope", "RescaleIntercept"),
    *("ModalityLUTSequence", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths", *PIXEL_KEYWORDS),
)
TAGS: list[int] = [tag for name in KEYWORDS if (tag := tag_for_keyword(name)) is not None]


class _Stored(NamedTuple):
    """Pixels as they are stored (H, W), and how they become values: slope * pixel + intercept."""

    pixels: np.ndarray
    slope: float
    intercept: float


def read_voxels(series: Series) -> np.ndarray:
    """Decode all frames, rescale them, and put them together.

    MONOCHROME1, where small values are shown white, is mirrored within the range that its bits can store, so that
    large values are bright in what comes back.

    Args:
        series: its frames in the order wanted; all of one size.

    Returns:
        (H, W, D), uint16 where all values are whole and from 0 to 65535, else float32. In memory slice follows slice:
        `voxels[..., d]` is contiguous.

    Raises:
        DataErrors: all files that have no pixel data, that have colours, or that can not be decoded.
    """
    places: dict[Path, list[int]] = {}
    for place, frame in enumerate(series.frames):
        places.setdefault(frame.path, []).append(place)
    wanted = [[series.frames[place] for place in of_file] for of_file in places.values()]
    # pydicom warns of padding after the pixels and the like
    with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
        warnings.simplefilter("ignore", UserWarning)
        files = list(pool.map(_read_file, wanted))
    faults = [fault for fault in files if isinstance(fault, DataError)]
    if faults:
        raise DataErrors(f"series {series.uid}", faults)
    frames = {
        place: frame
        for of_file, decoded in zip(places.values(), files, strict=True)
        if not isinstance(decoded, DataError)
        for place, frame in zip(of_file, decoded, strict=True)
    }
    return np.moveaxis(_rescaled([frames[place] for place in range(len(frames))]), 0, -1)


def _read_file(frames: Sequence[Frame]) -> list[_Stored] | DataError:
    """Frames of one file, in their order."""
    path = frames[0].path
    try:
        dataset = dcmread(path, specific_tags=TAGS, force=True)
        _check(path, dataset)
        decoder = _decoder_of(path, dataset)
        pixels = _decode(decoder, dataset, sorted({frame.index for frame in frames}))
        return [_stored(dataset, frame.index, _sized(pixels[frame.index], frame)) for frame in frames]
    except DataError as fault:
        return fault
    except DECODE_ERRORS as error:
        reason = " ".join(str(error).split())
        return DataError(path, f"its pixels can not be decoded ({reason}); copy it again from its source")


def _check(path: Path, dataset: Dataset) -> None:
    if not any(keyword in dataset for keyword in PIXEL_KEYWORDS):
        raise DataError(path, "no pixel data; copy it again from its source")
    colours = text(dataset, "PhotometricInterpretation")
    if colours not in GREY or dataset.get("SamplesPerPixel", 1) != 1:
        raise DataError(path, f"pixels are {colours or 'of unknown colours'}, wanted grey ones: {' or '.join(GREY)}")


def _decoder_of(path: Path, dataset: Dataset) -> Decoder:
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None:
        implicit, little = dataset.original_encoding
        syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise DataError(path, f"compressed as {syntax.name}, which nothing here decodes; convert it first") from error
    if not decoder.is_available:
        repair = "pip install 'monai_gi[dicom]'"
        raise DataError(path, f"compressed as {syntax.name}, and no decoder for it is installed: {repair}")
    return decoder


def _decode(decoder: Decoder, dataset: Dataset, indices: list[int]) -> dict[int, np.ndarray]:
    """Pixels (H, W) by index of the frame; bits that are not stored are cleared."""
    whole_file = indices == list(range(int(dataset.get("NumberOfFrames") or 1)))
    # without indices pydicom walks through compressed frames once, with them it starts anew for each
    arrays: Iterator = decoder.iter_array(dataset, raw=True, indices=None if whole_file else indices)
    return {index: array for index, (array, _) in zip(indices, arrays, strict=False)}


def _sized(pixels: np.ndarray, frame: Frame) -> np.ndarray:
    if pixels.shape != frame.size:
        raise ValueError(f"pixels of size {pixels.shape}, {frame.size} in the header")
    return pixels


def _stored(dataset: Dataset, index: int, pixels: np.ndarray) -> _Stored:
    if text(dataset, "PhotometricInterpretation") == "MONOCHROME1":
        pixels = _mirrored(pixels, dataset)
    if dataset.get("ModalityLUTSequence"):
        return _Stored(apply_modality_lut(pixels, dataset), 1.0, 0.0)
    group = frame_groups(dataset)(index, "PixelValueTransformationSequence") or dataset
    slope, intercept = (numbers(group, keyword, 1)[0] for keyword in ("RescaleSlope", "RescaleIntercept"))
    return _Stored(pixels, 1.0 if math.isnan(slope) else slope, 0.0 if math.isnan(intercept) else intercept)


def _mirrored(pixels: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Largest storable value minus pixel plus smallest one: -1 - p for signed pixels, 2**bits - 1 - p for others."""
    if pixels.dtype.kind == "i":
        return -1 - pixels
    if pixels.dtype.kind == "u":
        return np.array((1 << dataset.BitsStored) - 1, pixels.dtype) - pixels
    return -pixels


def _rescaled(frames: Sequence[_Stored]) -> np.ndarray:
    """(D, H, W), uint16 where that holds all values, else float32."""
    dtype = np.uint16 if all(map(_fits, frames)) else np.float32
    voxels = np.empty((len(frames), *frames[0].pixels.shape), dtype)
    for place, (pixels, slope, intercept) in enumerate(frames):
        plain = slope == 1 and intercept == 0
        voxels[place] = pixels if plain else pixels * np.float64(slope) + intercept
    return voxels


def _fits(frame: _Stored) -> bool:
    """Whether all values are whole and from 0 to 65535."""
    pixels, slope, intercept = frame
    ends = [float(end) * slope + intercept for end in (pixels.min(), pixels.max())]
    if min(ends) < 0 or max(ends) > LARGEST:
        return False
    if pixels.dtype.kind in "iu" and slope.is_integer() and intercept.is_integer():
        return True
    values = pixels * np.float64(slope) + intercept
    return bool((values == np.rint(values)).all())
