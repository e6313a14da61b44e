"""The command `monai-gi`: one function a verb; heavy packages are imported inside the verb."""

import argparse
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from monai_gi import arguments
from monai_gi.errors import DataError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        argv: the words after `monai-gi`; the command line when None.

    Returns:
        0 done, 1 not as it should be (`inspect`, `leaks`), 2 bad input (one message, no traceback), 130 stopped with
        Ctrl-C.

    Raises:
        SystemExit: 143, stopped with SIGTERM; 2, words that are no command line.
    """
    options = arguments.parser().parse_args(argv)
    try:
        with _stopped_by_sigterm():
            return VERBS[options.verb](options) or 0
    except (DataError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        # A full disk names no file; what was written before is whole.
        print("error: " + ": ".join(str(part) for part in (error.filename, error.strerror) if part), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped; the same line goes on where it can.", file=sys.stderr)
        return 130


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """While a verb runs, SIGTERM unwinds it as Ctrl-C does, so that no part of a file stays."""

    def stop(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():  # only there Python lets ask for signals
        yield
        return
    former = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def predict(options: argparse.Namespace) -> None:
    """Contour scans with a bundle."""
    from monai_gi.contouring import NotContouredError, contour, summary
    from monai_gi.prediction_request import Request

    request = Request(
        bundle=options.bundle,
        input=options.input,
        output=options.output,
        formats=tuple(dict.fromkeys(options.format or ())),
        weights=options.weights,
        device=options.device,
        precision=options.precision,
        tta=options.tta,
        thresholds=tuple(options.threshold or ()),
        series=options.series,
        allow_gaps=options.allow_gaps,
        max_pixels=options.max_pixels,
        overwrite=options.overwrite,
        trust=options.trust,
    )
    try:
        outcomes = contour(request)
    except NotContouredError as error:
        print(summary(error.outcomes), flush=True)
        raise
    print(summary(outcomes))


def series(options: argparse.Namespace) -> None:
    """List the scans in a file or folder."""
    from monai_gi.listing import scan_table

    print(scan_table(options.input, show_patient=options.show_patient))


def compare(options: argparse.Namespace) -> None:
    """Score one contour set against another."""
    from monai_gi.comparing import compare_files

    comparison = compare_files(
        options.a,
        options.b,
        options.series,
        dict(options.name),
        tolerance_mm=options.tolerance,
        allow_gaps=options.allow_gaps,
        output=options.output,
    )
    print(comparison.table())


def pack(options: argparse.Namespace) -> None:
    """Pack a bundle for others."""
    from monai_gi.sharing.pack import pack as pack_bundle

    max_bytes = int(options.max_megabytes * 1e6)
    path = pack_bundle(
        options.bundle,
        options.weights,
        options.output,
        sign=options.sign,
        allow=options.allow,
        max_bytes=max_bytes,
        version=options.version,
        scores=options.scores,
        overwrite=options.overwrite,
    )
    print(f"{path}: packed. Check it as its receiver would: monai-gi inspect {path}")


def inspect(options: argparse.Namespace) -> int:
    """Check a bundle before anything of it runs."""
    from monai_gi.sharing.inspection import inspect as inspect_bundle

    inspection = inspect_bundle(options.bundle, public_key=options.key)
    print(inspection.report(brief=options.brief))
    return 0 if inspection.ok else 1


def index_uw_madison(options: argparse.Namespace) -> None:
    """Check a data set and write its datalist."""
    from monai_gi.datasets.datalist import write_index

    report = write_index(
        options.dataset_dir,
        options.output,
        folds=options.folds,
        seed=options.seed,
        keep_known_bad=options.keep_known_bad,
    )
    print(report)


def index_dicom(options: argparse.Namespace) -> None:
    """Turn contoured DICOM series into training data."""
    from monai_gi.importing import index_dicom as index

    print(index(options.dicom_dir, options.output, names=options.name, folds=options.folds, seed=options.seed))


def index_cvc_clinicdb(options: argparse.Namespace) -> None:
    """Check frames of colonoscopy and write their datalist."""
    from monai_gi.datasets.cvc_clinicdb import write_index

    print(
        write_index(
            options.dataset_dir, options.output, protocol=options.protocol, folds=options.folds, seed=options.seed
        )
    )


def index_biopsy(options: argparse.Namespace) -> None:
    """Check slides with colour masks and write their datalist."""
    from monai_gi.slide_indexing import index_biopsy as index

    report = index(
        options.dataset_dir,
        options.output,
        colors=options.colors,
        folds=options.folds,
        seed=options.seed,
        max_pixels=options.max_pixels,
    )
    print(report)


def leaks(options: argparse.Namespace) -> int:
    """Look for nearly equal images in different folds."""
    from monai_gi.leaking import report_leaks

    report = report_leaks(options.datalist, options.dataset_dir, threshold=options.threshold, output=options.output)
    print(report.text)
    return 1 if report.pairs else 0


def compare_bundles(options: argparse.Namespace) -> None:
    """Train and judge several bundles alike."""
    from monai_gi.bundle_comparison import ComparisonRequest
    from monai_gi.bundle_comparison import compare_bundles as compare_all

    request = ComparisonRequest(
        bundles=tuple(name for name in options.bundles.split(",") if name),
        dataset_dir=options.dataset_dir,
        budget=options.budget,
        output=options.output,
        folds=options.folds,
        fold=options.fold,
        seed=options.seed,
        device=options.device,
        settings=tuple(options.set),
    )
    print(compare_all(request))


def phantom_uw_madison(options: argparse.Namespace) -> None:
    """Draw a data set in the layout of the contest."""
    from monai_gi.datasets.phantom.scans import SLICE_SPACING_MM, short_scan_spacing_mm
    from monai_gi.datasets.phantom.uw_madison import write_uw_madison

    write_uw_madison(
        options.dir,
        cases=options.cases,
        days=options.days,
        slices=options.slices,
        seed=options.seed,
        full_size=options.full_size,
    )
    spacing_mm = SLICE_SPACING_MM if options.full_size else short_scan_spacing_mm(options.slices)
    far = f" --slice_spacing_mm {spacing_mm:.1f}" if spacing_mm > SLICE_SPACING_MM else ""
    print(f"{options.dir}: drawn. Train on it with --dataset_dir {options.dir}{far}")


def phantom_dicom(options: argparse.Namespace) -> None:
    """Draw MR series as DICOM."""
    from monai_gi.drawing import draw_dicom

    folders = draw_dicom(
        options.dir,
        kinds=tuple(options.kind or ("axial",)),
        patients=options.patients,
        slices=options.slices,
        seed=options.seed,
        contours=options.contours,
    )
    print(f"{options.dir}: {len(folders)} series drawn. List them with: monai-gi series {options.dir}")


def phantom_cvc_clinicdb(options: argparse.Namespace) -> None:
    """Draw frames of colonoscopy."""
    from monai_gi.datasets.phantom.cvc_clinicdb import write_cvc_clinicdb

    write_cvc_clinicdb(options.dir, sequences=options.sequences, frames=options.frames, seed=options.seed)
    print(f"{options.dir}: drawn. Train on it with --dataset_dir {options.dir}")


def phantom_biopsy(options: argparse.Namespace) -> None:
    """Draw slides of biopsies."""
    from monai_gi.datasets.phantom.biopsy import write_biopsy

    write_biopsy(options.dir, slides=options.slides, megapixels=options.megapixels, seed=options.seed)
    index = f"monai-gi index biopsy {options.dir} --colors {options.dir / 'colors.yaml'}"
    print(f"{options.dir}: drawn. Index it with: {index} --output {options.dir / 'datalist.json'}")


def render_bundles(options: argparse.Namespace) -> None:
    """Write bundles/NAME from bundles/source."""
    from monai_gi import render

    changed = render.write_bundles(options.source)
    print("\n".join(map(str, changed)) or "every bundle is as its source renders it")


VERBS = {
    verb.__name__: verb
    for verb in (
        predict, series, compare, pack, inspect, index_uw_madison, index_dicom, index_cvc_clinicdb, index_biopsy, leaks,
        phantom_uw_madison, phantom_dicom, phantom_cvc_clinicdb, phantom_biopsy, compare_bundles, render_bundles,
    )
}  # fmt: skip
