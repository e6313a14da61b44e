"""The job of `monai-gi app`: the page on a port of this machine until Ctrl-C; its files are gone afterwards."""

import asyncio
import logging
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from monai_gi.app.request import AppRequest
from monai_gi.errors import DataError
from monai_gi.provenance import INTENDED_USE

if TYPE_CHECKING:  # gradio, fastapi and uvicorn are the extra `app`
    from fastapi import FastAPI

    from monai_gi.app.desk import Desk
    from monai_gi.app.sessions import Sessions

_PREFIX = "monai-gi-app-"
_UPLOADS = "uploads"
_TIDY_S = 60.0
_MOST_UPLOADS = 20


def serve(request: AppRequest) -> None:
    """Show the page until the process is stopped.

    Args:
        request: what the user asked for.

    Raises:
        DataError: the extra `app` is not installed, the bundle can not be opened, or the port is taken.
        KeyboardInterrupt: Ctrl-C.
    """
    require_extra()
    import uvicorn

    listener = _listener(request)
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    try:
        app = make_app(request, folder)
        host, port = listener.getsockname()[:2]
        print(f"monai-gi app: http://{_shown(request.host, host)}:{port} (Ctrl-C stops it). {INTENDED_USE}", flush=True)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=3
        )
        server = uvicorn.Server(config)
        # Pages that are still open when Ctrl-C comes are cut off; that is no fault to print tracebacks of.
        logging.getLogger("uvicorn.error").addFilter(lambda _: not server.should_exit)
        server.run(sockets=[listener])
    finally:
        listener.close()
        shutil.rmtree(folder, ignore_errors=True)


def make_app(request: AppRequest, folder: Path) -> "FastAPI":
    """The page as an ASGI application, for servers of another kind too.

    Args:
        request: what the user asked for; host and port are the server's business.
        folder: for uploads and results of all sessions; it is removed when the server stops.

    Returns:
        The application.

    Raises:
        DataError: the extra `app` is not installed, or the bundle can not be opened.
    """
    require_extra()
    # Read when Gradio is imported and when its parts are made: no telemetry, and uploads in our folder.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    uploads = folder / _UPLOADS
    uploads.mkdir(mode=0o700, parents=True)
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    desk = _desk(request, folder)
    return _assembled(request, desk, folder)


def require_extra() -> None:
    """Refuse to go on without the packages of the extra `app`.

    Raises:
        DataError: gradio is not installed.
    """
    if find_spec("gradio") is None:
        raise DataError("app", "needs the package gradio, which is not installed: pip install monai_gi[app]")


def _desk(request: AppRequest, folder: Path) -> "Desk":
    from monai_gi.app.desk import Desk
    from monai_gi.app.engines import open_engine
    from monai_gi.app.examples import Examples
    from monai_gi.app.sessions import MOST_BYTES, Sessions
    from monai_gi.app.uploads import Wanted

    opened = open_engine(request)
    wanted = Wanted(max_bytes=request.max_upload_bytes, max_pixels=request.max_pixels)
    if opened is not None:
        engine = opened.engine
        wanted = Wanted(engine.kind, opened.all_classes, opened.modality, request.max_upload_bytes, request.max_pixels)
    most_bytes = max(MOST_BYTES, _MOST_UPLOADS * request.max_upload_bytes)
    sessions = Sessions(folder / "sessions", most_bytes=most_bytes)
    return Desk(opened, sessions, Examples(folder / "examples"), wanted)


def _assembled(request: AppRequest, desk: "Desk", folder: Path) -> "FastAPI":
    """The page, the results and the guard as one application."""
    import gradio as gr
    from fastapi import FastAPI

    from monai_gi.app.guard import Guard
    from monai_gi.app.page import build_page, dress

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        tidying = asyncio.create_task(_tidying(desk.sessions))
        yield
        tidying.cancel()
        desk.sessions.close_all()
        shutil.rmtree(folder, ignore_errors=True)  # here, as a signal may end the process right after

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=living)
    _serve_results(app, desk)
    clothes = dress(desk)
    credentials = request.credentials
    page = build_page(desk)
    # Gradio looks whether a file that a request names was uploaded only where this is set, which mounting does not do.
    page.has_launched = True
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        footer_links=[],
        run_history=False,
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
        auth=(lambda user, password: _matches((user, password), credentials)) if credentials else None,
        auth_message=INTENDED_USE,
        show_error=False,
        max_file_size=request.max_upload_bytes,
        ssr_mode=False,
        mcp_server=False,
        theme=clothes.theme,
        css=clothes.css,
        head=clothes.head,
    )
    app.add_middleware(
        Guard,
        max_upload_bytes=request.max_upload_bytes,
        local_only=request.is_local,
        uploads=folder / _UPLOADS,
        has_room=lambda: desk.sessions.bytes_left() > 0,
        public_host=request.public_host,
    )
    return app


async def _tidying(sessions: "Sessions", every_s: float = _TIDY_S) -> None:
    """Close sessions that were left alone, also where nobody comes any more."""
    while True:
        await asyncio.sleep(every_s)
        await asyncio.to_thread(sessions.close_idle)


def _serve_results(app: "FastAPI", desk: "Desk") -> None:
    """Downloads, straight from the folder of the session that has the token."""
    from fastapi import HTTPException
    from fastapi.responses import FileResponse

    from monai_gi.app.tables import RESULT_ROUTE

    def download(token: str, name: str) -> FileResponse:
        session = desk.sessions.by_token(token)
        path = None if session is None else session.result(name)
        if path is None or not path.is_file():
            raise HTTPException(404, "This file is gone. Contour again.")
        return FileResponse(path, filename=Path(name).name, headers={"cache-control": "no-store"})

    app.get(RESULT_ROUTE + "/{token}/{name:path}")(download)


def _matches(given: tuple[str, str], wanted: tuple[str, str] | None) -> bool:
    """Whether name and password are the right ones, in the same time whatever they are."""
    same = [
        secrets.compare_digest(*(one.encode() for one in pair)) for pair in zip(given, wanted or given, strict=True)
    ]
    return wanted is not None and all(same)


def _listener(request: AppRequest) -> socket.socket:
    """The open port, before seconds of imports."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            request.host, request.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        problem = f"can not listen at {request.host}:{request.port} ({error.strerror or error})"
        raise DataError("--port", f"{problem}. Name another --port, or 0 for any") from error
    return listener


def _sweep() -> None:
    """Remove what apps left behind that were killed: nobody else would."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        number = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if number.isdigit() and not psutil.pid_exists(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _shown(asked: str, bound: str) -> str:
    """The address as it is typed into a browser."""
    host = asked if asked == "localhost" else bound
    return f"[{host}]" if ":" in host else host
