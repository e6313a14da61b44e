"""Files below a folder: which count, and in which order."""

import os

import pytest

from monai_gi.errors import DataError
from monai_gi.folders import files_below, natural_key


def write(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def found(root):
    return [path.relative_to(root).as_posix() for path in files_below(root)]


def test_files_come_before_subfolders_and_digits_count_as_numbers(tmp_path):
    write(tmp_path, "s10/im2", "s9/im10", "s9/im9", "10.dcm", "9.dcm")
    assert found(tmp_path) == ["9.dcm", "10.dcm", "s9/im9", "s9/im10", "s10/im2"]


def test_names_of_digits_and_of_letters_can_be_sorted_together():
    assert sorted(["b", "1", "a", "10", "2", "", "a2"], key=natural_key) == ["", "1", "2", "10", "a", "a2", "b"]


def test_hidden_files_and_folders_are_passed_over_but_not_one_that_is_named(tmp_path):
    write(tmp_path, ".snapshot/im1", "a/.im1", "a/im1")
    assert found(tmp_path) == ["a/im1"]
    assert found(tmp_path / ".snapshot") == ["im1"]


def test_links_are_followed_once_and_cycles_end(tmp_path):
    write(tmp_path, "elsewhere/im1", "in/x/im2")
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "in" / "again").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "in" / "x" / "back").symlink_to(tmp_path / "in", target_is_directory=True)
    (tmp_path / "in" / "lost").symlink_to(tmp_path / "nowhere")
    (tmp_path / "in" / "file").symlink_to(tmp_path / "elsewhere" / "im1")
    assert found(tmp_path / "in") == ["file", "again/im1", "x/im2"]


def test_a_folder_that_can_not_be_listed_is_named(tmp_path, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match="can not be listed: Permission denied; ask for the right to read it"):
        found(tmp_path)
