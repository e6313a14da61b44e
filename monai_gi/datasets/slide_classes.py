"""The classes that a config asks for and those of a data set's colour table: the same names in the same order."""

from collections.abc import Sequence

from monai_gi.errors import DataError
from monai_gi.slides import ColorTable


def matching_colors(colors: ColorTable, classes: Sequence[str]) -> ColorTable:
    """The table itself, once it is sure that channel c of the network is class c of the label maps.

    Args:
        colors: of the data set.
        classes: names in the order of the network's channels, the background first.

    Returns:
        `colors`.

    Raises:
        DataError: the names or their order differ; the error says how to ask for those of the table.

    >>> table = ColorTable(("background", "glomerulus"), (0, 1), ((0, 0, 0), (255, 0, 0)))
    >>> matching_colors(table, ["background", "glomerulus"]) is table
    True
    """
    if list(classes) != list(colors.class_names):
        wanted = f'--classes "{list(colors.class_names)}"'
        problem = f"{', '.join(classes)}; the data set's colours are {', '.join(colors.class_names)}. Give {wanted}"
        raise DataError("classes", problem)
    return colors
