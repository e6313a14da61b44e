"""A piece of colon with one polyp as a distance field, and the rays that a camera in it sends out.

Unit of length: the colon's radius. z runs along the colon, away from the camera as a rule; x and y lie across it, and
an angle around the colon is arctan2(y, x). Points and directions are (N, 3) float32. The field is above 0 in the lumen.
Ray marching as in Hart, Sphere tracing, The Visual Computer 12 (1996).
"""

from dataclasses import dataclass

import numpy as np

from monai_gi.datasets.phantom.noise import PERIOD, texture

FAR = 8.0
_STEPS, _CAUTION, _NEAR = 70, 0.42, 0.004
_BLEND = 0.07
_FOLDS = 64


@dataclass(frozen=True)
class Polyp:
    """One polyp on the wall.

    Attributes:
        angle: where it sits around the colon.
        z: where it sits along it.
        radii: across (x), along (z) and away from the wall.
        stalk: how far the head's middle lies from the wall; 0 sits flat on it.
        lobes: how far the surface swells and shrinks, share of the radius.
        phase: of the lobes, three angles.
    """

    angle: float
    z: float
    radii: tuple[float, float, float]
    stalk: float
    lobes: float
    phase: tuple[float, float, float]


@dataclass(frozen=True)
class Colon:
    """What one sequence is filmed in.

    Attributes:
        polyp: in it.
        bend: (4,) how far and in which phase the middle swings in x and y.
        spacing: from fold to fold.
        fold_depth: (64,) of each fold, in turn.
        fold_phase: (64,) where around the colon each fold is deepest.
        ripple: (PERIOD, PERIOD) unevenness of the wall, rows around and columns along.
    """

    polyp: Polyp
    bend: np.ndarray
    spacing: float
    fold_depth: np.ndarray
    fold_phase: np.ndarray
    ripple: np.ndarray

    def middle(self, z: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """x and y of the colon's middle, at one place or at many."""
        return self.bend[0] * np.sin(0.8 * z + self.bend[1]), self.bend[2] * np.sin(0.65 * z + self.bend[3])

    def wall_place(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Angle, place along the colon, and distance from its middle."""
        x, y = self.middle(points[:, 2])
        x, y = points[:, 0] - x, points[:, 1] - y
        return np.arctan2(y, x), points[:, 2], np.sqrt(x * x + y * y)

    def fields(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distances to the wall, to the polyp's head and to its stalk, roughly; each (N,)."""
        angle, z, away = self.wall_place(points)
        local = self._local(points)
        radii = np.array(self.polyp.radii, np.float32)
        return self._radius(angle, z) - away, self._head(local, radii), self._stalk(local, radii)

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Distance to the nearest surface, roughly; (N,)."""
        wall, head, stalk = self.fields(points)
        return _blended(_blended(wall, stalk), head)

    def _radius(self, angle: np.ndarray, z: np.ndarray) -> np.ndarray:
        place = z / self.spacing + 0.22 * np.sin(angle + self.bend[1])
        nearest = np.rint(place)
        which = nearest.astype(np.int64) % _FOLDS
        profile = np.exp(-(((place - nearest) * self.spacing / 0.15) ** 2))
        around = 0.6 + 0.4 * np.cos(1.5 * np.abs(_turned(angle - self.fold_phase[which])))
        clear = np.exp(-(((z - self.polyp.z + 0.3) / 0.5) ** 2) - (_turned(angle - self.polyp.angle) / 0.75) ** 2)
        depth = self.fold_depth[which] * around * profile * (1 - 0.85 * clear)
        return 1 + 0.07 * np.cos(3 * angle + self.bend[3]) - depth + 0.035 * wall_sample(self.ripple, angle, z)

    def _local(self, points: np.ndarray) -> np.ndarray:
        """Points around the polyp's foot: across, along, and off the wall into the lumen."""
        polyp = self.polyp
        x, y = self.middle(polyp.z)
        sine, cosine = np.float32(np.sin(polyp.angle)), np.float32(np.cos(polyp.angle))
        x, y = points[:, 0] - x, points[:, 1] - y
        return np.stack([cosine * y - sine * x, points[:, 2] - polyp.z, 0.97 - (cosine * x + sine * y)], axis=1)

    def _head(self, local: np.ndarray, radii: np.ndarray) -> np.ndarray:
        shifted = (local - np.array([0, 0, self.polyp.stalk], np.float32)) / radii
        length = np.sqrt((shifted * shifted).sum(axis=1)) + 1e-6
        one, two, three = self.polyp.phase
        across, along, off = (shifted / length[:, None]).T
        lobes = np.sin(4 * across + one) * np.sin(4 * along + two) + 0.5 * np.sin(9 * off + three) * np.sin(8 * across)
        return (length - 1 - self.polyp.lobes * lobes) * float(radii.min())

    def _stalk(self, local: np.ndarray, radii: np.ndarray) -> np.ndarray:
        if not self.polyp.stalk:
            return np.full(len(local), FAR, np.float32)
        off = np.clip(local[:, 2], 0, self.polyp.stalk)
        leaning = local[:, 1] - 0.3 * off
        return np.sqrt(local[:, 0] ** 2 + leaning**2 + (local[:, 2] - off) ** 2) - 0.45 * float(radii.min())


@dataclass(frozen=True)
class Hits:
    """What rays met.

    Attributes:
        points: (N, 3), where; at FAR where nothing was met.
        far: (N,) distance from the camera.
        normals: (N, 3), into the lumen, of length 1.
        is_polyp: (N,), the polyp's head.
        margin: (N,) by how much the head is nearer than anything else, above 0 on it.
    """

    points: np.ndarray
    far: np.ndarray
    normals: np.ndarray
    is_polyp: np.ndarray
    margin: np.ndarray


def draw_colon(rng: np.random.Generator) -> Colon:
    """Draw a colon with its polyp.

    Args:
        rng: decides everything.

    Returns:
        The colon; the polyp sits at z = 0.
    """
    size = float(rng.uniform(0.25, 0.6))
    has_stalk = rng.random() < 0.3
    polyp = Polyp(
        angle=float(rng.uniform(-np.pi, np.pi)),
        z=0.0,
        radii=(size * float(rng.uniform(0.85, 1.25)), size, size * float(rng.uniform(0.45, 0.95))),
        stalk=size * 1.5 if has_stalk else 0.0,
        lobes=float(rng.choice([0.03, 0.07, 0.12])),
        phase=(float(rng.uniform(0, 6)), float(rng.uniform(0, 6)), float(rng.uniform(0, 6))),
    )
    return Colon(
        polyp=polyp,
        bend=np.array([rng.uniform(0.1, 0.4), rng.uniform(0, 6), rng.uniform(0.1, 0.4), rng.uniform(0, 6)], np.float32),
        spacing=float(rng.uniform(0.75, 1.3)),
        fold_depth=rng.uniform(0.1, 0.5, _FOLDS).astype(np.float32),
        fold_phase=rng.uniform(-np.pi, np.pi, _FOLDS).astype(np.float32),
        ripple=texture(rng, 24.0),
    )


def follow_rays(colon: Colon, origin: np.ndarray, directions: np.ndarray) -> Hits:
    """Follow rays to the first surface.

    Args:
        colon: to look at.
        origin: (3,) of all rays.
        directions: (N, 3) of length 1.

    Returns:
        What they met.
    """
    far = np.full(len(directions), 0.05, np.float32)
    going = np.arange(len(directions))
    for _ in range(_STEPS):
        gap = colon.distance(origin + far[going, None] * directions[going])
        far[going] += np.maximum(_CAUTION * gap, 0)
        going = going[(gap > _NEAR) & (far[going] < FAR)]
        if not going.size:
            break
    points = origin + far[:, None] * directions
    wall, head, stalk = colon.fields(points)
    margin = np.minimum(wall, stalk) - head
    return Hits(points, far, _normals(colon, points), (margin > 0) & (far < FAR), margin)


def wall_sample(image: np.ndarray, angle: np.ndarray, z: np.ndarray, finer: int = 1) -> np.ndarray:
    """A texture laid around the wall, linearly between its pixels.

    Args:
        image: (PERIOD, PERIOD), rows around and columns along.
        angle: around the colon.
        z: along it.
        finer: so many times as small, and as often around.

    Returns:
        Values in the shape of `angle`.
    """
    unit = finer * PERIOD / (2 * np.pi)
    row, column = angle * unit, z * unit
    top, left = np.floor(row), np.floor(column)
    down, right = (row - top).astype(np.float32), (column - left).astype(np.float32)
    rows = [(top.astype(np.int64) + step) % PERIOD for step in (0, 1)]
    columns = [(left.astype(np.int64) + step) % PERIOD for step in (0, 1)]
    upper, lower = (image[r, columns[0]] * (1 - right) + image[r, columns[1]] * right for r in rows)
    return upper * (1 - down) + lower * down


def _normals(colon: Colon, points: np.ndarray) -> np.ndarray:
    step = np.float32(0.006)
    slopes = [
        colon.distance(points + step * axis) - colon.distance(points - step * axis)
        for axis in np.eye(3, dtype=np.float32)
    ]
    normals = np.stack(slopes, axis=1)
    return normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9)


def _blended(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The smaller of two distances, rounded where they meet."""
    share = np.clip(0.5 + 0.5 * (other - one) / _BLEND, 0, 1)
    return other + (one - other) * share - _BLEND * share * (1 - share)


def _turned(angle: np.ndarray) -> np.ndarray:
    """The same angle between -pi and pi."""
    return (angle + np.pi) % (2 * np.pi) - np.pi
