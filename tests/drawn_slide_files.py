"""Slides and label maps as files of every kind: tiled, in strips, pyramidal, palettes, a scanner's."""

import numpy as np
import tifffile
from PIL import Image

COLORS = {
    "classes": [
        {"name": "background", "index": 0, "rgb": [0, 0, 0]},
        {"name": "tubule", "index": 2, "rgb": [0, 158, 115]},
        {"name": "vessel", "index": 1, "rgb": [86, 180, 233]},
    ]
}
RGB_OF_INDEX = np.array([[0, 0, 0], [86, 180, 233], [0, 158, 115]], dtype=np.uint8)
RESOLUTION = {"resolution": (20000, 25000), "resolutionunit": "CENTIMETER"}  # 0.5 um a column, 0.4 um a row


def noise(height=301, width=403, seed=0):
    """(H, W, 3), in which no two places look alike."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def blobs(height=301, width=403, seed=0, classes=3):
    """(H, W) of indices in rectangles of 9 x 7 pixels."""
    grid = np.random.default_rng(seed).integers(0, classes, (-(-height // 9), -(-width // 7)))
    return np.kron(grid, np.ones((9, 7), dtype=int))[:height, :width].astype(np.uint8)


def write_tiff(path, pixels, **options):
    photometric = "rgb" if pixels.ndim == 3 else "minisblack"
    tifffile.imwrite(path, pixels, **{"photometric": photometric, "metadata": None, **options})
    return path


def write_pyramid(path, levels, **options):
    with tifffile.TiffWriter(path) as tiff:
        for number, pixels in enumerate(levels):
            kind = {"subfiletype": 1} if number else {}
            photometric = "rgb" if pixels.ndim == 3 else "minisblack"
            tiff.write(pixels, **{"tile": (64, 48), "photometric": photometric, "metadata": None, **options, **kind})
    return path


def write_aperio(path, pixels):
    """An SVS as Aperio's scanners write it, level 2 beside the full image, 0.5 um a pixel."""
    text = f"Aperio Image Library v11\n{pixels.shape[1]}x{pixels.shape[0]} J2K|AppMag = 20|MPP = 0.5"
    return write_pyramid(path, [pixels, pixels[::4, ::4]], tile=(256, 256), compression="zlib", description=text)


def write_palette(path, indices, colors=RGB_OF_INDEX, **options):
    """A palette whose order is another one than that of the classes."""
    order = np.array([2, 0, 1])
    image = Image.fromarray(np.argsort(order).astype(np.uint8)[indices])
    image.putpalette(colors[order].ravel().tolist())
    image.save(path, **options)
    return path


def write_pairs(root, count=4, height=96, width=128, *, folder=""):
    """images/ and masks/ with tiled TIFF and PNG in turn, and colors.yaml."""
    for kind in ("images", "masks"):
        (root / kind / folder).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        image, labels = noise(height, width, seed=number), blobs(height, width, seed=number)
        write_tiff(root / "images" / folder / f"s{number}.tif", image, tile=(32, 48), compression="zlib", **RESOLUTION)
        Image.fromarray(RGB_OF_INDEX[labels]).save(root / "masks" / folder / f"s{number}.png")
    lines = [f"  - {{name: {row['name']}, index: {row['index']}, rgb: {row['rgb']}}}" for row in COLORS["classes"]]
    (root / "colors.yaml").write_text("\n".join(["classes:", *lines]) + "\n")
    return root
