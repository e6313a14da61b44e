"""What `monai-gi index` prints: counts, sizes as width x height, spacings as x, y, z in mm, folds, left out, gaps."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import groupby
from typing import Any

from monai_gi.datasets.scan_folders import number_ranges
from monai_gi.labels import ORGAN_NAMES

_Items = Sequence[dict[str, Any]]


def index_report(items: _Items, left_out: _Items = ()) -> str:
    """Write the table of an index.

    Args:
        items: slice items with labels, sorted by scan; with `fold`, the folds are counted too.
        left_out: {"scan", "slices", "source"} of each scan left out.

    Returns:
        Lines of text: counts, then the scans left out with their source, then the gaps in the slice numbers.
    """
    lines = [*_count_rows(items), *_fold_rows(items)]
    width = max(len(name) for name, _ in lines)
    return "\n".join([*(f"{name:<{width}}  {value}" for name, value in lines), *_left_out(left_out), *_gaps(items)])


def _count_rows(items: _Items) -> list[tuple[str, str]]:
    count = len(items)
    rows = [
        ("cases", str(len({item["group"] for item in items}))),
        ("days (scans)", str(len({item["scan"] for item in items}))),
        ("slices", str(count)),
        ("sizes, width x height", _tally(f"{item['size'][1]} x {item['size'][0]}" for item in items)),
        ("spacings, mm", _tally(" x ".join(f"{mm:g}" for mm in _xyz(item["spacing_mm"])) for item in items)),
    ]
    present = [(organ, sum(bool(item["label"][organ]) for item in items)) for organ in ORGAN_NAMES]
    organs = [(f"slices with {organ}", _share(with_organ, count)) for organ, with_organ in present]
    empty = sum(not any(item["label"].values()) for item in items)
    return [*rows, *organs, ("slices without organs", _share(empty, count))]


def _fold_rows(items: _Items) -> list[tuple[str, str]]:
    folds = sorted({item["fold"] for item in items if "fold" in item})
    return [(f"fold {fold}", _describe_fold([item for item in items if item["fold"] == fold])) for fold in folds]


def _describe_fold(items: _Items) -> str:
    organs = ", ".join(f"{organ} {sum(bool(item['label'][organ]) for item in items)}" for organ in ORGAN_NAMES)
    return f"cases {len({item['group'] for item in items})}, slices {len(items)}: {organs}"


def _left_out(left_out: _Items) -> list[str]:
    if not left_out:
        return []
    lines = [f"left out, published as bad (scans: {len(left_out)}; --keep-known-bad keeps them):"]
    return lines + [f"  {bad['scan']} ({bad['slices']} slices): {bad['source']}" for bad in left_out]


def _gaps(items: _Items) -> list[str]:
    lines = []
    for scan, slices in groupby(items, key=lambda item: item["scan"]):
        numbers = [item["slice"] for item in slices]
        missing = sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers))
        if missing:
            lines.append(f"  {scan}: slice {number_ranges(missing)}")
    heading = f"gaps in the slice numbers (scans: {len(lines)}; a missing neighbour is the nearest slice present):"
    return [heading, *lines] if lines else []


def _xyz(spacing_mm: Sequence[float]) -> tuple[float, float, float]:
    row, column, depth = spacing_mm
    return column, row, depth


def _tally(kinds: Iterable[Hashable]) -> str:
    return ", ".join(f"{kind} ({count} slices)" for kind, count in Counter(kinds).most_common())


def _share(part: int, whole: int) -> str:
    return f"{part} ({part / whole:.1%})" if whole else "0"
