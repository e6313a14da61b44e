"""Slides painted in the colours of their classes, and a network that knows the colours: the right labels are known."""

import numpy as np
import torch
from PIL import Image

from monai_gi.labels import TISSUES
from monai_gi.slides import ColorTable

CLASSES = tuple(tissue.name for tissue in TISSUES)
COLORS = np.array([tissue.rgb for tissue in TISSUES], dtype=np.uint8)
PAINTED = COLORS.copy()
PAINTED[0] = 250  # glass
TABLE = ColorTable(CLASSES, tuple(range(len(TISSUES))), tuple(tissue.rgb for tissue in TISSUES))


class ColorNetwork(torch.nn.Module):
    """Logits by the distance of each pixel to the colours of the classes; stops at a given window if asked to."""

    def __init__(self, stop_after=None):
        super().__init__()
        self.register_buffer("colors", torch.from_numpy(PAINTED).float() / 255)
        self.stop_after, self.windows = stop_after, 0

    def forward(self, windows):
        if self.stop_after is not None and self.windows >= self.stop_after:
            raise KeyboardInterrupt
        self.windows += len(windows)
        return -200 * ((windows[:, None, :3] - self.colors[None, :, :, None, None]) ** 2).sum(dim=2)


def drawn_labels(height=150, width=203, seed=0):
    """Rectangles of four classes on glass; class 5 is absent, the right third is glass."""
    labels = np.zeros((height, width), dtype=np.uint8)
    generator = np.random.default_rng(seed)
    for _ in range(25):
        top, left = generator.integers(0, height - 20), generator.integers(0, 2 * width // 3 - 25)
        labels[top : top + generator.integers(8, 40), left : left + generator.integers(8, 25)] = generator.integers(
            1, 5
        )
    return labels


def write_pair(folder, name, labels):
    """An image and its colour mask as PNG; their paths."""
    paths = []
    for kind, colors in (("images", PAINTED), ("masks", COLORS)):
        path = folder / kind / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(colors[labels]).save(path)
        paths.append(path)
    return paths
