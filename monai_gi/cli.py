"""The command `monai-gi`: one function a verb; heavy packages are imported inside the verb."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from monai_gi import __version__
from monai_gi.errors import DataError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        argv: the words after `monai-gi`; the command line when None.

    Returns:
        0 done, 2 bad input (one message, no traceback), 130 stopped with Ctrl-C.
    """
    options = _parser().parse_args(argv)
    try:
        options.verb(options)
    except (DataError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped; the same line goes on where it can.", file=sys.stderr)
        return 130
    return 0


def phantom_uw_madison(options: argparse.Namespace) -> None:
    """Draw a data set in the layout of the contest."""
    from monai_gi.datasets.phantom.uw_madison import write_uw_madison

    write_uw_madison(
        options.dir,
        cases=options.cases,
        days=options.days,
        slices=options.slices,
        seed=options.seed,
        full_size=options.full_size,
    )
    print(f"{options.dir}: drawn. Train on it with --dataset_dir {options.dir}")


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


def render_bundles(options: argparse.Namespace) -> None:
    """Write bundles/NAME from bundles/source."""
    from monai_gi import render

    changed = render.write_bundles(options.source)
    print("\n".join(map(str, changed)) or "every bundle is as its source renders it")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="monai-gi", description="From MR scans to stomach and bowel contours.")
    parser.add_argument("--version", action="version", version=f"monai-gi {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_phantom(verbs)
    _add_index(verbs)
    render = verbs.add_parser("render-bundles", help="write bundles/NAME from bundles/source")
    render.add_argument("--source", type=Path, default=Path("bundles/source"))
    render.set_defaults(verb=render_bundles)
    return parser


def _add_phantom(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    kinds = verbs.add_parser("phantom", help="draw a data set to try things on").add_subparsers(
        required=True, metavar="KIND"
    )
    kind = kinds.add_parser(
        "uw-madison",
        help="abdominal MR slices with run lengths, in the contest's layout",
        epilog="example: monai-gi phantom uw-madison data/phantom --cases 6",
    )
    kind.add_argument("dir", type=Path, metavar="DIR", help="a new or empty folder")
    kind.add_argument("--cases", type=int, default=4)
    kind.add_argument("--days", type=int, default=2, help="scans of each case")
    kind.add_argument("--slices", type=int, default=24, help="slices of each scan")
    kind.add_argument("--seed", type=int, default=0)
    kind.add_argument("--full-size", action="store_true", help="144 slices a scan, as the real ones")
    kind.set_defaults(verb=phantom_uw_madison)


def _add_index(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    kinds = verbs.add_parser("index", help="check a data set and write its datalist").add_subparsers(
        required=True, metavar="KIND"
    )
    kind = kinds.add_parser(
        "uw-madison",
        help="the contest's folder with train.csv and train/",
        epilog="example: monai-gi index uw-madison data/uw-madison --output data/uw-madison/datalist.json",
    )
    kind.add_argument("dataset_dir", type=Path, metavar="DATASET_DIR")
    kind.add_argument("--output", type=Path, required=True, help="the datalist JSON to write")
    kind.add_argument("--folds", type=int, default=5)
    kind.add_argument("--seed", type=int, default=0)
    kind.add_argument("--keep-known-bad", action="store_true", help="keep the scans published as mislabelled")
    kind.set_defaults(verb=index_uw_madison)
