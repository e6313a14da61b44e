"""What stands before Gradio: hosts, origins, paths and sizes that are refused, and headers that close the page.

The page may load nothing from anywhere else (Content-Security-Policy), whatever a library would like to fetch, and
pages of other origins may ask nothing of it, whatever Gradio would like to allow them.
"""

import json
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Refusal = tuple[int, str]

API = "/gradio_api"
UPLOAD = f"{API}/upload"
LOGIN = "/login"  # the only form; whatever else is sent is JSON
# What this page uses of Gradio's own addresses; others lead to files, to other servers and to its run history.
OPEN = ("queue/", "upload", "heartbeat/", "startup-events", "run/", "cancel", "reset", "app_id", "theme.css")
LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]", "::1")
_MULTIPART_BYTES = 2_000_000  # around the files of one upload
_JSON_BYTES = 8_000_000  # names of some ten thousand uploaded files
_PORTS = {"http": 80, "https": 443}
_CROSS_ORIGIN = b"access-control-"
POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",  # Gradio builds its templates in the page
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    ]
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """Wraps the app.

    Args:
        app: what is guarded.
        max_upload_bytes: of one request that uploads.
        local_only: take requests to this machine's own names alone, so that no other site can lead a browser here
            under a name of its own.
        uploads: where Gradio puts uploads; requests may name files there and nowhere else, no addresses either.
        has_room: whether another upload fits on the disk.
        public_host: name that a server in front is called by, where it passes on neither Host nor X-Forwarded-Host.
    """

    def __init__(
        self,
        app: Asgi,
        *,
        max_upload_bytes: int,
        local_only: bool,
        uploads: Path,
        has_room: Callable[[], bool],
        public_host: str | None = None,
    ) -> None:
        self.app, self.limit, self.local_only = app, max_upload_bytes + _MULTIPART_BYTES, local_only
        self.uploads, self.has_room, self.public_host = Path(os.path.realpath(uploads)), has_room, public_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope["path"], headers)
        if refusal is None and scope["path"].startswith(UPLOAD):
            receive = _counted(receive, self.limit)
        elif refusal is None and scope.get("method") not in (None, "GET", "HEAD"):
            body = await _whole(_counted(receive, _JSON_BYTES))
            refusal = None if scope["path"].rstrip("/") == LOGIN else self._refusal_of_body(body)
            receive = _again(body, receive)
        if refusal is not None:
            await _refuse(send, *refusal)
            return
        await self.app(scope, receive, _with_headers(send))

    def _refusal(self, path: str, headers: Mapping[str, str]) -> Refusal | None:
        if self.local_only and _host(headers.get("host", "")) not in LOCAL_HOSTS:
            return 403, "This app answers to its own machine only."
        if "origin" in headers and not self._is_own(headers["origin"], headers):
            return 403, "This app answers to its own page only."
        if path.startswith(API) and not path.removeprefix(f"{API}/").startswith(OPEN):
            return 404, "There is nothing here."
        length = headers.get("content-length", "0")
        if not path.startswith(UPLOAD):
            return (413, "This is too long.") if length.isdigit() and int(length) > _JSON_BYTES else None
        if length.isdigit() and int(length) > self.limit:
            return 413, f"{int(length) / 1e6:.0f} MB are too many; at most {self.limit / 1e6:.0f} MB are taken."
        return None if self.has_room() else (507, "The disk of this app is full. Try again in an hour.")

    def _is_own(self, origin: str, headers: Mapping[str, str]) -> bool:
        """Whether a page of this app asks.

        A server in front may tell the name that it was called by; a page elsewhere can not add that header without
        asking first, and is not answered.
        """
        try:
            parts = urlsplit(origin)
            names = {parts.netloc.lower(), f"{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"}
        except (ValueError, KeyError):
            return False
        forwarded = headers.get("x-forwarded-host", "").partition(",")[0].strip()
        own = (headers.get("host", ""), forwarded, self.public_host or "")
        return any(name and name.lower() in names for name in own)

    def _refusal_of_body(self, body: bytes) -> Refusal | None:
        """What Gradio would read or fetch for anybody who names it: files of the server, addresses of other servers."""
        try:
            paths = list(_paths(json.loads(body or b"null")))
        except (ValueError, RecursionError):
            return 400, "This is no request of the page."
        if all(isinstance(path, str) and self._is_upload(path) for path in paths):
            return None
        return 403, "Only files that were uploaded here can be named."

    def _is_upload(self, path: str) -> bool:
        return "\0" not in path and self.uploads in Path(os.path.realpath(path)).parents


def _paths(value: Any) -> Iterator[Any]:
    """Every value of a key "path", however deep."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left.extend(one.values())
            if "path" in one:
                yield one["path"]
        elif isinstance(one, list):
            left.extend(one)


async def _whole(receive: Receive) -> bytes:
    """All of a request's body; nothing where it is cut off."""
    parts, more = [], True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"-"
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that was read once more, then what follows."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed


def _host(header: str) -> str:
    """The name without the port."""
    name, colon, port = header.rpartition(":")
    return name if colon and port.isdigit() else header


def _counted(receive: Receive, limit: int) -> Receive:
    """The request as it comes in, cut off where it is longer than it may be."""
    count = 0

    async def counted() -> Message:
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        return message if count <= limit else {"type": "http.disconnect"}

    return counted


def _with_headers(send: Send) -> Send:
    added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def extended(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*_kept(message.get("headers", ())), *added]}
        await send(message)

    return extended


def _kept(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Without those that are set here, and without any that let other origins in."""
    gone = {name.encode() for name in HEADERS}
    return [(name, value) for name, value in headers if not name.lower().startswith((*gone, _CROSS_ORIGIN))]


async def _refuse(send: Send, status: int, text: str) -> None:
    body = json.dumps({"detail": text}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
