import io
import os
import stat
import zipfile

import pytest

from monai_gi.errors import DataError, DataErrors
from monai_gi.sharing.archive import Limits, _write_one, unpack_safely, zip_faults
from tests.hostile_zips import patch_directory, two_directories, write_zip

PLAIN = [("b/configs/metadata.json", '{"version": "1"}'), ("b/docs/", ""), ("b/docs/README.md", "words"), ("b/e", "")]


def refused(path, folder, match, limits=None):
    """The archive is refused with this text, and nothing is left on the disk."""
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(DataError, match=match) as caught:
        unpack_safely(path, folder, *([limits] if limits else []))
    assert sorted(folder.parent.rglob("*")) == before
    return caught.value


@pytest.fixture
def place(tmp_path):
    (tmp_path / "here").mkdir()
    return tmp_path / "here" / "bundle"


def test_plain_archive_is_unpacked_whole(tmp_path, place):
    assert unpack_safely(write_zip(tmp_path / "a.zip", PLAIN), place) == place
    found = {path.relative_to(place).as_posix() for path in place.rglob("*")}
    assert found == {"b", "b/configs", "b/configs/metadata.json", "b/docs", "b/docs/README.md", "b/e"}
    assert (place / "b/docs/README.md").read_text() == "words"
    assert (place / "b/e").read_bytes() == b""
    assert [path.name for path in place.parent.iterdir()] == ["bundle"]
    assert stat.S_IMODE(place.stat().st_mode) == 0o755


def test_entry_modes_are_not_taken_over(tmp_path, place):
    unpack_safely(write_zip(tmp_path / "a.zip", [("run.txt", "x", 0o104777)]), place)
    assert not stat.S_IMODE((place / "run.txt").stat().st_mode) & 0o7111


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("/etc/cron.d/x", "absolute name"),
        ("//server/share/x", "absolute name"),
        ("C:/Windows/x", "drive letter"),
        ("c:x", "drive letter"),
        ("b\\..\\x", "backslash"),
        ("../x", "leads out of the folder"),
        ("b/../../x", "leads out of the folder"),
        ("b/..", "leads out of the folder"),
        ("b//x", "empty part"),
        ("b/./x", "empty part"),
        ("b/x:stream", "sign that Windows does not allow"),
        ("b/x\x1b[2J", "control character"),
        ("b/x\x00.txt", "control character"),
        ("b/what?", "sign that Windows does not allow"),
        ("b/x.", "drops the last sign"),
        ("b /x", "drops the last sign"),
        ("b/con", "device on Windows"),
        ("b/Aux.json", "device on Windows"),
        ("b/COM¹.txt", "device on Windows"),
        ("b/lpt1.tar.gz", "device on Windows"),
        ("b/" + "x" * 201, "too long"),
        ("b/" + "x/" * 250, "too long"),
        ("b/" * 17 + "x", "lies below 17 folders; 16 are accepted"),
    ],
)
def test_name_that_does_not_stay_inside_is_refused(tmp_path, place, name, match):
    refused(write_zip(tmp_path / "a.zip", [*PLAIN, (name, "x")]), place, match)


@pytest.mark.parametrize(
    "name", ["b/" * 16 + "x", "b/console.md", "b/auxiliary/x", "b/.hidden", "b/a b.txt", "b/é.md", "b/..x", "b/x..y"]
)
def test_name_that_only_looks_bad_is_unpacked(tmp_path, place, name):
    unpack_safely(write_zip(tmp_path / "a.zip", [(name, "x")]), place)
    assert (place / name).read_text() == "x"


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        (stat.S_IFLNK, "is a link"),
        (stat.S_IFIFO, "special file"),
        (stat.S_IFCHR, "special file"),
        (stat.S_IFSOCK, "special file"),
        (stat.S_IFDIR, "special file"),
    ],
)
def test_link_and_special_file_are_refused(tmp_path, place, kind, match):
    refused(write_zip(tmp_path / "a.zip", [("b/x", "/etc/passwd", kind | 0o777)]), place, match)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["b/x", "b/x"], "'b/x': stands 2 times"),
        (["b/model.pt", "b/Model.pt"], "upper and lower case"),
        (["b/configs/x", "b/Configs/y"], "upper and lower case"),
        (["b/\u00e9", "b/e\u0301"], "forms of Unicode"),
        (["b/stra\u00dfe", "b/STRASSE"], "upper and lower case"),
        (["b/x", "b/x/y"], "a file and a folder at once"),
    ],
)
def test_two_names_for_one_file_are_refused(tmp_path, place, names, match):
    refused(write_zip(tmp_path / "a.zip", [(name, "x") for name in names]), place, match)


def test_folder_with_content_is_refused(tmp_path, place):
    path = write_zip(tmp_path / "a.zip", [("b/x/", "content", stat.S_IFDIR | 0o755)])
    refused(path, place, "folder with content")


def test_encryption_is_refused(tmp_path, place):
    path = patch_directory(write_zip(tmp_path / "a.zip", [("b/x", "x")]), "b/x", 8, "<H", 1)
    refused(path, place, "is encrypted; an archive without a password was wanted")


def test_rare_compression_is_refused(tmp_path, place):
    refused(write_zip(tmp_path / "a.zip", [("b/x", "x")], zipfile.ZIP_BZIP2), place, "compressed with method 12")


def test_bomb_is_refused_by_its_ratio(tmp_path, place):
    path = write_zip(tmp_path / "a.zip", [("b/x", bytes(2 << 20))])
    refused(path, place, r"'b/x': unpacks to \d{3,4} times the packed size; 100 times are accepted")
    unpack_safely(path, place, Limits(ratio=2000))


