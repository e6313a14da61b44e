"""CVC-ClinicDB: frames of colonoscopy videos with a mask of the polyps each; sizes are (H, W), frames count from 1.

Layouts: Kaggle's (`PNG/` and `TIF/`, each with `Original` and `Ground Truth`, beside `metadata.csv`) and the plain one
(`Original` and `Ground Truth`). Frames of one video are near-copies of each other: the group is the sequence.
Source: Bernal et al., Comput Med Imaging Graph 43 (2015); https://polyp.grand-challenge.org/CVCClinicDB/
"""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from monai_gi.datasets.cvc_frames import LAST_FRAMES, published_sequence
from monai_gi.datasets.cvc_protocols import deal_out, frames_report
from monai_gi.datasets.cvc_sequences import METADATA, read_sequences
from monai_gi.datasets.datalist_files import write_datalist
from monai_gi.datasets.scan_folders import number_ranges
from monai_gi.errors import DataError, DataErrors
from monai_gi.labels import POLYP_NAMES
from monai_gi.pictures import picture_header, require_readable

logger = logging.getLogger(__name__)

CVC_CLINICDB = {
    "name": "CVC-ClinicDB",
    "description": "Frames of colonoscopy videos with masks of polyps, brighter than 127 inside",
    "reference": "https://doi.org/10.1016/j.compmedimag.2015.02.007",
    "licence": "research and education only",
    "modality": {"0": "endoscopy"},
    "labels": {"0": "background", **{str(index): name for index, name in enumerate(POLYP_NAMES, 1)}},
}
SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
_IMAGES, _MASKS = ("original", "originals", "images"), ("ground truth", "ground_truth", "groundtruth", "masks")
_LAYOUTS = ("png", "", "tif", "tiff")
_HOW_TO_GET_IT = (
    "Get it from https://polyp.grand-challenge.org/CVCClinicDB/, or from Kaggle:"
    " `kaggle datasets download -d balraj98/cvcclinicdb`, and unzip it."
    " Or draw a phantom: `monai-gi phantom cvc-clinicdb DIR`, and give `--dataset_dir DIR`"
)


class FrameFolders(NamedTuple):
    """Where the frames lie.

    Attributes:
        images: folder of the frames.
        masks: folder of their masks.
    """

    images: Path
    masks: Path


def index_cvc_clinicdb(root: str | Path) -> list[dict[str, Any]]:
    """List the frames of a data set with their masks; names, headers and metadata.csv are read, never pixels.

    Args:
        root: folder that holds `PNG/` or `TIF/`, or `Original` and `Ground Truth` themselves. PNG come first.

    Returns:
        Items `{"id": "cvc_0007", "group": "sequence_03", "image": path, "label": path of the mask, "size": [H, W]}`,
        sorted by frame. The sequences are those of metadata.csv, or without it those of the published table (logged
        where the frames are not all 612 of it: it says nothing about frames of others).

    Raises:
        DataError: the folder is missing or holds no such frames.
        DataErrors: every fault of names, headers, partners, sizes and rows at once.
    """
    root = Path(root)
    folders = find_folders(root)
    faults: list[DataError] = []
    images, masks = (_by_number(folder, faults) for folder in folders)
    if not images and not faults:
        raise DataError(folders.images, "holds no frames; pictures named by their number are wanted, such as 1.png")
    faults += _partner_faults(folders, images, masks)
    sequences = _sequences(root, images, faults)
    whole = sorted(images.keys() & masks.keys())
    sizes = {number: _size(images[number], masks[number], faults) for number in whole}
    if faults:
        raise DataErrors(root, faults)
    return [
        {
            "id": f"cvc_{number:04d}",
            "group": sequences[number],
            "image": str(images[number]),
            "label": str(masks[number]),
            "size": sizes[number],
        }
        for number in whole
    ]


def write_index(
    root: str | Path, output: str | Path, *, protocol: str = "sequence", folds: int = 5, seed: int = 0
) -> str:
    """Index a data set, deal out its folds and write the datalist: `monai-gi index cvc-clinicdb`.

    Args:
        root: as `index_cvc_clinicdb` takes it.
        output: the JSON file to write.
        protocol: one of `cvc_protocols.PROTOCOLS`; the table warns of those that split sequences.
        folds: how many, where the protocol leaves it open.
        seed: another seed deals out anew, where the protocol leaves it open.

    Returns:
        The table to print.
    """
    dealt = deal_out(index_cvc_clinicdb(root), protocol, folds=folds, seed=seed)
    write_datalist(output, dealt.items, root, about={**CVC_CLINICDB, "protocol": protocol}, test=dealt.test)
    return frames_report(dealt, protocol)


