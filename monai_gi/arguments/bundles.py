"""Words of the verbs that share, check, render and compare bundles."""

from pathlib import Path

from monai_gi.arguments.values import bundle_setting
from monai_gi.arguments.verbs import Verbs, add_verb


def add_pack(verbs: Verbs) -> None:
    """`pack`."""
    verb = add_verb(
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
        "--scores",
        metavar="FILE",
        help="summary.json of an evaluation of these weights, if not RUN/evaluation/summary.json; none packs no scores",
    )
    verb.add_argument(
        "--max-megabytes", type=float, default=2000.0, metavar="N", help="refuse a larger file, default 2000"
    )


def add_inspect(verbs: Verbs) -> None:
    """`inspect`."""
    verb = add_verb(
        verbs, "inspect", "check a bundle before anything of it runs", "monai-gi inspect segformer-0.1.0.zip"
    )
    verb.add_argument("bundle", type=Path, metavar="BUNDLE", help="a .zip or a folder")
    verb.add_argument("--key", type=Path, metavar="PUBLIC.pem", help="the signer's public key, got from the signer")
    verb.add_argument("--brief", action="store_true", help="count what the allow-list covers instead of listing it")


def add_render_bundles(verbs: Verbs) -> None:
    """`render-bundles`."""
    verb = add_verb(verbs, "render-bundles", "write bundles/NAME from bundles/source", "monai-gi render-bundles")
    verb.add_argument(
        "--source", type=Path, default=Path("bundles/source"), metavar="DIR", help="default bundles/source"
    )


def add_compare_bundles(verbs: Verbs) -> None:
    """`compare-bundles`."""
    verb = add_verb(
        verbs,
        "compare-bundles",
        "train and judge several bundles alike, and write one table",
        "monai-gi compare-bundles --bundles basic_unet,segformer --dataset_dir data/phantom --budget 10m",
    )
    verb.add_argument(
        "--bundles",
        required=True,
        metavar="NAME,NAME",
        help="folders of bundles/, between commas; NAME=FOLDER is one more row of a bundle, for settings of its own",
    )
    verb.add_argument("--dataset_dir", type=Path, required=True, metavar="DIR", help="the data of all of them")
    verb.add_argument("--budget", required=True, metavar="B", help="training of each: 90s, 10m, 2h, or 3epochs")
    verb.add_argument(
        "--output",
        type=Path,
        default=Path("runs/comparison"),
        metavar="DIR",
        help="gets the runs, the table and the plot, default runs/comparison",
    )
    verb.add_argument("--folds", type=int, default=5, metavar="N", help="default 5")
    verb.add_argument("--fold", type=int, default=0, metavar="K", help="the one to judge on, default 0")
    verb.add_argument("--seed", type=int, default=0, metavar="N", help="default 0")
    verb.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")
    verb.add_argument(
        "--set",
        action="append",
        type=bundle_setting,
        default=[],
        metavar="[NAME:]ID=VALUE",
        help="a setting of the configs, for all rows or for one, as in b4:network_def#variant=b4; may be given again",
    )
