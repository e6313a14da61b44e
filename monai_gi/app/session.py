"""What one page has uploaded and what came of it, in a folder that nobody else gets to."""

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from zipfile import ZIP_STORED, ZipFile

from monai_gi.app.cases import Case
from monai_gi.app.jobs import Job, Progress, Report
from monai_gi.app.uploads import Upload

T = TypeVar("T")
ALL = "all.zip"
INPUT, TRUTH, RESULTS = "input", "truth", "results"


class Session:
    """One page.

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
        self._places: dict[str, Path] = {}
        self._archiving = threading.Lock()
        folder.mkdir(mode=0o700, parents=True)

    @property
    def case(self) -> Case | None:
        """What is looked at."""
        return None if self.upload is None else self.upload.case

    @contextmanager
    def fresh(self, name: str) -> Iterator[Path]:
        """A new, empty folder; what the page shows stays beside it until `adopt`. It is removed where the work fails.

        Args:
            name: INPUT, TRUTH or RESULTS.

        Yields:
            Path: the folder.
        """
        place = self.folder / f"{name}_{secrets.token_hex(4)}"
        place.mkdir(mode=0o700)
        try:
            yield place
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise

    def adopt(self, upload: Upload | None, **places: Path | None) -> Upload | None:
        """Show something else from now on; the folders that what was shown before needed are removed.

        Args:
            upload: what to show; None for nothing.
            **places: of `fresh`, by their names; None where nothing is needed. Others stay.

        Returns:
            What is shown.
        """
        self.upload = upload
        for name, place in places.items():
            self._places.pop(name, None)
            if place is not None:
                self._places[name] = place
            for other in self.folder.glob(f"{name}_*"):
                if other.is_file():
                    other.unlink()
                elif other != place:
                    shutil.rmtree(other, ignore_errors=True)
        return upload

    def adopted(self, name: str) -> Path:
        """A folder of what the page shows.

        Args:
            name: INPUT, TRUTH or RESULTS.

        Returns:
            The folder; one that is not there where nothing was adopted.
        """
        return self._places.get(name, self.folder / f"{name}_none")

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
        """Everything that was written, in one file beside it, made once; images in it are compressed already."""
        results = self.adopted(RESULTS)
        path, part = self.folder / f"{results.name}.zip", self.folder / f"{results.name}.zip.part"
        with self._archiving:
            if not path.exists():
                with ZipFile(part, "w", ZIP_STORED) as archive:
                    for file in sorted(results.rglob("*")):
                        if file.is_file():
                            archive.write(file, file.relative_to(results).as_posix())
                part.replace(path)
        return path
