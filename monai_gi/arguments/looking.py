"""Words of the verbs that look: at data and results, at the machine, at the command line itself."""

from pathlib import Path

from monai_gi.arguments.completion import SHELLS
from monai_gi.arguments.verbs import Verbs, add_max_pixels, add_verb


def add_app(verbs: Verbs) -> None:
    """`app`."""
    verb = add_verb(
        verbs,
        "app",
        "contour in the browser: drop in a scan, look through it, download the contours",
        "monai-gi app --bundle bundles/segformer --weights runs/segformer/model.pt",
    )
    verb.add_argument("--bundle", type=Path, metavar="BUNDLE", help="a folder of bundles/, a packed folder or its .zip")
    verb.add_argument("--weights", type=Path, metavar="FILE", help="for a bundle that brings none")
    verb.add_argument(
        "--host", default="127.0.0.1", help="default 127.0.0.1, this machine alone; others need a password"
    )
    verb.add_argument("--port", type=int, default=7860, metavar="N", help="default 7860")
    verb.add_argument(
        "--auth",
        metavar="USER:PASSWORD",
        help="what a visitor must know; better set MONAI_GI_APP_AUTH, as others on this machine see options",
    )
    verb.add_argument("--max-upload-megabytes", type=int, default=500, metavar="N", help="largest upload, default 500")
    add_max_pixels(verb)
    verb.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")
    verb.add_argument("--trust", action="store_true", help="run a bundle that `monai-gi inspect` warns of")
    verb.add_argument(
        "--key", type=Path, metavar="PUBLIC.pem", help="refuse a bundle that the owner of this key did not sign"
    )


def add_report(verbs: Verbs) -> None:
    """`report`."""
    verb = add_verb(
        verbs,
        "report",
        "write runs and their evaluations as one page to read; several are compared",
        "monai-gi report runs/segformer runs/basic_unet",
    )
    verb.add_argument("runs", type=Path, nargs="+", metavar="RUN_OR_EVALUATION", help="folders of runs or evaluations")
    verb.add_argument("--output", type=Path, default=Path("report.html"), metavar="HTML", help="default report.html")
    verb.add_argument("--pdf", action="store_true", help="also a PDF beside it, by Chromium where there is one")


def add_show(verbs: Verbs) -> None:
    """`show`."""
    verb = add_verb(
        verbs,
        "show",
        "write one picture of any scan, frame, slide, label or result",
        "monai-gi show data/phantom/train --output phantom.png",
    )
    verb.add_argument("path", type=Path, metavar="PATH", help="a file or folder; what it is, its content tells")
    verb.add_argument("--slice", type=int, metavar="N", help="this slice or picture alone and large, by its number")
    verb.add_argument("--output", type=Path, metavar="FILE", help="the PNG, default show-NAME.png in this folder")
    verb.add_argument(
        "--images", type=Path, metavar="PATH", help="draw labels or results on these, where they do not lie beside"
    )
    verb.add_argument("--series", metavar="UID", help="only this series; `monai-gi series PATH` lists them")


def add_doctor(verbs: Verbs) -> None:
    """`doctor`."""
    verb = add_verb(
        verbs,
        "doctor",
        "tell what this machine has and lacks: versions, devices, memory, disk, data, weights",
        "monai-gi doctor --dataset_dir data/phantom",
    )
    verb.add_argument("--dataset_dir", type=Path, metavar="DIR", help="look at this data set, default all in data/")


def add_completion(verbs: Verbs) -> None:
    """`completion`."""
    verb = add_verb(
        verbs,
        "completion",
        "print the script that lets the Tab key complete verbs, options and values",
        "monai-gi completion bash > monai-gi-completion.bash",
    )
    verb.add_argument("shell", choices=SHELLS, metavar="SHELL", help=f"{', '.join(SHELLS)}; the script says where to")
