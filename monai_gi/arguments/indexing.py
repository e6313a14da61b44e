"""Words of the verbs that index a data set and look for leaks between its folds."""

import argparse
from pathlib import Path

from monai_gi.arguments.values import organ_names
from monai_gi.arguments.verbs import Verbs, add_kinds, add_max_pixels, add_verb

PROTOCOLS = ("sequence", "pranet-62", "random")


def add_index(verbs: Verbs) -> None:
    """`index KIND`: one function below for each kind."""
    kinds = add_kinds(
        verbs,
        "index",
        "check a data set and write its datalist",
        "monai-gi index uw-madison data/uw-madison",
    )
    for add in (_uw_madison, _dicom, _cvc_clinicdb, _biopsy):
        add(kinds)


def _uw_madison(kinds: Verbs) -> None:
    kind = _kind(
        kinds,
        "uw-madison",
        "the contest's folder with train.csv and train/",
        "monai-gi index uw-madison data/uw-madison",
        default="DATASET_DIR/datalist.json",
    )
    kind.add_argument("dataset_dir", type=Path, metavar="DATASET_DIR", help="the folder")
    kind.add_argument("--keep-known-bad", action="store_true", help="keep the scans published as mislabelled")


def _dicom(kinds: Verbs) -> None:
    kind = _kind(
        kinds,
        "dicom",
        "your own series with RTSTRUCT or DICOM SEG, as training data without patients' names",
        "monai-gi index dicom DICOM_FOLDER --output data/own/datalist.json --name stomach=Magen",
        default=None,
    )
    kind.add_argument("dicom_dir", type=Path, metavar="DIR", help="series and contours, nested and mixed as they come")
    kind.add_argument(
        "--name",
        action="append",
        type=organ_names,
        default=[],
        metavar="ORGAN=NAME",
        help="what an organ is called in the contours, in place of the usual names; may be given again",
    )
    kind.add_argument(
        "--take-automatic",
        action="store_true",
        help="also learn from contours of `monai-gi predict` that nobody approved, which are passed over by default",
    )


def _cvc_clinicdb(kinds: Verbs) -> None:
    kind = _kind(
        kinds,
        "cvc-clinicdb",
        "frames of colonoscopy with masks of polyps, PNG or TIF",
        "monai-gi index cvc-clinicdb data/cvc-clinicdb",
        default="DIR/datalist.json, of other protocols DIR/PROTOCOL.json",
    )
    kind.add_argument("dataset_dir", type=Path, metavar="DIR", help="the folder")
    kind.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default=PROTOCOLS[0],
        help="sequence (default) keeps a video in one fold; pranet-62 and random are other people's splits, which leak",
    )


def _biopsy(kinds: Verbs) -> None:
    kind = _kind(
        kinds,
        "biopsy",
        "slides of any size with colour masks, as pairs of files",
        "monai-gi index biopsy data/biopsy --colors data/biopsy/colors.yaml",
        default="DIR/datalist.json",
    )
    kind.add_argument("dataset_dir", type=Path, metavar="DIR", help="the folder, with images and masks below")
    kind.add_argument("--colors", type=Path, required=True, metavar="YAML", help="the table of colour, name and index")
    add_max_pixels(kind)


def _kind(kinds: Verbs, name: str, text: str, example: str, *, default: str | None) -> argparse.ArgumentParser:
    """A kind of data set; without a default in words, `--output` has to be given."""
    kind = add_verb(kinds, name, text, example)
    said = "the datalist (JSON) to write" + (f", default {default}" if default else "")
    kind.add_argument("--output", type=Path, required=default is None, metavar="FILE", help=said)
    kind.add_argument("--folds", type=int, default=5, metavar="N", help="default 5; whole groups are dealt into them")
    kind.add_argument("--seed", type=int, default=0, metavar="N", help="another seed deals anew")
    kind.set_defaults(verb=f"index_{name.replace('-', '_')}")
    return kind


def add_leaks(verbs: Verbs) -> None:
    """`leaks`."""
    verb = add_verb(
        verbs,
        "leaks",
        "look for nearly equal images in different folds of a datalist",
        "monai-gi leaks data/cvc-clinicdb/datalist.json --output leaks",
    )
    verb.add_argument("datalist", type=Path, metavar="DATALIST", help="of `monai-gi index`")
    verb.add_argument("--dataset_dir", type=Path, metavar="DIR", help="the images' folder, if not the datalist's")
    verb.add_argument(
        "--threshold", type=float, default=0.9, metavar="R", help="correlation that counts as nearly equal, default 0.9"
    )
    verb.add_argument("--output", type=Path, metavar="DIR", help="also write leaks.csv and pictures of the worst pairs")
