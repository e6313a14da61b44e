"""`monai-gi compare A B`: one set of structures scored against another, ROI by ROI, in mm; A is the reference.

Each of the two is an RTSTRUCT, a DICOM SEG or a label NIfTI. They are compared on the voxels of a DICOM series; two
NIfTI files on the voxels of A. Distances are taken in 3D, added path length within the slices (the third axis).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from monai_gi.atomic_file import write_whole
from monai_gi.dicom.geometry import Arrangement, arrange
from monai_gi.dicom.series import DicomObject, find_objects, find_series
from monai_gi.dicom.structure_types import bare_name
from monai_gi.dicom.structures import Structure, read_structures
from monai_gi.errors import DataError
from monai_gi.metrics import DEFAULT_TOLERANCE_MM, Comparison, compare_masks
from monai_gi.readers.dicom import LPS_TO_RAS
from monai_gi.readers.label_volumes import Grid, LabelVolume, read_label_volume, structures_on
from monai_gi.readers.volumes import is_nifti

_START_BYTES = 1024


def compare_files(
    a: str | Path,
    b: str | Path,
    series: str | Path | None = None,
    names: Mapping[str, str] | None = None,
    *,
    tolerance_mm: float = DEFAULT_TOLERANCE_MM,
    allow_gaps: bool = False,
    output: str | Path | None = None,
) -> Comparison:
    """Score the structures of B against those of A.

    ROIs are paired by name; capital letters, blanks and separators make no difference.

    Args:
        a: the reference: RTSTRUCT, SEG or label NIfTI.
        b: what is scored, of any of these kinds.
        series: folder of the DICOM series, at any depth; without it the folders of A and B are searched for the one
            that they name, subfolders too.
        names: pairs that are named differently, A's name to B's.
        tolerance_mm: of the surface Dice.
        allow_gaps: the series may lack slices; they count as empty.
        output: a .json or .csv file to write too.

    Returns:
        Scores, and what stands in one file only.

    Raises:
        DataError: a file is of another kind or lies elsewhere, the series is not found, a name fits several ROIs, the
            files share no ROI, or the output is neither .json nor .csv.
        ValueError: the tolerance is negative.
    """
    if output is not None and Path(output).suffix not in (".json", ".csv"):
        raise DataError(output, "the ending tells what to write; it is neither .json nor .csv. Name it table.csv")
    sources = [_open(Path(path)) for path in (a, b)]
    objects = [source for source in sources if isinstance(source, DicomObject)]
    arrangement = _find_arrangement(objects, series, allow_gaps=allow_gaps) if objects else None
    grid = _grid(arrangement, sources)
    of_a, of_b = (_structures(source, arrangement, grid) for source in sources)
    pairs = _pairs(of_a, of_b, names or {}, (Path(a).name, Path(b).name))
    comparison = Comparison(
        rows=tuple(_row(one, other, grid, tolerance_mm) for one, other in pairs),
        only_in_a=_without(of_a, (one for one, _ in pairs)),
        only_in_b=_without(of_b, (other for _, other in pairs)),
        notes=tuple(f"{f}: {s.name}: {note}." for f, of in (("A", of_a), ("B", of_b)) for s in of for note in s.notes),
        tolerance_mm=tolerance_mm,
    )
    if output is not None:
        as_json = json.dumps(comparison.as_dict(), indent=2, allow_nan=False) + "\n"
        write_whole(output, as_json if Path(output).suffix == ".json" else comparison.as_csv())
    return comparison


def _open(path: Path) -> DicomObject | LabelVolume:
    if not path.is_file():
        raise DataError(path, "no such file; give an RTSTRUCT, a SEG or a label NIfTI")
    with path.open("rb") as file:
        start = file.read(_START_BYTES)
    if is_nifti(start):
        return read_label_volume(path)
    objects = find_objects(path)
    if not objects:
        raise DataError(path, "neither an RTSTRUCT nor a SEG nor a label NIfTI; give one of these")
    return objects[0]


def _find_arrangement(objects: Sequence[DicomObject], folder: str | Path | None, *, allow_gaps: bool) -> Arrangement:
    """Find the series that A names, else the one that B names, else the only one in their coordinates."""
    folders = {one.path.parent for one in objects} if folder is None else {Path(folder)}
    found = {series.uid: series for below in sorted(folders) for series in find_series(below)}
    wanted = [uid for one in objects for uid in one.referenced_series_uids]
    space = objects[0].frame_of_reference_uid
    alike = [uid for uid, series in found.items() if series.frame_of_reference_uid == space != ""]
    chosen = next((uid for uid in wanted if uid in found), alike[0] if len(alike) == 1 else None)
    if chosen is None:
        named = f"the series {wanted[0]} that it names" if wanted else "its series"
        where = " or ".join(map(str, sorted(folders)))
        raise DataError(objects[0].path, f"{named} is not in {where}; give the folder of the series")
    return arrange(found[chosen], allow_gaps=allow_gaps)


def _grid(arrangement: Arrangement | None, sources: Sequence[DicomObject | LabelVolume]) -> Grid:
    if arrangement is not None:
        affine = LPS_TO_RAS @ arrangement.affine_lps
        return Grid(affine, arrangement.slice_numbers, arrangement.series.frames[0].size)
    return next(source.grid for source in sources if isinstance(source, LabelVolume))


def _structures(source: DicomObject | LabelVolume, arrangement: Arrangement | None, grid: Grid) -> list[Structure]:
    if isinstance(source, LabelVolume) or arrangement is None:
        return structures_on(source, grid) if isinstance(source, LabelVolume) else []
    return read_structures(source.path, arrangement)


def _row(a: Structure, b: Structure, grid: Grid, tolerance_mm: float) -> dict[str, Any]:
    spacing_mm = np.linalg.norm(grid.affine[:3, :3], axis=0).tolist()
    mask_a, mask_b = (_on_all_slices(structure.mask, grid.slice_numbers) for structure in (a, b))
    return {"name": a.name, "name_b": b.name, **compare_masks(mask_a, mask_b, spacing_mm, tolerance_mm=tolerance_mm)}


def _on_all_slices(mask: np.ndarray, slice_numbers: np.ndarray) -> np.ndarray:
    """Put missing slices in, empty, so that distances across a gap are true."""
    full = np.zeros((*mask.shape[:2], int(slice_numbers[-1]) + 1), dtype=bool)
    full[:, :, slice_numbers] = mask
    return full


def _pairs(
    of_a: Sequence[Structure], of_b: Sequence[Structure], names: Mapping[str, str], files: tuple[str, str]
) -> list[tuple[Structure, Structure]]:
    for wanted, of, file in ((names, of_a, files[0]), (names.values(), of_b, files[1])):
        for name in wanted:
            if bare_name(name) not in {bare_name(structure.name) for structure in of}:
                raise DataError(file, f"has no ROI {name!r}; it has {_listed(of)}")
    other_name = {bare_name(one): bare_name(other) for one, other in names.items()}
    pairs = []
    for one in of_a:
        others = [
            other for other in of_b if bare_name(other.name) == other_name.get(bare_name(one.name), bare_name(one.name))
        ]
        same = [structure for structure in of_a if bare_name(structure.name) == bare_name(one.name)]
        for group, file in ((same, files[0]), (others, files[1])):
            if others and len(group) > 1:
                raise DataError(file, f"{len(group)} ROIs of one name ({_listed(group)}); rename all but one")
        pairs += [(one, other) for other in others]
    if not pairs:
        held = f"{files[0]} has {_listed(of_a)}, {files[1]} has {_listed(of_b)}"
        raise DataError(files[1], f"no ROI in common: {held}; say which belong together (--name NAME_A=NAME_B)")
    return pairs


def _without(structures: Sequence[Structure], paired: Iterable[Structure]) -> tuple[str, ...]:
    known = {id(structure) for structure in paired}
    return tuple(structure.name for structure in structures if id(structure) not in known)


def _listed(structures: Sequence[Structure]) -> str:
    return ", ".join(repr(structure.name) for structure in structures) or "none"
