"""setup.cfg's requirements, with extras of the package, at the versions that constraints.txt pins for one Python."""

import configparser
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent


def pins(python_version: str) -> dict[str, str]:
    """Versions by canonical name."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    wanted = [Requirement(line) for line in lines]
    return {
        canonicalize_name(one.name): next(iter(one.specifier)).version
        for one in wanted
        if one.marker is None or one.marker.evaluate({"python_version": python_version})
    }


def pinned_requirements(extras: Sequence[str], python_version: str) -> list[str]:
    """Sorted lines such as `monai[ignite]==1.6.1`."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    texts = [setup["options"]["install_requires"], *(setup["options.extras_require"][extra] for extra in extras)]
    versions = pins(python_version)
    lines = []
    for one in [Requirement(line) for text in texts for line in text.split("\n") if line]:
        inner = f"[{','.join(sorted(one.extras))}]" if one.extras else ""
        lines.append(f"{one.name}{inner}=={versions[canonicalize_name(one.name)]}")
    return sorted(lines, key=str.lower)
