"""What a contoured frame leaves beside its picture: `mask.png`, 255 inside, of the frame's size, and what was found.

Several classes have a file each, `mask_CLASS.png`, as their masks may overlap.
"""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from monai_gi.atomic_file import write_whole
from monai_gi.writers.scan_names import check_name

MOST_REGIONS = 20
NEIGHBOURS = np.ones((3, 3), dtype=bool)


def mask_names(classes: Sequence[str]) -> list[str]:
    """Files of the masks.

    >>> mask_names(["polyp"]), mask_names(["polyp", "tool"])
    (['mask.png'], ['mask_polyp.png', 'mask_tool.png'])

    Args:
        classes: names of the channels.

    Returns:
        One name a class.

    Raises:
        ValueError: a class can not name a file.
    """
    return ["mask.png"] if len(classes) == 1 else [f"mask_{check_name(name)}.png" for name in classes]


def write_masks(folder: Path, masks: np.ndarray, classes: Sequence[str]) -> list[Path]:
    """Write the masks of one frame.

    Args:
        folder: made where it is missing.
        masks: (C, H, W) bool.
        classes: names of the C channels.

    Returns:
        The files.
    """
    return [write_whole(folder / name, _png(mask)) for name, mask in zip(mask_names(classes), masks, strict=True)]


def findings(masks: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """What was found in a frame, for `result.json`.

    Args:
        masks: (C, H, W) bool.
        probabilities: (C, H, W), 0 to 1.
        classes: names of the C channels.

    Returns:
        By class: pixels inside, their share of the frame, the largest probability, how many regions there are
        (diagonal neighbours belong together), and the largest twenty, each with its box in pixels from the upper left
        corner.
    """
    return {
        name: {
            "pixels": int(np.count_nonzero(mask)),
            "share": round(float(mask.mean()), 6),
            "largest_probability": round(float(probability.max()), 4),
            **_regions(mask, probability),
        }
        for name, mask, probability in zip(classes, masks, probabilities, strict=True)
    }


def _regions(mask: np.ndarray, probability: np.ndarray) -> dict[str, Any]:
    labels, count = ndimage.label(mask, structure=NEIGHBOURS)
    pixels = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    boxes = ndimage.find_objects(labels)
    largest = np.argsort(-pixels, kind="stable")[:MOST_REGIONS]
    regions = []
    for place in largest.tolist():
        rows, columns = box = boxes[place]
        region = {
            "top": rows.start,
            "left": columns.start,
            "height": rows.stop - rows.start,
            "width": columns.stop - columns.start,
            "pixels": int(pixels[place]),
            "mean_probability": round(float(probability[box][labels[box] == place + 1].mean()), 4),
        }
        regions.append(region)
    return {"region_count": count, "regions": regions}


def _png(mask: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(buffer, format="PNG")
    return buffer.getvalue()
