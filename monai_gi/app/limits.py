"""Sizes that uploaded files claim or hide, looked at before any of their pixels are read.

A few kilobytes of gzip, of deflated DICOM or of a segmentation's run lengths can hold more than any memory.
"""

import math
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from pydicom import dcmread
from pydicom.filereader import read_dataset, read_preamble
from pydicom.uid import DeflatedExplicitVRLittleEndian

from monai_gi.dicom.headers import READ_ERRORS
from monai_gi.errors import DataError
from monai_gi.readers.pictures import picture_size
from monai_gi.readers.sources import file_kind
from monai_gi.readers.volumes import volume_shape
from monai_gi.scan import Scan

_MOST_TIMES = {"nifti": 2, "png": 1, "dicom": 8}  # of the scan's voxels; a SEG has a frame a segment and slice
_MOST_MASK_BYTES = 8_000_000_000
_META_GROUP = 2
_CHUNK = 1 << 20
_SIZE = ("Rows", "Columns", "NumberOfFrames", "SegmentSequence", "StructureSetROISequence")


def require_inflatable(paths: Sequence[Path], most_bytes: int) -> None:
    """Refuse deflated DICOM that is larger than any upload may be; it is counted piece by piece, never held.

    Args:
        paths: any files.
        most_bytes: of one file when it is inflated.

    Raises:
        DataError: a file holds more.
    """
    for path in paths:
        if file_kind(path) in ("dicom", "other") and _is_longer(path, most_bytes):
            problem = f"inflates to more than {most_bytes / 1e6:.0f} MB, the most that is taken"
            raise DataError(path, f"{problem}. Send it uncompressed, or a part of it")


def require_truth_size(path: Path, scan: Scan) -> None:
    """Refuse a truth that is far larger than its scan, by its header.

    Args:
        path: NIfTI, PNG, RTSTRUCT or SEG; other files pass.
        scan: that it belongs to.

    Raises:
        DataError: it is too large, or its header can not be read.
    """
    kind = "dicom" if file_kind(path) == "other" else file_kind(path)
    if kind not in _MOST_TIMES:
        return
    shape, structures = _claimed(path, kind)
    height, width, _ = scan.voxels.shape
    own = (height, width, int(scan.slice_numbers[-1]) + 1)
    if math.prod(shape) > _MOST_TIMES[kind] * math.prod(own):
        found, wanted = (" × ".join(f"{length:,}" for length in size) for size in (shape, own))
        raise DataError(path, f"holds {found} voxels, the scan {wanted}; give contours of this scan")
    most = _MOST_MASK_BYTES // scan.voxels.size  # each becomes a mask of the scan's size
    if structures > most:
        raise DataError(
            path, f"holds {structures:,} structures, at most {most:,} are read on this scan; leave some out"
        )


def _claimed(path: Path, kind: str) -> tuple[tuple[int, ...], int]:
    """Lengths of the axes, and how many structures the file lists."""
    if kind == "nifti":
        return volume_shape(path), 0
    if kind == "png":
        return picture_size(path), 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of values that break the standard's spelling
            header = dcmread(path, stop_before_pixels=True, force=True, specific_tags=list(_SIZE))
            shape = tuple(int(header.get(name) or 1) for name in _SIZE[:3])
            return shape, sum(len(header.get(name) or ()) for name in _SIZE[3:])
    except READ_ERRORS as error:
        raise DataError(path, f"can not be read ({error}); copy it again from its source") from error


def _is_longer(path: Path, most_bytes: int) -> bool:
    with path.open("rb") as file:
        try:
            if not _is_deflated(file):
                return False
        except READ_ERRORS:  # whoever reads it whole says what is wrong with it
            return False
        inflater, count, packed = zlib.decompressobj(-zlib.MAX_WBITS), 0, file.read(_CHUNK)
        while packed and count <= most_bytes and not inflater.eof:
            try:
                count += len(inflater.decompress(packed, _CHUNK))
            except zlib.error:
                return False
            packed = inflater.unconsumed_tail or file.read(_CHUNK)
    return count > most_bytes


def _is_deflated(file: BinaryIO) -> bool:
    """Whether the rest of a file is, which stands at its beginning and is left where the rest begins."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        read_preamble(file, force=True)
        meta = read_dataset(
            file,
            is_implicit_VR=False,
            is_little_endian=True,
            stop_when=lambda tag, vr, length: tag >> 16 != _META_GROUP,
        )
        return bool(meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian)
