"""The words of the command `monai-gi`: verbs, options and their help; nothing heavy is imported here."""

import argparse

from monai_gi import __version__
from monai_gi.arguments.bundles import add_compare_bundles, add_inspect, add_pack, add_render_bundles
from monai_gi.arguments.contours import FORMATS, add_compare, add_predict, add_series
from monai_gi.arguments.indexing import PROTOCOLS, add_index, add_leaks
from monai_gi.arguments.looking import add_app, add_completion, add_doctor, add_report, add_show
from monai_gi.arguments.phantoms import KINDS, add_phantom
from monai_gi.arguments.verbs import Verbs

__all__ = ["FORMATS", "KINDS", "PROTOCOLS", "parser"]

VERBS = (
    add_predict, add_series, add_compare, add_app, add_report, add_show, add_index, add_leaks, add_phantom,
    add_pack, add_inspect, add_compare_bundles, add_render_bundles, add_doctor, add_completion,
)  # fmt: skip

_EPILOG = """\
example:
  monai-gi predict segformer-0.1.0.zip DICOM_FOLDER

`monai-gi VERB --help` tells a verb's options and gives an example.

exit codes:
  0    done
  1    failed (a full disk; compare-bundles: no score), or not as it should be (inspect, leaks, doctor)
  2    bad input: one message says what was found, what was wanted and the repair
  130  stopped with Ctrl-C; the same line goes on where it can
  143  stopped with SIGTERM"""


def parser() -> argparse.ArgumentParser:
    """All verbs; `options.verb` is the name of a function in `monai_gi.cli`."""
    top = argparse.ArgumentParser(
        prog="monai-gi",
        description="From images of the gut to contours: MR scans, colonoscopy, biopsies.\n"
        "Research use only, not a medical device.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"monai-gi {__version__}")
    verbs: Verbs = top.add_subparsers(required=True, metavar="VERB")
    for add in VERBS:
        add(verbs)
    return top
