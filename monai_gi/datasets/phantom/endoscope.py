"""What an endoscope makes of a colon: its way through it, light from the tip, colours, wet spots, octagonal frame.

Frames are (H, W, 3) uint8 RGB, rows down; light falls off with the distance, so that the lumen far ahead is dark.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from monai_gi.datasets.phantom.colon import FAR, Colon, Hits, draw_colon, follow_rays, wall_sample
from monai_gi.datasets.phantom.noise import texture

SIZE = (288, 384)
_TRACED = (192, 256)
"""Rays a frame; video is no sharper."""
_HALF_WIDTH = 1.15
_BORDER_RGB = (11, 11, 12)
# Linear, before the camera makes them paler; a polyp's is a factor of the wall's.
_MUCOSA = np.array([(0.80, 0.34, 0.17), (0.72, 0.38, 0.25), (0.78, 0.29, 0.19), (0.70, 0.38, 0.20)], np.float32)
_POLYP = np.array([(1.05, 0.80, 0.82), (0.95, 0.66, 0.68), (1.08, 1.02, 0.98), (1.0, 0.86, 0.84)], np.float32)
_STOOL = np.array((0.74, 0.40, 0.05), np.float32)


@dataclass(frozen=True)
class Film:
    """One sequence: a colon, its colours and the camera's way.

    Attributes:
        colon: what is filmed.
        mucosa: (3,) colour of the wall, 0 to 1.
        polyp: (3,) colour of the polyp over that of the wall.
        vessels: (PERIOD, PERIOD), 0 to 1.
        mottle: two textures, of mean 0.
        wet: (3, PERIOD, PERIOD) unevenness of the film of water.
        stool: share of stool on the wall that is seen, 0 for a clean colon.
        phase: (8,) of the camera's movements.
        window: top, left, bottom, right of the octagon, pixels.
        exposure: brightness that the camera aims at.
        reach: how far the camera keeps away, 1 as a rule.
        ahead: how far beyond the polyp it looks.
    """

    colon: Colon
    mucosa: np.ndarray
    polyp: np.ndarray
    vessels: np.ndarray
    mottle: tuple[np.ndarray, np.ndarray]
    wet: np.ndarray
    stool: float
    phase: np.ndarray
    window: tuple[int, int, int, int]
    exposure: float
    reach: float
    ahead: float


def draw_film(rng: np.random.Generator) -> Film:
    """Draw what stays the same in a sequence.

    Args:
        rng: decides everything.

    Returns:
        The film.
    """
    lines = texture(rng, 7.0), texture(rng, 3.5)
    vessels = np.maximum(np.exp(-((lines[0] / 0.055) ** 2)), 0.6 * np.exp(-((lines[1] / 0.06) ** 2)))
    vessels *= np.clip(texture(rng, 40.0) * 0.5 + 0.45, 0, 1)
    top, left = int(rng.integers(6, 22)), int(rng.integers(22, 44))
    return Film(
        colon=draw_colon(rng),
        mucosa=_MUCOSA[rng.integers(len(_MUCOSA))] * rng.uniform(0.92, 1.08, 3).astype(np.float32),
        polyp=_POLYP[rng.integers(len(_POLYP))] * rng.uniform(0.95, 1.05, 3).astype(np.float32),
        vessels=vessels.astype(np.float32),
        mottle=(texture(rng, 3.0), texture(rng, 22.0)),
        wet=np.stack([texture(rng, 2.6) + 0.6 * texture(rng, 8.0) for _ in range(3)]),
        stool=float(rng.choice([0.0, 0.0, 0.06])),
        phase=rng.uniform(0, 2 * np.pi, 8).astype(np.float32),
        window=(top, left, SIZE[0] - int(rng.integers(6, 16)), SIZE[1] - int(rng.integers(20, 40))),
        exposure=float(rng.uniform(0.5, 0.75)),
        reach=float(rng.uniform(0.75, 1.25)),
        ahead=float(rng.uniform(-0.1, 0.6)),
    )


def take_frame(film: Film, frame: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Take one frame.

    Args:
        film: of the sequence.
        frame: counted from 0; neighbours look alike.
        rng: decides the noise.

    Returns:
        The frame (H, W, 3) uint8 RGB, and how far each pixel is inside the polyp, (H, W) float32: above 0.5 inside.
    """
    origin, directions = _camera(film, frame)
    octagon = _octagon(film.window)
    in_sight = np.asarray(Image.fromarray(octagon).resize(_TRACED[::-1], Image.Resampling.BOX)).ravel() > 0
    directions = directions[in_sight]
    hits = follow_rays(film.colon, origin, directions)
    seen, inside = np.zeros((in_sight.size, 3), np.float32), np.zeros(in_sight.size, np.float32)
    seen[in_sight] = _shaded(film, hits, directions)
    inside[in_sight] = np.clip(0.5 + hits.margin / 0.03, 0, 1) * (hits.far < FAR)
    picture = _developed(film, seen.reshape(*_TRACED, 3), octagon, rng)
    return picture, _enlarged(inside.reshape(_TRACED)) * (octagon > 0)


