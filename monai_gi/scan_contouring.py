"""Scans for `monai-gi predict`: every scan of an input contoured, one folder a scan, `result.json` written last."""

import hashlib
import time
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tqdm import tqdm

from monai_gi.errors import DataError, DataErrors
from monai_gi.labels import ORGAN_NAMES
from monai_gi.outcomes import Outcome, Task, finished, pace, run_tasks
from monai_gi.outputs import FORMATS_OF_KIND, SUBMISSION, Results, clear, unsuited, write_outputs
from monai_gi.prediction_request import Request, provenance_of, settings_of
from monai_gi.prediction_settings import PredictionSettings
from monai_gi.predictor import Predictor
from monai_gi.provenance import Provenance
from monai_gi.readers.dicom import is_localizer
from monai_gi.readers.sources import Source, find_sources, read_source
from monai_gi.scan import Scan
from monai_gi.sharing.manifest import sha256_of
from monai_gi.sharing.opening import Bundle
from monai_gi.writers.submission import read_parts, write_submission


def contour_scans(request: Request, bundle: Bundle) -> list[Outcome]:
    """Contour every scan of the input that suits the bundle.

    Args:
        request: what to do.
        bundle: of the kind "slices".

    Returns:
        One outcome a scan, in the order of the input. Scans that were done before, with the same bundle and settings,
        are not touched.

    Raises:
        DataError: nothing to contour, a format that does not suit, a setting that is none.
        NotContouredError: all at once after the other scans are done, the scans that could not be contoured.
    """
    unreadable: list[DataError] = []
    with tqdm(desc="looking at files", unit="file", delay=2.0, leave=False, **pace()) as bar:
        sources = find_sources(
            request.input, request.series, progress=partial(_show, bar), unreadable=unreadable.append
        )
    settings = settings_of(PredictionSettings.from_config(bundle.config), ORGAN_NAMES, bundle, request)
    fitting, left_out = _fitting(sources, bundle.modality, request)
    chosen, strangers, unwritable = _writable(fitting, request)
    job = _Job(request, Predictor(bundle.network, settings, request.device), provenance_of(bundle))
    outcomes, faults = job.run(chosen)
    names = [source.name for source in sources]
    return finished([*left_out, *strangers, *outcomes], [*unreadable, *unwritable, *faults], names)


def input_hash(source: Source | Scan) -> str:
    """What tells inputs of one name apart.

    Args:
        source: as found, or as read.

    Returns:
        SHA-256: of DICOM by its instances, which never change under one UID, of files by content.
    """
    digest = hashlib.sha256()
    if source.series is not None:
        for instance in sorted(f"{frame.sop_instance_uid} {frame.index}" for frame in source.series.frames):
            digest.update(instance.encode())
    else:
        for path in source.files:
            digest.update(bytes.fromhex(sha256_of(path)))
    return digest.hexdigest()


def _fitting(sources: Sequence[Source], modality: str, request: Request) -> tuple[list[Source], list[Outcome]]:
    """Scans that the bundle is for, and outcomes of the others."""
    reasons = {source.name: None if request.series else _reason_to_leave_out(source, modality) for source in sources}
    fitting = [source for source in sources if not reasons[source.name]]
    left_out = [_left_out(name, reason, request) for name, reason in reasons.items() if reason]
    if not fitting:
        repair = "--series {} contours it nevertheless"
        faults = [DataError(one.name, f"{one.status}; {repair.format(one.name)}") for one in left_out]
        raise DataErrors(request.input, faults)
    return fitting, left_out


def _writable(sources: Sequence[Source], request: Request) -> tuple[list[Source], list[Outcome], list[DataError]]:
    """Scans that can be written in the formats asked for, outcomes of those of another kind, and faults of the others.

    All before any work; where nothing remains to be contoured, the reasons are an error.
    """
    strange = {source.name: unsuited(source.name, source.kind, request.formats) for source in sources}
    faulty = {source.name: _unwritable(source, request.formats) for source in sources if not strange[source.name]}
    chosen = [source for source in sources if not (strange[source.name] or faulty[source.name])]
    faults = [fault for found in faulty.values() for fault in found]
    if not chosen:
        raise DataErrors("--format", [*(fault for found in strange.values() for fault in found), *faults])
    reasons = {name: "; ".join(fault.problem for fault in found) for name, found in strange.items() if found}
    return chosen, [_left_out(name, reason, request) for name, reason in reasons.items()], faults


