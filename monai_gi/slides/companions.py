"""The files of a slide: most have one; of others the file that is named is a small index of those with the pixels."""

from pathlib import Path

_LARGEST_INDEX = 2**20


def files_of(path: str | Path) -> list[Path]:
    """List the files that a slide consists of.

    Args:
        path: of the slide. MRXS has a folder of its name beside it, VMS and VMU name pictures that lie beside them; a
            slide in DICOM counts as the one file that is named.

    Returns:
        The path, and the others sorted.

    Source: https://openslide.org/formats/mirax/, https://openslide.org/formats/hamamatsu/
    """
    path = Path(path)
    others: list[Path] = []
    if path.suffix.lower() == ".mrxs":
        others = [file for file in path.with_suffix("").rglob("*") if file.is_file()]
    elif path.suffix.lower() in (".vms", ".vmu"):
        with path.open(encoding="latin-1") as index:
            named = {line.partition("=")[2].strip() for line in index.read(_LARGEST_INDEX).splitlines()}
        others = [file for file in path.parent.iterdir() if file.name in named and file.is_file()]
    return [path, *sorted(others)]
