"""`monai-gi index biopsy`: pairs of slides and label maps, their pixels of each class, folds, and the datalist."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from monai_gi.datasets.biopsy import index_slides
from monai_gi.datasets.datalist_files import write_datalist
from monai_gi.datasets.slide_lists import deal_slides
from monai_gi.errors import DataError, DataErrors
from monai_gi.pictures import DEFAULT_MAX_PIXELS
from monai_gi.slides import ColorTable, open_label, read_color_table
from monai_gi.slides.survey import LabelSurvey, require_known, survey

_ABOUT = {
    "name": "biopsy",
    "description": "Slides of biopsies with label maps: RGB colour maps, palette or index images",
    "reference": "the folder that was indexed",
    "modality": {"0": "RGB"},
}


def index_biopsy(
    root: str | Path,
    output: str | Path,
    *,
    colors: str | Path,
    folds: int = 5,
    seed: int = 0,
    max_pixels: int | None = None,
    progress: bool = True,
) -> str:
    """Index slides and write the datalist; every label map is gone through once, so that stray colours show now.

    Args:
        root: folder that holds `images` and `masks`.
        output: the JSON file to write.
        colors: the table of colours (YAML).
        folds: how many; fewer groups of slides give fewer.
        seed: another seed deals the groups out anew.
        max_pixels: budget of a picture that has to be decoded whole; None for the default. Tiled files have no limit.
        progress: show bars.

    Returns:
        The table to print.

    Raises:
        DataError: the folder, the table of colours or a file is faulty.
        DataErrors: several are; among them label maps with too many unknown colours.
        ValueError: fewer than 2 folds are asked for.
    """
    if folds < 2:
        raise ValueError(f"folds: {folds}, wanted at least 2, one to validate on and the rest to train on")
    table = read_color_table(colors)
    items = index_slides(root, max_pixels=max_pixels, progress=progress)
    found = _surveys(root, items, table, DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels, progress=progress)
    counted = [
        {**item, "pixels": dict(zip(table.class_names, one.pixels.tolist(), strict=True))}
        for item, one in zip(items, found, strict=True)
    ]
    dealt = deal_slides(counted, folds, seed)
    labels = {str(index): name for index, name in enumerate(table.class_names)}
    write_datalist(output, dealt, root, about={**_ABOUT, "labels": labels, "colors": table.to_json()})
    return _report(dealt, found, table)


def _surveys(
    root: str | Path, items: Sequence[dict[str, Any]], table: ColorTable, max_pixels: int, *, progress: bool
) -> list[LabelSurvey]:
    """Go through all label maps; what is wrong with any is told at once."""
    faults: list[DataError] = []
    found = []
    total = sum(math.prod(item["size"]) for item in items)
    with tqdm(
        total=total, desc="reading label maps", unit="px", unit_scale=True, disable=None if progress else True
    ) as bar:
        for item in items:
            label = open_label(item["label"], table, max_pixels=max_pixels)
            try:
                found.append(survey(label, tell=bar.update))
                require_known(label, found[-1])
            except DataError as fault:
                faults += fault.problems
            label.close()
    if faults:
        raise DataErrors(root, faults)
    return found


def _report(items: Sequence[dict[str, Any]], found: Sequence[LabelSurvey], table: ColorTable) -> str:
    pixels = np.sum([one.pixels for one in found], axis=0)
    largest = max(items, key=lambda item: math.prod(item["size"]))
    rows = [
        ("slides", str(len(items))),
        ("groups", str(len({item["group"] for item in items}))),
        ("pixels", f"{pixels.sum() / 1e6:,.1f} million, largest {largest['id']}: {_size(largest['size'])} (W x H)"),
        ("pixel sizes, um", _tally(_mpp(item["mpp"]) for item in items)),
        *((name, f"{count / pixels.sum():.2%}") for name, count in zip(table.class_names, pixels, strict=True)),
    ]
    unknown = sum(one.unknown_pixels for one in found)
    if unknown:
        name = table.class_names[table.unknown]
        rows.append(("unknown colours", f"{unknown} pixels ({unknown / pixels.sum():.2%}), taken as {name}"))
    for fold in sorted({item["fold"] for item in items}):
        inside = [item["id"] for item in items if item["fold"] == fold]
        rows.append((f"fold {fold}", f"slides {len(inside)}: {', '.join(inside[:5])}{', ...' * (len(inside) > 5)}"))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def _size(size: Sequence[int]) -> str:
    return f"{size[1]} x {size[0]}"


def _mpp(mpp: Sequence[float] | None) -> str:
    return "unknown" if mpp is None else f"{mpp[1]:.4g} x {mpp[0]:.4g}"


def _tally(kinds: Any) -> str:
    return ", ".join(f"{kind} (slides: {count})" for kind, count in Counter(kinds).most_common())
