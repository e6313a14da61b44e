"""Augmentation of one image, pixel by pixel or by SciPy, from the definitions: rows y down, columns x right."""

import math

import numpy as np
from scipy.interpolate import BSpline
from scipy.ndimage import map_coordinates


def slow_affine_sources(size, shift, scale, angle):
    """Where each target pixel comes from: rows and columns (h, w) of the source.

    A point at (x, y) from the centre goes to scale * (x cos - y sin, x sin + y cos) + shift; solved for the source.
    """
    height, width = size
    rows, columns = np.empty(size), np.empty(size)
    forward = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    for row in range(height):
        for column in range(width):
            target = np.array([column, row]) - centre - np.array(shift) * (width, height)
            columns[row, column], rows[row, column] = np.linalg.solve(forward, target) + centre
    return rows, columns


def slow_elastic_displacement(control_px, size):
    """Displacements x and y (h, w) in pixels of a tensor product of uniform cubic B-splines."""
    count = control_px.shape[-1]
    knots = np.arange(-3, count + 1, dtype=float)
    basis = [BSpline(knots, np.eye(count)[i], 3, extrapolate=False) for i in range(count)]
    # The last pixel lies on the end of the last interval, where a half-open basis would be undefined.
    weights = [
        np.array([[b(np.nextafter(t, -1) if t == count - 3 else t) for b in basis] for t in line])
        for line in (np.linspace(0, count - 3, length) for length in size)
    ]
    return [weights[0] @ plane @ weights[1].T for plane in control_px]


def slow_sample(image, rows, columns, order):
    """Bilinear (order 1) or nearest (order 0) values at fractional pixels; 0 outside."""
    return map_coordinates(image.astype(float), [rows, columns], order=order, mode="grid-constant", cval=0.0)


def slow_contrast(image, factor, offset):
    """Pixel by pixel: times factor, plus offset, cut to 0..1."""
    changed = [min(max(value * factor + offset, 0.0), 1.0) for value in image.ravel().tolist()]
    return np.array(changed).reshape(image.shape)


def slow_pack(masks):
    """Bit c of each pixel is channel c; masks (C, h, w)."""
    packed = np.zeros(masks.shape[1:], dtype=np.uint8)
    for row, column in np.ndindex(packed.shape):
        packed[row, column] = sum(2**c for c in range(len(masks)) if masks[c, row, column])
    return packed
