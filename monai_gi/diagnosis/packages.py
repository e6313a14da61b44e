"""Which packages are there, in which version, and how to get those that are not."""

from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from monai_gi.browser import find_browser
from monai_gi.diagnosis.lines import ABSENT, FAULT, NOTE, OK, Line

SHOWN = ("torch", "monai", "transformers", "numpy", "nibabel", "pydicom", "matplotlib")
"""Their versions decide results; the others are named only where they are missing or of the wrong version."""

EXTRAS = {
    "app": ("the app in the browser", ("gradio",)),
    "dicom": ("DICOM SEG and compressed series", ("highdicom", "pylibjpeg", "pyjpegls")),
    "sharing": ("signatures of bundles", ("cryptography",)),
    "wsi": ("slides", ("openslide-python", "openslide-bin", "tifffile", "zarr")),
    "docs": ("the pages of docs/", ("mkdocs", "mkdocs-material", "mkdocstrings")),
}
Version = Callable[[str], str | None]


def installed_version(name: str) -> str | None:
    """The version of a package.

    Args:
        name: as it is installed by.

    Returns:
        None where it is not there.
    """
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def required() -> list[Requirement]:
    """What `monai_gi` itself wants, extras left out.

    Returns:
        As its metadata say; none where it runs without being installed.
    """
    try:
        texts = metadata.requires("monai_gi") or []
    except metadata.PackageNotFoundError:
        return []
    wanted = [Requirement(text) for text in texts]
    return [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]


def required_lines(wanted: Sequence[Requirement], version: Version = installed_version) -> list[Line]:
    """Check the packages that everybody needs.

    Args:
        wanted: with the versions that will do.
        version: of an installed package.

    Returns:
        A line of versions, and one for each package that is missing or of another version.
    """
    if not wanted:
        return [Line(NOTE, "monai_gi is not installed, so its wishes are unknown: pip install -c constraints.txt -e .")]
    found = {one.name: version(one.name) for one in wanted}
    named = [f"{name} {found[name]}" for name in SHOWN if found.get(name)]
    return [Line(OK, ", ".join(named) or "packages"), *_faults(wanted, found)]


def _faults(wanted: Sequence[Requirement], found: dict[str, str | None]) -> list[Line]:
    lines = []
    for one in wanted:
        there = found[one.name]
        if there is None or not one.specifier.contains(there, prereleases=True):
            state = "is missing" if there is None else f"{there} is there, {one.specifier} wanted"
            lines.append(Line(FAULT, f"{one.name} {state}: pip install '{one.name}{one.specifier}'"))
    return lines


def extra_lines(version: Version = installed_version) -> list[Line]:
    """Check the packages that only some need.

    Args:
        version: of an installed package.

    Returns:
        A line an extra, and one for the browser that writes PDF.
    """
    return [*(_extra_line(extra, version) for extra in EXTRAS), _browser_line()]


def _extra_line(extra: str, version: Version) -> Line:
    purpose, names = EXTRAS[extra]
    missing = [name for name in names if version(name) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        problem = f"{extra} ({purpose}): {', '.join(missing)} {verb} missing"
        return Line(ABSENT, f"{problem}: pip install 'monai_gi[{extra}]'")
    return Line(OK, f"{extra} ({purpose}): {', '.join(f'{name} {version(name)}' for name in names)}")


def _browser_line() -> Line:
    found = find_browser()
    if found:
        return Line(OK, f"{Path(found).name} (reports as PDF)")
    return Line(ABSENT, "chromium (reports as PDF): apt install chromium, or print the report from your browser")
