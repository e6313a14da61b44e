"""Slides for `monai-gi predict`: images of any size, one folder a slide, `result.json` last; what stopped goes on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from monai_gi import __version__
from monai_gi.devices import resolve_device
from monai_gi.errors import DataError, DataErrors
from monai_gi.handlers.processes import share_of_process
from monai_gi.inferers.passes import FLIPS
from monai_gi.outcomes import Outcome, Task, check_folder, finished, run_tasks
from monai_gi.outputs import FORMATS_OF_KIND, unsuited
from monai_gi.prediction_request import Request, amp_of, provenance_of
from monai_gi.provenance import Provenance
from monai_gi.readers.sources import plain_name
from monai_gi.sharing.manifest import sha256_of
from monai_gi.sharing.opening import Bundle
from monai_gi.slides import SUFFIXES, slide_files
from monai_gi.streaming import SlideSettings
from monai_gi.streaming.label_files import blocks_in
from monai_gi.streaming.slide_results import SlideJob, SlideResults

ON_REQUEST = ("probability",)
DEFAULT_FORMATS = tuple(name for name in FORMATS_OF_KIND["slide"] if name not in ON_REQUEST)


def contour_slides(request: Request, bundle: Bundle) -> list[Outcome]:
    """Predict a slide, or every slide that lies directly in a folder.

    Args:
        request: what to do.
        bundle: of the kind "slides".

    Returns:
        One outcome a slide. Slides that were done before, with the same bundle and settings, are not touched.

    Raises:
        DataError: no slides, a format that does not suit, or thresholds, which classes that exclude each other lack.
        NotContouredError: all at once after the others are done, the slides that could not be predicted.
    """
    if request.thresholds:
        problem = "does not suit slides: their classes exclude each other, the likeliest is taken. Leave it out"
        raise DataError("--threshold", problem)
    settings = SlideSettings.from_config(bundle.config)
    settings = settings.replace(amp=amp_of(bundle, request), flips=tuple(FLIPS) if request.tta else settings.flips)
    job = SlideJob(
        network=bundle.network,
        settings=settings,
        output=request.output,
        provenance=provenance_of(bundle),
        formats=request.formats or DEFAULT_FORMATS,
        device=resolve_device(request.device),
        max_pixels=request.max_pixels,
        overwrite=request.overwrite,
    )
    return run_job(find_slides(request.input), job)


def predict_slides(
    input_dir: str | Path,
    network: torch.nn.Module,
    settings: SlideSettings,
    output_dir: str | Path,
    *,
    weights: str | Path,
    name: str,
    formats: Sequence[str] = (),
    device: str | torch.device = "auto",
    max_pixels: int | None = None,
) -> list[Outcome]:
    """Predict slides as a bundle's `inference.json` does: a network that is there already.

    Processes that torchrun started share the slides.

    Args:
        input_dir: a slide, or a folder with slides directly in it.
        network: with its weights.
        settings: of the bundle.
        output_dir: folder of all results.
        weights: file of the network's weights, for the record.
        name: of the bundle, for the record.
        formats: of `FORMATS_OF_KIND["slide"]`; empty for all but those on request.
        device: a name, see `monai_gi.devices.resolve_device`.
        max_pixels: budget of pictures that have to be decoded whole; None for the default.

    Returns:
        As `contour_slides`, and the same faults; of the slides of this process.
    """
    output = Path(output_dir)
    check_folder(output)
    provenance = Provenance(name, __version__, sha256_of(Path(weights)), __version__, Path(weights).name)
    job = SlideJob(
        network=network,
        settings=settings,
        output=output,
        provenance=provenance,
        formats=tuple(formats) or DEFAULT_FORMATS,
        device=resolve_device(device),
        max_pixels=max_pixels,
    )
    return run_job(dict(share_of_process(list(find_slides(input_dir).items()))), job)


def find_slides(path: str | Path) -> dict[str, Path]:
    """List slides by their suffixes, one file each.

    Args:
        path: a slide, or a folder with slides directly in it; hidden files and parts of slides are passed over.

    Returns:
        Paths by names that are plain and unique, sorted.

    Raises:
        DataError: there is no slide, or two have names that differ in signs that file names of results lack.
    """
    path = Path(path)
    if path.is_file():
        return {plain_name(path.stem): path}
    if not path.is_dir():
        raise DataError(path, "no such file or folder. Name a slide, or a folder of slides")
    files = slide_files(path.iterdir())
    if not files:
        raise DataError(path, f"no slide lies directly in this folder; wanted {', '.join(SUFFIXES)}")
    counts = Counter(plain_name(file.stem).casefold() for file in files)
    found: dict[str, Path] = {}
    for file in files:
        name = plain_name(file.stem if counts[plain_name(file.stem).casefold()] == 1 else file.name)
        if other := found.get(name):
            problem = f"and {file.name} would both get the folder {name} for their results; wanted one each. Rename one"
            raise DataError(other, problem)
        found[name] = file
    return found


def run_job(slides: Mapping[str, Path], job: SlideJob) -> list[Outcome]:
    """Predict slides one after the other with one progress bar.

    Args:
        slides: paths by name.
        job: what to do.

    Returns:
        One outcome a slide, in their order.

    Raises:
        DataErrors: a format that does not suit.
        NotContouredError: all at once after the others are done, the slides that could not be predicted.
    """
    if faults := unsuited(job.provenance.bundle_name, "slide", job.formats):
        raise DataErrors("--format", faults)
    job.network.to(job.device).eval()
    tasks, problems = [], []
    for name, path in slides.items():
        results = SlideResults(name, path, job)
        try:
            with results.opened() as slide:
                units = blocks_in(slide, job.settings)
        except DataError as fault:
            problems.append(fault)
            continue
        settings = partial(results.settings, job.formats)
        tasks.append(Task(name, results.folder, results, units, settings, adds_formats=True))
    outcomes, found = run_tasks(
        tasks, lambda task, bar: task.source.write(bar.update), unit="window", overwrite=job.overwrite
    )
    return finished(outcomes, [*problems, *found], list(slides))
