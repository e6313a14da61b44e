"""Which organ a structure of somebody else's contours is: by its code in a SEG, else by its name, whole names only.

Names are compared without case and separators, so `Bowel_Large` and `large bowel` are one. Names of TG-263
(https://www.aapm.org/pubs/reports/RPT_263.pdf) are known; what may hold more or less than the organ (`Bowel`,
`BowelBag`, `Sigmoid`, `Stomach_PRV05`, `Stomach~`) is not taken for it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from monai_gi.dicom.structure_types import Structure, bare_name
from monai_gi.errors import DataError
from monai_gi.labels import ORGAN_NAMES, ORGANS

SYNONYMS = {
    "large_bowel": ("Bowel_Large", "Large_Bowel", "Colon", "Large_Intestine", "Intestine_Large"),
    "small_bowel": ("Bowel_Small", "Small_Bowel", "Small_Intestine", "Intestine_Small"),
    "stomach": ("Stomach",),
}
# Colon in place of large intestine, and the codes of SNOMED RT that older files carry (DICOM PS3.16, CID 7151).
_OTHER_CODES = {
    "71854001": "large_bowel",
    "T-59000": "large_bowel",
    "T-59300": "large_bowel",
    "T-58000": "small_bowel",
    "T-57000": "stomach",
}
_CODES = {**{organ.snomed_code: organ.name for organ in ORGANS}, **_OTHER_CODES}


class Sorted(NamedTuple):
    """Structures by organ.

    Attributes:
        masks: (C, H, W, D), bool; an organ without a structure is empty, several structures of one are joined.
        taken: (organ, name) of the structures taken.
        left: names of the other structures.
        notes: what was left out of the structures taken, or approximated.
    """

    masks: np.ndarray
    taken: tuple[tuple[str, str], ...]
    left: tuple[str, ...]
    notes: tuple[str, ...]


def names_by_organ(names: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """The user's own names of organs, which replace the known ones and the codes of that organ.

    Args:
        names: (organ, name of its contours); an organ may come again.

    Returns:
        Names by organ, those asked for alone.

    Raises:
        DataError: an organ is unknown, or one name stands for two organs.
    """
    asked: dict[str, tuple[str, ...]] = {}
    organs: dict[str, str] = {}
    for organ, name in names:
        if organ not in ORGAN_NAMES:
            raise DataError("--name", f"organ {organ!r} is unknown; there are {', '.join(ORGAN_NAMES)}")
        if organs.setdefault(bare_name(name), organ) != organ:
            raise DataError(
                "--name", f"{name!r} stands for {organs[bare_name(name)]} and {organ}; one organ a name is wanted"
            )
        asked[organ] = (*asked.get(organ, ()), name)
    return asked


def organ_of(name: str, code: str, asked: Mapping[str, Sequence[str]]) -> str | None:
    """Find the organ of one structure.

    Args:
        name: of the structure.
        code: SNOMED CT or RT code of its anatomy; "" where it has none.
        asked: of `names_by_organ`.

    Returns:
        One of ORGAN_NAMES; None where it is another structure.
    """
    known = {**SYNONYMS, **asked}
    by_name = {bare_name(synonym): organ for organ in [*SYNONYMS, *asked] for synonym in known[organ]}
    if bare_name(name) in {bare_name(own) for names in asked.values() for own in names}:
        return by_name[bare_name(name)]
    coded = _CODES.get(code)
    return coded if coded is not None and coded not in asked else by_name.get(bare_name(name))


def sort_structures(
    structures: Iterable[Structure], size: Sequence[int], asked: Mapping[str, Sequence[str]], *, codes: bool
) -> Sorted:
    """Gather the masks of the organs.

    Args:
        structures: of one scan.
        size: (H, W, D) of the scan.
        asked: of `names_by_organ`.
        codes: take a structure by its code. In a SEG it says what a segment is; an ROI that was copied from another
            one, to make a margin of it, keeps its code.

    Returns:
        The organs' masks and the names; all structures may be left.
    """
    masks = np.zeros((len(ORGANS), *size), dtype=bool)
    taken, left, notes = [], [], []
    for structure in structures:
        organ = organ_of(structure.name, structure.code.value if codes and structure.code else "", asked)
        if organ is None:
            left.append(structure.name)
            continue
        masks[ORGAN_NAMES.index(organ)] |= structure.mask
        taken.append((organ, structure.name))
        notes += [f"{structure.name}: {note}" for note in structure.notes]
    return Sorted(masks, tuple(taken), tuple(left), tuple(notes))
