"""What is refused before Gradio sees it: hosts, origins, paths, sizes, files of the server; what headers say."""

import asyncio
import json
from pathlib import Path

import pytest

from monai_gi.app.guard import Guard

HERE = Path(__file__).parent
HOST = "127.0.0.1:7860"


def ask(guard, path="/", host=HOST, body=(b"",), headers=(), method="GET"):
    """Status, headers and body of one request."""
    scope = {"type": "http", "method": method, "path": path, "headers": [(b"host", host.encode()), *headers]}
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
    headers = [(b"referrer-policy", b"unsafe-url"), (b"Access-Control-Allow-Origin", b"*"), (b"x-own", b"1")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": str(size).encode()})


def guard(**changes):
    wanted = {"max_upload_bytes": 1000, "local_only": True, "uploads": HERE, "has_room": lambda: True}
    return Guard(echo, **{**wanted, **changes})


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
    length = [(b"content-length", b"8000001")]
    assert ask(guard(), "/gradio_api/queue/join", headers=length, method="POST")[0] == 413


def test_an_upload_that_does_not_say_is_cut_off():
    chunks = [bytes(1_000_000)] * 4
    assert ask(guard(), "/gradio_api/upload", body=chunks)[2] == b"2000000"
    assert ask(guard(), "/elsewhere", body=chunks)[2] == b"4000000"
    long = [b" " * 1_000_000] * 9
    assert ask(guard(), "/gradio_api/queue/join", body=long, method="POST")[0] == 400
    assert ask(guard(), "/login", body=long, method="POST")[2] == b"1"


def test_uploads_are_refused_where_the_disk_is_full():
    status, _, body = ask(guard(has_room=lambda: False), "/gradio_api/upload")
    assert status == 507
    assert b"disk of this app is full" in body
    assert ask(guard(has_room=lambda: False), "/gradio_api/queue/join")[0] == 200


def send_data(guard, *data, path="/gradio_api/queue/join"):
    """Status of what the page sends when something is uploaded."""
    return ask(guard, path, body=[json.dumps({"data": data}).encode()], method="POST")[0]


def file_data(path, **more):
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}, **more}


@pytest.mark.parametrize("path", ["/gradio_api/queue/join", "/gradio_api/run/predict", "/elsewhere"])
def test_uploaded_files_alone_can_be_named(path, tmp_path):
    own = guard(uploads=tmp_path)
    (tmp_path / "link").symlink_to(HERE)
    assert send_data(own, [file_data(tmp_path / "hash" / "scan.nii.gz")], False, path=path) == 200
    for other in (
        "/etc/passwd",
        HERE / "conftest.py",
        tmp_path / ".." / "x",
        tmp_path,
        tmp_path / "link" / "conftest.py",
    ):
        assert send_data(own, 1, [[file_data(other)]], path=path) == 403
    assert send_data(own, {"path": None}, path=path) == 403
    assert send_data(own, file_data(f"{tmp_path}/\0"), path=path) == 403


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:22/", "https://example.org/x.zip", "file:///etc/passwd", "HTTP://x"]
)
def test_no_address_is_fetched_for_anybody(address, tmp_path):
    assert send_data(guard(uploads=tmp_path), [file_data(address)]) == 403
    assert send_data(guard(uploads=tmp_path), [file_data(tmp_path / "a", url=address)]) == 200  # for browsers only


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_refused(body):
    assert ask(guard(), "/gradio_api/queue/join", body=[body], method="POST")[0] == 400


def test_a_body_that_is_fine_arrives_whole():
    body = [b'{"data"', b": [1]}"]
    assert ask(guard(), "/gradio_api/queue/join", body=body, method="POST")[2] == b"13"


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://127.0.0.1:9999", "null", "", "http://127.0.0.1", "file://", "http://[", "x"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_pages_of_other_origins_are_not_answered(origin, method):
    headers = [(b"origin", origin.encode())]
    assert ask(guard(), "/gradio_api/upload", headers=headers, method=method)[0] == 403


@pytest.mark.parametrize(
    ("origin", "host", "forwarded"),
    [
        ("http://127.0.0.1:7860", HOST, ""),
        ("http://LOCALHOST:7860", "localhost:7860", ""),
        ("https://gi.example", "gi.example", ""),
        ("https://gi.example", "gi.example:443", ""),
        ("http://gi.example", "gi.example:80", ""),
        ("https://gi.example", "10.0.0.5:7860", "gi.example"),
        ("https://gi.example", "10.0.0.5:7860", "gi.example, 10.0.0.4"),
    ],
)
def test_the_own_page_is_answered_by_whatever_name_it_was_called(origin, host, forwarded):
    headers = [(b"origin", origin.encode()), *([(b"x-forwarded-host", forwarded.encode())] if forwarded else [])]
    assert ask(guard(local_only=False), "/gradio_api/upload", host=host, headers=headers, method="POST")[0] == 200
    if forwarded:
        assert ask(guard(local_only=False), "/", host=host, headers=headers[:1])[0] == 403


def test_a_name_that_a_server_in_front_keeps_to_itself_can_be_given():
    headers = [(b"origin", b"https://you-name.hf.space")]
    known = guard(local_only=False, public_host="you-name.hf.space")
    assert ask(known, host="10.0.0.5:7860", headers=headers)[0] == 200
    assert ask(guard(local_only=False), host="10.0.0.5:7860", headers=headers)[0] == 403


def test_no_header_lets_other_origins_in():
    _, headers, _ = ask(guard())
    assert headers[b"x-own"] == b"1"
    assert not [name for name in headers if name.lower().startswith(b"access-control-")]
