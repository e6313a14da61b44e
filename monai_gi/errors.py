"""Errors about data, in words: where, what was found, what was wanted, how to repair it."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
"""A disk that is full or fails, no memory, too many open files: no fault of what was asked."""


class DataError(Exception):
    """A fault in the user's data; commands print it without a traceback and exit with code 2.

    Args:
        where: file, row, folder or option that holds the fault.
        problem: what was found, what was wanted and the repair, in one sentence or two.

    Attributes:
        exit_code: that a command ends with.
    """

    exit_code = 2

    def __init__(self, where: str | Path, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where = str(where)
        self.problem = problem

    def seen_from(self, root: str | Path) -> "DataError":
        """The same fault, with places in a folder named by what stands below it: a path may tell who somebody is.

        Args:
            root: the folder, as it stands in the paths.

        Returns:
            A new error.
        """
        base = "" if Path(root) == Path() else f"{root}{os.sep}"  # paths do not begin with a dot
        where, problem = (text.replace(base, "") if base else text for text in (self.where, self.problem))
        fault = DataError(where, problem)
        fault.exit_code = self.exit_code
        return fault

    @property
    def problems(self) -> "tuple[DataError, ...]":
        """This one fault, so that one and several are gathered alike."""
        return (self,)


class DataErrors(DataError):
    """All faults of one data set at once, so that nobody repairs them one run at a time.

    Args:
        where: the data set's folder or file.
        problems: at least one fault.
    """

    def __init__(self, where: str | Path, problems: Sequence[DataError]) -> None:
        count = f"{len(problems)} problem" + ("s" if len(problems) > 1 else "")
        super().__init__(where, "\n  ".join([f"{count}:", *map(str, problems)]))
        self._problems = tuple(problems)

    def seen_from(self, root: str | Path) -> "DataErrors":
        """All of them, seen from a folder.

        Args:
            root: the folder, as it stands in the paths.

        Returns:
            A new error.
        """
        return DataErrors(self.where, [problem.seen_from(root) for problem in self.problems])

    @property
    def problems(self) -> tuple[DataError, ...]:
        """All of them."""
        return self._problems
