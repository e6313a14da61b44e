"""A virtual environment with the installed packages but without this one, as another hospital has it."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

PACKAGE = "monai_gi"


class PlainEnvironment:
    """MONAI, PyTorch and what else is installed here, seen through one line of a .pth file.

    Such a line adds a folder to the path and reads no .pth file in it, so that an editable install stays unseen.
    """

    def __init__(self, folder):
        venv.create(folder, with_pip=False, symlinks=True)
        scripts = "Scripts" if os.name == "nt" else "bin"
        self.python = Path(folder) / scripts / Path(sys.executable).name
        places = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
        site = self.output("-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder)
        (Path(site.strip()) / "packages.pth").write_text("\n".join(sorted(places)) + "\n")
        self.run("-c", f"import {PACKAGE}", cwd=folder, code=1, words=f"No module named '{PACKAGE}'")

    def run(self, *line, cwd, code=0, words=""):
        """Run Python with a command line; returns the finished process, whose output holds `words`."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        done = subprocess.run(
            [str(self.python), *map(str, line)],
            cwd=cwd,
            env={**kept, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        everything = done.stdout + done.stderr
        assert done.returncode == code, everything[-5000:]
        assert words in everything, everything[-5000:]
        return done

    def output(self, *line, cwd):
        return self.run(*line, cwd=cwd).stdout
