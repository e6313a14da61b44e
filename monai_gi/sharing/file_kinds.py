"""Files of a bundle that are neither configs nor weights: text and pictures are fine, code and pickles are not."""

from pathlib import Path

from monai_gi.sharing.findings import NOTE, WRONG, Finding

TEXTS = frozenset({".md", ".txt", ".rst", ".csv", ".bib", ".cff"})
TEXT_NAMES = frozenset({"LICENSE", "LICENCE", "NOTICE", "AUTHORS", "README", "VERSION"})
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".pdf"})
CODE = frozenset(
    """
    .py .pyc .pyo .pyd .pyx .so .dll .dylib .exe .com .sh .bash .zsh .bat .cmd .ps1 .vbs .js .jar .msi .deb .rpm .ipynb
    .html .htm
    """.split()  # noqa: SIM905  a list of 22 lines says no more
)
PICKLES = frozenset({".pkl", ".pickle", ".p", ".joblib", ".dill", ".npy", ".npz", ".h5", ".hdf5", ".keras", ".mat"})
ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".whl", ".egg"})
BEGINNINGS = {
    b"PK\x03\x04": "a zip archive",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"\xcf\xfa\xed\xfe": "a program",
    b"\xca\xfe\xba\xbe": "a program",
    b"#!": "a script",
    b"\x1f\x8b": "compressed data",
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"\x93NUMPY": "a numpy array, which may hold a pickle",
}


END_OF_ARCHIVE = b"PK\x05\x06"
ARCHIVE_END_BYTES = 80_000  # readers of zips look for the end no further from the last byte


def hidden_archive_findings(name: str, path: Path) -> list[Finding]:
    """Find an archive behind something else: readers of zips, PyTorch's too, start at a file's end.

    Args:
        name: in the bundle.
        path: a file that is no archive by its kind.

    Returns:
        At most one finding.
    """
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - ARCHIVE_END_BYTES))
        is_archive = END_OF_ARCHIVE in file.read()
    return [Finding(WRONG, name, "holds a zip archive behind its beginning.")] if is_archive else []


def kind_findings(name: str, path: Path) -> list[Finding]:
    """Judge a file by its name and its first bytes.

    Args:
        name: in the bundle.
        path: the file.

    Returns:
        At most one finding.
    """
    suffix = Path(name).suffix.lower()
    for kinds, what in ((CODE, "code"), (PICKLES, "data that may hold pickles"), (ARCHIVES, "an archive")):
        if suffix in kinds:
            return [Finding(WRONG, name, f"is {what}, which a bundle does not need and no one checked.")]
    with path.open("rb") as file:
        start = file.read(8)
    for beginning, what in BEGINNINGS.items():
        if start.startswith(beginning):
            return [Finding(WRONG, name, f"is {what} by its content, whatever its name says.")]
    if suffix in TEXTS | PICTURES or Path(name).name in TEXT_NAMES:
        return []
    return [Finding(NOTE, name, "is of a kind that is not checked; nothing that is allowed reads it.")]
