"""Polygons of a label image as GeoJSON that QuPath opens as annotations: one a region, holes, class names and colours.

Coordinates are (x, y) in pixels of the full slide, x right, y down, from its upper left corner; outlines run between
pixels, so that filling them gives the label image again. Outer rings run counterclockwise by the numbers (RFC 7946).
A region with an outline of some 200,000 points, which viewers hardly bear, comes as several, cut along rows.
Source: https://qupath.readthedocs.io/en/stable/docs/advanced/exporting_annotations.html
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from monai_gi.atomic_file import write_atomically
from monai_gi.writers.region_outlines import MOST_POINTS, Region, RegionTracer, signed_area

LEAST_PX = 64
_ROWS = 64  # looked at together, at most
_POINTS = 4096  # written together
_NAMESPACE = uuid.UUID("6b8ba8b0-22c4-4d5b-9d64-0a4a3f6f1c1e")


class RegionClass(NamedTuple):
    """A class whose regions are written.

    Attributes:
        label: value in the label image.
        name: as QuPath shows it.
        rgb: its colour, 0 to 255.
    """

    label: int
    name: str
    rgb: tuple[int, int, int]


class RegionCount(NamedTuple):
    """What was written of one class.

    Attributes:
        regions: number of polygons.
        pixels: of the label image, inside of them.
    """

    regions: int
    pixels: int


def write_polygons(
    path: str | Path,
    bands: Iterable[np.ndarray],
    width: int,
    classes: Sequence[RegionClass],
    *,
    scale: int = 1,
    least_px: int = LEAST_PX,
    most_points: int = MOST_POINTS,
) -> dict[str, RegionCount]:
    """Write the regions of a label image as they become whole, in memory that grows with its width only.

    Args:
        path: the file; it is there whole or not at all.
        bands: rows (n, W), uint8, of the label image, from the top.
        width: W.
        classes: that are written; the background is best left out.
        scale: pixels of the full slide in one of the label image, along each axis.
        least_px: regions whose outline encloses fewer pixels are left out, and smaller holes filled.
        most_points: of a class, that wait for the next rows; where there are more, the longest outlines are closed.

    Returns:
        Counts by class name.
    """
    tracers = {one: RegionTracer(width, least_px, most_points) for one in classes}
    counts = {one.name: RegionCount(0, 0) for one in classes}

    def whole() -> Iterator[tuple[RegionClass, Region]]:
        for rows in (band[top : top + _ROWS] for band in bands for top in range(0, len(band), _ROWS)):
            for one, tracer in tracers.items():
                yield from ((one, region) for region in tracer.add(rows == one.label))
        for one, tracer in tracers.items():
            yield from ((one, region) for region in tracer.finish())

    def write(file: BinaryIO) -> None:
        file.write(b'{"type": "FeatureCollection", "features": [')
        for number, (one, region) in enumerate(whole()):
            file.write(b",\n" if number else b"\n")
            file.writelines(text.encode() for text in _feature(one, region, scale))
            pixels = round(sum(signed_area(ring) for ring in (region.outer, *region.holes)))
            before = counts[one.name]
            counts[one.name] = RegionCount(before.regions + 1, before.pixels + pixels)
        file.write(b"\n]}\n")

    write_atomically(path, write)
    return counts


def _feature(one: RegionClass, region: Region, scale: int) -> Iterator[str]:
    """One region; its id depends on where it lies only, so that the same slide gives the same file."""
    start = region.outer[np.lexsort(region.outer.T)[0]]
    about = {
        "type": "Feature",
        "id": str(uuid.uuid5(_NAMESPACE, f"{one.label} {start[0]} {start[1]}")),
        "properties": {"objectType": "annotation", "classification": {"name": one.name, "color": list(one.rgb)}},
    }
    yield f'{json.dumps(about)[:-1]}, "geometry": {{"type": "Polygon", "coordinates": ['
    for number, ring in enumerate((region.outer, *region.holes)):
        yield ", " if number else ""
        yield from _ring(ring * scale)
    yield "]}}"


def _ring(ring: np.ndarray) -> Iterator[str]:
    """Points, the first one again at the end; `str` of a list writes ten times as fast as `json`."""
    yield "["
    for begin in range(0, len(ring), _POINTS):
        yield str(ring[begin : begin + _POINTS].tolist())[1:-1].replace(" ", "") + ","
    yield f"[{ring[0, 0]},{ring[0, 1]}]]"
