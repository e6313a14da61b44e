"""Sessions keep to themselves and leave nothing; disk and places are bounded."""

import asyncio
import threading
import zipfile

import pytest

from monai_gi.app import serving
from monai_gi.app.cases import Results
from monai_gi.app.session import ALL, INPUT, RESULTS
from monai_gi.app.sessions import Sessions, lend
from monai_gi.app.uploads import Upload
from monai_gi.errors import DataError
from tests.drawn_cases import draw_case, scan_file, uploaded


def test_two_pages_get_two_folders_and_tokens(tmp_path):
    sessions = Sessions(tmp_path / "sessions")
    one, other = sessions.get("one"), sessions.get("other")
    assert sessions.get("one") is one
    assert one.folder != other.folder
    assert sessions.by_token(one.token) is one
    assert sessions.by_token("") is None
    assert one.folder.stat().st_mode & 0o077 == 0


def taken(sessions, key, files, max_bytes=10**6):
    session = sessions.get(key)
    with session.fresh(INPUT) as folder:
        return sessions.take(session, files, folder, max_bytes)


def test_a_closed_page_leaves_nothing(tmp_path):
    sessions = Sessions(tmp_path / "sessions")
    session = sessions.get("one")
    (upload,) = map(type(tmp_path), uploaded(tmp_path, scan_file(tmp_path)))
    (own,) = taken(sessions, "one", [upload])
    assert own.read_bytes() == upload.read_bytes()
    token = session.token
    sessions.close("one")
    assert not upload.parent.exists()
    assert list((tmp_path / "sessions").iterdir()) == []
    assert sessions.by_token(token) is None
    sessions.close("one")


def test_an_upload_of_two_pages_stays_until_both_are_closed(tmp_path):
    sessions = Sessions(tmp_path / "sessions")
    (upload,) = map(type(tmp_path), uploaded(tmp_path, scan_file(tmp_path)))
    for key in ("one", "other"):
        taken(sessions, key, [upload, upload])
    sessions.close("one")
    assert upload.exists()
    sessions.close_all()
    assert not upload.exists()


def test_what_is_lent_stays(tmp_path):
    sessions, file = Sessions(tmp_path / "sessions"), scan_file(tmp_path)
    with sessions.get("one").fresh(INPUT) as folder:
        (own,) = lend([file], folder)
    assert own.read_bytes() == file.read_bytes()
    sessions.close_all()
    assert file.exists()
    assert not own.exists()


def test_a_page_left_alone_is_closed_though_nobody_else_comes(tmp_path):
    sessions = Sessions(tmp_path / "sessions", idle_s=-1)
    old = sessions.get("one")

    async def tidy():
        tidying = asyncio.create_task(serving._tidying(sessions, 0.001))
        while old.folder.exists():
            await asyncio.sleep(0.001)
        tidying.cancel()

    asyncio.run(asyncio.wait_for(tidy(), 30))
    assert sessions.find("one") is None


def fill(sessions, monkeypatch):
    """As many pages as there is place for, three."""
    monkeypatch.setattr("monai_gi.app.sessions.MOST_SESSIONS", 3)
    return [sessions.get(name) for name in ("a", "b", "c")]


def test_a_page_too_many_is_refused_while_the_others_are_in_use(tmp_path, monkeypatch):
    sessions = Sessions(tmp_path / "sessions")
    fill(sessions, monkeypatch)
    with pytest.raises(DataError, match=r"app: 3 pages are in use, and there is no place for more\. Try again later"):
        sessions.get("d")
    assert sessions.get("b").folder.exists()


def test_a_page_too_many_takes_the_place_of_the_one_left_alone_for_longest_that_does_nothing(tmp_path, monkeypatch):
    sessions = Sessions(tmp_path / "sessions")
    busy, quiet_one, last = fill(sessions, monkeypatch)
    begun, end = threading.Event(), threading.Event()

    def work(report):
        begun.set()
        end.wait(30)

    states = busy.run(work)
    next(states)
    assert begun.wait(30)
    for number, session in enumerate((busy, quiet_one, last)):
        session.last_used -= 3000 - number
    new = sessions.get("d")
    assert [session.folder.exists() for session in (busy, quiet_one, last, new)] == [True, False, True, True]
    end.set()
    assert list(states)[-1] is None


def test_the_disk_is_counted_once_a_file_and_bounded(tmp_path):
    sessions = Sessions(tmp_path / "app" / "sessions", most_bytes=1_000_000)
    file = tmp_path / "app" / "upload.bin"
    empty = sessions.bytes_left()
    file.write_bytes(bytes(900_000))
    with sessions.get("one").fresh(INPUT) as folder:
        lend([file], folder)
    assert 50_000 < sessions.require_room() < empty - 900_000 + 1
    (tmp_path / "app" / "other.bin").write_bytes(bytes(100_000))
    with pytest.raises(DataError, match=r"the disk that it may use is full\. Remove your data"):
        sessions.require_room()


def test_too_many_bytes_and_lost_files_are_refused(tmp_path):
    sessions, file = Sessions(tmp_path / "sessions"), scan_file(tmp_path)
    with pytest.raises(DataError, match="upload: 0 MB, at most 0 MB are taken"):
        taken(sessions, "one", [file], 10)
    with pytest.raises(DataError, match=r"did not arrive whole\. Upload them again"):
        taken(sessions, "one", [tmp_path / "gone"], 10)
    assert list(sessions.get("one").folder.iterdir()) == []


def test_files_of_one_name_are_kept_apart(tmp_path):
    sessions = Sessions(tmp_path / "sessions")
    files = [scan_file(tmp_path / name, "IM1") for name in ("a", "b", "c")]
    own = taken(sessions, "one", files)
    assert len({file.resolve() for file in own}) == 3


def test_results_are_given_by_name_alone(tmp_path):
    session = Sessions(tmp_path / "sessions").get("one")
    assert session.result(ALL) is None
    for text in ("first", "second"):
        with session.fresh(RESULTS) as place:
            (place / "overlay").mkdir()
            (place / "seg.dcm").write_text(text)
            (place / "overlay" / "slice.png").write_text("png")
        session.adopt(Upload(draw_case(results=Results({"seg.dcm": place / "seg.dcm"}))), results=place)
        assert session.result("seg.dcm") == place / "seg.dcm"
        assert session.result("../results/seg.dcm") is None
        assert session.result("overlay/slice.png") is None
        with zipfile.ZipFile(session.result(ALL)) as archive:
            assert archive.namelist() == ["overlay/slice.png", "seg.dcm"]
            assert archive.read("seg.dcm").decode() == text
    assert sorted(session.folder.iterdir()) == [place, place.with_suffix(".zip")]


def test_work_that_fails_leaves_what_was_shown(tmp_path):
    session = Sessions(tmp_path / "sessions").get("one")
    with session.fresh(RESULTS) as first:
        session.adopt(Upload(draw_case()), results=first)
    with pytest.raises(KeyError), session.fresh(RESULTS) as second:
        raise KeyError
    assert session.adopted(RESULTS) == first
    assert first.exists()
    assert not second.exists()
