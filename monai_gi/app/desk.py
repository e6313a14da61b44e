"""What happens when somebody uses the page: each event becomes updates of the page's parts, by name."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from monai_gi.app import tables
from monai_gi.app.answers import Update, Updates, buttons, everything, followed
from monai_gi.app.cases import Case
from monai_gi.app.engines import Opened
from monai_gi.app.examples import Examples
from monai_gi.app.frames import FramesCase
from monai_gi.app.jobs import Report, Turns
from monai_gi.app.looks import Controls, controls_of, look_of
from monai_gi.app.scans import ScanCase
from monai_gi.app.sessions import MOST_SESSIONS, Session, Sessions
from monai_gi.app.slides import SlideCase
from monai_gi.app.truth import read_scan_truth
from monai_gi.app.uploads import CLASSES, FRAMES_MAX_PIXELS, KINDS, Upload, Wanted, plain_files, read_upload, unpack
from monai_gi.app.viewer import view
from monai_gi.pictures import DEFAULT_MAX_PIXELS

HOW_TO_BUNDLE = (
    "No bundle is loaded, so nothing can be contoured: start the app again with one, for example "
    "monai-gi app --bundle segformer-0.1.0.zip. Until then examples show their drawn truth."
)
WELCOME = "Upload an image, or take an example. Nothing leaves the machine that runs this page."
LOST = "There is no image here, or it was removed after a long pause. Upload it again."
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
        session, folder, limit = self._session(request), "input", self.wanted.max_bytes
        wanted = replace(self.wanted, allow_gaps=bool(allow_gaps))

        def work(report: Report) -> Upload:
            report("Unpacking")
            session.upload = None
            taken = self.sessions.take(session, [Path(file) for file in files or ()], folder, limit)
            unpack(taken, session.folder / folder, limit)
            return read_upload(session.folder / folder, wanted, report)

        yield from self._loading(session, work)

    def choose(self, request: gr.Request, choice: int | None, allow_gaps: bool = False) -> Updates:
        """Another scan of the upload was chosen."""
        session = self._session(request)
        folder, wanted = session.folder / "input", replace(self.wanted, allow_gaps=bool(allow_gaps))
        yield from self._loading(session, lambda report: read_upload(folder, wanted, report, int(choice or 0)))

    def example(self, name: str) -> Callable[[gr.Request], Updates]:
        """An example was asked for; it is contoured at once.

        Args:
            name: of the example.

        Returns:
            The answer to its button.
        """

        def answer(request: gr.Request) -> Updates:
            session = self._session(request)

            def work(report: Report) -> Upload:
                report("Drawing the example")
                session.upload = None
                drawn = self.examples.get(name)
                wanted = replace(self.wanted, kind=drawn.kind)
                self.sessions.lend(session, drawn.files, "input")
                upload = read_upload(session.folder / "input", wanted, report)
                return replace(upload, case=with_truth(upload.case, drawn.truth, wanted, report))

            yield from self._loading(session, work)
            if self.opened is not None and session.case is not None:
                yield from self.contour(request)

        return answer

    def contour(self, request: gr.Request, *controls: Any) -> Updates:
        """The network is to run."""
        session, opened = self._session(request), self.opened
        case = session.case
        if case is None or opened is None:
            reason = LOST if opened else HOW_TO_BUNDLE
            yield {"message": tables.message(reason, tables.WRONG), **buttons(session, can_contour=False)}
            return
        start = time.monotonic()

        def work(report: Report) -> Case:
            self.turns.wait(report)
            try:
                return opened.engine.contour(case, session.place("results"), report)
            finally:
                self.turns.done()

        def text() -> str:
            return f"Contoured in {time.monotonic() - start:.1f} s. {_CHECKED}"

        yield from self._changing(session, work, controls, text)

    def receive_truth(self, request: gr.Request, files: Sequence[str] | None, *controls: Any) -> Updates:
        """A truth was uploaded."""
        session, limit = self._session(request), self.wanted.max_bytes
        case = session.case
        if case is None:
            yield {
                "message": tables.message("Upload the image first, then the contours to compare with.", tables.WRONG)
            }
            return

        def work(report: Report) -> Case:
            report("Unpacking")
            folder = session.folder / "truth"
            unpack(self.sessions.take(session, [Path(file) for file in files or ()], "truth", limit), folder, limit)
            return with_truth(case, plain_files(folder), self.wanted, report)

        yield from self._changing(session, work, controls, lambda: "The truth is drawn dashed and lighter.")

    def drop_truth(self, request: gr.Request, *controls: Any) -> Updates:
        """The truth is not wanted any more."""
        session = self._session(request)
        case = session.case
        if case is None:
            yield {"message": self.welcome}
            return
        yield from self._changing(
            session,
            lambda report: with_truth(case, (), self.wanted, report),
            controls,
            lambda: "The truth was removed.",
        )

    def look(self, request: gr.Request, *controls: Any) -> Update:
        """Another slice, switch or window: the picture alone changes."""
        case = self._session(request).case
        return {} if case is None else {"viewer": view(case, look_of(case, Controls.of(controls, self.classes)))}

    def reset(self, request: gr.Request, *controls: Any) -> Update:
        """Level and window back to those of the scan."""
        case = self._session(request).case
        if case is None:
            return {}
        ranges = controls_of(case)
        look = look_of(case, Controls.of(controls, self.classes)._replace(level=None, window=None))
        return {"level": ranges["level"], "window": ranges["window"], "viewer": view(case, look)}

    def cancel(self, request: gr.Request) -> Update:
        """The work that runs is to stop."""
        self._session(request).cancel()
        return {"cancel": gr.update(interactive=False)}

    def clear(self, request: gr.Request) -> Updates:
        """Everything that was uploaded is to go."""
        self.sessions.close(_key(request))
        session = self._session(request)
        yield {
            **everything(session, self.classes, ()),
            **buttons(session, can_contour=False),
            "upload": None,
            "truth": None,
            "choice": gr.update(choices=[], value=None, visible=False),
            "message": tables.message("Your images and results were removed from the machine that runs this page."),
        }

    def leave(self, request: gr.Request) -> None:
        """The page was closed."""
        self.sessions.close(_key(request))

    def _session(self, request: gr.Request) -> Session:
        return self.sessions.get(_key(request))

    def _loading(self, session: Session, work: Callable[[Report], Upload]) -> Updates:
        """Another image takes the page."""

        def done(upload: Upload) -> Update:
            session.upload = upload
            choices = [(text, number) for number, text in enumerate(upload.choices)]
            next_step = " Press Contour." if self.opened else ""
            return {
                **everything(session, self.classes, ()),
                "upload": None,
                "choice": gr.update(choices=choices, value=upload.chosen if choices else None, visible=bool(choices)),
                "message": tables.message(f"{upload.case.about}.{next_step}"),
            }

        def failed() -> Update:
            if session.case is not None:
                return {"upload": None}
            return {**everything(session, self.classes, ()), "upload": None, "choice": gr.update(visible=False)}

        yield from followed(session, work, done, can_contour=self.opened is not None, failed=failed)

    def _changing(
        self, session: Session, work: Callable[[Report], Case], controls: Sequence[Any], text: Callable[[], str]
    ) -> Updates:
        """The same image with something more to show."""

        def done(case: Case) -> Update:
            if session.upload is not None:
                session.upload = replace(session.upload, case=case)
            message = tables.message(text(), tables.DONE)
            return {**everything(session, self.classes, controls), "truth": None, "message": message}

        can_contour = self.opened is not None
        yield from followed(session, work, done, can_contour=can_contour, failed=lambda: {"truth": None})


def with_truth(case: Case, paths: Sequence[Path], wanted: Wanted, report: Report) -> Case:
    """A case with the truth that stands in files.

    Args:
        case: of any kind.
        paths: files of the truth; none takes it away.
        wanted: how large they may be.
        report: is told how far it is.

    Returns:
        A new case.

    Raises:
        DataError: the files do not suit the case.
        ValueError: a case of an unknown kind.
    """
    if isinstance(case, ScanCase):
        return case.with_truth(read_scan_truth(paths, case.scan) if paths else None, report)
    if isinstance(case, FramesCase):
        return case.with_truth(paths, wanted.max_pixels or FRAMES_MAX_PIXELS)
    if isinstance(case, SlideCase):
        return case.with_truth(paths[0] if paths else None, wanted.max_pixels or DEFAULT_MAX_PIXELS, report)
    raise ValueError(f"case: {type(case).__name__}, wanted a scan, frames or a slide")


def _key(request: gr.Request) -> str:
    """A page, and with a password its user too: nobody else's session can be named."""
    return f"{request.username or ''}\n{request.session_hash or ''}"
