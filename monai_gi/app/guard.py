"""What stands before Gradio: hosts, paths and sizes that are refused, and headers that keep the page to itself.

The page may load nothing from anywhere else (Content-Security-Policy), whatever a library would like to fetch.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

API = "/gradio_api"
UPLOAD = f"{API}/upload"
# What this page uses of Gradio's own addresses; others lead to files, to other servers and to its run history.
OPEN = ("queue/", "upload", "heartbeat/", "startup-events", "run/", "cancel", "reset", "app_id", "theme.css")
LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]", "::1")
_MULTIPART_BYTES = 2_000_000  # around the files of one upload
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
    """

    def __init__(self, app: Asgi, *, max_upload_bytes: int, local_only: bool) -> None:
        self.app, self.limit, self.local_only = app, max_upload_bytes + _MULTIPART_BYTES, local_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(send, *refusal)
            return
        if scope["path"].startswith(UPLOAD):
            receive = _counted(receive, self.limit)
        await self.app(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if self.local_only and _host(headers.get("host", "")) not in LOCAL_HOSTS:
            return 403, "This app answers to its own machine only."
        if scope["path"].startswith(API) and not scope["path"].removeprefix(f"{API}/").startswith(OPEN):
            return 404, "There is nothing here."
        length = headers.get("content-length", "0")
        if scope["path"].startswith(UPLOAD) and length.isdigit() and int(length) > self.limit:
            return 413, f"{int(length) / 1e6:.0f} MB are too many; at most {self.limit / 1e6:.0f} MB are taken."
        return None


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
            message = {**message, "headers": [*_without(message.get("headers", ()), HEADERS), *added]}
        await send(message)

    return extended


def _without(headers: Iterable[tuple[bytes, bytes]], names: Iterable[str]) -> list[tuple[bytes, bytes]]:
    gone = {name.encode() for name in names}
    return [(name, value) for name, value in headers if name.lower() not in gone]


async def _refuse(send: Send, status: int, text: str) -> None:
    body = json.dumps({"detail": text}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
