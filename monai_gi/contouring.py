"""The job of `monai-gi predict`: the bundle says what it takes - scans, frames or slides - and that job is done."""

from collections.abc import Callable

from monai_gi.devices import resolve_device
from monai_gi.errors import DataError
from monai_gi.freed_memory import keep_freed_memory
from monai_gi.outcomes import NotContouredError, Outcome, check_folder, summary
from monai_gi.prediction_request import Request
from monai_gi.sharing.opening import Bundle, open_bundle

__all__ = ["NotContouredError", "Outcome", "contour", "summary"]


def contour(request: Request) -> list[Outcome]:
    """Contour everything in the input that suits the bundle.

    Args:
        request: what to do.

    Returns:
        One outcome an input, in their order. What was done before, with the same bundle and settings, is not touched.

    Raises:
        DataError: nothing to contour, a format that does not suit, a bundle that must not run, an output that is no
            folder, a device that is not there.
        NotContouredError: all at once after the others are done, the inputs that could not be contoured.
    """
    if not request.input.exists():
        raise DataError(request.input, "no such file or folder. Name a scan, a picture or a slide, or a folder of them")
    check_folder(request.output)
    keep_freed_memory(resolve_device(request.device))
    bundle = open_bundle(request.bundle, weights=request.weights, trust=request.trust, public_key=request.key)
    with bundle:
        if bundle.input != "slices" and (request.series or request.allow_gaps):
            option = "--series" if request.series else "--allow-gaps"
            raise DataError(option, f"is for scans, and {bundle.name} takes {bundle.input}. Leave it out")
        try:
            return _job_of(bundle.input)(request, bundle)
        except DataError as error:
            raise error.seen_from(request.input if request.input.is_dir() else request.input.parent) from None


def _job_of(kind: str) -> Callable[[Request, Bundle], list[Outcome]]:
    """The job of a kind of input; what the others import takes a second, and packages that may not be there."""
    if kind == "frames":
        from monai_gi.frame_contouring import contour_frames

        return contour_frames
    if kind == "slides":
        from monai_gi.slide_contouring import contour_slides

        return contour_slides
    from monai_gi.scan_contouring import contour_scans

    return contour_scans
