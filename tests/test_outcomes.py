"""Inputs one after the other: an unexpected error costs one of them, a full disk stops, what is done must be there."""

import dataclasses
import errno
import json

import pytest

from monai_gi.errors import DataError, DataErrors
from monai_gi.outcomes import NotContouredError, Outcome, Task, finished, run_tasks


def task(folder, name, **settings):
    return Task(name, folder / name, None, 1, lambda: settings)


def write_done(folder, name, files=(), **settings):
    (folder / name).mkdir(parents=True)
    (folder / name / "result.json").write_text(json.dumps({"settings": settings, "files": list(files)}))
    return task(folder, name, **settings)


def run(tasks, errors):
    """Each task raises its error, where it has one; the names in the order in which they were tried."""
    tried = []

    def contour(one, bar):
        tried.append(one.name)
        if one.name in errors:
            raise errors[one.name]

    return *run_tasks(tasks, contour, unit="scan"), tried


def test_an_unexpected_error_costs_one_input_and_names_it(tmp_path):
    tasks = [task(tmp_path, name) for name in "abc"]
    errors = {"a": RuntimeError("CUDA out of memory.\nTried to allocate"), "b": DataError("b", "is damaged")}
    outcomes, faults, tried = run(tasks, errors)
    assert tried == ["a", "b", "c"]
    assert [(one.name, one.status) for one in outcomes] == [("c", "contoured")]
    assert str(faults[0]).startswith("a: RuntimeError: CUDA out of memory. Tried to allocate (test_outcomes.py, line ")
    assert str(faults[1]) == "b: is damaged"


@pytest.mark.parametrize(
    ("error", "code"),
    [(DataError("a", "is damaged"), 2), (KeyError("x"), 1), (MemoryError(), 1), (FileNotFoundError(2, "gone"), 1)],
)
def test_the_exit_code_tells_bad_data_from_unexpected_errors(tmp_path, error, code):
    _, faults, _ = run([task(tmp_path, "a")], {"a": error})
    with pytest.raises(NotContouredError) as caught:
        finished([], faults, ["a"])
    assert caught.value.exit_code == code


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_what_hits_every_input_stops_at_once(tmp_path, number):
    with pytest.raises(OSError, match="refused"):
        run([task(tmp_path, name) for name in "ab"], {"a": OSError(number, "refused"), "b": AssertionError()})


def test_a_result_of_which_a_file_is_gone_is_not_done(tmp_path):
    whole = write_done(tmp_path, "whole", ["mask.png", "overlay/1.png"])
    lacking = write_done(tmp_path, "lacking", ["mask.png", "overlay/1.png"])
    for one in ("whole", "lacking"):
        (tmp_path / one / "overlay").mkdir()
        (tmp_path / one / "overlay" / "1.png").touch()
    (tmp_path / "whole" / "mask.png").touch()
    outcomes, _, tried = run([whole, lacking], {})
    assert tried == ["lacking"]
    assert {one.name: one.status for one in outcomes} == {"whole": "already done", "lacking": "contoured"}


def test_results_of_other_settings_are_told_all_at_once_before_any_work(tmp_path):
    tasks = [task(tmp_path, "new"), *(write_done(tmp_path, name, tta=True) for name in "ab")]
    changed = [task(tmp_path, "new"), *(task(tmp_path, name, tta=False, amp=1) for name in "ab")]
    with pytest.raises(DataErrors, match="2 problems") as caught:
        run(changed, {"new": AssertionError("was begun")})
    for name in "ab":
        assert f"{name}/result.json: was made with other amp, tta. --overwrite redoes it" in str(caught.value)
    assert run(tasks, {})[2] == ["new"]


def test_outcomes_stand_in_the_order_of_the_input():
    outcomes = [Outcome(name, None, "contoured") for name in "cab"]
    assert [one.name for one in finished(outcomes, [], ["a", "b", "c"])] == ["a", "b", "c"]


def test_a_result_with_more_formats_is_done_and_one_with_fewer_is_not(tmp_path):
    write_done(tmp_path, "a", formats=["mask", "overlay"])
    assert run([task(tmp_path, "a", formats=["mask"])], {})[2] == []
    wanted = task(tmp_path, "a", formats=["mask", "probability"])
    with pytest.raises(DataErrors, match=r"made without probability\. --overwrite redoes it"):
        run([wanted], {})
    assert run([dataclasses.replace(wanted, adds_formats=True)], {})[2] == ["a"]
