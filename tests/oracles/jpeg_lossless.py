"""A plain JPEG lossless encoder (process 14, selection value 1), which no library here has; slow and obvious.

Source: ITU-T T.81 annex H (prediction from the left, first row and column apart) and annex C (Huffman codes).
"""

import numpy as np

CATEGORIES = 17
CODE_BITS = 5  # all categories get a code of equal length: 17 of the 32 codes


def encode(pixels: np.ndarray, bits: int) -> bytes:
    """One grey image (H, W) of `bits` bits as a JPEG stream."""
    rows, columns = pixels.shape
    size = rows.to_bytes(2, "big") + columns.to_bytes(2, "big")
    frame = b"\xff\xc3\x00\x0b" + bytes([bits]) + size + b"\x01\x01\x11\x00"
    lengths = bytes([CATEGORIES if length == CODE_BITS else 0 for length in range(1, 17)])
    table = b"\xff\xc4" + (3 + 16 + CATEGORIES).to_bytes(2, "big") + b"\x00" + lengths + bytes(range(CATEGORIES))
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x01\x00\x00"
    return b"\xff\xd8" + frame + table + scan + _entropy_coded(pixels, bits) + b"\xff\xd9"


def _entropy_coded(pixels: np.ndarray, bits: int) -> bytes:
    text = ""
    for row, line in enumerate(pixels.astype(int)):
        for column, pixel in enumerate(line):
            if column:
                predicted = line[column - 1]
            else:
                predicted = pixels[row - 1, 0] if row else 1 << (bits - 1)
            text += _coded((int(pixel) - int(predicted) + (1 << 15)) % (1 << 16) - (1 << 15))
    text += "1" * (-len(text) % 8)
    coded = bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))
    return coded.replace(b"\xff", b"\xff\x00")


def _coded(difference: int) -> str:
    category = abs(difference).bit_length()
    code = format(category, f"0{CODE_BITS}b")
    if category in (0, 16):
        return code
    value = difference if difference > 0 else difference + (1 << category) - 1
    return code + format(value, f"0{category}b")
