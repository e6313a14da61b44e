"""Small DICOM series drawn with pydicom, a knob for each thing that goes wrong; not square, uneven spacing in plane."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

STUDY, SERIES, PLACE = "1.2.826.0.1.1", "1.2.826.0.1.2", "1.2.826.0.1.3"
ROWS, COLUMNS = 5, 7
SPACING_MM = (1.5, 1.25)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORNER = (-20.0, -30.0, 40.0)


def drawn_pixels(slices: int, size: tuple[int, int] = (ROWS, COLUMNS)) -> np.ndarray:
    """(D, H, W) uint16 of 12 bits, each slice another."""
    return np.random.default_rng(slices).integers(0, 4096, (slices, *size), dtype=np.uint16)


def header(sop_class: str = MRImageStorage, **elements: object) -> Dataset:
    """A data set without pixels and place; the name of the patient must never be seen."""
    dataset = Dataset()
    values = {
        "SOPClassUID": sop_class,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": SERIES,
        "FrameOfReferenceUID": PLACE,
        "Modality": "MR",
        "ImageType": ["ORIGINAL", "PRIMARY", "M"],
        "SeriesDescription": "TRUFI",
        "SeriesNumber": 3,
        "PatientName": "Doe^Jane",
        "PatientID": "P-17",
    }
    for keyword, value in {**values, **elements}.items():
        setattr(dataset, keyword, value)
    return dataset


def set_pixels(dataset: Dataset, pixels: np.ndarray, bits_stored: int | None = None) -> None:
    """Grey pixels (H, W) or (frames, H, W) as they are."""
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = pixels.dtype.itemsize * 8
    dataset.BitsStored = bits_stored or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    if pixels.ndim == 3:
        dataset.NumberOfFrames = len(pixels)
    dataset.PixelData = pixels.tobytes()


def save(dataset: Dataset, path: Path, syntax: UID = ExplicitVRLittleEndian) -> Path:
    """Write a file with preamble; for a compressed syntax the pixels are compressed."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax.is_compressed else syntax
    if syntax.is_compressed and not syntax.is_deflated:
        dataset.compress(syntax, generate_instance_uid=False)
    dataset.file_meta.TransferSyntaxUID = syntax
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def positions(count: int, step: Sequence[float] = (0.0, 0.0, 3.0)) -> list[tuple[float, ...]]:
    """Places of slices from CORNER on."""
    return [tuple(float(value) for value in np.add(CORNER, np.multiply(step, index))) for index in range(count)]


def write_slices(
    folder: Path,
    places: Sequence[Sequence[float]],
    *,
    pixels: np.ndarray | None = None,
    edit: Callable[[Dataset, int], object] = lambda dataset, index: None,
    syntax: UID = ExplicitVRLittleEndian,
    **elements: object,
) -> list[Path]:
    """One file a place, `im0.dcm` and on; `edit` is given each data set and its index before it is written."""
    pixels = drawn_pixels(len(places)) if pixels is None else pixels
    paths = []
    for index, place in enumerate(places):
        dataset = header(**elements)
        dataset.InstanceNumber = index + 1
        dataset.ImagePositionPatient = [f"{value:.6g}" for value in place]
        dataset.ImageOrientationPatient = list(AXIAL)
        dataset.PixelSpacing = list(SPACING_MM)
        dataset.SliceThickness = 9
        set_pixels(dataset, pixels[index])
        edit(dataset, index)
        paths.append(save(dataset, folder / f"im{index}.dcm", syntax))
    return paths


def item(**elements: object) -> Dataset:
    """A data set of a few elements; a data set as a value becomes a sequence of one."""
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, [value] if isinstance(value, Dataset) else value)
    return dataset


def enhanced(places: Sequence[Sequence[float]], pixels: np.ndarray, slopes: Sequence[float] | None = None) -> Dataset:
    """A multi-frame MR image; orientation is shared, place stands in each frame, and slopes do when given."""
    dataset = header(EnhancedMRImageStorage)
    set_pixels(dataset, pixels)
    turn = item(ImageOrientationPatient=list(AXIAL))
    measures = item(PixelSpacing=list(SPACING_MM), SliceThickness=9)
    values = item(RescaleSlope=1, RescaleIntercept=0, RescaleType="US")
    shared = item(
        PlaneOrientationSequence=turn, PixelMeasuresSequence=measures, PixelValueTransformationSequence=values
    )
    dataset.SharedFunctionalGroupsSequence = [shared]
    frames = [item(PlanePositionSequence=item(ImagePositionPatient=list(place))) for place in places]
    for frame, slope in zip(frames, slopes or (), strict=False):
        values = item(RescaleSlope=slope, RescaleIntercept=2, RescaleType="US")
        frame.PixelValueTransformationSequence = [values]
    dataset.PerFrameFunctionalGroupsSequence = frames
    return dataset
