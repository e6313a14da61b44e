"""Words of `phantom KIND`, which draws data sets to try things on."""

import argparse
from pathlib import Path

from monai_gi.arguments.verbs import Verbs, add_kinds, add_verb

KINDS = (
    "axial", "axial-reversed", "prone", "sagittal", "coronal", "oblique", "multi-frame", "rescaled", "implicit",
    "jpeg2000", "jpeg-ls", "rle", "jpeg-lossless", "missing-slice", "doubled-slice", "uneven-spacing",
    "mixed-orientation", "mixed-size", "no-pixel-data", "localizer", "ct",
)  # fmt: skip


def add_phantom(verbs: Verbs) -> None:
    """`phantom KIND`: one function below for each kind."""
    kinds = add_kinds(
        verbs, "phantom", "draw a data set to try things on", "monai-gi phantom uw-madison data/phantom --cases 6"
    )
    for add in (_uw_madison, _dicom, _cvc_clinicdb, _biopsy):
        add(kinds)


def _uw_madison(kinds: Verbs) -> None:
    kind = _kind(
        kinds,
        "uw-madison",
        "abdominal MR slices with run lengths, in the contest's layout",
        "monai-gi phantom uw-madison data/phantom --cases 6",
    )
    kind.add_argument("--cases", type=int, default=4, metavar="N", help="default 4")
    kind.add_argument("--days", type=int, default=2, metavar="N", help="scans of each case, default 2")
    kind.add_argument("--full-size", action="store_true", help="144 slices a scan, as the real ones")
    kind.add_argument("--slices", type=int, default=24, metavar="N", help="slices of each scan, default 24")


def _dicom(kinds: Verbs) -> None:
    kind = _kind(
        kinds,
        "dicom",
        "abdominal MR series, and the odd ones that must be refused",
        "monai-gi phantom dicom data/dicom --kind axial --kind oblique --contours",
    )
    kind.add_argument("--patients", type=int, default=1, metavar="N", help="each gets every kind, default 1")
    kind.add_argument(
        "--kind",
        action="append",
        choices=KINDS,
        metavar="KIND",
        help=f"may be given again: {', '.join(KINDS)}; default axial",
    )
    kind.add_argument("--contours", action="store_true", help="write the drawn organs as RTSTRUCT beside each series")
    kind.add_argument("--slices", type=int, default=24, metavar="N", help="slices of each series, default 24")


def _cvc_clinicdb(kinds: Verbs) -> None:
    kind = _kind(
        kinds,
        "cvc-clinicdb",
        "frames of colonoscopy with polyps, in the layout of CVC-ClinicDB",
        "monai-gi phantom cvc-clinicdb data/polyps --sequences 10",
    )
    kind.add_argument("--sequences", type=int, default=6, metavar="N", help="videos, each with its polyp, default 6")
    kind.add_argument("--frames", type=int, default=20, metavar="N", help="of each sequence, default 20")


def _biopsy(kinds: Verbs) -> None:
    kind = _kind(
        kinds,
        "biopsy",
        "slides of kidney biopsies with colour masks and their table of colours",
        "monai-gi phantom biopsy data/biopsy --slides 4 --megapixels 16",
    )
    kind.add_argument("--slides", type=int, default=2, metavar="N", help="default 2")
    kind.add_argument("--megapixels", type=float, default=4.0, metavar="M", help="of each slide, default 4")


def _kind(kinds: Verbs, name: str, text: str, example: str) -> argparse.ArgumentParser:
    kind = add_verb(kinds, name, text, example)
    kind.add_argument("dir", type=Path, metavar="DIR", help="a new or empty folder")
    kind.add_argument("--seed", type=int, default=0, metavar="N", help="decides everything")
    kind.set_defaults(verb=f"phantom_{name.replace('-', '_')}")
    return kind
