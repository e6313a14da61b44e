"""The page: what stands where, and which function answers what; every part has an id of its own."""

from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from gradio.themes.utils.fonts import Font

from monai_gi.app.answers import HOW_TO_BUNDLE, NOTHING_YET, results_of, switch_of
from monai_gi.app.desk import Desk
from monai_gi.app.examples import EXAMPLES
from monai_gi.app.viewer import FILLS, OUTLINES, empty_view
from monai_gi.plots import color_of
from monai_gi.plots.figures import web_color
from monai_gi.provenance import INTENDED_USE

TITLE = "monai-gi"
_HERE = Path(__file__).parent
_UPLOADS = {
    "slices": "A PNG slice, a zip or several files of DICOM, or a NIfTI",
    "frames": "A frame of colonoscopy, or several",
    "slides": "A biopsy: TIFF, SVS, PNG or JPEG",
}
Parts = dict[str, Any]


class Dress(NamedTuple):
    """What Gradio is given beside the page.

    Attributes:
        theme: colours and fonts; the fonts are those of the machine.
        css: style sheet.
        head: scripts.
    """

    theme: gr.themes.Base
    css: str
    head: str


def build_page(desk: Desk) -> gr.Blocks:
    """Build the page.

    Args:
        desk: answers everything.

    Returns:
        Gradio's blocks; nothing of it phones home.
    """
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(600, 3600)) as page:
        parts = _layout(desk)
        _connect(desk, parts)
        page.unload(desk.leave)
    page.state_session_capacity = desk.most_pages
    return page


def dress(desk: Desk) -> Dress:
    """Style and scripts of the page.

    Args:
        desk: knows the classes.

    Returns:
        All of them, from files of this package.
    """
    fonts = [Font("system-ui"), Font("sans-serif")]
    theme = gr.themes.Default(primary_hue="blue", font=fonts, font_mono=[Font("ui-monospace"), Font("monospace")])
    rules = [_swatch(name) for name in desk.classes]
    css = "\n".join([(_HERE / "page.css").read_text(encoding="utf-8"), *rules])
    script = f"window.giMostBytes = {desk.wanted.max_bytes};\n{(_HERE / 'page.js').read_text(encoding='utf-8')}"
    return Dress(theme, css, f"<script>{script}</script>")


def element_of(name: str) -> str:
    """The id of a class's switch.

    Args:
        name: of the class.

    Returns:
        `organ-NAME`.
    """
    return f"organ-{''.join(sign if sign.isalnum() or sign in '-_' else '_' for sign in name)}"


def _layout(desk: Desk) -> Parts:
    parts: Parts = {}
    bundle = f"bundle {escape(desk.title)}" if desk.title else "no bundle"
    head = f'<h1>{TITLE}</h1><span class="gi-bundle">{bundle}</span><p class="gi-use">{escape(INTENDED_USE)}</p>'
    if not desk.title:
        head += f'<p class="gi-how">{escape(HOW_TO_BUNDLE)}</p>'
    gr.HTML(head, elem_id="head", js_on_load=None)
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=290):
            _inputs(desk, parts)
        with gr.Column(scale=6, min_width=320):
            _viewing(desk, parts)
        with gr.Column(scale=4, min_width=310):
            _results(parts)
    return parts


def _inputs(desk: Desk, parts: Parts) -> None:
    """What goes in: uploads, examples, the two buttons."""
    parts["upload"] = gr.File(label="Image", file_count="multiple", elem_id="upload", height=130)
    gr.HTML(f'<p class="gi-hint">{_upload_label(desk)}, or an example:</p>', js_on_load=None)
    with gr.Row(elem_id="examples"):
        for example in EXAMPLES:
            if example.kind in desk.kinds:
                button = gr.Button(example.title, size="sm", min_width=120, elem_id=f"example-{example.name}")
                parts[f"example-{example.name}"] = button
    parts["allow-gaps"] = gr.Checkbox(
        value=False, label="Take scans with missing slices", elem_id="allow-gaps", visible="slices" in desk.kinds
    )
    parts["choice"] = gr.Dropdown(label="Several were uploaded; show", elem_id="choice", visible=False)
    with gr.Row():
        parts["contour"] = gr.Button("Contour", variant="primary", interactive=False, min_width=110, elem_id="contour")
        parts["cancel"] = gr.Button("Cancel", variant="stop", interactive=False, min_width=90, elem_id="cancel")
    parts["message"] = gr.HTML(desk.welcome, elem_id="message", js_on_load=None)
    parts["clear"] = gr.Button("Remove my data", size="sm", elem_id="clear")


