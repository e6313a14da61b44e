"""Errors about data: several at once, and named by what stands below a folder."""

from pathlib import Path

import pytest

from monai_gi.errors import DataError, DataErrors


@pytest.mark.parametrize(
    ("root", "text"),
    [("in/Doe", "a/x.dcm: lies beside a/y.dcm"), (".", "in/Doe/a/x.dcm: lies beside in/Doe/a/y.dcm")],
)
def test_places_in_a_folder_are_named_by_what_stands_below_it(root, text):
    fault = DataError(Path("in/Doe/a/x.dcm"), "lies beside in/Doe/a/y.dcm")
    fault.exit_code = 1
    seen = fault.seen_from(root)
    assert (str(seen), seen.exit_code) == (text, 1)
    several = DataErrors("in/Doe", [fault, fault]).seen_from(Path(root))
    assert str(several) == f"in/Doe: 2 problems:\n  {text}\n  {text}"
