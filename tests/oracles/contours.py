"""Contours filled pixel by pixel and measured point by point, from contour points alone; points are (row, column)."""

import math


def is_inside(point, polygons):
    """Even-odd: count the lines that a ray from the point to the right crosses."""
    row, column = point
    inside = False
    for polygon in polygons:
        for (r0, c0), (r1, c1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
            if (r0 > row) != (r1 > row):
                # In one order, so that a path there and back is crossed twice at the same place.
                (ra, ca), (rb, cb) = sorted([(r0, c0), (r1, c1)])
                if ca + (row - ra) / (rb - ra) * (cb - ca) > column:
                    inside = not inside
    return inside


def fill(polygons, size):
    """Rows of bools: whose centres lie inside."""
    polygons = [[tuple(map(float, point)) for point in polygon] for polygon in polygons]
    return [[is_inside((row, column), polygons) for column in range(size[1])] for row in range(size[0])]


def boundary_segments(mask):
    """Every pixel edge between mask and background: two corners each, in pixels; beyond the image is background."""
    height, width = mask.shape
    segments = []
    for row in range(height):
        for column in range(width):
            if not mask[row, column]:
                continue
            for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                r, c = row + down, column + right
                if not (0 <= r < height and 0 <= c < width and mask[r, c]):
                    middle = row + down / 2, column + right / 2
                    along = abs(right) / 2, abs(down) / 2
                    segments.append(
                        ((middle[0] - along[0], middle[1] - along[1]), (middle[0] + along[0], middle[1] + along[1]))
                    )
    return segments


def distance_to_segments(point, segments):
    """From a point to the nearest point of any segment."""
    return min(_distance(point, start, end) for start, end in segments)


def _distance(point, start, end):
    along = [e - s for s, e in zip(start, end, strict=True)]
    share = sum((p - s) * a for p, s, a in zip(point, start, along, strict=True)) / sum(a * a for a in along)
    nearest = [s + min(max(share, 0), 1) * a for s, a in zip(start, along, strict=True)]
    return math.dist(point, nearest)


def points_along(polygon, steps=8):
    """Points on the lines of a polygon, corners among them."""
    for (r0, c0), (r1, c1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        for step in range(steps):
            share = step / steps
            yield r0 + share * (r1 - r0), c0 + share * (c1 - c0)


def added_path_pixels(pred, truth, spacing_mm=(1, 1), tolerance_mm=0.0):
    """Contour pixels of the truth without a contour pixel of the prediction within the tolerance, slice by slice."""
    added = 0
    for d in range(truth.shape[2]):
        drawn = _contour_pixels(pred[:, :, d])
        for row, column in _contour_pixels(truth[:, :, d]):
            near = [
                math.hypot((row - r) * spacing_mm[0], (column - c) * spacing_mm[1]) <= tolerance_mm + 1e-6
                for r, c in drawn
            ]
            added += not any(near)
    return added


def _contour_pixels(mask):
    inside = {(int(row), int(column)) for row, column in zip(*mask.nonzero(), strict=True)}
    steps = ((-1, 0), (1, 0), (0, -1), (0, 1))
    return [(r, c) for r, c in inside if any((r + down, c + right) not in inside for down, right in steps)]
