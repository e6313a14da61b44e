"""The words of the command `monai-gi`: verbs, options and their help; nothing heavy is imported here."""

import argparse

from monai_gi import __version__
from monai_gi.arguments.bundles import add_compare_bundles, add_inspect, add_pack, add_render_bundles
from monai_gi.arguments.contours import FORMATS, add_compare, add_predict, add_series
from monai_gi.arguments.indexing import PROTOCOLS, add_index, add_leaks
from monai_gi.arguments.phantoms import KINDS, add_phantom
from monai_gi.arguments.verbs import Verbs

__all__ = ["FORMATS", "KINDS", "PROTOCOLS", "parser"]

VERBS = (
    add_predict, add_series, add_compare, add_pack, add_inspect, add_index, add_leaks, add_phantom,
    add_compare_bundles, add_render_bundles,
)  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """All verbs; `options.verb` is the name of a function in `monai_gi.cli`."""
    top = argparse.ArgumentParser(
        prog="monai-gi",
        description="From images of the gut to contours: MR scans, colonoscopy, biopsies. Research use only, "
        "not a medical device.",
        epilog="`monai-gi VERB --help` tells a verb's options and gives an example.",
    )
    top.add_argument("--version", action="version", version=f"monai-gi {__version__}")
    verbs: Verbs = top.add_subparsers(required=True, metavar="VERB")
    for add in VERBS:
        add(verbs)
    return top
