"""Labels onto scans: RTSTRUCT, SEG and NIfTI by their place in the patient, run lengths of train.csv by slice name.

Masks are (H, W, D) bool by name, on the voxels of the scan.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from monai_gi.datasets.uw_madison_table import labels_by_id, read_table
from monai_gi.dicom.geometry import arrange
from monai_gi.dicom.series import DicomObject, find_dicom
from monai_gi.dicom.structures import Structure, read_structures
from monai_gi.errors import DataError
from monai_gi.labels import ORGAN_NAMES
from monai_gi.readers.label_volumes import Grid, read_label_volume, structures_on
from monai_gi.readers.volumes import is_own_mask, read_masks, read_volume, volume_shape
from monai_gi.rle import RunLengthError, decode_rle
from monai_gi.scan import Scan

TABLE = "train.csv"
MOST_LABELS = 32
"""A volume of more different values is an image."""
_FOLDERS_UP = 5
"""root/train/case/day/scans/slice: train.csv stands at most so many folders above a slice."""


class Labels:
    """What is labelled on the scans below a folder; files are read once, when the first scan asks.

    Args:
        objects: structure sets and segmentations.
        folder: of the scans, or a file of one.
    """

    def __init__(self, objects: Iterable[DicomObject], folder: Path) -> None:
        self.objects = tuple(objects)
        self.table = find_table(folder)
        self._runs: Mapping[str, Mapping[str, str]] | None = None

    def of(self, scan: Scan) -> dict[str, np.ndarray]:
        """The masks of one scan.

        Args:
            scan: DICOM with its series, or slices with their names.

        Returns:
            By name; none where nothing is labelled.

        Raises:
            DataError: labels that belong to it can not be read.
        """
        if scan.series is not None:
            return masks_of_objects([one for one in self.objects if belongs(one, scan)], scan)
        if self.table is None or scan.kind == "nifti":
            return {}
        if self._runs is None:
            self._runs = labels_by_id(read_table(self.table))
        return masks_of_runs(self._runs, scan, self.table)


def belongs(one: DicomObject, scan: Scan) -> bool:
    """Whether an object names the scan's series, or names none and shares its coordinates.

    Args:
        one: a structure set or segmentation.
        scan: of DICOM.

    Returns:
        False for scans of other kinds.
    """
    if scan.series is None:
        return False
    if one.referenced_series_uids:
        return scan.series.uid in one.referenced_series_uids
    return one.frame_of_reference_uid == scan.series.frame_of_reference_uid != ""


def masks_of_objects(objects: Sequence[DicomObject], scan: Scan) -> dict[str, np.ndarray]:
    """Masks of structure sets and segmentations on their series.

    Args:
        objects: of this series.
        scan: the scan.

    Returns:
        By name; names that several files share get the file's.

    Raises:
        DataError: a file can not be read, or does not lie on the series.
    """
    if scan.series is None or not objects:
        return {}
    arrangement = arrange(scan.series, allow_gaps=True)
    named = [(one.path.stem, structure) for one in objects for structure in read_structures(one.path, arrangement)]
    return _by_name(named)


def masks_of_volumes(paths: Sequence[Path], scan: Scan) -> dict[str, np.ndarray]:
    """Masks of NIfTI label maps on a scan.

    Args:
        paths: of the label maps; their voxels coincide with the scan's.
        scan: the scan.

    Returns:
        By name.

    Raises:
        DataError: a file can not be read, or lies elsewhere.
    """
    grid = Grid(scan.affine, scan.slice_numbers, (scan.voxels.shape[0], scan.voxels.shape[1]))
    volumes = [read_label_volume(path) for path in paths]
    return _by_name([(one.path.name, structure) for one in volumes for structure in structures_on(one, grid)])


def masks_of_runs(runs: Mapping[str, Mapping[str, str]], scan: Scan, table: Path) -> dict[str, np.ndarray]:
    """Masks of run lengths by slice name.

    Args:
        runs: by slice id, then organ.
        scan: slices named as the ids.
        table: where the run lengths stand, for the message.

    Returns:
        One mask an organ; none where no slice of the scan has a row.

    Raises:
        DataError: a run length is no mask of the slice.
    """
    if not runs.keys() & set(scan.slice_names):
        return {}
    masks = {organ: np.zeros(scan.voxels.shape, dtype=bool) for organ in ORGAN_NAMES}
    for d, name in enumerate(scan.slice_names):
        for organ, rle in runs.get(name, {}).items():
            masks[organ][:, :, d] = _decoded(rle, scan.voxels.shape[:2], f"{table}, {name}, {organ}")
    return masks


def find_table(path: Path) -> Path | None:
    """The train.csv above a slice or a folder of slices.

    Args:
        path: a file or folder.

    Returns:
        None where there is none within the layout.
    """
    above = [path.absolute(), *path.absolute().parents][: _FOLDERS_UP + 1]
    return next((folder / TABLE for folder in above if (folder / TABLE).is_file()), None)


def objects_below(path: Path) -> list[DicomObject]:
    """Structure sets and segmentations in a folder, or in the folder of a file.

    Args:
        path: a file or folder.

    Returns:
        By path.
    """
    return find_dicom(path if path.is_dir() else path.parent).objects


def is_label_volume(path: Path) -> bool:
    """Tell a label map from an image: our own contours, one that a JSON file describes, or a few whole numbers.

    Args:
        path: NIfTI.

    Returns:
        Whether its voxels are labels.

    Raises:
        DataError: the file can not be read.
    """
    if is_own_mask(path) or is_channels(path):
        return True
    if len(volume_shape(path)) > 3 and max(volume_shape(path)[3:]) > 1:
        return False  # several volumes, which the reader of images refuses in words
    voxels = read_volume(path, path.name).voxels
    values = np.unique(voxels)
    return bool(len(values) <= MOST_LABELS and values[0] >= 0 and np.array_equal(values, np.rint(values)))


def is_channels(path: Path) -> bool:
    """Whether a NIfTI file has one channel an organ on its last axis, as MONAI writes masks.

    Args:
        path: NIfTI.

    Returns:
        By its header alone.

    Raises:
        DataError: the file can not be read.
    """
    shape = volume_shape(path)
    return len(shape) >= 4 and shape[-1] == len(ORGAN_NAMES)


def scan_of_labels(path: Path) -> tuple[Scan, dict[str, np.ndarray]]:
    """A label map without its image: a black scan, and the masks on it.

    Args:
        path: NIfTI of labels.

    Returns:
        The scan on the file's own voxels, and the masks by name.

    Raises:
        DataError: the file can not be read.
    """
    name = re.sub(r"(\.nii)?(\.gz)?$", "", path.name)
    if is_channels(path):
        stacked, affine = read_masks(path)
        masks = dict(zip(ORGAN_NAMES, stacked, strict=True))
        return _black(name, stacked.shape[1:], affine, path), masks
    volume = read_label_volume(path)
    scan = _black(name, volume.labels.shape, volume.grid.affine, path)
    return scan, _by_name([(name, structure) for structure in structures_on(volume, volume.grid)])


def _decoded(rle: str, size: Sequence[int], where: str) -> np.ndarray:
    try:
        return decode_rle(rle, size)
    except RunLengthError as error:
        raise DataError(where, f"{error}. `monai-gi index uw-madison` lists all such rows") from error


def _black(name: str, size: Sequence[int], affine: np.ndarray, path: Path) -> Scan:
    names = tuple(f"slice_{number:04d}" for number in range(1, size[2] + 1))
    return Scan(name, np.zeros(tuple(size), np.uint16), affine, np.arange(size[2]), names, "nifti", (path,))


def _by_name(named: Sequence[tuple[str, Structure]]) -> dict[str, np.ndarray]:
    """What has a voxel, in the order of the files; names that come twice are told apart."""
    masks: dict[str, np.ndarray] = {}
    for file, structure in named:
        if structure.mask.any():
            name = structure.name if structure.name not in masks else f"{structure.name}, {file}"
            masks[name if name not in masks else f"{name} {len(masks) + 1}"] = structure.mask
    return masks
