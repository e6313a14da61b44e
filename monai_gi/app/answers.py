"""Answers to the page: work followed to its end, whatever that is, and everything that a session shows."""

import logging
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from monai_gi.app import tables
from monai_gi.app.cases import Case
from monai_gi.app.jobs import Progress, Report, StoppedError
from monai_gi.app.looks import Controls, controls_of, look_of
from monai_gi.app.session import Session
from monai_gi.app.uploads import sentence
from monai_gi.app.viewer import empty_view, view
from monai_gi.errors import DataError

logger = logging.getLogger(__name__)

Update = dict[str, Any]
Updates = Iterator[Update]
HOW_TO_BUNDLE = (
    "No bundle is loaded, so nothing can be contoured: start the app again with one, for example "
    "monai-gi app --bundle segformer-0.1.0.zip. Until then examples show their drawn truth."
)
WELCOME = "Upload an image, or take an example. Nothing leaves the machine that runs this page."
LOST = "There is no image here, or it was removed after a long pause. Upload it again."
LATER = "After contouring: how much there is of what, where to look first, and files to download."
NOTHING_YET = "Upload an image, or take an example"
STOPPED = "Stopped."


def followed(
    session: Session,
    work: Callable[[Report], None],
    done: Callable[[], Update],
    *,
    can_contour: bool,
    failed: Callable[[], Update] = dict,
) -> Iterator[Update]:
    """Do work for a session and tell the page how it goes and how it ended.

    Args:
        session: of the page.
        work: is done in a thread.
        done: gives the page's updates when it is done.
        can_contour: there is a bundle.
        failed: gives updates beside the message when the work came to nothing.

    Yields:
        Update: of the message while it runs; of everything at the end. A fault of the data becomes one sentence.
    """
    yield {"contour": gr.update(interactive=False), "cancel": gr.update(interactive=True)}
    number = session.works + 1
    fault = None
    try:
        for state in session.run(work):
            if isinstance(state, Progress):
                yield {"message": tables.progress(state)}
            else:
                yield {**done(), **buttons(session, can_contour=can_contour)}
    except StoppedError:
        # Where something else was begun meanwhile, the page is its own now.
        fault = (STOPPED, tables.INFO) if session.works == number else None
    except DataError as error:
        fault = sentence(error, session.folder), tables.WRONG
    except MemoryError:
        fault = "This is too large for the memory of this machine. Take a smaller part.", tables.WRONG
    except Exception as error:
        fault = _unexpected(error), tables.WRONG
    if fault is not None:
        yield {**failed(), "message": tables.message(*fault), **buttons(session, can_contour=can_contour)}


def buttons(session: Session | None, *, can_contour: bool) -> Update:
    """The two buttons while nothing runs.

    Args:
        session: of the page, if it has one.
        can_contour: there is a bundle.

    Returns:
        Updates of "contour" and "cancel".
    """
    ready = can_contour and session is not None and session.case is not None
    return {"contour": gr.update(interactive=ready), "cancel": gr.update(interactive=False)}


def everything(session: Session | None, classes: Sequence[str], controls: Sequence[Any]) -> Update:
    """All that the page shows of a session.

    Args:
        session: of the page, if it has one.
        classes: that have switches.
        controls: values of the page's controls; none takes the defaults of the case.

    Returns:
        Updates of every part but the message and the buttons.
    """
    case = None if session is None else session.case
    chosen = Controls.of(controls, classes)
    if case is None:
        picture = empty_view(NOTHING_YET)
    elif controls:
        picture = view(case, look_of(case, chosen))
    else:
        picture = view(case, look_of(case, chosen._replace(place=(len(case.labels) + 1) // 2)))
    there = () if case is None else case.classes
    ranges = controls_of(case) if not controls else _probability_only(case)
    return {
        "viewer": picture,
        **{switch_of(name): gr.update(visible=name in there) for name in classes},
        **ranges,
        "truth-clear": gr.update(visible=case is not None and case.has_truth),
        **results_of(session),
    }


def results_of(session: Session | None) -> dict[str, str]:
    """What came of it; before that, what will stand there.

    Args:
        session: of the page, if it has one.

    Returns:
        HTML of "volumes", "checks" and "downloads".
    """
    case = None if session is None else session.case
    found = tables.findings(case) or f'<p class="gi-later">{LATER}</p>'
    return {
        "volumes": _panel(
            "The truth" if case and case.has_truth and not case.has_prediction else "What was found", found
        ),
        "checks": _panel("Check these first", tables.checks(case)),
        "downloads": _panel("Download", _downloads(session)),
    }


def switch_of(name: str) -> str:
    """The part of the page that switches a class on and off.

    Args:
        name: of the class.

    Returns:
        A name that no other part has.
    """
    return f"organ {name}"


def _probability_only(case: Case | None) -> Update:
    return {"probability": gr.update(visible=case is not None and case.has_probabilities)}


def _downloads(session: Session | None) -> str:
    if session is None or session.case is None:
        return ""
    results = session.case.results
    return tables.downloads(results.files, session.token, results.notes)


def _panel(title: str, content: str) -> str:
    return f"<h2>{title}</h2>{content}" if content else ""


def _unexpected(error: Exception) -> str:
    """Log where it happened, never with what data: a message may hold a name of a patient."""
    frames = traceback.extract_tb(error.__traceback__)
    place = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-4:]))
    logger.error("app: %s in %s", type(error).__name__, place)
    return f"This could not be done ({type(error).__name__}). Try another file, or tell who runs this app."