def _camera(film: Film, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the camera is, (3,), and where each pixel looks, (N, 3)."""
    swing = np.sin(film.phase + frame * np.array([0.11, 0.17, 0.13, 0.08, 0.19, 0.07, 0.15, 0.10]))
    polyp, colon = film.colon.polyp, film.colon
    z = polyp.z - film.reach * (1.15 + 0.4 * swing[0])
    middle = np.array([*colon.middle(z), z])
    foot = np.array([*colon.middle(polyp.z), polyp.z])
    out = np.array([np.cos(polyp.angle), np.sin(polyp.angle), 0.0])
    origin = middle - 0.22 * out + 0.14 * np.array([swing[1], swing[2], 0.0])
    aside = np.array([0.35 * swing[4], 0.35 * swing[6], film.ahead + 0.3 * swing[5]])
    target = foot + out * (0.5 + 0.25 * swing[3]) + aside
    forward = (target - origin) / np.linalg.norm(target - origin)
    roll = film.phase[7] + 0.25 * swing[7]
    up = np.array([np.cos(roll), np.sin(roll), 0.0])
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    rows, columns = (np.linspace(-1, 1, count) for count in _TRACED)
    tall = _HALF_WIDTH * SIZE[0] / SIZE[1]
    directions = forward + tall * rows[:, None, None] * down + _HALF_WIDTH * columns[None, :, None] * right
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    return origin.astype(np.float32), directions.reshape(-1, 3).astype(np.float32)


def _shaded(film: Film, hits: Hits, directions: np.ndarray) -> np.ndarray:
    """Light that comes back, (N, 3) float32, linear."""
    angle, z, _ = film.colon.wall_place(hits.points)
    colour = _colours(film, hits, angle, z)
    facing = np.clip(-(hits.normals * directions).sum(axis=1), 0, 1)
    light = (0.22 + 0.78 * facing) / (0.16 + hits.far**2) * np.exp(-0.12 * hits.far)
    wet = np.stack([wall_sample(layer, angle, z) for layer in film.wet], axis=1)
    normals = hits.normals + 0.14 * wet
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    mirrored = np.clip(-(normals * directions).sum(axis=1), 0, 1)
    film_of_water = np.clip(wall_sample(film.mottle[1], angle, z) + 0.2, 0, 1)
    spots = np.clip((mirrored - 0.982) / 0.015, 0, 1) ** 1.5 * film_of_water
    seen = colour * light[:, None] + 1.6 * (spots * light)[:, None] * np.array([1.0, 0.98, 0.9], np.float32)
    return np.where((hits.far < FAR)[:, None], seen, 0).astype(np.float32)


def _colours(film: Film, hits: Hits, angle: np.ndarray, z: np.ndarray) -> np.ndarray:
    fine, coarse = (wall_sample(layer, angle, z, scale) for layer, scale in zip(film.mottle, (2, 1), strict=True))
    vessels = wall_sample(film.vessels, angle, z)
    on_polyp = np.clip(0.5 + hits.margin / 0.06, 0, 1)
    shade = 1 + 0.05 * (1 - 0.6 * on_polyp) * fine + 0.06 * coarse
    tint = 1 + on_polyp[:, None] * (film.polyp - 1)
    red = np.array([0.22, 0.6, 0.6], np.float32) * (vessels * (1 - 0.7 * on_polyp))[:, None]
    colour = film.mucosa * shade[:, None] * tint * (1 - red)
    if film.stool:
        dirty = np.clip((coarse + 0.3 * fine - 1.7) / 0.3, 0, 1)[:, None] * (1 - on_polyp[:, None])
        colour += dirty * (_STOOL - colour)
    return colour


def _developed(film: Film, seen: np.ndarray, octagon: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The camera's picture: exposed, enlarged, with noise, in its frame."""
    bright = float(np.percentile(seen.max(axis=2), 70)) + 1e-6
    tones = (1 - np.exp(-seen * (film.exposure * 1.5 / bright))) ** (1 / 1.25)
    picture = np.stack([_enlarged(tones[..., channel]) for channel in range(3)], axis=2)
    noise = ndimage.gaussian_filter(rng.standard_normal(SIZE, dtype=np.float32), 0.7)
    coloured = rng.standard_normal((*SIZE, 3), dtype=np.float32)
    picture += 0.014 * noise[..., None] + 0.006 * coloured
    border = np.array(_BORDER_RGB, np.float32) / 255 + 0.002 * coloured
    return np.rint(np.clip(border + octagon[..., None] * (picture - border), 0, 1) * 255).astype(np.uint8)


def _octagon(window: tuple[int, int, int, int]) -> np.ndarray:
    """1 in the picture, 0 around it, soft by a pixel; (H, W) float32."""
    top, left, bottom, right = window
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
    cut = 0.17 * (bottom - top)
    sides = np.minimum(np.minimum(rows - top, bottom - rows), np.minimum(columns - left, right - columns))
    corners = np.minimum(rows - top, bottom - rows) + np.minimum(columns - left, right - columns) - cut
    return np.clip(np.minimum(sides, corners / np.sqrt(2)), 0, 1).astype(np.float32)


def _enlarged(image: np.ndarray) -> np.ndarray:
    """From the traced size to the frame's."""
    return np.asarray(Image.fromarray(image).resize(SIZE[::-1], Image.Resampling.BICUBIC))
