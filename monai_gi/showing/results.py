"""Views of what `monai-gi predict` wrote: the folder of one input, or the folder above several.

Contours without their images are shown by the pictures that stand beside them; with the images they are drawn anew.
"""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from monai_gi.dicom.series import find_objects
from monai_gi.errors import DataError
from monai_gi.labels import ORGAN_NAMES
from monai_gi.outcomes import RESULT
from monai_gi.pictures import read_rgb
from monai_gi.plots import BACKGROUND, LINE_PX
from monai_gi.plots.clinical import with_use
from monai_gi.plots.sheets import with_legend
from monai_gi.readers.sources import find_sources, read_source
from monai_gi.scan import Scan
from monai_gi.showing.labels import masks_of_objects, masks_of_volumes, scan_of_labels
from monai_gi.showing.scans import scan_view, title_of
from monai_gi.showing.views import Tile, View

OVERLAY, SLICES = "overlay.png", "overlay"
_NAME_END = 16


def is_result(folder: Path) -> bool:
    """Whether a folder holds what was found in one input.

    Args:
        folder: any.

    Returns:
        By its `result.json`.
    """
    return (folder / RESULT).is_file()


def results_below(folder: Path) -> list[Path]:
    """The folders of results that lie directly in a folder.

    Args:
        folder: any.

    Returns:
        By name.
    """
    return sorted(path for path in folder.iterdir() if path.is_dir() and is_result(path))


def result_view(folder: Path, images: Path | None = None) -> View:
    """What was found in one input.

    Args:
        folder: with its `result.json`.
        images: what was contoured, or a folder above it, to draw the contours on; None takes the pictures beside.

    Returns:
        Slices of a scan, or the one picture of a frame or slide.

    Raises:
        DataError: no picture is there, and no label map either.
    """
    record = _read(folder / RESULT)
    if images is not None:
        return _on_images(folder, record, images)
    slices = sorted((folder / SLICES).glob("*.png"))
    if slices:
        tiles = tuple(Tile(_number(path), path.stem, partial(_slice_picture, path), marked=True) for path in slices)
        return View(f"prediction {shortened(folder.name)}", tiles, ORGAN_NAMES)
    if (folder / OVERLAY).is_file():
        tile = Tile(1, shortened(folder.name), partial(_picture, folder / OVERLAY))
        return View(f"prediction {shortened(folder.name)}", (tile,), word="picture")
    volumes = _volumes(folder, record)
    if volumes:
        scan, masks = scan_of_labels(folder / f"{record['scan']['name']}_labels.nii.gz")
        return scan_view(scan, masks, f"prediction {title_of(scan)}, without its images")
    raise DataError(folder, "holds neither pictures nor label maps. Name what was contoured: --images PATH")


def results_view(folders: Sequence[Path], title: str) -> View:
    """One picture of each of several results.

    Args:
        folders: of results, at least one.
        title: as in `View`.

    Returns:
        The view: of a scan the slice in the middle of those with organs.

    Raises:
        DataError: none of them has a picture.
    """
    tiles = [Tile(n, shortened(path.name), partial(_slice_picture, found)) for n, path, found in _middles(folders)]
    tiles += [
        Tile(number, shortened(path.name), partial(_picture, path / OVERLAY))
        for number, path in enumerate(folders, 1)
        if not (path / SLICES).is_dir() and (path / OVERLAY).is_file()
    ]
    if not tiles:
        raise DataError(
            folders[0].parent, "its results have no pictures. `monai-gi predict --format overlay` adds them"
        )
    return View(f"{title}: {len(folders)} results", tuple(tiles), word="result", single=False)


def shortened(name: str) -> str:
    """A name for a caption; of a UID its end, as its beginning is that of its neighbours.

    >>> shortened("case1_day0"), shortened("1.2.826.0.1.3680043.8.498.123456789012")
    ('case1_day0', '…98.123456789012')

    Args:
        name: of a folder.

    Returns:
        A short one.
    """
    is_uid = not name.strip("0123456789.") and len(name) > _NAME_END
    return f"…{name[1 - _NAME_END :]}" if is_uid else name


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(path, f"is no JSON ({error}). `monai-gi predict --overwrite` writes it anew") from error
    if not isinstance(record, dict):
        raise DataError(path, "is no result of `monai-gi predict`. Name the picture or label map itself")
    return record


def _on_images(folder: Path, record: dict[str, Any], images: Path) -> View:
    name = (record.get("scan") or {}).get("name")
    sources = [source for source in find_sources(images) if source.name == name]
    if not sources:
        raise DataError(images, f"holds no scan {name}, which {folder.name} is the result of. Name its own folder")
    scan = read_source(sources[0], allow_gaps=True)
    return scan_view(scan, _masks(folder, record, scan), f"prediction on {title_of(scan)}")


def _masks(folder: Path, record: dict[str, Any], scan: Scan) -> dict[str, np.ndarray]:
    volumes = _volumes(folder, record)
    if volumes:
        return masks_of_volumes(volumes, scan)
    for file in ("rtstruct.dcm", "seg.dcm"):
        if (folder / file).is_file():
            return masks_of_objects(find_objects(folder / file), scan)
    raise DataError(folder, "holds no contours. `monai-gi predict --format nifti` adds them")


def _volumes(folder: Path, record: dict[str, Any]) -> list[Path]:
    name = (record.get("scan") or {}).get("name")
    paths = [folder / f"{name}_{organ}.nii.gz" for organ in ORGAN_NAMES]
    return [path for path in paths if path.is_file()]


def _middles(folders: Sequence[Path]) -> list[tuple[int, Path, Path]]:
    """Number, folder and middle picture of each result that has pictures of slices."""
    slices = [(number, path, sorted((path / SLICES).glob("*.png"))) for number, path in enumerate(folders, 1)]
    return [(number, path, found[len(found) // 2]) for number, path, found in slices if found]


def _slice_picture(path: Path, longest: int) -> np.ndarray:
    """A picture of `predict` without its title and without the lines below, which the sheet has once."""
    whole = read_rgb(path)
    below = with_use(with_legend(Image.new("RGB", (whole.shape[1], 1), BACKGROUND))).height - 1
    return _fitted(whole[LINE_PX : whole.shape[0] - below], longest)


def _picture(path: Path, longest: int) -> np.ndarray:
    return _fitted(read_rgb(path), longest)


def _fitted(picture: np.ndarray, longest: int) -> np.ndarray:
    """Not longer than wanted."""
    scale = longest / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def _number(path: Path) -> int:
    digits = path.stem.rpartition("_")[2]
    return int(digits) if digits.isdecimal() else 1
