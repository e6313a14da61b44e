"""Look at data, results and the machine. A function a verb; heavy packages are imported inside."""

import argparse
import os


def app(options: argparse.Namespace) -> None:
    """Serve the page in the browser."""
    from monai_gi.app import AppRequest, auth_of, serve

    names = ("bundle", "weights", "host", "port", "max_upload_megabytes", "max_pixels", "device", "trust", "key")
    auth = options.auth if options.auth is not None else auth_of(os.environ)
    serve(AppRequest(**{name: getattr(options, name) for name in names}, auth=auth))


def report(options: argparse.Namespace) -> None:
    """Write runs and evaluations as one page."""
    from monai_gi.report import write_report

    print(write_report(options.runs, options.output, pdf=options.pdf))


def show(options: argparse.Namespace) -> None:
    """Write one picture of what a path holds."""
    from monai_gi.showing import show as show_path

    print(
        show_path(
            options.path,
            slice_number=options.slice,
            output=options.output,
            images=options.images,
            series=options.series,
        )
    )


def doctor(options: argparse.Namespace) -> int:
    """Tell what this machine has and lacks."""
    from monai_gi.diagnosis import doctor as examine

    diagnosis = examine(options.dataset_dir)
    print(diagnosis.text)
    return 0 if diagnosis.ok else 1


def completion(options: argparse.Namespace) -> None:
    """Print the script for the Tab key."""
    from monai_gi.arguments import parser
    from monai_gi.arguments.completion import completion_script

    print(completion_script(parser(), options.shell))
