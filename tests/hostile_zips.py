"""Archives that a bundle's reader must refuse, written entry by entry."""

import struct
import zipfile


def write_zip(path, entries, compression=zipfile.ZIP_DEFLATED):
    """A zip of (name, content) or (name, content, unix mode); names are written as they are."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content, *mode in entries:
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.compress_type = compression
            info.external_attr = (mode[0] if mode else 0o100644) << 16
            archive.writestr(info, content)
    return path


def patch_directory(path, name, offset, layout, value):
    """Overwrite a field of an entry in the central directory only."""
    data = bytearray(path.read_bytes())
    at = data.rindex(name.encode()) - 46
    assert data[at : at + 4] == b"PK\x01\x02"
    struct.pack_into(layout, data, at + offset, value)
    path.write_bytes(data)
    return path


def two_directories(path):
    """A zip that Python reads as "harmless.txt" and a reader that trusts the directory's offset reads otherwise."""
    inner = write_zip(path.with_suffix(".inner"), [("evil.txt", "evil")]).read_bytes()
    outer = write_zip(path.with_suffix(".outer"), [("harmless.txt", "harmless")]).read_bytes()
    path.write_bytes(inner + outer)
    return path
