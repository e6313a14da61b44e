"""Programs that write down whom they call: every name that they look up and every address that they connect to.

Python tells its audit hooks of them (PEP 578), whatever library calls; local addresses are left out.
"""

import os
from collections.abc import Mapping
from pathlib import Path

_HOOK = """
import os, sys

CALLS = ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname")

def tell(event, values):
    if event in CALLS:
        called = values[0] if event.startswith("socket.get") else values[-1]
        with open(os.environ["CALLS_FILE"], "a") as file:
            file.write(f"{event} {called!r}\\n")

sys.addaudithook(tell)
"""
_LOCAL = ("127.0.0.1", "localhost", "::1", "None")


def telling(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which every Python writes its calls into the folder."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_HOOK)
    path = os.pathsep.join([str(folder), *filter(None, [environment.get("PYTHONPATH")])])
    return {**environment, "PYTHONPATH": path, "CALLS_FILE": str(folder / "calls.txt")}


def calls(folder: Path) -> list[str]:
    """Lines of all that were called, local ones too."""
    file = folder / "calls.txt"
    return file.read_text().splitlines() if file.exists() else []


def outgoing(folder: Path) -> list[str]:
    """Lines of those that are not on this machine."""
    return [line for line in calls(folder) if not any(local in line for local in _LOCAL)]
