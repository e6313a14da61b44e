"""All pairs one by one, with np.corrcoef."""

import numpy as np


def alike_pairs(images, parts, threshold):
    """{(i, j): correlation} with i < j of different parts; images (N, h, w) with contrast."""
    found = {}
    for i in range(len(images)):
        for j in range(i + 1, len(images)):
            correlation = np.corrcoef(images[i].ravel(), images[j].ravel())[0, 1]
            if parts[i] != parts[j] and correlation >= threshold:
                found[i, j] = correlation
    return found