def test_bomb_of_many_small_entries_is_refused(tmp_path, place):
    path = write_zip(tmp_path / "a.zip", [(f"b/{number}", bytes(100_000)) for number in range(40)])
    refused(path, place, r"all entries: unpack to \d{3} times the packed size; 100 times are accepted")
    small = write_zip(tmp_path / "small.zip", [(f"b/{number}", bytes(100_000)) for number in range(10)])
    unpack_safely(small, place)


def test_total_and_number_are_limited(tmp_path, place):
    path = write_zip(tmp_path / "a.zip", [(f"b/{number}", bytes(100)) for number in range(5)])
    refused(path, place, "unpack to 500 bytes; 499 are accepted", Limits(total_bytes=499))
    refused(path, place, "lists 5 entries; 4 are accepted", Limits(files=4))
    unpack_safely(path, place, Limits(files=5, total_bytes=500))


def test_header_that_promises_less_than_comes_is_refused(tmp_path, place):
    path = write_zip(tmp_path / "a.zip", [("b/x", bytes(3 << 20))])
    patch_directory(path, "b/x", 24, "<I", 1000)
    refused(path, place, "cannot be unpacked as its header says")


def test_header_that_promises_more_than_comes_is_refused(tmp_path, place):
    path = patch_directory(write_zip(tmp_path / "a.zip", [*PLAIN, ("b/x", "1234")]), "b/x", 24, "<I", 5)
    refused(path, place, "cannot be unpacked as its header says")


def test_content_is_counted_whatever_the_headers_say(tmp_path, monkeypatch):
    entry = zipfile.ZipInfo("x")
    entry.file_size = 3
    with zipfile.ZipFile(write_zip(tmp_path / "a.zip", PLAIN)) as archive:
        for content, left, match in ((b"1234", 9, "more content"), (b"123", 2, "more content"), (b"12", 9, "2 bytes")):
            monkeypatch.setattr(archive, "open", lambda _, content=content: io.BytesIO(content))
            with pytest.raises(zipfile.BadZipFile, match=match):
                _write_one(archive, entry, tmp_path / f"{left}{len(content)}", left)


def test_name_of_a_thousand_folders_is_not_taken_apart(tmp_path, place, monkeypatch):
    monkeypatch.setattr("monai_gi.sharing.archive.PurePosixPath", lambda name: pytest.fail(f"{len(name)} characters"))
    path = write_zip(tmp_path / "a.zip", [("x/" * 30_000 + "x", "x")])
    refused(path, place, "has 60001 characters; that is too long")


def test_damaged_content_is_refused_after_other_entries_were_written(tmp_path, place):
    path = write_zip(tmp_path / "a.zip", [*PLAIN, ("b/x", "unique words")], zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"unique", b"Unique"))
    refused(path, place, "cannot be unpacked as its header says .*CRC")


def test_local_name_that_differs_from_the_directory_is_refused(tmp_path, place):
    path = write_zip(tmp_path / "a.zip", [("b/good", "x")])
    path.write_bytes(path.read_bytes().replace(b"b/good", b"b/evil", 1))
    refused(path, place, "cannot be unpacked as its header says")


def test_overlapping_entries_are_refused(tmp_path, place):
    path = write_zip(tmp_path / "a.zip", [("b/x", os.urandom(5000)), ("b/y", "y")])
    patch_directory(path, "b/y", 42, "<I", 40)
    refused(path, place, "overlaps the next entry")


def test_two_readings_of_one_archive_are_refused(tmp_path, place):
    path = two_directories(tmp_path / "a.zip")
    assert zipfile.ZipFile(path).namelist() == ["harmless.txt"]
    refused(path, place, "directory does not stand where it says")


def test_anything_around_the_archive_is_refused(tmp_path, place):
    content = write_zip(tmp_path / "a.zip", PLAIN).read_bytes()
    path = tmp_path / "b.zip"
    for around in (b"#!/bin/sh\n" + content, content + b"more", content[:-2] + b"\x04\x00more"):
        path.write_bytes(around)
        refused(path, place, "is no plain zip archive")


def test_archive_behind_a_script_is_refused(tmp_path, place):
    path = tmp_path / "a.zip"
    path.write_bytes(b"#!/bin/sh\nid\n")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("b/x", "x")
    refused(path, place, "something was put before it")


def test_all_faults_come_at_once(tmp_path, place):
    entries = [("../x", "x"), ("/y", "y"), ("b/l", "/etc/passwd", stat.S_IFLNK | 0o777), ("b/A", ""), ("b/a", "")]
    error = refused(write_zip(tmp_path / "a.zip", entries), place, "4 problems")
    assert isinstance(error, DataErrors)
    assert len(error.problems) == 4


def test_hostile_name_does_not_reach_the_terminal(tmp_path, place):
    error = refused(write_zip(tmp_path / "a.zip", [("b/\x1b]0;evil\x07" + "x" * 300, "x")]), place, "control character")
    assert str(error).isprintable() or "\x1b" not in str(error)
    assert "xxx..." in str(error)


def test_what_is_no_archive_is_refused(tmp_path, place):
    (tmp_path / "a.zip").write_bytes(b"words")
    refused(tmp_path / "a.zip", place, "is no plain zip archive")
    refused(tmp_path / "absent.zip", place, "there is no such file")


def test_existing_folder_is_refused(tmp_path, place):
    place.mkdir()
    refused(write_zip(tmp_path / "a.zip", PLAIN), place, "is there already")


def test_archives_of_other_programs_are_only_judged_by_their_directory(tmp_path):
    path = write_zip(tmp_path / "model.pt", [("m/Conv", "x"), ("m/conv", "x"), ("m/a:b", "x")], zipfile.ZIP_STORED)
    assert not zip_faults(path, for_unpacking=False)
    assert len(zip_faults(path)) == 2
