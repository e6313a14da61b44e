"""Each page its own session: a folder that nobody else gets to, removed when the page is closed or left alone.

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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar
from zipfile import ZIP_STORED, ZipFile

from monai_gi.app.cases import Case
from monai_gi.app.jobs import Job, Progress, Report
from monai_gi.app.uploads import Upload
from monai_gi.errors import DataError

T = TypeVar("T")
ALL = "all.zip"
IDLE_S = 3600.0
MOST_SESSIONS = 64
_YOUNG_S = 600.0
_RESULTS = "results"


class Session:
    """What one page has uploaded, and what came of it.

    Args:
        folder: of its own; made at once, for this user of the machine alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token = secrets.token_urlsafe(32)
        self.upload: Upload | None = None
        self.used: list[Path] = []
        self.last_used = time.monotonic()
        self.works = 0
        self._job: Job[Any] | None = None
        folder.mkdir(mode=0o700, parents=True)

    @property
    def case(self) -> Case | None:
        """What is looked at."""
        return None if self.upload is None else self.upload.case

    def place(self, name: str) -> Path:
        """A new, empty folder.

        Args:
            name: "input", "truth" or "results".

        Returns:
            The folder; what was in it is gone.
        """
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=0o700)
        return place

    def run(self, work: Callable[[Report], T]) -> Iterator[Progress | T]:
        """Do work for this page in a thread; work that still runs is stopped first.

        Args:
            work: as for `Job`.

        Yields:
            Progress | T: how far it is, and at last the result.
        """
        self.stop()
        self.works += 1
        job = self._job = Job(work)
        try:
            yield from job.follow()
            self.last_used = time.monotonic()
            yield job.result()
        finally:
            job.stop(0)

    @property
    def is_busy(self) -> bool:
        """Whether work runs."""
        return self._job is not None and self._job.is_running

    def stop(self) -> None:
        """Stop the work that runs, if any, and wait for its end."""
        if self._job is not None:
            self._job.stop()

    def cancel(self) -> None:
        """Ask the work that runs to stop; who follows it sees the end."""
        if self._job is not None:
            self._job.stop(0)

    def result(self, name: str) -> Path | None:
        """A file to download.

        Args:
            name: of the case's results, or ALL.

        Returns:
            The file; None where there is none of this name.
        """
        files = {} if self.case is None else self.case.results.files
        if name == ALL and files:
            return self._archive()
        return files.get(name)

    def close(self) -> None:
        """Stop the work and remove everything."""
        self.stop()
        self.upload = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _archive(self) -> Path:
        """Everything that was written, in one file; images in it are compressed already."""
        path, results = self.folder / ALL, self.folder / _RESULTS
        with ZipFile(path, "w", ZIP_STORED) as archive:
            for file in sorted(results.rglob("*")):
                if file.is_file():
                    archive.write(file, file.relative_to(results).as_posix())
        return path


class Sessions:
    """All pages that are open.

    Args:
        folder: of all sessions.
        idle_s: after which a session is closed.
    """

    def __init__(self, folder: Path, idle_s: float = IDLE_S) -> None:
        self.folder, self.idle_s = folder, idle_s
        self._open: dict[str, Session] = {}
        self._uses: Counter[Path] = Counter()
        self._lock = threading.Lock()

    def get(self, key: str) -> Session:
        """The session of a page, a new one where it has none.

        Args:
            key: of the page.

        Returns:
            The session.
        """
        self.close_idle()
        with self._lock:
            session = self._open.get(key)
            if session is None:
                session = self._open[key] = Session(self.folder / secrets.token_hex(16))
            session.last_used = time.monotonic()
            return session

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

    def take(self, session: Session, files: Sequence[Path], place: str, max_bytes: int) -> list[Path]:
        """Give uploaded files to a session: linked or copied into its folder.

        Pages that upload the same content share one file of Gradio's, which is removed with the last that uses it.

        Args:
            session: that uploaded them.
            files: where Gradio put them.
            place: "input" or "truth".
            max_bytes: of all of them.

        Returns:
            The session's own files, named as they were uploaded.

        Raises:
            DataError: too large, or gone.
        """
        folder = session.place(place)
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
            return [_linked(file, _free(folder, file.name)) for file in files]
        except FileNotFoundError as error:
            raise DataError("upload", "the files did not arrive whole. Upload them again") from error

    def lend(self, session: Session, files: Sequence[Path], place: str) -> list[Path]:
        """Give files that stay where they are, such as those of an example, to a session.

        Args:
            session: that asked for them.
            files: that nobody may change.
            place: "input" or "truth".

        Returns:
            The session's own links to them, or copies.
        """
        folder = session.place(place)
        return [_linked(file, _free(folder, file.name)) for file in files]

    def release(self, session: Session) -> None:
        """Let go of the uploads of a session; those that nobody else uses are removed.

        Args:
            session: that does not need them any more.
        """
        with self._lock:
            for file in session.used:
                self._uses[file] -= 1
                if self._uses[file] <= 0:
                    del self._uses[file]
                    file.unlink(missing_ok=True)
                    with contextlib.suppress(OSError):  # another name of the same content lies there
                        file.parent.rmdir()
            used, session.used = session.used, []
        for folder in {file.parent.parent for file in used}:
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
        """Close what nobody used for long, and the oldest where there are too many."""
        now = time.monotonic()
        with self._lock:
            by_age = sorted(self._open, key=lambda key: self._open[key].last_used)
            surplus = by_age[: max(0, len(by_age) - MOST_SESSIONS)]
            old = [key for key in by_age if self._is_idle(self._open[key], now)]
        for key in dict.fromkeys([*surplus, *old]):
            self.close(key)

    def _is_idle(self, session: Session, now: float) -> bool:
        return not session.is_busy and now - session.last_used > self.idle_s

    def close_all(self) -> None:
        """Close every session."""
        for key in list(self._open):
            self.close(key)


def _remove_empty(folder: Path) -> None:
    """Remove the empty files that Gradio leaves for each upload; young ones may be uploads that have just begun."""
    before = time.time() - _YOUNG_S
    for path in folder.glob("tmp*"):
        with contextlib.suppress(OSError):
            about = path.stat()
            if about.st_size == 0 and about.st_mtime < before:
                path.unlink()


def _free(folder: Path, name: str) -> Path:
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
