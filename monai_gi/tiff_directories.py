"""Directories of TIFF and BigTIFF files as bytes, little-endian.

Source: TIFF 6.0, section 2 (https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf);
https://libtiff.gitlab.io/libtiff/specification/bigtiff.html
"""

import struct
from collections.abc import Mapping, Sequence

ASCII, SHORT, LONG, RATIONAL, LONG8 = 2, 3, 4, 5, 16
CODES = {ASCII: "B", SHORT: "H", LONG: "I", RATIONAL: "I", LONG8: "Q"}
"""Of `struct`; a rational takes two numbers."""
HEADER, BIG_HEADER = struct.pack("<2sHI", b"II", 42, 0), struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0)
FIRST_DIRECTORY, FIRST_BIG_DIRECTORY = 4, 8
"""Where the header says where the first directory begins."""
_ALIGNED = 8

Fields = Mapping[int, tuple[int, Sequence[int]]]


def packed_directory(at: int, fields: Fields, *, is_big: bool) -> tuple[bytes, int]:
    """Pack one directory, with the values behind it that do not fit into its entries; no other follows it yet.

    Args:
        at: where in the file it will begin.
        fields: type and numbers by tag.
        is_big: of a BigTIFF.

    Returns:
        The bytes, and where in the file to write the position of the next directory.
    """
    count, entry, word = ("<Q", "<HHQ", "<Q") if is_big else ("<H", "<HHI", "<I")
    room = struct.calcsize(word)
    link = at + struct.calcsize(count) + len(fields) * (struct.calcsize(entry) + room)
    entries, values = [struct.pack(count, len(fields))], bytearray()
    for tag, (kind, numbers) in sorted(fields.items()):
        data = struct.pack(f"<{len(numbers)}{CODES[kind]}", *numbers)
        entries.append(struct.pack(entry, tag, kind, len(numbers) // (2 if kind == RATIONAL else 1)))
        if len(data) <= room:
            entries.append(data.ljust(room, b"\0"))
        else:
            entries.append(struct.pack(word, link + room + len(values)))
            values += data.ljust(-(-len(data) // _ALIGNED) * _ALIGNED, b"\0")
    return b"".join(entries) + struct.pack(word, 0) + bytes(values), link
