"""DICOM files that can not be read: named, and blamed on the series that they belong to and on no other."""

from pathlib import Path

import pytest

from monai_gi.dicom.geometry import arrange
from monai_gi.dicom.series import find_dicom, find_series
from monai_gi.errors import DataError, DataErrors
from tests.drawn_dicom import SERIES, positions, write_slices


def test_damaged_files_are_all_named(tmp_path):
    first, second, third = write_slices(tmp_path, positions(3))
    first.write_bytes(first.read_bytes()[:200])
    dataset = second.read_bytes().replace(b"-20\\-30\\43", b"-20\\-3O\\43")
    second.write_bytes(dataset)
    (fault,) = find_dicom(tmp_path).faults
    assert str(fault).startswith("im0.dcm: DICOM without SOPClassUID or SeriesInstanceUID; was it cut short?")
    (series,) = find_series(tmp_path)
    assert str(series.faults[0]).startswith("im1.dcm: its header can not be understood")
    assert series.unreadable_beside == 1
    assert [frame.path for frame in series.frames] == [third]
    third.unlink()
    with pytest.raises(DataErrors, match="2 problems"):
        find_series(tmp_path)


def test_a_damaged_file_is_no_matter_of_series_in_other_folders_or_of_other_uids(tmp_path):
    for number in range(3):
        uid = f"1.2.{number}"
        paths = write_slices(tmp_path / "ab"[number // 2], positions(2), SeriesInstanceUID=uid)
        for path in paths:
            path.rename(path.with_name(f"{number}{path.name}"))
    damaged = tmp_path / "a" / "0im0.dcm"
    damaged.write_bytes(damaged.read_bytes().replace(b"-20\\-30\\40", b"-20\\-3O\\40"))
    series = {one.uid: one for one in find_series(tmp_path)}
    assert [len(one.faults) for one in series.values()] == [1, 0, 0]
    assert str(series["1.2.0"].faults[0]).startswith("a/0im0.dcm: ")
    damaged.write_bytes(damaged.read_bytes()[:200])
    series = {one.uid: one for one in find_series(tmp_path)}
    assert [(len(one.faults), one.unreadable_beside) for one in series.values()] == [(0, 1), (0, 1), (0, 0)]


def test_a_file_that_can_not_be_opened_is_named(tmp_path, monkeypatch):
    (path,) = write_slices(tmp_path, positions(1))

    def refuse(self: Path, mode: str) -> None:
        raise PermissionError("permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataErrors, match=r"im0.dcm: can not be read \(permission denied\)"):
        find_series(path)


def test_a_series_of_several_patients_is_a_fault(tmp_path):
    def edit(dataset, index):
        dataset.PatientID = f"P-{index // 2}"

    write_slices(tmp_path, positions(4), edit=edit)
    with pytest.raises(DataError, match=f"series {SERIES}: 1 problem:\n  several patients: its files name 2") as caught:
        arrange(find_series(tmp_path)[0])
    assert "P-1" not in str(caught.value)


def test_an_empty_file_beside_slices_is_a_fault_but_not_beside_other_things(tmp_path):
    write_slices(tmp_path / "series", positions(2))
    (tmp_path / "series" / "notes.txt").touch()
    (tmp_path / "empty").touch()
    assert len(find_series(tmp_path)) == 1
    (tmp_path / "series" / "IM9.DCM").touch()
    assert [str(fault)[:38] for fault in find_dicom(tmp_path).faults] == ["series/IM9.DCM: is empty, beside slice"]
    assert find_series(tmp_path)[0].unreadable_beside == 1
