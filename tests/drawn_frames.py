"""Small frames of colonoscopy with masks, not square, in the layouts of CVC-ClinicDB."""

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (20, 26)


def draw_frame(number: int, size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) uint8 and its mask (H, W) bool, a box that moves with the number."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    picture = np.stack([rows * 9 + number, columns * 7, (rows + columns) * 3], axis=2).astype(np.uint8)
    mask = np.zeros(size, bool)
    mask[2 + number % 5 : 9 + number % 5, 4:11] = True
    return picture, mask


def write_frames(base: Path, numbers, *, suffix=".png", names=("Original", "Ground Truth")) -> None:
    """`base/Original/N.png` and `base/Ground Truth/N.png`."""
    for folder in names:
        (base / folder).mkdir(parents=True, exist_ok=True)
    for number in numbers:
        picture, mask = draw_frame(number)
        Image.fromarray(picture).save(base / names[0] / f"{number}{suffix}")
        Image.fromarray(mask.astype(np.uint8) * 255).save(base / names[1] / f"{number}{suffix}")


def write_metadata(root: Path, sequences: dict[int, int]) -> Path:
    """metadata.csv as on Kaggle: columns that nobody asks for, too."""
    rows = [f"{frame},{sequence},PNG/Original/{frame}.png" for frame, sequence in sequences.items()]
    path = root / "metadata.csv"
    path.write_text("\n".join(["frame_id,sequence_id,png_image_path", *rows, ""]))
    return path


def write_kaggle(root: Path, sequences: dict[int, int]) -> Path:
    """A whole small data set."""
    write_frames(root / "PNG", sequences)
    write_metadata(root, sequences)
    return root
