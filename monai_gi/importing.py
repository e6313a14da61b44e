"""The job of `monai-gi index dicom`: contoured DICOM series become training slices in the layout of UW-Madison.

Beside the datalist stand `train/caseN/caseN_dayD/` and `train.csv`, so that `--dataset_dir` of every bundle takes the
folder. A patient is a case from 301 on, a series is a day; no name, number or date of a patient is written anywhere,
and UIDs only as hashes.
"""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from monai_gi.atomic_file import write_whole
from monai_gi.datasets.contoured_series import ContouredSeries, FoundContours, find_contoured_series
from monai_gi.datasets.datalist import write_datalist
from monai_gi.datasets.organ_names import Sorted, names_by_organ, sort_structures
from monai_gi.datasets.splits import assign_folds
from monai_gi.datasets.uw_madison import read_uw_madison
from monai_gi.datasets.uw_madison_report import index_report
from monai_gi.datasets.volume_slices import FORMAT, read_record, store_volume
from monai_gi.dicom.geometry import arrange
from monai_gi.dicom.structures import read_structures
from monai_gi.errors import DataError, DataErrors
from monai_gi.folders import natural_key
from monai_gi.labels import ORGAN_NAMES
from monai_gi.readers.dicom import read_series

FIRST_CASE = 301
"""Above every case of UW-Madison, so that its list of bad scans and its cases never meet these."""

TABLE = "train.csv"
_ABOUT = {
    "name": "Contoured DICOM series",
    "description": "Slices of own scans with run lengths by organ: 1-based, row-major, several organs a pixel",
    "reference": "",
}


class _Job(NamedTuple):
    """One scan to import: where it goes, and hashes of what it is and of what it depends on."""

    scan: str
    folder: Path
    pair: ContouredSeries
    facts: dict[str, str]


def index_dicom(
    root: str | Path,
    output: str | Path,
    *,
    names: Iterable[tuple[str, str]] = (),
    folds: int = 5,
    seed: int = 0,
    take_automatic: bool = False,
    progress: bool = True,
) -> str:
    """Import every series that has an RTSTRUCT or SEG, deal the patients into folds and write the datalist.

    What was imported before is kept as long as series, contours and names are the same; a stopped run goes on.

    Args:
        root: folder of DICOM at any depth.
        output: the datalist to write; the slices go beside it.
        names: (organ, name of its contours), in place of the known names of that organ.
        folds: how many, 2 or more.
        seed: another seed deals the patients out anew.
        take_automatic: learn from contours of `monai-gi predict` that nobody approved, too.
        progress: show a bar with an end time.

    Returns:
        The table to print: counts, structures without an organ, series without contours.

    Raises:
        DataError: nothing is contoured, there are fewer patients than folds, or `output` lies among other data.
        DataErrors: every fault of series, contours and the output folder at once; scans without a fault are kept.
        ValueError: fewer than 2 folds are asked for.
    """
    asked = names_by_organ(names)
    if folds < 2:
        raise ValueError(f"folds: {folds}, wanted 2 or more, one to validate on and the rest to train on")
    found = find_contoured_series(Path(root), take_automatic=take_automatic)
    pairs = found.contoured
    patients = len({pair.patient for pair in pairs})
    if patients < folds:
        problem = f"{folds} folds asked for, {patients} contoured patients found; every fold needs one"
        raise DataError(root, f"{problem}. Ask for fewer (--folds), 2 at least")
    target = Path(output).parent
    jobs = _plan(target, pairs, asked)
    imported = _import(jobs, asked, progress=progress)
    _write_table(target, jobs)
    items = assign_folds(read_uw_madison(target).items, folds, seed)
    modalities = sorted({pair.series.modality for pair in pairs})
    write_datalist(output, items, target, about={**_ABOUT, "modality": dict(zip("0123", modalities, strict=False))})
    return "\n".join([index_report(items), *_remarks(imported, found)])


def _plan(target: Path, pairs: Sequence[ContouredSeries], asked: Mapping[str, Sequence[str]]) -> list[_Job]:
    """Give patients their cases and series their days; those imported before keep theirs."""
    records = {folder: read_record(folder) for folder in sorted((target / "train").glob("case*/case*_day*"))}
    there = {record["series"]: folder for folder, record in records.items() if record and "series" in record}
    strange = set(records) - {there.get(_hash(pair.series.uid)) for pair in pairs}
    faults = [
        DataError(folder, "is none of these series: other data, or imported from elsewhere. Move it away, or delete it")
        for folder in sorted(strange, key=lambda folder: natural_key(folder.name))
    ]
    number_of: dict[str, int] = {}
    for pair in pairs:
        folder = there.get(_hash(pair.series.uid))
        if folder is not None:
            case = int(folder.parent.name.removeprefix("case"))
            if number_of.setdefault(pair.patient, case) != case:
                problem = f"and case{number_of[pair.patient]} are one patient by now. Delete both, to import them again"
                faults.append(DataError(folder.parent, problem))
    if faults:
        raise DataErrors(target, faults)
    _number_patients(pairs, number_of)
    return _number_days(target, pairs, number_of, there, asked)


def _number_patients(pairs: Sequence[ContouredSeries], number_of: dict[str, int]) -> None:
    """New patients get the next numbers, in an order that says nothing about them."""
    first_series: dict[str, str] = {}
    for pair in pairs:
        hashed = _hash(pair.series.uid)
        first_series[pair.patient] = min(hashed, first_series.get(pair.patient, hashed))
    for patient in sorted(first_series, key=lambda patient: first_series[patient]):
        number_of.setdefault(patient, max([FIRST_CASE - 1, *number_of.values()]) + 1)


