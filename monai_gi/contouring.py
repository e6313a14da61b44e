"""The job of `monai-gi predict`: every scan of an input contoured, one folder a scan, `result.json` written last."""

import hashlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tqdm import tqdm

from monai_gi import __version__
from monai_gi.errors import DataError, DataErrors
from monai_gi.outputs import FORMATS_OF_KIND, RESULT, SUBMISSION, Results, check_folder, clear, write_outputs
from monai_gi.prediction_request import Request, settings_of
from monai_gi.predictor import Predictor
from monai_gi.provenance import INTENDED_USE, Provenance
from monai_gi.readers.dicom import is_localizer
from monai_gi.readers.sources import Source, find_sources, read_source
from monai_gi.sharing.manifest import sha256_of
from monai_gi.sharing.opening import open_bundle
from monai_gi.writers.submission import read_parts, write_submission


@dataclass(frozen=True)
class Outcome:
    """What happened to one scan.

    Attributes:
        name: of the scan.
        folder: of its results.
        status: "contoured", "already done" or "left out: REASON".
        seconds: it took; 0 when it was not contoured now.
    """

    name: str
    folder: Path
    status: str
    seconds: float = 0.0


class NotContouredError(DataErrors):
    """Some scans could not be contoured; the others are done.

    Args:
        problems: at least one fault, each with its scan.
        outcomes: of the other scans.
    """

    def __init__(self, problems: Sequence[DataError], outcomes: Sequence[Outcome]) -> None:
        super().__init__("not contoured", problems)
        self.outcomes = tuple(outcomes)


def contour(request: Request) -> list[Outcome]:
    """Contour every scan of the input that suits the bundle.

    Args:
        request: what to do.

    Returns:
        One outcome a scan, in the order of the input. Scans that were done before, with the same bundle and settings,
        are not touched.

    Raises:
        DataError: nothing to contour, a format that does not suit, a bundle that must not run, an output that is no
            folder.
        NotContouredError: all at once after the other scans are done, the scans that could not be contoured.
    """
    with tqdm(desc="looking at files", unit="file", delay=2.0, leave=False, **_pace()) as bar:
        sources = find_sources(request.input, request.series, progress=partial(_show, bar))
    with open_bundle(request.bundle, weights=request.weights, trust=request.trust) as bundle:
        settings = settings_of(bundle, request)
        chosen, left_out = _choose(sources, bundle.modality, request)
        check_folder(request.output)
        predictor = Predictor(bundle.network, settings, request.device)
        provenance = Provenance(bundle.name, bundle.version, bundle.weights_sha256, __version__)
        outcomes, faults = _Job(request, predictor, provenance).run(chosen)
    order = [source.name for source in sources]
    outcomes = sorted([*left_out, *outcomes], key=lambda outcome: order.index(outcome.name))
    if faults:
        raise NotContouredError(faults, outcomes)
    return outcomes


