"""JPEG lossless (process 14, selection value 1) of one 16-bit plane: pydicom writes every other syntax, but not this.

Each pixel is coded as the difference to its left neighbour (first column: the one above; first pixel: 2^15), modulo
2^16, as a category and its bits. Source: ITU-T T.81, Annex H (coding), Annex C (tables), Annex B (markers).
"""

import struct

import numpy as np

PRECISION = 16
# Lengths of the codes, the most frequent category's first. They leave codes free, so none is all ones, as T.81 wants.
CODE_LENGTHS = (2, 3, 3, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)


def encode_jpeg_lossless(plane: np.ndarray) -> bytes:
    """Code one plane; the same plane gives the same bytes.

    Args:
        plane: (H, W), uint16 or int16 (whose bits are coded as they are).

    Returns:
        A whole JPEG file: SOI to EOI.

    Raises:
        ValueError: the plane is empty, too large for JPEG, not two-dimensional or not of 16 bits.
    """
    if plane.ndim != 2 or plane.dtype not in (np.uint16, np.int16) or not 0 < plane.size <= 65535**2:
        raise ValueError(f"plane: {plane.dtype} {plane.shape}, wanted (H, W) of uint16 or int16")
    differences = _differences(plane)
    # Category c holds the differences of c bits; 2^15, which has no opposite, is category 16 and needs no bits.
    categories = np.frexp(np.abs(differences).astype(np.float64))[1]
    ranked = np.argsort(-np.bincount(categories, minlength=len(CODE_LENGTHS)), kind="stable")
    codes, lengths = _codes(ranked)
    extra = np.where(categories == PRECISION, 0, categories)
    # A negative difference is written as itself less one, in as many low bits.
    low = np.where(differences < 0, differences - 1, differences) & ((1 << extra) - 1)
    entropy = _pack((codes[categories] << extra) | low, lengths[categories] + extra)
    return _file(plane.shape, ranked, entropy)


def _differences(plane: np.ndarray) -> np.ndarray:
    """(H * W,) int64 from -2^15 + 1 to 2^15, row by row."""
    values = np.ascontiguousarray(plane).view(np.uint16).astype(np.int64)
    predicted = np.empty_like(values)
    predicted[:, 1:] = values[:, :-1]
    predicted[1:, 0] = values[:-1, 0]
    predicted[0, 0] = 1 << (PRECISION - 1)
    wrapped = (values - predicted) & 0xFFFF
    return np.where(wrapped > 1 << (PRECISION - 1), wrapped - (1 << PRECISION), wrapped).ravel()


def _codes(ranked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Code and its length by category, counted up as T.81 Annex C has it."""
    codes, lengths = np.zeros(len(ranked), np.int64), np.zeros(len(ranked), np.int64)
    code, before = 0, CODE_LENGTHS[0]
    for category, length in zip(ranked.tolist(), CODE_LENGTHS, strict=True):
        code <<= length - before
        codes[category], lengths[category] = code, length
        code, before = code + 1, length
    return codes, lengths


def _pack(values: np.ndarray, lengths: np.ndarray) -> bytes:
    """The low `lengths` bits of `values`, one after the other; filled up with ones, a zero byte after each 0xFF."""
    shifts = lengths[:, None] - 1 - np.arange(lengths.max())
    bits = ((values[:, None] >> np.maximum(shifts, 0)) & 1)[shifts >= 0]
    filled = np.append(bits, np.ones(-len(bits) % 8, np.int64))
    return np.packbits(filled.astype(np.uint8)).tobytes().replace(b"\xff", b"\xff\x00")


def _file(size: tuple[int, ...], ranked: np.ndarray, entropy: bytes) -> bytes:
    """The markers around the entropy-coded bits of one component."""
    frame = struct.pack(">BHHBBBB", PRECISION, *size, 1, 1, 0x11, 0)
    counts = bytes(CODE_LENGTHS.count(length) for length in range(1, 17))
    table = b"\x00" + counts + bytes(ranked.tolist())
    scan = bytes((1, 1, 0x00, 1, 0, 0))
    segments = ((0xC3, frame), (0xC4, table), (0xDA, scan))
    head = b"".join(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments)
    return b"\xff\xd8" + head + entropy + b"\xff\xd9"