def _number_days(
    target: Path,
    pairs: Sequence[ContouredSeries],
    number_of: Mapping[str, int],
    there: Mapping[str, Path],
    asked: Mapping[str, Sequence[str]],
) -> list[_Job]:
    """Days count the series of a patient from 0, older ones first; jobs by case and day."""
    taken = {folder.name for folder in there.values()}
    jobs = []
    for pair in sorted(pairs, key=lambda pair: pair.order):
        hashed = _hash(pair.series.uid)
        folder = there.get(hashed)
        if folder is None:
            case = f"case{number_of[pair.patient]}"
            day = next(day for day in range(len(taken) + 1) if f"{case}_day{day}" not in taken)
            folder = target / "train" / case / f"{case}_day{day}"
            taken.add(folder.name)
        facts = {"series": hashed, "content": _content_hash(pair, asked)}
        jobs.append(_Job(folder.name, folder, pair, facts))
    return sorted(jobs, key=lambda job: natural_key(job.scan))


def _content_hash(pair: ContouredSeries, asked: Mapping[str, Sequence[str]]) -> str:
    """A hash of all that an import depends on; images never change under one SOP instance UID."""
    frames = sorted(f"{frame.sop_instance_uid} {frame.index}" for frame in pair.series.frames)
    contours = sorted(hashlib.sha256(one.path.read_bytes()).hexdigest() for one in pair.objects)
    return _hash("\n".join([str(FORMAT), *frames, *contours, *map(str, sorted(asked.items()))]))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _import(jobs: Sequence[_Job], asked: Mapping[str, Sequence[str]], *, progress: bool) -> dict[str, list[Sorted]]:
    """Import what is not there; the structures of each scan. Faults come at once, after the good scans."""
    waiting = [job for job in jobs if not _is_done(job)]
    total = sum(len(job.pair.series.frames) for job in waiting)
    imported: dict[str, list[Sorted]] = {}
    faults: list[DataError] = []
    with tqdm(total=total, desc="importing", unit="slice", disable=None if progress else True) as bar:
        for job in waiting:
            try:
                imported[job.scan] = _import_one(job, asked)
            except DataError as fault:
                faults += fault.problems
            bar.update(len(job.pair.series.frames))
    if faults:
        raise DataErrors("not imported", faults)
    return imported


def _is_done(job: _Job) -> bool:
    record = read_record(job.folder)
    return record is not None and record.get("content") == job.facts["content"]


def _import_one(job: _Job, asked: Mapping[str, Sequence[str]]) -> list[Sorted]:
    """Write one scan; its structures, sorted, without their masks."""
    scan = read_series(job.pair.series, name=job.scan)
    arrangement = arrange(job.pair.series)
    found = []
    for one in job.pair.objects:
        structures = read_structures(one.path, arrangement)
        is_coded = one.modality == "SEG"
        found.append((one.path, sort_structures(structures, scan.voxels.shape, asked, codes=is_coded)))
    _check_organs(found)
    masks = np.logical_or.reduce([one.masks for _, one in found])
    store_volume(job.folder, scan.voxels, masks, scan.affine, job.facts)
    return [one._replace(masks=masks[:, :0]) for _, one in found]


def _check_organs(found: Sequence[tuple[Path, Sorted]]) -> None:
    """A series has an organ, and no organ is in two files: nobody knows which one counts."""
    if not any(one.taken for _, one in found):
        named = ", ".join(repr(name) for _, one in found for name in one.left) or "none"
        repair = f"Say what they are called: --name ORGAN=NAME, ORGAN one of {', '.join(ORGAN_NAMES)}"
        problem = f"no structure is an organ known here; there are: {named}. {repair}"
        raise DataError(", ".join(str(path) for path, _ in found), problem)
    source_of: dict[str, Path] = {}
    twice = []
    for path, one in found:
        for organ in dict(one.taken):
            if source_of.setdefault(organ, path) != path:
                problem = f"{organ} of the same series is in {source_of[organ]} too; move one of the files away"
                twice.append(DataError(path, problem))
    if twice:
        raise DataErrors("contours", twice)


def _write_table(target: Path, jobs: Sequence[_Job]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "class", "segmentation"])
    for job in jobs:
        record: dict[str, Any] = read_record(job.folder) or {}
        for number, label in enumerate(record["labels"], 1):
            writer.writerows([f"{job.scan}_slice_{number:04d}", organ, label[organ]] for organ in ORGAN_NAMES)
    write_whole(target / TABLE, text.getvalue())


def _remarks(imported: Mapping[str, Sequence[Sorted]], contours: FoundContours) -> list[str]:
    """What the table does not tell: structures and files that were not used, parts left out, series not contoured."""
    scans = Counter(name for found in imported.values() for name in {name for one in found for name in one.left})
    left = [f"no organ known here, not used: {name!r} ({count} scans)" for name, count in sorted(scans.items())]
    notes = [f"{scan}, {note}" for scan, found in imported.items() for one in found for note in one.notes]
    places: dict[str, list[str]] = {}
    for reason, place in contours.passed_over:
        places.setdefault(reason, []).append(place)
    passed_over = [
        f"{reason}, not used: {len(of)} file{'s' if len(of) > 1 else ''}, such as {of[0]}"
        for reason, of in sorted(places.items())
    ]
    return left + notes + passed_over + [f"no contours, not used: series {uid}" for uid in contours.bare]