def summary(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as text: where to look, and what was left out and why.

    Args:
        outcomes: of `contour`.

    Returns:
        One line a scan, and the intended use.
    """
    lines = [
        f"{outcome.folder}: {outcome.status}" + (f" in {outcome.seconds:.1f} s" if outcome.seconds else "")
        for outcome in outcomes
    ]
    return "\n".join([*lines, INTENDED_USE])


def _choose(sources: Sequence[Source], modality: str, request: Request) -> tuple[list[Source], list[Outcome]]:
    """Scans to contour, and outcomes of those left out with the reason; formats are checked before any work."""
    chosen, left_out = [], []
    for source in sources:
        reason = None if request.series else _reason_to_leave_out(source, modality)
        if reason:
            left_out.append(Outcome(source.name, request.output / source.name, f"left out: {reason}"))
        else:
            chosen.append(source)
    if not chosen:
        repair = "--series {} contours it nevertheless"
        faults = [DataError(one.name, f"{one.status}; {repair.format(one.name)}") for one in left_out]
        raise DataErrors(request.input, faults)
    faults = [
        DataError(source.name, f"{name} does not suit {source.kind} input, which takes {', '.join(suiting)}")
        for source in chosen
        for suiting in [FORMATS_OF_KIND[source.kind]]
        for name in request.formats
        if name not in suiting
    ]
    faults += [fault for source in chosen for fault in _unwritable(source, request.formats)]
    if faults:
        raise DataErrors("--format", faults)
    return chosen, left_out


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
            "formats": sorted(request.formats),
            "allow_gaps": request.allow_gaps,
            "weights_sha256": provenance.weights_sha256,
        }

    def run(self, sources: Sequence[Source]) -> tuple[list[Outcome], list[DataError]]:
        """Contour what is not done; faults come all at once, after the scans without fault."""
        waiting = [source for source in sources if not self._is_done(source)]
        done = [
            Outcome(source.name, self._folder(source), "already done") for source in sources if source not in waiting
        ]
        faults: list[DataError] = []
        with tqdm(total=sum(source.slices for source in waiting), desc="contouring", unit="slice", **_pace()) as bar:
            for source in waiting:
                try:
                    done.append(self._contour(source, bar))
                except DataError as fault:  # noqa: PERF203 (a scan takes seconds)
                    faults += _one_by_one(fault)
                    bar.total -= source.slices  # else the end time would wait for them
        if not faults:
            self._merge_submission([source.name for source in sources if source.kind == "uw-madison"])
        return done, faults

    def _contour(self, source: Source, bar: tqdm) -> Outcome:
        """Read, predict and write one scan."""
        start = time.perf_counter()
        scan = read_source(source, allow_gaps=self.request.allow_gaps)
        seconds = {"read": time.perf_counter() - start}
        before = bar.n

        def show(done: int, _total: int) -> None:
            bar.update(before + done - bar.n)

        prediction = self.predictor.predict(scan, progress=show)
        formats = self.request.formats or FORMATS_OF_KIND[source.kind]
        folder = self._folder(source)
        clear(folder, source.name)  # what is half replaced is not done
        results = Results(scan, prediction, self.provenance, self._settings_of(source))
        write_outputs(folder, results, formats, seconds)
        return Outcome(source.name, folder, "contoured", time.perf_counter() - start)

    def _is_done(self, source: Source) -> bool:
        """Whether an earlier run finished this scan with the same bundle and settings."""
        path = self._folder(source) / RESULT
        if self.request.overwrite or not path.is_file():
            return False
        try:
            found = json.loads(path.read_bytes())["settings"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(path, f"can not be read ({error}). --overwrite makes it anew") from error
        wanted = json.loads(json.dumps(self._settings_of(source)))
        differing = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
        if differing:
            raise DataError(
                path, f"was made with other {', '.join(differing)}. --overwrite redoes it, or use another DIR"
            )
        return True

    def _settings_of(self, source: Source) -> dict[str, Any]:
        return {**self.settings, "input_sha256": _hash_of(source)}

    def _merge_submission(self, names: Sequence[str]) -> None:
        """Join the rows of all scans of the contest's layout, those of earlier runs too."""
        if names and "submission" in (self.request.formats or FORMATS_OF_KIND["uw-madison"]):
            rows = [row for name in names for row in read_parts(self.request.output / name, [SUBMISSION])]
            write_submission(self.request.output / "submission.csv", rows)

    def _folder(self, source: Source) -> Path:
        return self.request.output / source.name


def _one_by_one(fault: DataError) -> list[DataError]:
    """A fault with several problems as so many faults, so that the list of all scans has one level."""
    if not isinstance(fault, DataErrors):
        return [fault]
    return [DataError(f"{fault.where}: {problem.where}", problem.problem) for problem in fault.problems]


def _hash_of(source: Source) -> str:
    """Tells inputs of one name apart: DICOM by its instances, which never change under one UID, files by content."""
    digest = hashlib.sha256()
    if source.series is not None:
        for instance in sorted(f"{frame.sop_instance_uid} {frame.index}" for frame in source.series.frames):
            digest.update(instance.encode())
    else:
        for path in source.files:
            digest.update(bytes.fromhex(sha256_of(path)))
    return digest.hexdigest()


def _show(bar: tqdm, done: int, total: int) -> None:
    bar.total = total
    bar.update(done - bar.n)


def _pace() -> dict[str, float]:
    """How often the progress bar is drawn: seldom where it goes into a file."""
    return {"mininterval": 0.2 if sys.stderr.isatty() else 10.0}