def find_folders(root: str | Path) -> FrameFolders:
    """Find the folders of frames and masks; upper and lower case are the same.

    Args:
        root: the data set's folder.

    Returns:
        Those of the first layout that is there: PNG, plain, TIF.

    Raises:
        DataError: the folder is missing, or no layout is there; the text tells how to get the data.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(root, f"the folder does not exist. {_HOW_TO_GET_IT}")
    for layout in _LAYOUTS:
        base = _subfolder(root, (layout,)) if layout else root
        images, masks = (_subfolder(base, names) if base else None for names in (_IMAGES, _MASKS))
        if images and masks:
            return FrameFolders(images, masks)
    raise DataError(root, f"holds no folders Original and Ground Truth, nor PNG or TIF with them. {_HOW_TO_GET_IT}")


def _subfolder(folder: Path, names: tuple[str, ...]) -> Path | None:
    found = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_dir()}
    return next((found[name] for name in names if name in found), None)


def _by_number(folder: Path, faults: list[DataError]) -> dict[int, Path]:
    """The pictures of a folder by the number in their name."""
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES:
            continue
        if not (path.stem.isascii() and path.stem.isdecimal()):
            faults.append(DataError(path, "the name is no frame number; wanted one such as 1.png. Rename or remove it"))
        elif int(path.stem) in found:
            other = found[int(path.stem)].name
            faults.append(DataError(path, f"frame {int(path.stem)} is there twice, also as {other}; remove one"))
        else:
            found[int(path.stem)] = path
    return found


def _partner_faults(
    folders: FrameFolders, images: Mapping[int, Path], masks: Mapping[int, Path]
) -> Iterator[DataError]:
    for folder, missing in (
        (folders.masks, images.keys() - masks.keys()),
        (folders.images, masks.keys() - images.keys()),
    ):
        if missing:
            problem = f"frame {number_ranges(sorted(missing))} is missing, but there is one in the other folder"
            raised = "a frame and a mask of the same number are wanted; copy it again, or remove its partner"
            yield DataError(folder, f"{problem}; {raised}")


def _sequences(root: Path, images: Mapping[int, Path], faults: list[DataError]) -> dict[int, str]:
    """The group of each frame."""
    table = _table_of(root)
    if table.is_file():
        try:
            return read_sequences(table, images.keys())
        except DataError as fault:
            faults += fault.problems
            return {}
    found = {frame: published_sequence(frame) for frame in images}
    unknown = sorted(frame for frame, sequence in found.items() if sequence is None)
    if unknown:
        problem = f"is not there, and frame {number_ranges(unknown)} is not in the published table (1-612)"
        faults.append(DataError(table, f"{problem}; wanted rows of frame_id, sequence_id"))
    elif len(found) < LAST_FRAMES[-1]:
        text = "is not there: %d frames are grouped by the published table, which holds for CVC-ClinicDB's own only"
        logger.warning(f"%s {text}", table, len(found))
    return {frame: f"sequence_{sequence:02d}" for frame, sequence in found.items() if sequence is not None}


def _table_of(root: Path) -> Path:
    """metadata.csv in the folder, or beside it where the folder is Kaggle's `PNG` or `TIF` itself."""
    beside = root.absolute().parent / METADATA
    is_layout = root.absolute().name.lower() in _LAYOUTS
    return beside if is_layout and not (root / METADATA).is_file() and beside.is_file() else root / METADATA


def _size(image: Path, mask: Path, faults: list[DataError]) -> list[int]:
    """[H, W] of a frame whose mask fits; empty, and a fault more, where something is wrong."""
    try:
        headers = [picture_header(path) for path in (image, mask)]
        for path, header in zip((image, mask), headers, strict=True):
            require_readable(path, header)
        if headers[0].size != headers[1].size:
            found, wanted = (f"{width} x {height}" for height, width in (headers[1].size, headers[0].size))
            raise DataError(mask, f"the mask is {found} (W x H), its frame {wanted}; write both in one size")
    except DataError as fault:
        faults += fault.problems
        return []
    return list(headers[0].size)
