"""What is judged, in the words of its tables: scans slice by slice in mm, single frames of videos, slides in pixels."""

from typing import NamedTuple


class Kind(NamedTuple):
    """The words of a table.

    Attributes:
        unit: what Dice is averaged over.
        whole: what surfaces are measured in; a frame is its own.
        group: what intervals draw with replacement.
        thing: what a channel is.
        things: several of them.
        length: unit of distances.
    """

    unit: str
    whole: str
    group: str
    thing: str
    things: str
    length: str

    @property
    def has_volume(self) -> bool:
        """Whether units are joined to something larger in 3D."""
        return self.unit != self.whole


SCANS = Kind("slice", "scan", "case", "organ", "organs", "mm")
FRAMES = Kind("frame", "frame", "sequence", "class", "classes", "px")
SLIDES = Kind("slide", "slide", "group", "class", "classes", "px")
