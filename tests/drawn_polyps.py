"""Small colour frames with polyps for tests: PNG files, non-square, of several videos, one frame without a polyp."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (36, 52)  # H, W


def draw_frame(seed, size=SIZE, *, polyp=True):
    """A reddish frame (H, W, 3) uint8 with a bright, off-centre, oblong polyp, and its mask (H, W) bool."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]]
    row, column = 0.35 * size[0] + rng.integers(4), 0.6 * size[1] + rng.integers(4)
    mask = ((rows - row) / (0.2 * size[0])) ** 2 + ((columns - column) / (0.15 * size[1])) ** 2 <= 1
    mask &= polyp
    base = np.array([150, 70, 50]) + rng.normal(0, 6, (*size, 3))
    return np.clip(base + mask[..., None] * [70, 90, 60], 0, 255).astype(np.uint8), mask


def write_frames(root: Path, sequences=3, frames=2, size=SIZE) -> list[dict]:
    """Write frames and masks; the last one holds no polyp. Returns frame items, fold = sequence."""
    items = []
    for number in range(sequences * frames):
        group = f"sequence_{number // frames:02d}"
        frame, mask = draw_frame(number, size, polyp=number < sequences * frames - 1)
        item = {"id": f"cvc_{number + 1:04d}", "group": group, "size": list(size), "fold": number // frames}
        for key, pixels in (("image", frame), ("label", mask.astype(np.uint8) * 255)):
            path = root / key / f"{number + 1}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
            item[key] = str(path)
        items.append(item)
    return items


def write_kaggle_layout(root: Path, sequences=3, frames=2, size=SIZE) -> list[dict]:
    """The same frames as CVC-ClinicDB lies on Kaggle: PNG/Original, PNG/Ground Truth, metadata.csv."""
    items = write_frames(root / "PNG", sequences, frames, size)
    for key, folder in (("image", "Original"), ("label", "Ground Truth")):
        (root / "PNG" / key).rename(root / "PNG" / folder)
    with (root / "metadata.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["frame_id", "sequence_id"])
        rows.writerows([number + 1, number // frames + 1] for number in range(len(items)))
    return items
