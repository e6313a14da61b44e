"""Slow, obvious versions of reading a slide: the whole plane is laid out in memory, then cut."""

import numpy as np

FAR = 40


def region(image: np.ndarray, level: int, top: int, left: int, height: int, width: int) -> np.ndarray:
    """Box averages of an image (H, W, 3) on a white plane, float."""
    step = 2**level
    plane = np.full((image.shape[0] + 2 * FAR * step, image.shape[1] + 2 * FAR * step, 3), 255.0)
    plane[FAR * step :, FAR * step :][: image.shape[0], : image.shape[1]] = image
    rows, columns = (top + FAR) * step, (left + FAR) * step
    part = plane[rows : rows + height * step, columns : columns + width * step]
    return part.reshape(height, step, width, step, 3).mean(axis=(1, 3))


def label_region(labels: np.ndarray, level: int, top: int, left: int, height: int, width: int) -> np.ndarray:
    """The pixel at the centre of each square, or the nearest to it inside; 0 for squares outside."""
    step = 2**level
    found = np.zeros((height, width), dtype=np.uint8)
    for y in range(height):
        for x in range(width):
            row, column = (top + y) * step, (left + x) * step
            square = labels[row : row + step, column : column + step] if min(row, column) >= 0 else labels[:0]
            if square.size:
                found[y, x] = square[: step // 2 + 1, : step // 2 + 1][-1, -1]
    return found


def cell_counts(labels: np.ndarray, cell: int, classes: int) -> np.ndarray:
    """Pixels of each class in each cell."""
    rows, columns = -(-labels.shape[0] // cell), -(-labels.shape[1] // cell)
    counts = np.zeros((rows, columns, classes), dtype=np.int64)
    for row in range(rows):
        for column in range(columns):
            part = labels[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell]
            counts[row, column] = np.bincount(part.ravel(), minlength=classes)
    return counts
