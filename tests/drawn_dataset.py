"""Small UW-Madison folders for tests: PNG headers without pixels, and a train.csv of chosen rows."""

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

from monai_gi.labels import ORGAN_NAMES

SIZE = (5, 7)
SPACING_MM = (2.25, 1.5)


def png_header(size: tuple[int, int], bits: int = 16, colour: int = 0) -> bytes:
    """The first bytes of a PNG of (H, W)."""
    height, width = size
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)


def slice_path(root: Path, scan: str, number: int, size: tuple[int, int] = SIZE) -> Path:
    """Where a slice lies; spacing in its name is x, then y."""
    folder = root / "train" / scan.split("_")[0] / scan / "scans"
    return folder / f"slice_{number:04d}_{size[1]}_{size[0]}_{SPACING_MM[1]:.2f}_{SPACING_MM[0]:.2f}.png"


def draw_image(root: Path, scan: str, number: int, size: tuple[int, int] = SIZE, content: bytes | None = None) -> Path:
    """Write one slice's header under its name."""
    path = slice_path(root, scan, number, size)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png_header(size) if content is None else content)
    return path


def rows_of(scan: str, number: int, label: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Three rows of train.csv; organs without run lengths are empty."""
    return [(f"{scan}_slice_{number:04d}", organ, label.get(organ, "")) for organ in ORGAN_NAMES]


def write_rows(root: Path, rows: Iterable[tuple[str, str, str]]) -> Path:
    """Write train.csv."""
    path = root / "train.csv"
    path.write_text("\n".join(["id,class,segmentation", *map(",".join, rows)]) + "\n")
    return path


def draw_dataset(root: Path, scans: Mapping[str, Mapping[int, Mapping[str, str]]]) -> None:
    """Write images and train.csv of {scan: {slice number: {organ: run lengths}}}."""
    rows = []
    for scan, slices in scans.items():
        for number, label in slices.items():
            draw_image(root, scan, number)
            rows += rows_of(scan, number, label)
    write_rows(root, rows)
