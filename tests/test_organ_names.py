"""Names and codes of other people's structures, and what must not be taken for an organ."""

import numpy as np
import pytest

from monai_gi.datasets.organ_names import names_by_organ, organ_of, sort_structures
from monai_gi.dicom.structures import Code, Structure


@pytest.mark.parametrize(
    ("name", "organ"),
    [
        ("Bowel_Large", "large_bowel"),
        ("large bowel", "large_bowel"),
        ("COLON", "large_bowel"),
        ("LargeIntestine", "large_bowel"),
        ("SmallBowel", "small_bowel"),
        ("Bowel-Small", "small_bowel"),
        ("small.intestine", "small_bowel"),
        (" Stomach ", "stomach"),
        ("Bowel", None),
        ("BowelBag", None),
        ("Colon_Sigmoid", None),
        ("Stomach_PRV05", None),
        ("Stomach~", None),
        ("not stomach", None),
        ("", None),
    ],
)
def test_whole_names_count_without_case_and_separators(name, organ):
    assert organ_of(name, "", {}) == organ


@pytest.mark.parametrize(
    ("code", "organ"),
    [
        ("14742008", "large_bowel"),
        ("71854001", "large_bowel"),
        ("T-59000", "large_bowel"),
        ("30315005", "small_bowel"),
        ("69695003", "stomach"),
        ("10200004", None),
    ],
)
def test_codes_count_before_known_names(code, organ):
    assert organ_of("Segment_1", code, {}) == organ
    assert organ_of("colon", "69695003", {}) == "stomach"


def test_the_users_names_replace_known_names_and_codes_of_that_organ():
    asked = names_by_organ([("stomach", "Magen"), ("stomach", "ST 2")])
    assert asked == {"stomach": ("Magen", "ST 2")}
    assert organ_of("MAGEN", "", asked) == "stomach"
    assert organ_of("magen", "71854001", asked) == "stomach"
    assert organ_of("st2", "", asked) == "stomach"
    assert organ_of("Stomach", "69695003", asked) is None
    assert organ_of("Colon", "", asked) == "large_bowel"
    assert organ_of("Colon", "", names_by_organ([("small_bowel", "colon")])) == "small_bowel"


def structure(name, row, code=None, notes=()):
    mask = np.zeros((4, 5, 2), dtype=bool)
    mask[row, 1:3] = True
    return Structure(name, None, code, mask, notes)


def test_structures_of_one_organ_are_joined_and_others_are_left():
    coded = Code("69695003", "SCT", "Stomach")
    structures = [structure("Colon", 0), structure("x", 1, coded, ("left out",)), structure("Bowel_Large", 2)]
    found = sort_structures([*structures, structure("BODY", 3)], (4, 5, 2), {}, codes=True)
    assert found.masks.sum(axis=(1, 2, 3)).tolist() == [8, 0, 4]
    assert found.masks[0, 0, 1, 0]
    assert found.masks[0, 2, 2, 1]
    assert found.taken == (("large_bowel", "Colon"), ("stomach", "x"), ("large_bowel", "Bowel_Large"))
    assert found.left == ("BODY",)
    assert found.notes == ("x: left out",)
    assert sort_structures(structures, (4, 5, 2), {}, codes=False).left == ("x",)
