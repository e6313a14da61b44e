"""All pages that are open, each with its own session; those that were left alone are closed, and the disk is bounded.

A page is known by the session that Gradio gives it and, with a password, by the user's name. Results are served under
a token that nobody can guess.
"""

import contextlib
import os
import secrets
import shutil
import threading
import time
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from monai_gi.app.session import Session
from monai_gi.errors import DataError

IDLE_S = 3600.0
MOST_SESSIONS = 64
MOST_BYTES = 10_000_000_000
_YOUNG_S = 600.0


class Sessions:
    """All pages that are open.

    Args:
        folder: of all sessions.
        idle_s: after which a session is closed.
        most_bytes: that lie in the folder and beside it, uploads and examples too, before nothing more is taken.
    """

    def __init__(self, folder: Path, idle_s: float = IDLE_S, most_bytes: int = MOST_BYTES) -> None:
        self.folder, self.idle_s, self.most_bytes = folder, idle_s, most_bytes
        self._open: dict[str, Session] = {}
        self._uses: Counter[Path] = Counter()
        self._lock = threading.Lock()

    def find(self, key: str) -> Session | None:
        """The session of a page.

        Args:
            key: of the page.

        Returns:
            The session; None where it has none.
        """
        with self._lock:
            session = self._open.get(key)
            if session is not None:
                session.last_used = time.monotonic()
            return session

    def get(self, key: str) -> Session:
        """The session of a page, a new one where it has none.

        Args:
            key: of the page.

        Returns:
            The session.

        Raises:
            DataError: too many others are open and in use.
        """
        self.close_idle()
        self._make_place(key)
        with self._lock:
            session = self._open.get(key)
            if session is None:
                session = self._open[key] = Session(self.folder / secrets.token_hex(16))
            session.last_used = time.monotonic()
            return session

    def bytes_left(self) -> int:
        """How many more may be written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        used: dict[tuple[int, int], int] = {}  # files by their identity: uploads have a second name in a session
        for path in self.folder.parent.rglob("*"):
            with contextlib.suppress(OSError):  # others write and remove meanwhile
                about = path.lstat()
                used[about.st_dev, about.st_ino] = about.st_size
        return min(self.most_bytes - sum(used.values()), shutil.disk_usage(self.folder).free)

    def require_room(self) -> int:
        """Refuse to write more where the disk that the app may use is full.

        Returns:
            How many bytes more may be written.

        Raises:
            DataError: none.
        """
        left = self.bytes_left()
        if left <= 0:
            raise DataError("app", "the disk that it may use is full. Remove your data, or try again in an hour")
        return left

    def by_token(self, token: str) -> Session | None:
        """The session whose results are asked for.

        Args:
            token: of the session.

        Returns:
            None where there is none.
        """
        with self._lock:
            there = list(self._open.values())
        return next((one for one in there if secrets.compare_digest(one.token.encode(), token.encode())), None)

    def take(self, session: Session, files: Sequence[Path], folder: Path, max_bytes: int) -> list[Path]:
        """Give uploaded files to a session: linked or copied into a folder of its own.

        Pages that upload the same content share one file of Gradio's, which is removed with the last that uses it.

        Args:
            session: that uploaded them.
            files: where Gradio put them.
            folder: of the session, empty.
            max_bytes: of all of them.

        Returns:
            The session's own files, named as they were uploaded.

        Raises:
            DataError: too large, or gone.
        """
        with self._lock:
            for file in files:
                if file not in session.used:
                    session.used.append(file)
                    self._uses[file] += 1
        try:
            size = sum(file.stat().st_size for file in files)
            if size > max_bytes:
                found = f"{size / 1e6:.0f} MB, at most {max_bytes / 1e6:.0f} MB are taken"
                raise DataError("upload", f"{found}. Upload a part of it")
            return lend(files, folder)
        except FileNotFoundError as error:
            raise DataError("upload", "the files did not arrive whole. Upload them again") from error

    def release(self, session: Session, keep: Collection[Path] = ()) -> None:
        """Let go of the uploads of a session; those that nobody else uses are removed.

        Args:
            session: that does not need them any more.
            keep: uploads that it still needs.
        """
        with self._lock:
            gone = [file for file in session.used if file not in keep]
            session.used = [file for file in session.used if file in keep]
            for file in gone:
                self._uses[file] -= 1
                if self._uses[file] <= 0:
                    del self._uses[file]
                    file.unlink(missing_ok=True)
                    with contextlib.suppress(OSError):  # another name of the same content lies there
                        file.parent.rmdir()
        for folder in {file.parent.parent for file in gone}:
            _remove_empty(folder)

    def close(self, key: str) -> None:
        """Close the session of a page that went away.

        Args:
            key: of the page; it need not have a session.
        """
        with self._lock:
            session = self._open.pop(key, None)
        if session is not None:
            session.close()
            self.release(session)

    def close_idle(self) -> None:
        """Close what nobody used for long."""
        self._close([key for key, session in self._free(self.idle_s)])

    def close_all(self) -> None:
        """Close every session."""
        self._close(list(self._open))

    def _make_place(self, key: str) -> None:
        """Close the page that was left alone for longest where there are too many for a new one."""
        with self._lock:
            surplus = 0 if key in self._open else len(self._open) + 1 - MOST_SESSIONS
        if surplus <= 0:
            return
        left_alone = sorted(self._free(_YOUNG_S), key=lambda one: one[1].last_used)
        if len(left_alone) < surplus:
            raise DataError("app", f"{MOST_SESSIONS} pages are in use, and there is no place for more. Try again later")
        self._close([key for key, _ in left_alone[:surplus]])

    def _free(self, idle_s: float) -> list[tuple[str, Session]]:
        """Pages without work that nobody used for so long."""
        before = time.monotonic() - idle_s
        with self._lock:
            there = list(self._open.items())
        return [(key, session) for key, session in there if not session.is_busy and session.last_used < before]

    def _close(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.close(key)


def lend(files: Sequence[Path], folder: Path) -> list[Path]:
    """Give files that stay where they are, such as those of an example, to a session.

    Args:
        files: that nobody may change.
        folder: of the session.

    Returns:
        The session's own links to them, or copies.
    """
    return [_linked(file, _free_name(folder, file.name)) for file in files]


def _remove_empty(folder: Path) -> None:
    """Remove the empty files that Gradio leaves for each upload; young ones may be uploads that have just begun."""
    before = time.time() - _YOUNG_S
    for path in folder.glob("tmp*"):
        with contextlib.suppress(OSError):
            about = path.stat()
            if about.st_size == 0 and about.st_mtime < before:
                path.unlink()


def _free_name(folder: Path, name: str) -> Path:
    """A name that is not taken; files from several folders may share one."""
    number = 1
    path = folder / name
    while path.exists():
        number += 1
        path = folder / str(number) / name
    path.parent.mkdir(exist_ok=True)
    return path


def _linked(source: Path, target: Path) -> Path:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(source, target)
    return target
