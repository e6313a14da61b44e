"""Slides in memory with the interface of `monai_gi.slides.Slide`, and small networks whose windows disagree."""

import numpy as np
import torch

WHITE = 255


class ArraySlide:
    """An image (H, W, 3) read as a slide: coarser levels are box averages, outside is white."""

    def __init__(self, array, mpp=None, path="drawn.tif"):
        self.array = array
        self.size = array.shape[:2]
        self.mpp = mpp
        self.path = path
        self.reads = []

    def read(self, level, top, left, height, width):
        self.reads.append((level, top, left))
        step = 2**level
        region = np.full((height * step, width * step, 3), WHITE, dtype=np.uint8)
        rows, columns = (
            slice(max(start * step, 0), max(min((start + length) * step, size), 0))
            for start, length, size in zip((top, left), (height, width), self.size, strict=True)
        )
        part = self.array[rows, columns]
        region[rows.start - top * step :, columns.start - left * step :][: part.shape[0], : part.shape[1]] = part
        blocks = region.reshape(height, step, width, step, 3).astype(np.float64)
        return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)


class WindowedNetwork(torch.nn.Module):
    """Two convolutions and a ramp over the window, so that neighbouring windows contradict each other."""

    def __init__(self, in_channels=3, classes=4, seed=0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.first = torch.nn.Conv2d(in_channels, 5, 3, padding=1)
            self.second = torch.nn.Conv2d(5, classes, 3, padding=1)
        self.calls = 0
        self.eval()

    def forward(self, windows):
        self.calls += len(windows)
        down = torch.linspace(0, 1, windows.shape[2])[:, None]
        across = torch.linspace(0, 1, windows.shape[3]) ** 2
        logits = self.second(torch.nn.functional.elu(self.first(windows)))
        return 4 * logits + (down - across) * torch.arange(logits.shape[1])[:, None, None]


def drawn_image(height, width, seed=0):
    """Smooth colours with noise, (H, W, 3) uint8, darker than white everywhere."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    waves = np.stack([np.sin(rows / 7), np.cos(columns / 5), np.sin((rows + columns) / 9)], axis=-1)
    return np.clip(120 + 60 * waves + generator.normal(0, 15, waves.shape), 0, 230).astype(np.uint8)
