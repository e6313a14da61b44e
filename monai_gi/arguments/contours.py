"""Words of the verbs that contour, list and compare scans."""

from pathlib import Path

from monai_gi.arguments.values import organ_names, organ_number
from monai_gi.arguments.verbs import Verbs, add_max_pixels, add_verb

FORMATS = (
    "rtstruct", "dicom-seg", "nifti", "submission", "overlay", "mask", "label-image", "geojson", "probability",
)  # fmt: skip


def add_predict(verbs: Verbs) -> None:
    """`predict`."""
    verb = add_verb(
        verbs,
        "predict",
        "contour scans, frames or slides with a bundle: DICOM, NIfTI, PNG, TIFF, SVS",
        "monai-gi predict segformer-0.1.0.zip DICOM_FOLDER --format rtstruct --format overlay",
    )
    verb.add_argument("bundle", type=Path, metavar="BUNDLE", help="a folder of bundles/, a packed folder or its .zip")
    verb.add_argument("input", type=Path, metavar="INPUT", help="a file or folder; what it is, its content tells")
    verb.add_argument(
        "--output",
        type=Path,
        default=Path("contours"),
        metavar="DIR",
        help="gets a folder for each scan, default contours",
    )
    verb.add_argument(
        "--format", action="append", choices=FORMATS, help="may be given again; by default all that suit the input"
    )
    verb.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="the network's weights, for a bundle that brings none; default runs/NAME/model.pt, where training puts it",
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
    add_max_pixels(verb)
    verb.add_argument("--overwrite", action="store_true", help="also redo scans that are already done")
    verb.add_argument(
        "--key", type=Path, metavar="PUBLIC.pem", help="refuse a bundle that the owner of this key did not sign"
    )
    verb.add_argument("--trust", action="store_true", help="run a bundle that `monai-gi inspect` warns of")


def add_series(verbs: Verbs) -> None:
    """`series`."""
    verb = add_verb(
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


def add_compare(verbs: Verbs) -> None:
    """`compare`."""
    verb = add_verb(
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
