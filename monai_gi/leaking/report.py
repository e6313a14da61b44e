"""Near-duplicates across the folds of a datalist: counted, as a table, and the worst pairs as a picture."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from monai_gi.atomic_file import write_whole
from monai_gi.leaking.images import read_image, read_thumbnails, shown
from monai_gi.leaking.items import Listed, ListedImage, list_images
from monai_gi.near_duplicates import Progress, detail_correlations, nearest_across, require_threshold, unit_vectors
from monai_gi.outcomes import check_folder, pace
from monai_gi.plots import contact_sheet
from monai_gi.writers.overlay import write_png

THRESHOLD = 0.9
DETAIL = 0.7
"""In CVC-ClinicDB no frame has a partner in another sequence that reaches this, and half have one in their own."""

KEPT = 4
"""Pairs of an image, those with the most detail in common; where not every image has so many, one may have more."""
MOST_LOOKED_AT, PAIRS_LOOKED_AT = 32, 500_000
"""Partners of an image whose detail is looked at, those most alike at a glance, and of all images in a minute or so."""

TABLE = "leaks.csv"
PICTURE = "leaks.png"
COLUMNS = ("id_a", "group_a", "part_a", "image_a", "id_b", "group_b", "part_b", "image_b", "correlation", "detail")
_GAP_PX = 4
_LISTED = 5


class LeakPair(NamedTuple):
    """Two images of different folds.

    Attributes:
        a: one.
        b: the other.
        correlation: of their thumbnails.
        detail: correlation of their detail, at the best small shift.
    """

    a: ListedImage
    b: ListedImage
    correlation: float
    detail: float


@dataclass(frozen=True)
class LeakReport:
    """What was found.

    Attributes:
        pairs: near-duplicates across folds, worst first; of an image with many, the four whose detail is most alike.
        alike: pairs across folds whose thumbnails reach the threshold, their detail not looked at.
        images: that were compared.
        leaking: images with a near-duplicate in another fold.
        split_groups: groups that stand in several folds.
        text: all this to print, with what to do.
    """

    pairs: tuple[LeakPair, ...]
    alike: int
    images: int
    leaking: int
    split_groups: tuple[str, ...]
    text: str


def report_leaks(
    datalist: str | Path,
    dataset_dir: str | Path | None = None,
    *,
    threshold: float = THRESHOLD,
    detail: float = DETAIL,
    output: str | Path | None = None,
    worst: int = 12,
) -> LeakReport:
    """Look for near-duplicate images in different folds; in different groups where the list has no folds.

    Args:
        datalist: MONAI datalist JSON of slices, frames, slides or volumes; images under `test` and `validation` are
            compared with those of the folds, too.
        dataset_dir: that the images are relative to; the datalist's folder when None.
        threshold: correlation of thumbnails from which two images are alike at a glance.
        detail: correlation of detail from which two alike images are near-duplicates; 0 takes all that are alike.
        output: folder for leaks.csv, and leaks.png with the worst pairs; None writes nothing.
        worst: pairs in the picture and, five at most, in the text; pairs of other groups come before repeats.

    Returns:
        The report.

    Raises:
        DataError: the datalist or images can not be read, nothing is dealt out, or `output` can be no folder.
        ValueError: a number is out of its range.
    """
    if not 0 <= detail <= 1 or worst < 1:
        raise ValueError(f"detail {detail}, worst {worst}: wanted 0 to 1, and 1 or more")
    require_threshold(threshold)
    if output is not None:
        check_folder(Path(output))
    datalist = Path(datalist)
    listed = list_images(datalist, datalist.parent if dataset_dir is None else Path(dataset_dir))
    candidates, alike, compared = _compare(listed, threshold)
    pairs = tuple(pair for pair in candidates if pair.detail >= detail)
    leaking = {image for pair in pairs for image in (pair.a, pair.b)}
    shown_pairs = spread(candidates, worst)
    text = _text(datalist, listed, pairs, f"{alike:,} of {compared:,}", threshold=threshold, detail=detail)
    if output is not None:
        write_whole(Path(output) / TABLE, _table(pairs))
        (Path(output) / PICTURE).unlink(missing_ok=True)  # of another list, where nothing is drawn now
        if shown_pairs:
            write_png(Path(output) / PICTURE, draw(shown_pairs, detail, is_slide=listed.are_slides))
        text += f"\nWritten to {output}: {TABLE}" + (f", {PICTURE}" if shown_pairs else "")
    return LeakReport(pairs, alike, len(listed.images), len(leaking), tuple(listed.split_groups()), text)


def _compare(listed: Listed, threshold: float) -> tuple[list[LeakPair], int, int]:
    """Candidates with their detail, worst first, and how many pairs are alike of how many compared."""
    images = listed.images
    with tqdm(desc="reading images", unit="image", **pace()) as bar:
        thumbnails = read_thumbnails([image.path for image in images], is_slide=listed.are_slides, progress=_moves(bar))
    with tqdm(desc="comparing all pairs", unit="block", delay=1.0, **pace()) as bar:
        nearest = nearest_across(
            unit_vectors(thumbnails),
            listed.part_numbers(),
            threshold,
            most=min(MOST_LOOKED_AT, max(KEPT, PAIRS_LOOKED_AT // len(images))),
            progress=_moves(bar),
        )
    rows, ranks = np.nonzero(nearest.partners >= 0)
    ordered = np.sort(np.stack([rows, nearest.partners[rows, ranks]], axis=1), axis=1)
    positions, firsts = np.unique(ordered, axis=0, return_index=True)
    correlations = nearest.correlations[rows, ranks][firsts]
    with tqdm(desc="comparing detail", unit="pair", delay=1.0, **pace()) as bar:
        details = detail_correlations(thumbnails, positions, _moves(bar))
    found = [
        LeakPair(images[a], images[b], float(min(correlation, 1)), float(min(detail, 1)))
        for (a, b), correlation, detail in zip(positions.tolist(), correlations, details, strict=True)
    ]
    found.sort(key=lambda pair: (-round(pair.detail, 3), -pair.correlation, pair.a.name, pair.b.name))
    return _nearest_each(found), nearest.alike, nearest.pairs


def _nearest_each(pairs: Sequence[LeakPair]) -> list[LeakPair]:
    """Those that are among the first of one of their images."""
    before: Counter[ListedImage] = Counter()
    kept = []
    for pair in pairs:
        if min(before[pair.a], before[pair.b]) < KEPT:
            kept.append(pair)
        before.update((pair.a, pair.b))
    return kept


def spread(pairs: Sequence[LeakPair], most: int) -> list[LeakPair]:
    """Choose pairs that show something new: each image once, and one pair of two groups before a second of them.

    Args:
        pairs: worst first.
        most: how many at most.

    Returns:
        The chosen ones, worst first.
    """
    chosen: list[int] = []
    for repeats in (False, True):
        images = {image for number in chosen for image in pairs[number][:2]}
        groups = {frozenset((pairs[number].a.group, pairs[number].b.group)) for number in chosen}
        for number, pair in enumerate(pairs):
            both = frozenset((pair.a.group, pair.b.group))
            if len(chosen) == most:
                break
            if images.isdisjoint((pair.a, pair.b)) and (repeats or both not in groups):
                chosen.append(number)
                images |= {pair.a, pair.b}
                groups.add(both)
    return [pairs[number] for number in sorted(chosen)]


def draw(pairs: Sequence[LeakPair], detail: float, *, is_slide: bool = False) -> np.ndarray:
    """Set pairs side by side.

    Args:
        pairs: at least one.
        detail: from which a pair counts as near-duplicate; the captions of others say that they do not.
        is_slide: open the images as slides.

    Returns:
        (h, w, 3) uint8.
    """
    tiles, captions = [], []
    for pair in pairs:
        halves = [shown(read_image(image.path, is_slide=is_slide)) for image in (pair.a, pair.b)]
        height, width = max(half.shape[0] for half in halves), sum(half.shape[1] for half in halves) + _GAP_PX
        tile = np.full((height, width, 3), 16, dtype=np.uint8)
        tile[: halves[0].shape[0], : halves[0].shape[1]] = halves[0]
        tile[: halves[1].shape[0], width - halves[1].shape[1] :] = halves[1]
        tiles.append(tile)
        verdict = "" if pair.detail >= detail else ", no near-duplicate"
        numbers = f"{pair.correlation:.2f}, detail {pair.detail:.2f}{verdict}"
        captions.append(
            f"{pair.a.name} ({pair.a.part or pair.a.group}) - {pair.b.name} ({pair.b.part or pair.b.group})"
        )
        captions[-1] = f"{numbers}: {captions[-1]}"
    return contact_sheet(tiles, captions, columns=min(2, len(tiles)), legend=False)


def _table(pairs: Sequence[LeakPair]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for pair in pairs:
        sides = [value for one in (pair.a, pair.b) for value in (one.name, one.group, one.part, one.path.name)]
        writer.writerow([*sides, f"{pair.correlation:.4f}", f"{pair.detail:.4f}"])
    return text.getvalue()


def _text(
    datalist: Path, listed: Listed, pairs: Sequence[LeakPair], alike: str, *, threshold: float, detail: float
) -> str:
    """The report to print: counts, parts, worst pairs, what to do."""
    leaking = {image for pair in pairs for image in (pair.a, pair.b)}
    total = len(listed.images)
    other = "fold" if listed.parts_are == "folds" else "group"
    lines = [
        f"{datalist}: {total} images in {len(set(listed.part_numbers().tolist()))} {listed.parts_are}",
        f"near-duplicate in another {other}: {len(leaking)} images ({len(leaking) / total:.0%}), {len(pairs)} "
        f"pair{'' if len(pairs) == 1 else 's'}",
        f"alike at a glance: {alike} pairs across {listed.parts_are} (thumbnails from {threshold:g} on); "
        f"near-duplicates agree in their detail, too (from {detail:g} on)",
    ]
    if listed.parts_are == "folds":
        lines += _by_part(listed, leaking)
    for pair in spread(pairs, _LISTED):
        names = " - ".join(f"{one.name} ({', '.join(filter(None, (one.group, one.part)))})" for one in pair[:2])
        lines.append(f"  {pair.correlation:.3f}, detail {pair.detail:.3f}: {names}")
    return "\n".join([*lines, *_advice(listed, pairs)])


def _by_part(listed: Listed, leaking: Iterable[ListedImage]) -> list[str]:
    images, found = (Counter(image.part for image in group) for group in (listed.images, leaking))
    return [f"  {part}: {found[part]} of {count} images" for part, count in sorted(images.items())]


def _advice(listed: Listed, pairs: Sequence[LeakPair]) -> list[str]:
    """What stands behind the leaks, and the repair."""
    lines = []
    if listed.parts_are == "folds" and (split := listed.split_groups()):
        named = ", ".join(split[:_LISTED]) + (", ..." if len(split) > _LISTED else "")
        groups = len({image.group for image in listed.images})
        lines.append(
            f"{len(split)} of {groups} groups stand in several folds: {named}. Deal whole groups into folds, "
            "as `monai-gi index` does"
        )
    between = sum(pair.a.group != pair.b.group for pair in pairs)
    if between:
        lines.append(
            f"{between} of the pairs are of different groups. Look at them: where they are one patient or video, "
            "give them one group and deal the folds anew"
        )
    return lines


def _moves(bar: tqdm) -> Progress:
    def move(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return move
