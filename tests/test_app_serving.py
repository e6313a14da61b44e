"""What stands around the page: hosts, paths and sizes that are refused, headers, downloads, password, port."""

import asyncio
import os
import socket
import subprocess
import sys

import pytest

from monai_gi.app import AppRequest, serve, serving
from monai_gi.app.guard import Guard
from monai_gi.errors import DataError


def ask(guard, path="/", host="127.0.0.1:7860", body=(b"",), headers=()):
    """Status, headers and body of one request."""
    scope = {"type": "http", "path": path, "headers": [(b"host", host.encode()), *headers]}
    chunks, sent = list(body), []

    async def receive():
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def send(message):
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    start = sent[0]
    return start["status"], dict(start["headers"]), b"".join(message.get("body", b"") for message in sent[1:])


async def echo(scope, receive, send):
    """Read everything, then answer."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        size, more = size + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"referrer-policy", b"unsafe-url")]})
    await send({"type": "http.response.body", "body": str(size).encode()})


def guard(**changes):
    return Guard(echo, **{"max_upload_bytes": 1000, "local_only": True, **changes})


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost", "localhost:1", "[::1]:7860"])
def test_own_names_are_answered_with_headers_that_keep_the_page_to_itself(host):
    status, headers, _ = ask(guard(), host=host)
    assert status == 200
    assert b"connect-src 'self'" in headers[b"content-security-policy"]
    assert b"http" not in headers[b"content-security-policy"]
    assert headers[b"referrer-policy"] == b"no-referrer"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "", "127.0.0.1.evil.example"])
def test_foreign_names_of_this_machine_are_refused(host):
    assert ask(guard(), host=host)[0] == 403
    assert ask(guard(local_only=False), host=host)[0] == 200


@pytest.mark.parametrize(
    "path", ["file=/etc/passwd", "file=http://example.org", "proxy=x", "call/look", "info", "runs"]
)
def test_ways_to_other_files_and_servers_are_closed(path):
    assert ask(guard(), f"/gradio_api/{path}")[0] == 404


@pytest.mark.parametrize("path", ["queue/join", "upload", "heartbeat/x", "startup-events"])
def test_what_the_page_needs_is_open(path):
    assert ask(guard(), f"/gradio_api/{path}")[0] == 200


def test_an_upload_that_says_how_large_it_is_is_refused_at_once():
    length = [(b"content-length", b"2001001")]
    status, _, body = ask(guard(), "/gradio_api/upload", headers=length)
    assert status == 413
    assert b"at most 2 MB are taken" in body
    assert ask(guard(), "/gradio_api/queue/join", headers=length)[0] == 200


def test_an_upload_that_does_not_say_is_cut_off():
    chunks = [bytes(1_000_000)] * 4
    assert ask(guard(), "/gradio_api/upload", body=chunks)[2] == b"2000000"
    assert ask(guard(), "/elsewhere", body=chunks)[2] == b"4000000"


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


@pytest.mark.slow
def test_the_real_page_asks_for_the_password_and_names_no_other_server(tmp_path):
    pytest.importorskip("gradio", reason="gradio is not installed: pip install monai_gi[app]")
    # In a process of its own: Gradio leaves event loops open, which would be warnings of whatever test comes next.
    words = [sys.executable, "-c", REAL_PAGE, str(tmp_path / "app")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
