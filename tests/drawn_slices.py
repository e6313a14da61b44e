"""Small scans drawn for tests: non-square slices of known grey values, written in the data's layout and naming."""

from pathlib import Path

import numpy as np
from PIL import Image


def draw_slice(number: int, size: tuple[int, int] = (5, 7)) -> np.ndarray:
    """A slice (H, W), uint16, whose every pixel tells row, column and slice number: 10000 n + 100 row + column."""
    rows, columns = np.indices(size)
    return (10000 * (number % 6) + 100 * rows + columns).astype(np.uint16)


def write_slice(folder: Path, number: int, pixels: np.ndarray, spacing_mm: tuple[float, float] = (1.5, 2.25)) -> Path:
    """Write (H, W) under its name; `spacing_mm` is (row, column)."""
    folder.mkdir(parents=True, exist_ok=True)
    height, width = pixels.shape
    path = folder / f"slice_{number:04d}_{width}_{height}_{spacing_mm[1]:.2f}_{spacing_mm[0]:.2f}.png"
    Image.fromarray(pixels).save(path)
    return path


def write_scan(folder: Path, numbers: list[int], size: tuple[int, int] = (5, 7)) -> list[str]:
    """Write slices of these numbers; their paths in the same order."""
    return [str(write_slice(folder, number, draw_slice(number, size))) for number in numbers]
