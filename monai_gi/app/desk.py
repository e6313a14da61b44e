"""What happens when somebody uses the page: each event becomes updates of the page's parts, by name."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from monai_gi.app import tables
from monai_gi.app.answers import HOW_TO_BUNDLE, LOST, WELCOME, Update, Updates, buttons, everything, followed
from monai_gi.app.cases import Case
from monai_gi.app.engines import Opened
from monai_gi.app.examples import Examples
from monai_gi.app.given_truth import with_truth
from monai_gi.app.jobs import Report, Turns
from monai_gi.app.limits import require_inflatable
from monai_gi.app.looks import Controls, controls_of, look_of
from monai_gi.app.session import INPUT, RESULTS, TRUTH, Session
from monai_gi.app.sessions import MOST_SESSIONS, Sessions, lend
from monai_gi.app.uploads import (
    CLASSES,
    KINDS,
    UNPACKED_TIMES,
    Upload,
    Wanted,
    plain_files,
    read_upload,
    unpack,
)
from monai_gi.app.viewer import view
from monai_gi.errors import DataError

_CHECKED = "Automatic and unapproved: check every contour."


class Desk:
    """Answers the page.

    Args:
        opened: the bundle; None without one.
        sessions: of the pages.
        examples: to draw.
        wanted: what is read, and how much.

    Attributes:
        most_pages: that may be open.
    """

    most_pages = MOST_SESSIONS

    def __init__(self, opened: Opened | None, sessions: Sessions, examples: Examples, wanted: Wanted) -> None:
        self.opened, self.sessions, self.examples, self.wanted = opened, sessions, examples, wanted
        self.turns = Turns()

    @property
    def title(self) -> str:
        """Of the bundle; empty without one."""
        return self.opened.title if self.opened else ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of images that the page takes."""
        return (self.opened.engine.kind,) if self.opened else KINDS

    @property
    def classes(self) -> tuple[str, ...]:
        """Every class that has a switch."""
        if self.opened:
            return self.opened.engine.classes
        return tuple(name for kind in KINDS for name in CLASSES[kind] if name != "background")

    @property
    def welcome(self) -> str:
        """The first message."""
        return tables.message(WELCOME)

    def receive(self, request: gr.Request, files: Sequence[str] | None, allow_gaps: bool = False) -> Updates:
        """Files were uploaded."""
        wanted = replace(self.wanted, allow_gaps=bool(allow_gaps))

        def read(session: Session, folder: Path, report: Report) -> Upload:
            report("Unpacking")
            self._unpack(session, files, folder)
            self.sessions.release(session, keep=[Path(file) for file in files or ()])
            return read_upload(folder, wanted, report)

        yield from self._opening(request, read)

    def choose(self, request: gr.Request, choice: int | None, allow_gaps: bool = False) -> Updates:
        """Another scan of the upload was chosen."""
        session = self._find(request)
        if session is None:
            yield from self._lost()
            return
        wanted = replace(self.wanted, allow_gaps=bool(allow_gaps))

        def work(report: Report) -> None:
            upload = read_upload(session.adopted(INPUT), wanted, report, int(choice or 0))
            session.adopt(upload, truth=None, results=None)

        yield from self._loading(session, work)

    def example(self, name: str) -> Callable[[gr.Request], Updates]:
        """An example was asked for; it is contoured at once.

        Args:
            name: of the example.

        Returns:
            The answer to its button.
        """

        def read(session: Session, folder: Path, report: Report) -> Upload:
            report("Drawing the example")
            drawn = self.examples.get(name)
            wanted = replace(self.wanted, kind=drawn.kind)
            lend(drawn.files, folder)
            upload = read_upload(folder, wanted, report)
            return replace(upload, case=with_truth(upload.case, drawn.truth, wanted, report))

        def answer(request: gr.Request) -> Updates:
            yield from self._opening(request, read)
            if self.opened is not None and self._case(request) is not None:
                yield from self.contour(request)

        return answer

    def contour(self, request: gr.Request, *controls: Any) -> Updates:
        """The network is to run."""
        session, opened = self._find(request), self.opened
        upload = None if session is None else session.upload
        if session is None or upload is None or opened is None:
            yield from self._lost(LOST if opened else HOW_TO_BUNDLE)
            return
        start = time.monotonic()

        def work(report: Report) -> None:
            self.sessions.require_room()
            self.turns.wait(report)
            try:
                with session.fresh(RESULTS) as place:
                    case = opened.engine.contour(upload.case, place, report)
                    session.adopt(replace(upload, case=case), results=place)
            finally:
                self.turns.done()

        def text() -> str:
            return f"Contoured in {time.monotonic() - start:.1f} s. {_CHECKED}"

        yield from self._changing(session, work, controls, text)

    def receive_truth(self, request: gr.Request, files: Sequence[str] | None, *controls: Any) -> Updates:
        """A truth was uploaded."""
        session = self._find(request)
        upload = None if session is None else session.upload
        if session is None or upload is None:
            yield {**_wrong("Upload the image first, then the contours to compare with."), "truth": None}
            return

        def work(report: Report) -> None:
            report("Unpacking")
            with session.fresh(TRUTH) as place:
                self._unpack(session, files, place)
                case = with_truth(upload.case, plain_files(place), self.wanted, report)
                session.adopt(replace(upload, case=case), truth=place)

        yield from self._changing(session, work, controls, lambda: "The truth is drawn dashed and lighter.")

    def drop_truth(self, request: gr.Request, *controls: Any) -> Updates:
        """The truth is not wanted any more."""
        session = self._find(request)
        upload = None if session is None else session.upload
        if session is None or upload is None:
            yield {"message": self.welcome}
            return

        def work(report: Report) -> None:
            session.adopt(replace(upload, case=with_truth(upload.case, (), self.wanted, report)), truth=None)

        yield from self._changing(session, work, controls, lambda: "The truth was removed.")

    def look(self, request: gr.Request, *controls: Any) -> Update:
        """Another slice, switch or window: the picture alone changes."""
        case = self._case(request)
        return {} if case is None else {"viewer": view(case, look_of(case, Controls.of(controls, self.classes)))}

    def reset(self, request: gr.Request, *controls: Any) -> Update:
        """Level and window back to those of the scan."""
        case = self._case(request)
        if case is None:
            return {}
        ranges = controls_of(case)
        look = look_of(case, Controls.of(controls, self.classes)._replace(level=None, window=None))
        return {"level": ranges["level"], "window": ranges["window"], "viewer": view(case, look)}

    def cancel(self, request: gr.Request) -> Update:
        """The work that runs is to stop."""
        session = self._find(request)
        if session is not None:
            session.cancel()
        return {"cancel": gr.update(interactive=False)}

    def clear(self, request: gr.Request) -> Updates:
        """Everything that was uploaded is to go."""
        self.sessions.close(_key(request))
        yield {
            **everything(None, self.classes, ()),
            **buttons(None, can_contour=False),
            "upload": None,
            "truth": None,
            "choice": gr.update(choices=[], value=None, visible=False),
            "message": tables.message("Your images and results were removed from the machine that runs this page."),
        }

    def leave(self, request: gr.Request) -> None:
        """The page was closed."""
        self.sessions.close(_key(request))

    def _find(self, request: gr.Request) -> Session | None:
        return self.sessions.find(_key(request))

    def _case(self, request: gr.Request) -> Case | None:
        session = self._find(request)
        return None if session is None else session.case

    def _lost(self, reason: str = LOST) -> Updates:
        """There is nothing to work on."""
        yield {**_wrong(reason), **buttons(None, can_contour=False)}

    def _unpack(self, session: Session, files: Sequence[str] | None, folder: Path) -> None:
        """Uploaded files into a folder of the session."""
        limit = self.wanted.max_bytes
        room = self.sessions.require_room()
        taken = self.sessions.take(session, [Path(file) for file in files or ()], folder, limit)
        unpack(taken, folder, min(UNPACKED_TIMES * limit, room))
        require_inflatable(plain_files(folder), limit)

    def _opening(self, request: gr.Request, read: Callable[[Session, Path, Report], Upload]) -> Updates:
        """Another image takes the page, and what was there goes."""
        try:
            session = self.sessions.get(_key(request))
        except DataError as error:
            yield {**_wrong(str(error)), "upload": None}
            return

        def work(report: Report) -> None:
            session.adopt(None, input=None, truth=None, results=None)
            with session.fresh(INPUT) as folder:
                session.adopt(read(session, folder, report), input=folder)

        yield from self._loading(session, work)

    def _loading(self, session: Session, work: Callable[[Report], None]) -> Updates:
        """Show another image."""

        def done() -> Update:
            upload = session.upload
            if upload is None:
                return failed()
            choices = [(text, number) for number, text in enumerate(upload.choices)]
            texts = [f"{upload.case.about}.", *upload.notes, *(["Press Contour."] if self.opened else [])]
            return {
                **everything(session, self.classes, ()),
                "upload": None,
                "choice": gr.update(choices=choices, value=upload.chosen if choices else None, visible=bool(choices)),
                "message": tables.message(" ".join(texts)),
            }

        def failed() -> Update:
            if session.case is not None:
                return {"upload": None}
            return {**everything(session, self.classes, ()), "upload": None, "choice": gr.update(visible=False)}

        yield from followed(session, work, done, can_contour=self.opened is not None, failed=failed)

    def _changing(
        self, session: Session, work: Callable[[Report], None], controls: Sequence[Any], text: Callable[[], str]
    ) -> Updates:
        """The same image with something more to show."""

        def done() -> Update:
            message = tables.message(text(), tables.DONE)
            return {**everything(session, self.classes, controls), "truth": None, "message": message}

        can_contour = self.opened is not None
        yield from followed(session, work, done, can_contour=can_contour, failed=lambda: {"truth": None})


def _wrong(text: str) -> Update:
    return {"message": tables.message(text, tables.WRONG)}


def _key(request: gr.Request) -> str:
    """A page, and with a password its user too: nobody else's session can be named."""
    return f"{request.username or ''}\n{request.session_hash or ''}"
