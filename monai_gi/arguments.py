"""The words of the command `monai-gi`: verbs, options and their help; nothing heavy is imported here."""

import argparse
from pathlib import Path
from textwrap import fill
from typing import TypeAlias

from monai_gi import __version__

Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
FORMATS = ("rtstruct", "dicom-seg", "nifti", "submission", "overlay")
KINDS = (
    "axial", "axial-reversed", "prone", "sagittal", "coronal", "oblique", "multi-frame", "rescaled", "implicit",
    "jpeg2000", "jpeg-ls", "rle", "jpeg-lossless", "missing-slice", "doubled-slice", "uneven-spacing",
    "mixed-orientation", "mixed-size", "no-pixel-data", "localizer", "ct",
)  # fmt: skip
_WIDTH = 78


def parser() -> argparse.ArgumentParser:
    """All verbs; `options.verb` is the name of a function in `monai_gi.cli`."""
    top = argparse.ArgumentParser(
        prog="monai-gi",
        description="From MR scans to stomach and bowel contours. Research use only, not a medical device.",
        epilog="`monai-gi VERB --help` tells a verb's options and gives an example.",
    )
    top.add_argument("--version", action="version", version=f"monai-gi {__version__}")
    verbs = top.add_subparsers(required=True, metavar="VERB")
    for add in (_predict, _series, _compare, _pack, _inspect, _index, _phantom, _render_bundles):
        add(verbs)
    return top


def organ_number(text: str) -> tuple[str | None, float]:
    """`0.4` for all organs, or `stomach=0.4` for one.

    Args:
        text: as on the command line.

    Returns:
        The organ or None, and the number.

    Raises:
        ArgumentTypeError: there is no number.
    """
    organ, equals, number = text.rpartition("=")
    try:
        return (organ if equals else None), float(number)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}, wanted a number such as 0.4, or stomach=0.4") from None


def organ_names(text: str) -> tuple[str, str]:
    """`stomach=Magen`: one of our organs, and the name of its contours in the files.

    Args:
        text: as on the command line.

    Returns:
        The organ and the name.

    Raises:
        ArgumentTypeError: one of them is missing.
    """
    organ, _, name = text.partition("=")
    if not organ or not name:
        raise argparse.ArgumentTypeError(f"{text!r}, wanted ORGAN=NAME such as stomach=Magen")
    return organ, name


def _verb(verbs: Verbs, name: str, text: str, example: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(
        name,
        help=text,
        description=fill(text[0].upper() + text[1:], _WIDTH),
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,  # a wrapped example could not be copied
    )
    parser.set_defaults(verb=name.replace("-", "_"))
    return parser


def _kinds(verbs: Verbs, name: str, text: str) -> Verbs:
    parser = verbs.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:],
        epilog=f"`monai-gi {name} KIND --help` tells a kind's options and gives an example.",
    )
    kinds: Verbs = parser.add_subparsers(required=True, metavar="KIND")
    return kinds


def _predict(verbs: Verbs) -> None:
    verb = _verb(
        verbs,
        "predict",
        "contour scans with a bundle: DICOM, NIfTI, the contest's folders, PNG or TIFF",
        "monai-gi predict segformer-0.1.0.zip DICOM_FOLDER --output contours --format rtstruct --format overlay",
    )
    verb.add_argument("bundle", type=Path, metavar="BUNDLE", help="a folder of bundles/, a packed folder or its .zip")
    verb.add_argument("input", type=Path, metavar="INPUT", help="a file or folder; what it is, its content tells")
    verb.add_argument("--output", type=Path, required=True, metavar="DIR", help="gets a folder for each scan")
    verb.add_argument(
        "--format", action="append", choices=FORMATS, help="may be given again; by default all that suit the input"
    )
    verb.add_argument(
        "--weights", type=Path, metavar="FILE", help="the network's weights, for a bundle that brings none"
    )
    verb.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")
    verb.add_argument(
        "--precision",
        choices=("auto", "float32"),
        help="auto takes 16 bits where the device is quicker so: fp16 on CUDA, bf16 on CPUs that have it; by default "
        "packed bundles run in float32, for the same masks everywhere, and others in auto",
    )
    verb.add_argument("--tta", action="store_true", help="also predict the mirrored scan and average: twice the time")
    verb.add_argument(
        "--threshold",
        action="append",
        type=organ_number,
        metavar="[ORGAN=]P",
        help="probability from which a voxel is inside, for all organs or as stomach=0.4 for one; may be given again",
    )
    verb.add_argument("--series", metavar="UID", help="only this series; `monai-gi series INPUT` lists them")
    verb.add_argument("--allow-gaps", action="store_true", help="contour a series although slices are missing")
    verb.add_argument("--overwrite", action="store_true", help="also redo scans that are already done")
    verb.add_argument("--trust", action="store_true", help="run a bundle that `monai-gi inspect` warns of")


