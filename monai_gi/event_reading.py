"""Scalars out of TensorBoard's event files, as a resumed run shows them; pictures between them are stepped over.

A file is a row of records: length (8 bytes), its checksum (4), an Event message, its checksum (4). A record that a kill
cut short ends the file.
Source: https://www.tensorflow.org/tutorials/load_data/tfrecord and tensorboard/compat/proto/event.proto
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from monai_gi.errors import DataError

Curve = dict[int, float]
"""Values by step, ascending."""

_LENGTH = struct.Struct("<Q")
_CHECKSUM_BYTES = 4


def read_scalars(folder: str | Path) -> dict[str, Curve]:
    """Read every scalar of a TensorBoard run.

    Args:
        folder: with event files, such as `<tensorboard_dir>/train`.

    Returns:
        Curves by tag. Steps that a resumed run took again are those of the later run. Empty without event files.

    Raises:
        DataError: a file is none of TensorBoard's.
    """
    from tensorboard.compat.proto.event_pb2 import SessionLog

    curves: dict[str, Curve] = {}
    for path in sorted(Path(folder).glob("events.out.tfevents.*"), key=_began):
        for event in _events(path):
            if event.HasField("session_log") and event.session_log.status == SessionLog.START:
                curves = {tag: {s: v for s, v in curve.items() if s < event.step} for tag, curve in curves.items()}
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    curves.setdefault(value.tag, {})[event.step] = value.simple_value
    return {tag: dict(sorted(curve.items())) for tag, curve in curves.items() if curve}


def _began(path: Path) -> tuple[int, str]:
    """When the file was opened, which its name tells, `events.out.tfevents.SECONDS.HOST.PROCESS.NUMBER`."""
    seconds = path.name.split(".")[3]
    return int(seconds) if seconds.isdigit() else 0, path.name


def _events(path: Path) -> Iterator:
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.event_pb2 import Event

    try:
        yield from (Event.FromString(record) for record in _records(path))
    except DecodeError as error:
        raise DataError(path, "is no event file of TensorBoard; move it out of the run's folder") from error


def _records(path: Path) -> Iterator[bytes]:
    size = path.stat().st_size
    with path.open("rb") as file:
        while len(head := file.read(_LENGTH.size + _CHECKSUM_BYTES)) == _LENGTH.size + _CHECKSUM_BYTES:
            length = _LENGTH.unpack_from(head)[0]
            if file.tell() + length > size:
                return
            yield file.read(length)
            file.seek(_CHECKSUM_BYTES, 1)
