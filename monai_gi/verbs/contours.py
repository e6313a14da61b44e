"""Contour scans, frames and slides, and compare contours. A function a verb; heavy packages are imported inside."""

import argparse


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
        key=options.key,
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
