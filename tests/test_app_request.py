"""What the app may be asked for, and the threads that its work is done in."""

import threading
import time
from pathlib import Path

import pytest

from monai_gi.app import AppRequest
from monai_gi.app.jobs import Job, Progress, StoppedError, Turns
from monai_gi.cli import main
from monai_gi.errors import DataError
from tests.drawn_cases import quiet


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::", "example.org"])
def test_other_machines_need_a_password(host):
    with pytest.raises(DataError, match=r"--host: .* lets other machines in.*Set MONAI_GI_APP_AUTH=USER:PASSWORD"):
        AppRequest(host=host)
    assert not AppRequest(host=host, auth="reader:secret").is_local


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.3.2.1"])
def test_this_machine_needs_none(host):
    assert AppRequest(host=host).is_local


@pytest.mark.parametrize("auth", ["", "reader", "reader:", ":secret"])
def test_half_a_password_is_refused(auth):
    with pytest.raises(DataError, match="MONAI_GI_APP_AUTH or --auth: wanted a name and a password"):
        AppRequest(auth=auth)


@pytest.mark.parametrize(
    ("environment", "words", "wanted"),
    [
        ({"MONAI_GI_APP_AUTH": "reader:SECRET"}, [], ("reader", "SECRET")),
        ({"MONAI_GI_APP_AUTH": "reader:SECRET"}, ["--auth", "me:mine"], ("me", "mine")),
        ({"MONAI_GI_APP_AUTH": ""}, [], None),
        ({}, [], None),
    ],
)
def test_the_password_comes_from_the_environment_where_no_option_names_it(monkeypatch, environment, words, wanted):
    asked = []
    monkeypatch.setattr("monai_gi.app.serve", asked.append)
    monkeypatch.delenv("MONAI_GI_APP_AUTH", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(["app", *words]) == 0
    assert asked[0].credentials == wanted


def test_a_password_may_hold_colons():
    assert AppRequest(auth="reader:a:b").credentials == ("reader", "a:b")
    assert AppRequest().credentials is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"port": 70000}, "--port: 70000"),
        ({"max_upload_megabytes": 0}, "--max-upload-megabytes: 0"),
        ({"max_pixels": 0}, "--max-pixels: 0"),
        ({"weights": Path("model.pt")}, "--weights: given without a bundle"),
        ({"key": Path("public.pem")}, "--key: given without a bundle"),
    ],
)
def test_values_out_of_range_are_refused(changes, message):
    with pytest.raises(DataError, match=message):
        AppRequest(**changes)


def test_megabytes_are_millions_of_bytes():
    assert AppRequest(max_upload_megabytes=3).max_upload_bytes == 3_000_000


def test_a_job_tells_how_far_it_is_and_gives_its_result():
    seen = threading.Event()

    def work(report):
        report("half", 0.5)
        assert seen.wait(10)
        return 7

    job = Job(work)
    states = job.follow(0.01)
    while next(states) != Progress("half", 0.5):
        pass
    seen.set()
    assert job.result() == 7


def test_a_job_stops_at_its_next_report():
    begun = threading.Event()
    done = []

    def work(report):
        begun.set()
        while True:
            time.sleep(0.001)
            report("on and on")
            done.append(1)

    job = Job(work)
    assert begun.wait(10)
    job.stop()
    count = len(done)
    with pytest.raises(StoppedError):
        job.result()
    assert len(done) == count


def test_a_fault_of_the_work_comes_out_where_the_result_is_asked_for():
    def work(report):
        raise DataError("here", "is nothing")

    with pytest.raises(DataError, match="here: is nothing"):
        Job(work).result()


def test_turns_let_one_in_after_the_other():
    turns = Turns()
    turns.wait(quiet)
    waits = []

    def report(text, share=None):
        waits.append(text)
        raise StoppedError

    with pytest.raises(StoppedError):
        turns.wait(report, 0.01)
    assert waits[0].startswith("Waiting for")
    turns.done()
    turns.wait(report, 0.01)
    turns.done()
