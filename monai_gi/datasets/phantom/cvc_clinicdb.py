"""A drawn data set in the Kaggle layout of CVC-ClinicDB: `PNG/Original`, `PNG/Ground Truth`, `metadata.csv`.

Frames are 384 x 288 (W x H), numbered from 1 through all sequences. Every fourth mask has grey edges, as 138 of the 612
real ones are not black and white. Nothing of a patient is in them.
"""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from monai_gi.atomic_file import write_whole
from monai_gi.datasets.phantom.endoscope import draw_film, take_frame
from monai_gi.datasets.phantom.unfinished import drawing_into

METADATA = "metadata.csv"
_GREY_EDGES_EVERY = 4
_FILM, _NOISE = 0, 1


class _Paths(NamedTuple):
    image: Path
    mask: Path


def write_cvc_clinicdb(
    root: str | Path, *, sequences: int = 6, frames: int = 20, seed: int = 0, progress: bool = True
) -> None:
    """Write the data set; the same arguments give the same bytes. A stopped run is finished by the same call.

    Args:
        root: a new or empty folder, or one in which the same call was stopped.
        sequences: videos, each of one colon with one polyp.
        frames: of each sequence, neighbours nearly alike.
        seed: 0 or more, decides everything.
        progress: show a bar with an end time, on a terminal.

    Raises:
        DataError: the folder holds something else, or another phantom; nothing was changed.
        ValueError: a count is below 1, or the seed below 0.
    """
    root = Path(root)
    for name, value, least in (("sequences", sequences, 1), ("frames", frames, 1), ("seed", seed, 0)):
        if value < least:
            raise ValueError(f"{name}: {value}, wanted {least} or more")
    settings = {"sequences": sequences, "frames": frames, "seed": seed}
    with (
        drawing_into(root, settings, last=METADATA),
        tqdm(total=sequences * frames, desc="drawing", unit="frame", disable=None if progress else True) as bar,
    ):
        for sequence in range(sequences):
            _write_sequence(root, (sequence, frames, seed), bar)
        rows = [f"{number + 1},{number // frames + 1}" for number in range(sequences * frames)]
        write_whole(root / METADATA, "\n".join(["frame_id,sequence_id", *rows, ""]))


def _write_sequence(root: Path, plan: tuple[int, int, int], bar: tqdm) -> None:
    """Draw what is missing of one sequence; a mask is written last, so a frame with one is whole."""
    sequence, frames, seed = plan
    film = draw_film(np.random.default_rng((seed, sequence, 0, _FILM)))
    for frame in range(frames):
        number = sequence * frames + frame + 1
        paths = _Paths(*(root / "PNG" / folder / f"{number}.png" for folder in ("Original", "Ground Truth")))
        if not paths.mask.is_file():
            picture, inside = take_frame(film, frame, np.random.default_rng((seed, sequence, frame, _NOISE)))
            write_whole(paths.image, _as_png(picture))
            write_whole(paths.mask, _as_png(_mask(inside, grey_edges=number % _GREY_EDGES_EVERY == 0)))
        bar.update()


def _mask(inside: np.ndarray, *, grey_edges: bool) -> np.ndarray:
    """(H, W) uint8; above 127 inside, whatever its edges are."""
    hard = np.where(inside > 0.5, 255, 0)
    soft = np.rint(np.clip(inside, 0, 1) * 255)
    soft = np.where(inside > 0.5, np.maximum(soft, 128), np.minimum(soft, 127))
    return (soft if grey_edges else hard).astype(np.uint8)


def _as_png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
