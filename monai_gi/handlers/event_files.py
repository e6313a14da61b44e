"""TensorBoard's event files: one writer a folder, opened when something is written, closed when the run ends.

Convention: `<tensorboard_dir>/train` and `/validation` are runs of their own whose equal tags TensorBoard draws on
shared axes; their steps are epochs, from 1. `/iterations` counts optimizer steps. A folder has one axis only, because
a resumed run drops every step of the folder from the one it continues with.
"""

import atexit
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

_open_writers: dict[Path, "SummaryWriter"] = {}


def event_writer(folder: str | Path, first_step: int) -> "SummaryWriter":
    """The folder's writer, opened now if it is not.

    Args:
        folder: of one TensorBoard run.
        first_step: steps from here on that an earlier, killed run left in the folder are dropped by TensorBoard.

    Returns:
        The one writer of this folder in this process.
    """
    from torch.utils.tensorboard import SummaryWriter

    folder = Path(folder).resolve()
    if folder not in _open_writers:
        _open_writers[folder] = SummaryWriter(str(folder), purge_step=first_step)
    return _open_writers[folder]


def flush_event_writers(folder: str | Path) -> None:
    """Bring what was written under a folder to the disk.

    Args:
        folder: of one run or of several.
    """
    for path in _under(folder):
        _open_writers[path].flush()


def close_event_writers(folder: str | Path) -> None:
    """Close the writers under a folder; a later write opens them again.

    Args:
        folder: of one run or of several.
    """
    for path in _under(folder):
        _open_writers.pop(path).close()


def _under(folder: str | Path) -> list[Path]:
    folder = Path(folder).resolve()
    return [path for path in _open_writers if path.is_relative_to(folder)]


def _close_all() -> None:
    for path in list(_open_writers):
        _open_writers.pop(path).close()


atexit.register(_close_all)
