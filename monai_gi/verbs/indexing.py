"""Index data sets, and look for leaks between their folds. A function a verb; heavy packages are imported inside."""

import argparse
from pathlib import Path

from monai_gi.errors import DataError


def index_uw_madison(options: argparse.Namespace) -> None:
    """Check a data set and write its datalist."""
    from monai_gi.datasets.datalist import write_index

    output = _output_of(options)
    report = write_index(
        options.dataset_dir,
        output,
        folds=options.folds,
        seed=options.seed,
        keep_known_bad=options.keep_known_bad,
    )
    print(f"{report}\n{output}: written")


def index_dicom(options: argparse.Namespace) -> None:
    """Turn contoured DICOM series into training data."""
    from monai_gi.importing import index_dicom as index

    try:
        report = index(
            options.dicom_dir,
            options.output,
            names=options.name,
            folds=options.folds,
            seed=options.seed,
            take_automatic=options.take_automatic,
        )
    except DataError as error:
        raise error.seen_from(options.dicom_dir) from None
    print(report)


def index_cvc_clinicdb(options: argparse.Namespace) -> None:
    """Check frames of colonoscopy and write their datalist."""
    from monai_gi.datasets.cvc_clinicdb import write_index
    from monai_gi.datasets.cvc_protocols import SEQUENCE

    output = _output_of(options) if options.protocol == SEQUENCE else _output_of(options, f"{options.protocol}.json")
    report = write_index(options.dataset_dir, output, protocol=options.protocol, folds=options.folds, seed=options.seed)
    print(f"{report}\n{output}: written")


def index_biopsy(options: argparse.Namespace) -> None:
    """Check slides with colour masks and write their datalist."""
    from monai_gi.slide_indexing import index_biopsy as index

    output = _output_of(options)
    report = index(
        options.dataset_dir,
        output,
        colors=options.colors,
        folds=options.folds,
        seed=options.seed,
        max_pixels=options.max_pixels,
    )
    print(f"{report}\n{output}: written")


def leaks(options: argparse.Namespace) -> int:
    """Look for nearly equal images in different folds."""
    from monai_gi.leaking import report_leaks

    report = report_leaks(options.datalist, options.dataset_dir, threshold=options.threshold, output=options.output)
    print(report.text)
    return 1 if report.pairs else 0


def _output_of(options: argparse.Namespace, name: str = "datalist.json") -> Path:
    """The file that was asked for, else the one where training looks for it."""
    return options.output or options.dataset_dir / name
