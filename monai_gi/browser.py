"""The browser of this machine that prints pages: `monai-gi report --pdf` runs it, `monai-gi doctor` looks for it."""

import shutil

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find_browser() -> str | None:
    """Find a Chromium or Chrome among the programs that can be run by name.

    Returns:
        Its path; None where there is none.
    """
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)
