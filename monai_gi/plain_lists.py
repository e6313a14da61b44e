"""Plain lists of image and label files, as MONAI Label and MonaiAlgo give them, brought to items of slices.

`[{"image": "x.nii.gz", "label": "y.nii.gz"}]`: each volume is imported once as slices into the cache folder, turned
and resampled as `monai-gi index dicom` does it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from monai_gi.datasets.volume_slices import FORMAT, read_record, store_volume, stored_items
from monai_gi.errors import DataError, DataErrors
from monai_gi.readers.sources import file_kind
from monai_gi.readers.volumes import read_masks, read_volume, require_same_grid

Items = Sequence[Mapping[str, Any]]


class PlainLists:
    """Replaces items of volumes by items of their slices; other items pass unchanged.

    An item is one of a volume when its image is a NIfTI file by its content. Its label is a label map of
    `Organ.index`, a file of C channels or a list of C files, in the order of ORGANS. `group` in the item keeps scans of
    one patient together; without it a scan is its own group. Scans are named by a hash of where their image lies.

    Args:
        cache_dir: the slices go below it, in `volumes`; several processes may share it.
        progress: show a bar with the end time while importing.
    """

    def __init__(self, cache_dir: str | Path, *, progress: bool = True) -> None:
        self.folder = Path(cache_dir) / "volumes"
        self.progress = progress

    def __call__(self, data: Items) -> Items:
        """Bring a list to slice items.

        Args:
            data: items of slices, scans or volumes.

        Returns:
            The list itself where no item is one of a volume.

        Raises:
            DataErrors: every volume that can not be read, lacks its label, or whose label does not fit.
        """
        volumes = [item for item in data if is_volume_item(item)]
        if not volumes:
            return data
        bar = tqdm(volumes, desc="importing", unit="scan", disable=None if self.progress else True)
        read = [self._slices_or_fault(item) for item in bar]
        faults = [one for one in read if isinstance(one, DataError)]
        if faults:
            raise DataErrors("list of volumes", faults)
        slices = {id(item): one for item, one in zip(volumes, read, strict=True) if isinstance(one, list)}
        return [part for item in data for part in slices.get(id(item), [item])]

    def _slices_or_fault(self, item: Mapping[str, Any]) -> list[dict[str, Any]] | DataError:
        try:
            return self._slices_of(item)
        except DataError as fault:
            return fault

    def _slices_of(self, item: Mapping[str, Any]) -> list[dict[str, Any]]:
        image, labels = Path(item["image"]), _label_paths(item)
        # Not the file's name, which may be a patient's: ids stand in TensorBoard, in tables and on pictures.
        scan = f"scan_{_hash([str(image.absolute())])[:12]}"
        stamps = _stamps(image, labels)
        folder = self.folder / f"{scan}-{_hash([str(FORMAT), *stamps])[:16]}"
        record = read_record(folder)
        if record is None:
            read = read_volume(image, scan)
            masks, affine = read_masks(labels)
            require_same_grid(labels if isinstance(labels, Path) else labels[0], masks.shape[1:], affine, read)
            record = store_volume(folder, read.voxels, masks, read.affine, {})
        return stored_items(folder, record, scan, str(item.get("group", scan)))


def is_volume_item(item: Mapping[str, Any]) -> bool:
    """Whether an item is one of a whole volume rather than of a slice or a scan of slices.

    Args:
        item: of a datalist.

    Returns:
        True where its image is a NIfTI file.
    """
    image = item.get("image")
    if not isinstance(image, str | Path) or "slice" in item:
        return False
    return Path(image).is_file() and file_kind(Path(image)) == "nifti"


def _label_paths(item: Mapping[str, Any]) -> Path | list[Path]:
    label = item.get("label")
    if isinstance(label, str | Path):
        return Path(label)
    if isinstance(label, Sequence) and label and all(isinstance(one, str | Path) for one in label):
        return [Path(one) for one in label]
    raise DataError(item["image"], "has no label file; training and judging need the truth of every volume")


def _stamps(image: Path, labels: Path | list[Path]) -> list[str]:
    """Place, size and time of each file."""
    paths = [image, *([labels] if isinstance(labels, Path) else labels)]
    gone = [path for path in paths if not path.is_file()]
    if gone:
        raise DataError(gone[0], f"no such file; the item of {image} names it")
    return [f"{path.absolute()} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in paths]


def _hash(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
