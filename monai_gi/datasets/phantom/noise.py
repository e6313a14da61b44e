"""Random textures that repeat without a seam, so that any window of a huge image is drawn without its neighbours."""

import numpy as np

PERIOD = 1024


def texture(rng: np.random.Generator, sigma: float) -> np.ndarray:
    """White noise blurred by a Gaussian around the edges.

    Args:
        rng: the generator to draw from.
        sigma: of the Gaussian, in texture pixels; 0 leaves white noise.

    Returns:
        (PERIOD, PERIOD) float32, mean 0, standard deviation 1.
    """
    white = rng.standard_normal((PERIOD, PERIOD), dtype=np.float32)
    frequency = (
        np.fft.fftfreq(PERIOD).astype(np.float32)[:, None] ** 2 + np.fft.rfftfreq(PERIOD).astype(np.float32) ** 2
    )
    blurred = np.fft.irfft2(np.fft.rfft2(white) * np.exp(-2 * (np.pi * sigma) ** 2 * frequency), s=white.shape)
    blurred -= blurred.mean()
    return (blurred / blurred.std()).astype(np.float32)


def window(image: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    """A window of an endlessly repeated texture.

    Args:
        image: (h, w), the texture.
        top: first row, any whole number.
        left: first column, any whole number.
        height: rows.
        width: columns.

    Returns:
        (height, width), a copy.
    """
    rows, columns = np.arange(top, top + height) % image.shape[0], np.arange(left, left + width) % image.shape[1]
    return image[rows[:, None], columns]


def at_points(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A repeated texture at points, nearest pixel.

    Args:
        image: (h, w), the texture.
        points: (N, 2) of (row, column), in texture pixels.

    Returns:
        (N,) values.
    """
    rows, columns = np.rint(points).astype(np.int64).T
    return image[rows % image.shape[0], columns % image.shape[1]]