def _series(verbs: Verbs) -> None:
    verb = _verb(
        verbs,
        "series",
        "list the scans in a file or folder, and what keeps one from being contoured",
        "monai-gi series DICOM_FOLDER",
    )
    verb.add_argument("input", type=Path, metavar="INPUT", help="a file or folder; what it is, its content tells")
    verb.add_argument(
        "--show-patient",
        action="store_true",
        help="also the patient and the series' description, which are hidden by default",
    )


def _compare(verbs: Verbs) -> None:
    verb = _verb(
        verbs,
        "compare",
        "score contours B against contours A (RTSTRUCT, DICOM SEG or NIfTI labels), in mm",
        "monai-gi compare clinician.dcm contours/SERIES/rtstruct.dcm --series DICOM_FOLDER",
    )
    verb.add_argument("a", type=Path, metavar="A", help="the reference")
    verb.add_argument("b", type=Path, metavar="B", help="what is scored")
    verb.add_argument("--series", type=Path, metavar="DIR", help="the images, where they do not lie beside A or B")
    verb.add_argument(
        "--name",
        action="append",
        type=organ_names,
        default=[],
        metavar="NAME_A=NAME_B",
        help="two structures that are one and named differently, such as stomach=Magen; may be given again",
    )
    verb.add_argument("--allow-gaps", action="store_true", help="take a series although slices are missing")
    verb.add_argument("--tolerance", type=float, default=3.0, metavar="MM", help="of the surface Dice, default 3 mm")
    verb.add_argument("--output", type=Path, metavar="FILE", help="also write the table as .json or .csv")


def _pack(verbs: Verbs) -> None:
    verb = _verb(
        verbs,
        "pack",
        "make a bundle that another hospital can check and plain MONAI can run",
        "monai-gi pack bundles/segformer --weights runs/segformer/model.pt --output segformer-0.1.0.zip",
    )
    verb.add_argument("bundle", type=Path, metavar="BUNDLE", help="a folder of bundles/")
    verb.add_argument("--weights", type=Path, required=True, metavar="FILE", help="model.pt of the run that trained it")
    verb.add_argument("--output", type=Path, required=True, metavar="ZIP", help="the file to write")
    verb.add_argument("--sign", type=Path, metavar="KEY.pem", help="sign the manifest with this Ed25519 key")
    verb.add_argument(
        "--allow", action="append", default=[], metavar="TEXT", help="an identifier that may leave; may be given again"
    )
    verb.add_argument("--overwrite", action="store_true", help="replace a zip that is there already")
    verb.add_argument("--version", metavar="X.Y.Z", help="of the packed bundle, if not that of its metadata.json")
    verb.add_argument(
        "--scores", type=Path, metavar="FILE", help="summary.json of an evaluation, if not RUN/evaluation/summary.json"
    )
    verb.add_argument(
        "--max-megabytes", type=float, default=2000.0, metavar="N", help="refuse a larger bundle, default 2000"
    )


