"""The page as PDF, printed by the Chromium or Chrome of this machine without a window and without the network."""

import os
import subprocess
import tempfile
from pathlib import Path

from monai_gi.atomic_file import write_whole
from monai_gi.browser import find_browser
from monai_gi.errors import DataError

LONGEST_S = 180.0
_FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-pdf-header-footer",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


def print_pdf(page: str, path: Path) -> Path:
    """Print a page.

    Args:
        page: HTML that stands by itself; what is folded is printed open.
        path: the PDF.

    Returns:
        The path.

    Raises:
        DataError: there is no browser, or it makes no PDF.
    """
    browser = find_browser()
    if browser is None:
        problem = "no Chromium or Chrome was found on this machine. Install one, or print the HTML from any browser"
        raise DataError("--pdf", problem)
    with tempfile.TemporaryDirectory(prefix="monai_gi_") as folder:
        source, printed = Path(folder) / "report.html", Path(folder) / "report.pdf"
        source.write_text(page.replace("<details>", "<details open>"), encoding="utf-8")
        _print([browser, *_flags(Path(folder)), f"--print-to-pdf={printed}", source.as_uri()])
        if not printed.is_file():
            raise DataError("--pdf", f"{Path(browser).name} made no PDF. Print the HTML from any browser")
        return write_whole(path, printed.read_bytes())


def _flags(folder: Path) -> list[str]:
    # Chromium refuses its sandbox to root, as which containers run; the page is our own and holds no script.
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return [*_FLAGS, *root, f"--user-data-dir={folder / 'profile'}"]


def _print(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, timeout=LONGEST_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        problem = f"{Path(command[0]).name} did not end within {LONGEST_S:.0f} s. Print the HTML from any browser"
        raise DataError("--pdf", problem) from error
    if done.returncode != 0:
        problem = f"{Path(command[0]).name} ended with code {done.returncode}. Print the HTML from any browser"
        raise DataError("--pdf", problem)
