"""PNG files written row by row with a filter of one's choice, and interlaced ones; https://www.w3.org/TR/png-3/."""

import struct
import zlib

ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(pixels, packed, *, interlaced=False, pieces=1, before=b""):
    """A file (bytes) around packed rows, in several IDAT chunks; `before` holds chunks such as tRNS."""
    height, width, samples = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, COLOR_TYPES[samples], 0, 0, interlaced)
    step = -(-len(packed) // pieces)
    data = b"".join(chunk(b"IDAT", packed[start : start + step]) for start in range(0, len(packed), step))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + data + chunk(b"IEND", b"")


def paeth(left, up, corner):
    nearest = [abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)]
    return (left, up, corner)[nearest.index(min(nearest))]


def filtered(pixels, filters):
    """Rows (bytes) of (H, W, C) uint8, row y by filter `filters[y % len(filters)]`."""
    height, width, samples = pixels.shape
    rows = pixels.reshape(height, -1).astype(int)
    out = bytearray()
    for y in range(height):
        kind = filters[y % len(filters)]
        out.append(kind)
        for x in range(width * samples):
            left = rows[y, x - samples] if x >= samples else 0
            up = rows[y - 1, x] if y else 0
            corner = rows[y - 1, x - samples] if y and x >= samples else 0
            guess = (0, left, up, (left + up) // 2, paeth(left, up, corner))[kind]
            out.append(int(rows[y, x] - guess) % 256)
    return bytes(out)


def write_filtered(path, pixels, filters, **options):
    path.write_bytes(png(pixels, zlib.compress(filtered(pixels, filters)), **options))
    return path


def write_interlaced(path, pixels):
    passes = [pixels[top::down, left::right] for top, left, down, right in ADAM7]
    rows = b"".join(filtered(part, [0]) for part in passes if part.size)
    path.write_bytes(png(pixels, zlib.compress(rows), interlaced=True))
    return path