def _left_out(name: str, reason: str, request: Request) -> Outcome:
    return Outcome(name, request.output / name, f"left out: {reason}")


def _unwritable(source: Source, formats: Sequence[str]) -> list[DataError]:
    """What would stop the writers, found before minutes of work."""
    wanted = set(formats or FORMATS_OF_KIND[source.kind])
    faults = []
    if source.series and not source.series.frame_of_reference_uid and wanted & {"rtstruct", "dicom-seg"}:
        problem = "has no FrameOfReferenceUID, which RTSTRUCT and DICOM SEG must share"
        faults.append(DataError(source.name, f"{problem}. Take --format nifti --format overlay"))
    if "dicom-seg" in wanted and find_spec("highdicom") is None:
        problem = "dicom-seg needs the package highdicom: pip install monai_gi[dicom]"
        faults.append(DataError(source.name, f"{problem}. Or name other formats"))
    return faults


def _reason_to_leave_out(source: Source, modality: str) -> str | None:
    """Why a series of images is not for this bundle; --series takes it nevertheless."""
    if source.series is None:
        return None
    if is_localizer(source.series):
        return "a localizer"
    if modality and source.series.modality != modality:
        return f"{source.series.modality or 'no modality'}, but the bundle was made for {modality}"
    return None


class _Job:
    """Contours scans one after the other with one progress bar.

    Args:
        request: what the user asked for.
        predictor: of the bundle.
        provenance: of the bundle.
    """

    def __init__(self, request: Request, predictor: Predictor, provenance: Provenance) -> None:
        self.request = request
        self.predictor = predictor
        self.provenance = provenance
        # What a result depends on: a result of other settings is not taken for done.
        self.settings = {
            **predictor.settings.as_dict(),
            "allow_gaps": request.allow_gaps,
            "weights_sha256": provenance.weights_sha256,
        }

    def run(self, sources: Sequence[Source]) -> tuple[list[Outcome], list[DataError]]:
        """Contour what is not done; faults come all at once, after the scans without fault."""
        tasks = [
            Task(source.name, self._folder(source), source, source.slices, partial(self._settings_of, source))
            for source in sources
        ]
        done, faults = run_tasks(tasks, self._contour, unit="slice", overwrite=self.request.overwrite)
        if not faults:
            self._merge_submission([source.name for source in sources if source.kind == "uw-madison"])
        return done, faults

    def _contour(self, task: Task[Source], bar: tqdm) -> None:
        """Read, predict and write one scan."""
        source = task.source
        start = time.perf_counter()
        scan = read_source(source, allow_gaps=self.request.allow_gaps)
        seconds = {"read": time.perf_counter() - start}
        before = bar.n

        def show(done: int, _total: int) -> None:
            bar.update(before + done - bar.n)

        prediction = self.predictor.predict(scan, progress=show)
        clear(task.folder, source.name)  # what is half replaced is not done
        results = Results(scan, prediction, self.provenance, self._settings_of(source))
        write_outputs(task.folder, results, self._formats(source.kind), seconds)

    def _settings_of(self, source: Source) -> dict[str, Any]:
        formats = sorted(self._formats(source.kind))
        return {**self.settings, "formats": formats, "input_sha256": input_hash(source)}

    def _formats(self, kind: str) -> tuple[str, ...]:
        """What is written of a kind of scan."""
        return self.request.formats or FORMATS_OF_KIND[kind]

    def _merge_submission(self, names: Sequence[str]) -> None:
        """Join the rows of all scans of the contest's layout, those of earlier runs too."""
        if names and "submission" in self._formats("uw-madison"):
            rows = [row for name in names for row in read_parts(self.request.output / name, [SUBMISSION])]
            write_submission(self.request.output / "submission.csv", rows)

    def _folder(self, source: Source) -> Path:
        return self.request.output / source.name


def _show(bar: tqdm, done: int, total: int) -> None:
    bar.total = total
    bar.update(done - bar.n)
