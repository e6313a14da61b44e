"""What stands around the page: downloads, password, port, folders that are tidied."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from monai_gi.app import AppRequest, serve, serving
from monai_gi.errors import DataError
from tests.outgoing_calls import calls, outgoing, telling


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr(serving, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"needs the package gradio.*pip install monai_gi\[app\]"):
        serve(AppRequest())


def test_a_taken_port_is_told():
    pytest.importorskip("gradio", reason="gradio is not installed: pip install monai_gi[app]")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DataError, match=f"can not listen at 127.0.0.1:{port} .*Name another --port"):
            serve(AppRequest(port=port))


def test_a_password_is_compared_whole():
    assert serving._matches(("reader", "geheim"), ("reader", "geheim"))
    assert not serving._matches(("reader", "geheim "), ("reader", "geheim"))
    assert not serving._matches(("reader", "geheim"), None)


def test_folders_of_apps_that_were_killed_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(serving.tempfile, "gettempdir", lambda: str(tmp_path))
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead, own = (tmp_path / f"monai-gi-app-{number}-x" for number in (int(gone.stdout), os.getpid()))
    for folder in (dead, own):
        folder.mkdir()
    serving._sweep()
    assert not dead.exists()
    assert own.exists()


REAL_PAGE = """
import sys
from pathlib import Path
from fastapi.testclient import TestClient
from monai_gi.app import AppRequest, make_app
from monai_gi.provenance import INTENDED_USE

folder = Path(sys.argv[1])
with TestClient(make_app(AppRequest(auth="reader:geheim"), folder), base_url="http://127.0.0.1") as page:
    assert page.get("/config").status_code == 401
    assert page.post("/login", data={"username": "reader", "password": "falsch"}).status_code == 400
    assert page.get("/config").status_code == 401
    assert page.post("/login", data={"username": "reader", "password": "geheim"}).status_code == 200
    config = page.get("/config").json()
    ids = {one["props"].get("elem_id") for one in config["components"]}
    wanted = "upload contour cancel slice viewer organ-stomach opacity window level probability checks volumes truth"
    assert set(wanted.split()) | {"downloads", "message", "examples", "clear"} <= ids, ids
    text = page.get("/config").text
    assert INTENDED_USE in text and "monai-gi app --bundle" in text
    assert not config["analytics_enabled"]
    for address in ("googleapis", "gstatic", "cdnjs", "jsdelivr"):
        assert address not in page.get("/").text
    assert page.get("/monai_gi/results/nobody/seg.dcm").status_code == 404
    assert page.get("/docs").status_code == page.get("/openapi.json").status_code == 404
assert not folder.exists()
"""

FILES_OF_THE_SERVER = """
import sys
from pathlib import Path
from fastapi.testclient import TestClient
import monai_gi.app.guard as guards
from monai_gi.app import AppRequest, make_app

folder, secret, open_guard = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "open"
if open_guard:
    guards.Guard._refusal_of_body = lambda *_: None
with TestClient(make_app(AppRequest(), folder), base_url="http://127.0.0.1") as page:
    config = page.get("/config").json()
    upload = next(one["id"] for one in config["components"] if one["props"].get("elem_id") == "upload")
    event = next(one["id"] for one in config["dependencies"] if [upload, "upload"] in one["targets"])
    own = page.post("/gradio_api/upload", files={"files": ("own.png", secret.read_bytes())}).json()[0]

    def ask(path):
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        body = {"data": [[file], False], "fn_index": event, "session_hash": "page"}
        joined = page.post("/gradio_api/queue/join", json=body, headers={"origin": "http://127.0.0.1"})
        if joined.status_code != 200:
            return joined.text
        with page.stream("GET", "/gradio_api/queue/data?session_hash=page") as stream:
            return "".join(stream.iter_lines())

    assert "<svg" in ask(own)
    for path in (str(secret), "/etc/hostname", "http://127.0.0.1:9/scan.png"):
        answer = ask(path)
        assert "<svg" not in answer and "Unpacking" not in answer, answer
        assert open_guard or "Only files that were uploaded here" in answer, answer
        copies = [one for one in (folder / "uploads").rglob("*") if one.name in ("secret.png", "hostname", "scan.png")]
        assert not copies, copies
    foreign = page.post("/gradio_api/upload", files={"files": b""}, headers={"origin": "http://127.0.0.1:9"})
    assert foreign.status_code == 403
"""


@pytest.mark.slow
@pytest.mark.parametrize("guard", ["closed", "open"])
def test_files_of_the_server_are_not_shown_to_whoever_names_them(tmp_path, guard):
    """The guard refuses them, and where it would not, Gradio does."""
    pytest.importorskip("gradio", reason="gradio is not installed: pip install monai_gi[app]")
    secret = tmp_path / "secret.png"
    Image.fromarray(np.arange(72, dtype=np.uint8).reshape(8, 9)).save(secret)
    words = [sys.executable, "-c", FILES_OF_THE_SERVER, str(tmp_path / "app"), str(secret), guard]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_real_page_asks_for_the_password_and_names_no_other_server(tmp_path):
    pytest.importorskip("gradio", reason="gradio is not installed: pip install monai_gi[app]")
    # In a process of its own: Gradio leaves event loops open, which would be warnings of whatever test comes next.
    words = [sys.executable, "-c", REAL_PAGE, str(tmp_path / "app")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_calls_to_other_machines_are_noticed(tmp_path):
    """What the tests in the browser ask of the app's process would fail where it called somebody."""
    environment = telling(tmp_path / "calls", os.environ)
    code = "import contextlib, socket\nfor host in ('localhost', 'telemetry.invalid'):\n"
    code += "    with contextlib.suppress(OSError):\n        socket.getaddrinfo(host, 9)\n"
    code += "with contextlib.suppress(OSError):\n    socket.socket(type=socket.SOCK_DGRAM).connect(('192.0.2.1', 9))\n"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert len(calls(tmp_path / "calls")) == 3
    assert outgoing(tmp_path / "calls") == [
        "socket.getaddrinfo 'telemetry.invalid'",
        "socket.connect ('192.0.2.1', 9)",
    ]
