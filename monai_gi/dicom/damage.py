"""DICOM files that can not be read, and which series they belong to, as far as that can be known."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from monai_gi.errors import DataError

SLICE_SUFFIXES = ("", ".dcm", ".ima")


class Damaged(NamedTuple):
    """A file that can not be read.

    Attributes:
        path: the file.
        problem: what is wrong, and the repair.
        series_uid: of its series; "" where the file does not say.
    """

    path: Path
    problem: str
    series_uid: str = ""

    def fault(self, root: Path) -> DataError:
        """The fault, named by the place of the file below the folder that was searched."""
        return DataError(self.path.relative_to(root) if self.path != root else self.path.name, self.problem)


def empty_files(files: Iterable[Path], slices: Iterable[Path]) -> list[Damaged]:
    """Files without a byte beside slices, named as slices are: copies that failed, perhaps at the end of a series."""
    slices = set(slices)
    folders = {path.parent for path in slices}
    return [
        Damaged(path, "is empty, beside slices of a series; copy it again from its source, or remove it")
        for path in files
        if path not in slices
        and path.parent in folders
        and path.suffix.lower() in SLICE_SUFFIXES
        and not path.stat().st_size
    ]


def count_beside(damaged: Sequence[Damaged], slices: Mapping[str, Iterable[Path]]) -> Counter[str]:
    """Damaged files of unknown series in the folders of each series: some of them may be slices of it.

    Args:
        damaged: files.
        slices: files of each series, by UID.

    Returns:
        How many, by UID.
    """
    unknown = Counter(one.path.parent for one in damaged if one.series_uid not in slices)
    folders = {uid: {path.parent for path in paths} for uid, paths in slices.items()}
    return Counter({uid: sum(unknown[folder] for folder in beside) for uid, beside in folders.items()})