def _inspect(verbs: Verbs) -> None:
    verb = _verb(verbs, "inspect", "check a bundle before anything of it runs", "monai-gi inspect segformer-0.1.0.zip")
    verb.add_argument("bundle", type=Path, metavar="BUNDLE", help="a .zip or a folder")
    verb.add_argument("--key", type=Path, metavar="PUBLIC.pem", help="the signer's public key, got from the signer")
    verb.add_argument("--brief", action="store_true", help="count what the allow-list covers instead of listing it")


def _index(verbs: Verbs) -> None:
    kinds = _kinds(verbs, "index", "check a data set and write its datalist")
    contest = _verb(
        kinds,
        "uw-madison",
        "the contest's folder with train.csv and train/",
        "monai-gi index uw-madison data/uw-madison --output data/uw-madison/datalist.json",
    )
    contest.add_argument("dataset_dir", type=Path, metavar="DATASET_DIR", help="the folder")
    contest.add_argument("--keep-known-bad", action="store_true", help="keep the scans published as mislabelled")
    own = _verb(
        kinds,
        "dicom",
        "your own series with RTSTRUCT or DICOM SEG, as training data without patients' names",
        "monai-gi index dicom DICOM_FOLDER --output data/own/datalist.json --name stomach=Magen",
    )
    own.add_argument("dicom_dir", type=Path, metavar="DIR", help="series and contours, nested and mixed as they come")
    own.add_argument(
        "--name",
        action="append",
        type=organ_names,
        default=[],
        metavar="ORGAN=NAME",
        help="what an organ is called in the contours, in place of the usual names; may be given again",
    )
    for kind, verb in ((contest, "index_uw_madison"), (own, "index_dicom")):
        kind.add_argument("--output", type=Path, required=True, metavar="FILE", help="the datalist (JSON) to write")
        kind.add_argument("--folds", type=int, default=5, metavar="N", help="default 5; patients are dealt into them")
        kind.add_argument("--seed", type=int, default=0, metavar="N", help="another seed deals anew")
        kind.set_defaults(verb=verb)


def _phantom(verbs: Verbs) -> None:
    kinds = _kinds(verbs, "phantom", "draw a data set to try things on")
    contest = _verb(
        kinds,
        "uw-madison",
        "abdominal MR slices with run lengths, in the contest's layout",
        "monai-gi phantom uw-madison data/phantom --cases 6",
    )
    contest.add_argument("--cases", type=int, default=4, metavar="N", help="default 4")
    contest.add_argument("--days", type=int, default=2, metavar="N", help="scans of each case, default 2")
    contest.add_argument("--full-size", action="store_true", help="144 slices a scan, as the real ones")
    dicom = _verb(
        kinds,
        "dicom",
        "abdominal MR series, and the odd ones that must be refused",
        "monai-gi phantom dicom data/dicom --kind axial --kind oblique --contours",
    )
    dicom.add_argument("--patients", type=int, default=1, metavar="N", help="each gets every kind, default 1")
    dicom.add_argument(
        "--kind",
        action="append",
        choices=KINDS,
        metavar="KIND",
        help=f"may be given again: {', '.join(KINDS)}; default axial",
    )
    dicom.add_argument("--contours", action="store_true", help="write the drawn organs as RTSTRUCT beside each series")
    for kind, verb in ((contest, "phantom_uw_madison"), (dicom, "phantom_dicom")):
        kind.add_argument("dir", type=Path, metavar="DIR", help="a new or empty folder")
        kind.add_argument("--slices", type=int, default=24, metavar="N", help="slices of each scan, default 24")
        kind.add_argument("--seed", type=int, default=0, metavar="N", help="decides everything")
        kind.set_defaults(verb=verb)


def _render_bundles(verbs: Verbs) -> None:
    verb = _verb(verbs, "render-bundles", "write bundles/NAME from bundles/source", "monai-gi render-bundles")
    verb.add_argument(
        "--source", type=Path, default=Path("bundles/source"), metavar="DIR", help="default bundles/source"
    )