def _viewing(desk: Desk, parts: Parts) -> None:
    """The picture, what changes it, and the truth to compare with."""
    parts["viewer"] = gr.HTML(empty_view(NOTHING_YET), elem_id="viewer", js_on_load=None)
    parts["slice"] = _slider((1, 2), 1, "Slice", "slice", step=1, visible=False)
    with gr.Row(elem_id="organs"):
        for name in desk.classes:
            parts[switch_of(name)] = gr.Checkbox(
                value=True, label=name.replace("_", " "), elem_id=element_of(name), visible=False, min_width=100
            )
    with gr.Row():
        style = FILLS if desk.kinds == ("slides",) else OUTLINES
        parts["style"] = gr.Radio([OUTLINES, FILLS], value=style, label="Draw", elem_id="style", min_width=220)
        parts["opacity"] = _slider((0, 100), 40, "Opacity, %", "opacity", step=5)
    parts["probability"] = gr.Checkbox(
        value=False, label="Probability of what is switched on", elem_id="probability", visible=False
    )
    with gr.Row():
        parts["level"] = _slider((0, 1), 0.5, "Level", "level", visible=False)
        parts["window"] = _slider((0, 1), 1, "Window", "window", visible=False)
        parts["reset"] = gr.Button("Reset window", size="sm", elem_id="reset", visible=False, min_width=70, scale=0)
    parts["truth"] = gr.File(label="Truth to compare with", file_count="multiple", elem_id="truth", height=150)
    gr.HTML(f'<p class="gi-hint">{_truth_label(desk)}, if you have your own contours.</p>', js_on_load=None)
    parts["truth-clear"] = gr.Button("Remove the truth", size="sm", elem_id="truth-clear", visible=False)


def _slider(ends: tuple[float, float], value: float, label: str, element: str, **settings: Any) -> gr.Slider:
    low, high = ends
    settings = {"buttons": [], "interactive": True, "min_width": 200, **settings}
    return gr.Slider(low, high, value=value, label=label, elem_id=element, **settings)


def _results(parts: Parts) -> None:
    """What came of it."""
    for name in ("volumes", "checks", "downloads"):
        parts[name] = gr.HTML(results_of(None).get(name, ""), elem_id=name, elem_classes="gi-panel", js_on_load=None)


def _connect(desk: Desk, parts: Parts) -> None:
    """Tie events to the desk; answers name the parts that they change."""
    controls = [parts[name] for name in ("slice", "style", "opacity", "level", "window", "probability")]
    looks = [*controls, *(parts[switch_of(name)] for name in desk.classes)]
    everything = [part for name, part in parts.items() if not name.startswith("example-")]
    long = {"show_progress": "hidden", "concurrency_limit": None, "api_visibility": "private"}
    quick = {**long, "queue": False, "trigger_mode": "always_last"}

    def on(part: Any, function: Callable[..., Any], inputs: Sequence[Any]) -> None:
        part(_followed(function, parts), inputs, everything, **long)

    on(parts["upload"].upload, desk.receive, [parts["upload"], parts["allow-gaps"]])
    on(parts["choice"].input, desk.choose, [parts["choice"], parts["allow-gaps"]])
    on(parts["contour"].click, desk.contour, looks)
    on(parts["truth"].upload, desk.receive_truth, [parts["truth"], *looks])
    on(parts["truth-clear"].click, desk.drop_truth, looks)
    on(parts["clear"].click, desk.clear, [])
    for example in EXAMPLES:
        if example.kind in desk.kinds:
            on(parts[f"example-{example.name}"].click, desk.example(example.name), [])
    parts["cancel"].click(_at_once(desk.cancel, parts), [], [parts["cancel"]], **quick)
    parts["reset"].click(
        _at_once(desk.reset, parts), looks, [parts[one] for one in ("level", "window", "viewer")], **quick
    )
    for part in looks:
        part.input(_at_once(desk.look, parts), looks, [parts["viewer"]], **quick)


def _followed(function: Callable[..., Any], parts: Parts) -> Callable[..., Any]:
    """An answer in several steps, by parts, as Gradio wants it."""

    def answer(request: gr.Request, *values: Any) -> Iterator[dict[Any, Any]]:
        for update in function(request, *values):
            yield {parts[name]: value for name, value in update.items()}

    return answer


def _at_once(function: Callable[..., Any], parts: Parts) -> Callable[..., Any]:
    """An answer in one step."""

    def answer(request: gr.Request, *values: Any) -> dict[Any, Any]:
        return {parts[name]: value for name, value in function(request, *values).items()}

    return answer


def _upload_label(desk: Desk) -> str:
    return _UPLOADS[desk.kinds[0]] if len(desk.kinds) == 1 else "A scan, a frame or a slide"


def _truth_label(desk: Desk) -> str:
    kinds = {
        "slices": "RTSTRUCT, DICOM SEG or NIfTI of labels",
        "frames": "one mask a frame",
        "slides": "label map in the page's colours",
    }
    what = kinds[desk.kinds[0]] if len(desk.kinds) == 1 else "RTSTRUCT, SEG, NIfTI or masks"
    return what[0].upper() + what[1:]


def _swatch(name: str) -> str:
    """A rule that puts a class's colour before its switch."""
    return (
        f"#{element_of(name)} label span::before {{ content: ''; display: inline-block; width: .85em; height: .85em; "
        f"margin-right: .45em; border-radius: 2px; border: 1px solid rgba(0, 0, 0, .35); "
        f"background: {web_color(color_of(name))}; }}"
    )
