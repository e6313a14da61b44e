"""Voxels (H, W, D) written as DICOM files, by an affine from (row, column, slice number) to LPS mm.

Files are valid MR, Enhanced MR or CT images of invented patients. Their names say nothing about the order of slices,
as on a real disk. Compression needs the `dicom` extra, except RLE and JPEG lossless.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import JPEG2000LosslessEncoder, JPEGLSLosslessEncoder, RLELosslessEncoder
from pydicom.pixels.encoders.base import Encoder
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from monai_gi.atomic_file import write_whole
from monai_gi.datasets.phantom.dicom_headers import (
    IMAGE_TYPES,
    SOP_CLASSES,
    Header,
    add_modality,
    add_pixel_description,
    add_plane,
    drawn_uid,
    start_file,
)
from monai_gi.datasets.phantom.dicom_multiframe import IMAGE_TYPE, add_multi_frame
from monai_gi.datasets.phantom.jpeg_lossless import encode_jpeg_lossless
from monai_gi.errors import DataError

UNCOMPRESSED = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
# pydicom's encoders by transfer syntax; JPEG lossless has none and is coded by jpeg_lossless.py.
ENCODERS: dict[str, Encoder | None] = {
    RLELossless: RLELosslessEncoder,
    JPEGLSLossless: JPEGLSLosslessEncoder,
    JPEG2000Lossless: JPEG2000LosslessEncoder,
    JPEGLosslessSV1: None,
}
# The encoder halves an image five times.
SMALLEST_JPEG2000 = 32


def write_series(
    folder: Path,
    voxels: np.ndarray,
    affine_lps: np.ndarray,
    *,
    transfer_syntax: str = ExplicitVRLittleEndian,
    pixels: bool = True,
    slice_numbers: Sequence[float] | None = None,
    seed: int = 0,
    first_instance: int = 1,
    **header: Any,
) -> list[Path]:
    """Write one series, or more slices of one; the same arguments give the same bytes.

    Args:
        folder: made where missing; other files in it stay.
        voxels: (H, W, D), uint16 or int16, the stored values: modality value = stored value * slope + intercept.
        affine_lps: (4, 4) from (row, column, slice number) to mm; rows and columns at right angles. Slices may
            ascend either way along the normal; they are numbered (InstanceNumber) in the order given.
        transfer_syntax: UID; one of UNCOMPRESSED and ENCODERS; JPEG 2000 wants 32 pixels or more a side.
        pixels: False leaves PixelData out, which no valid image does.
        slice_numbers: where the D slices lie, in steps of the affine; 0 to D - 1 when None. Numbers left out, given
            twice or fractions make the series that readers refuse.
        seed: decides UIDs that are not given, and the order of file names.
        first_instance: InstanceNumber of the first slice; another call goes on in the same series with a higher one.
        **header: fields of `Header`; None stands for its default.

    Returns:
        The files, in the order of slices; one file for a multi-frame series, whose frames lie in no order either.

    Raises:
        ValueError: an argument is not as described.
        DataError: a file that it would write is there already, or the transfer syntax needs a missing package.
    """
    numbers: list[float] = list(range(voxels.shape[-1]) if slice_numbers is None else slice_numbers)
    given = Header(**{name: value for name, value in header.items() if value is not None})
    _check(voxels, affine_lps, numbers, given)
    _check_syntax(transfer_syntax, voxels.shape[:2], folder)
    content = hashlib.sha256(voxels.tobytes() + affine_lps.tobytes()).hexdigest()
    series = _completed(given, seed, (content, numbers), transfer_syntax)
    files = _files(series, voxels, affine_lps, numbers, (first_instance, seed))
    paths = [folder / name for name in _names(len(files), seed, first_instance)]
    taken = [path for path in paths if path.exists()]
    if taken:
        raise DataError(taken[0], "is there already; nothing was changed. Name a new or empty folder")
    for (ds, slices), path in zip(files, paths, strict=True):
        add_pixel_description(ds, voxels.shape[:2], voxels.dtype)
        if pixels:
            _add_pixels(ds, np.moveaxis(slices, -1, 0), transfer_syntax)
        write_whole(path, _bytes(ds))
    return paths


def _completed(given: Header, seed: int, content: tuple[object, ...], transfer_syntax: str) -> Header:
    """UIDs that were not given come of the seed and the patient, that of the series also of all that is in it."""
    pixels = (given.modality, transfer_syntax, given.slope, given.intercept)
    kind = (*content, *pixels, given.description, given.series_number, given.multi_frame)
    patient = (seed, given.patient)
    return replace(
        given,
        study_uid=given.study_uid or drawn_uid("study", *patient),
        series_uid=given.series_uid or drawn_uid("series", *patient, *kind),
        frame_of_reference_uid=given.frame_of_reference_uid or drawn_uid("frame of reference", *patient),
        image_type=tuple(given.image_type or (IMAGE_TYPE if given.multi_frame else IMAGE_TYPES[given.modality])),
    )


def _check(voxels: np.ndarray, affine: np.ndarray, numbers: list[float], header: Header) -> None:
    if voxels.ndim != 3 or not voxels.size or voxels.dtype not in (np.uint16, np.int16):
        raise ValueError(f"voxels: {voxels.dtype} {voxels.shape}, wanted (H, W, D) of uint16 or int16")
    down, along = affine[:3, 0], affine[:3, 1]
    if affine.shape != (4, 4) or abs(down @ along) > 1e-6 * np.linalg.norm(down) * np.linalg.norm(along):
        raise ValueError("affine_lps: wanted (4, 4) with rows and columns at right angles")
    if len(numbers) != voxels.shape[-1]:
        raise ValueError(f"slice_numbers: {len(numbers)}, wanted one for each of {voxels.shape[-1]} slices")
    if header.modality not in SOP_CLASSES or (header.multi_frame and header.modality != "MR"):
        raise ValueError(f"modality: {header.modality}, wanted MR or CT, and MR for multi_frame")


def _files(
    header: Header, voxels: np.ndarray, affine_lps: np.ndarray, numbers: list[float], start: tuple[int, int]
) -> list[tuple[Dataset, np.ndarray]]:
    """The data set and slices (H, W, n) of each file; `start` is the first InstanceNumber and the seed."""
    instance, seed = start
    if header.multi_frame:
        order = np.random.default_rng((seed, len(numbers))).permutation(len(numbers))
        ds = start_file(header, instance)
        add_multi_frame(ds, header, affine_lps, [numbers[i] for i in order])
        return [(ds, voxels[..., order])]
    files = []
    for i, number in enumerate(numbers):
        ds = start_file(header, instance + i)
        add_modality(ds, header)
        add_plane(ds, affine_lps, number)
        files.append((ds, voxels[..., i : i + 1]))
    return files


def _names(count: int, seed: int, first: int) -> list[str]:
    """Names of files as some exporters give them: no ending, and numbers that do not follow the slices."""
    return [f"IM{first + number:05d}" for number in np.random.default_rng((seed, count, 7)).permutation(count)]


def _add_pixels(ds: Dataset, frames: np.ndarray, transfer_syntax: str) -> None:
    """Store frames (N, H, W), compressed as the transfer syntax has it."""
    ds.PixelData = np.ascontiguousarray(frames).astype(frames.dtype.newbyteorder("<")).tobytes()
    ds["PixelData"].VR = "OW"
    if transfer_syntax == JPEGLosslessSV1:
        ds.PixelData = encapsulate([encode_jpeg_lossless(frame) for frame in frames])
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    elif transfer_syntax not in UNCOMPRESSED:
        ds.compress(transfer_syntax, generate_instance_uid=False)
    ds.file_meta.TransferSyntaxUID = UID(transfer_syntax)


def _check_syntax(transfer_syntax: str, size: tuple[int, ...], folder: Path) -> None:
    if transfer_syntax not in (*UNCOMPRESSED, *ENCODERS):
        raise ValueError(f"transfer_syntax: {transfer_syntax}, wanted one of {', '.join((*UNCOMPRESSED, *ENCODERS))}")
    if transfer_syntax == JPEG2000Lossless and min(size) < SMALLEST_JPEG2000:
        raise ValueError(f"voxels: {size[0]} x {size[1]}, wanted {SMALLEST_JPEG2000} or more a side for JPEG 2000")
    encoder = ENCODERS.get(transfer_syntax)
    if encoder and not encoder.is_available:
        name = UID(transfer_syntax).name
        raise DataError(folder, f"{name} needs a package that is missing: pip install 'monai_gi[dicom]'")


def _bytes(ds: Dataset) -> bytes:
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
