"""Finds out what a file or folder holds, by its content, and writes one picture of it."""

import json
from collections.abc import Sequence
from pathlib import Path

from monai_gi.dicom.series import DicomObject, find_objects, find_series
from monai_gi.errors import DataError
from monai_gi.outcomes import RESULT
from monai_gi.readers.frames import find_frames
from monai_gi.readers.sources import Source, file_kind, find_sources, plain_name, read_source
from monai_gi.showing.labels import (
    Labels,
    is_label_volume,
    masks_of_objects,
    masks_of_volumes,
    objects_below,
    scan_of_labels,
)
from monai_gi.showing.pictures import SUFFIXES, Pictured, is_large, paired_pictures, picture_of, pictures_view
from monai_gi.showing.results import is_result, result_view, results_below, results_view, shortened
from monai_gi.showing.scans import scan_view, scans_view, title_of
from monai_gi.showing.views import View, draw_view
from monai_gi.slices import parse_slice_name
from monai_gi.writers.overlay import write_png

_KINDS = (
    "DICOM series, RTSTRUCT, DICOM SEG, NIfTI, slices of UW-Madison, colour frames, slides, "
    "and folders of these or of results of `monai-gi predict` can be shown"
)


def show(
    path: str | Path,
    *,
    slice_number: int | None = None,
    output: str | Path | None = None,
    images: str | Path | None = None,
    series: str | None = None,
) -> Path:
    """Write a contact sheet of any input, label or prediction; up to twelve tiles, those with labels first.

    Labels are drawn where they lie beside: structure sets and segmentations in the folder of their series, run
    lengths of train.csv, masks in the folder beside the images.

    Args:
        path: a file or folder; what it is, its content tells.
        slice_number: show this slice alone and large, numbered as in the captions; pictures count from 1.
        output: the PNG to write; None writes `show-NAME.png` into the current folder.
        images: what a label or a prediction is drawn on, where it does not lie beside.
        series: take this DICOM series alone (SeriesInstanceUID).

    Returns:
        The picture's file.

    Raises:
        DataError: there is nothing that can be shown, no such slice or series, or an output that is no PNG.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(path, f"no such file or folder; {_KINDS}")
    if images is not None and not Path(images).exists():
        raise DataError("--images", f"{images}: no such file or folder. Name the scan that the contours belong to")
    target = _target(path, output)
    view = _view(path, Path(images) if images is not None else None, series)
    return write_png(target, draw_view(view, slice_number))


def _target(path: Path, output: str | Path | None) -> Path:
    stem = path.resolve().name.removesuffix(".gz").removesuffix(".nii")
    target = Path(f"show-{plain_name(Path(stem).stem if path.is_file() else stem)}.png" if output is None else output)
    if target.is_dir() or target.suffix.lower() != ".png":
        raise DataError(target, "a picture is written as PNG; name a file such as sheet.png (--output)")
    if target.exists() and target.resolve() == path.resolve():
        raise DataError(target, "is what is to be shown, and would be written over. Name another --output")
    return target


def _view(path: Path, images: Path | None, series: str | None) -> View:
    if path.is_dir():
        return _folder_view(path, images, series)
    if path.name == RESULT:
        return result_view(path.parent, images)
    if path.suffix == ".json":
        return _folder_view(_data_folder(path), images, series)
    kind = file_kind(path)
    if kind in ("dicom", "other"):
        objects = find_objects(path)
        if objects:
            return _object_view(objects[0], images or path.parent, series)
    if kind == "nifti" and is_label_volume(path):
        return _volume_view(path, images)
    if kind == "other" and not find_series(path):
        kind = "slide"
    if kind == "text":
        raise DataError(path, f"is a text file; {_KINDS}")
    if _is_grey_slice(path, kind) or kind in ("dicom", "nifti", "other"):
        return _scans(find_sources(path, series), path)
    return pictures_view(path.name, [picture_of(path)], word="slide" if is_large(path) else "picture")


def _folder_view(path: Path, images: Path | None, series: str | None) -> View:
    if is_result(path):
        return result_view(path, images)
    results = results_below(path)
    if results:
        name = shortened(path.resolve().name)
        return result_view(results[0], images) if len(results) == 1 else results_view(results, name)
    pairs = paired_pictures(path)
    if pairs:
        return pictures_view(path.resolve().name, pairs, word="slide" if pairs[0].table else "picture")
    try:
        return _scans(find_sources(path, series), path)
    except DataError as fault:
        pictures = _loose_pictures(path)
        if not pictures or series is not None or "no scan found" not in fault.problem:
            raise
        return pictures_view(path.resolve().name, pictures)


def _scans(sources: Sequence[Source], path: Path) -> View:
    is_dicom = any(source.series is not None for source in sources)
    labels = Labels(objects_below(path) if is_dicom else (), path)
    if len(sources) > 1:
        return scans_view(sources, labels.of, path.resolve().name)
    scan = read_source(sources[0], allow_gaps=True)
    return scan_view(scan, labels.of(scan), title_of(scan))


def _object_view(one: DicomObject, images: Path, series: str | None) -> View:
    """A structure set or segmentation on the series that it belongs to."""
    wanted = [series] if series else list(one.referenced_series_uids)
    found = [source for source in find_sources(images) if source.series is not None] if find_series(images) else []
    named = [source for source in found if source.series and source.series.uid in wanted]
    alike = [source for source in found if source.series and _same_space(one, source)]
    chosen = named or (alike if len(alike) == 1 else [])
    if not chosen:
        problem = f"its series{' ' + wanted[0] if wanted else ''} is not in {images}"
        raise DataError(one.path, f"{problem}. Name the folder of its images: --images DIR")
    scan = read_source(chosen[0], allow_gaps=True)
    return scan_view(scan, masks_of_objects([one], scan), f"{one.path.name} on {title_of(scan)}")


def _same_space(one: DicomObject, source: Source) -> bool:
    return source.series is not None and one.frame_of_reference_uid == source.series.frame_of_reference_uid != ""


def _volume_view(path: Path, images: Path | None) -> View:
    """A label map on its image, or on black."""
    if images is None:
        scan, masks = scan_of_labels(path)
        return scan_view(scan, masks, f"{title_of(scan)}, labels without their image")
    sources = find_sources(images)
    if len(sources) > 1:
        raise DataError(images, f"holds {len(sources)} scans. Name the one that {path.name} belongs to")
    scan = read_source(sources[0], allow_gaps=True)
    return scan_view(scan, masks_of_volumes([path], scan), f"{path.name} on {title_of(scan)}")


def _is_grey_slice(path: Path, kind: str) -> bool:
    """A grey picture that is a slice by its name or its 16 bits, not a mask of 8 bits."""
    if kind not in ("png", "tiff"):
        return False
    if parse_slice_name(path.name) is not None:
        return True
    return not is_large(path) and _is_deep(path)


def _is_deep(path: Path) -> bool:
    from monai_gi.pictures import picture_header

    header = picture_header(path)
    return header.bits > 8 and header.channels == 1


def _loose_pictures(path: Path) -> list[Pictured]:
    """Pictures directly in a folder, else at any depth below it."""
    try:
        return [picture_of(frame.path) for frame in find_frames(path)]
    except DataError:
        files = [file for file in sorted(path.glob("*/**/*")) if file.suffix.lower() in SUFFIXES]
        return [Pictured(file.relative_to(path).with_suffix("").as_posix(), file) for file in files]


def _data_folder(path: Path) -> Path:
    """The folder of a datalist."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(path, f"is no JSON ({error}); {_KINDS}") from error
    if not isinstance(content, dict) or "training" not in content:
        raise DataError(path, f"is no datalist and no result of `monai-gi predict`; {_KINDS}")
    return path.parent
