"""From folders of runs to one HTML file, and to a PDF of it."""

from collections.abc import Sequence
from pathlib import Path

from monai_gi.atomic_file import write_whole
from monai_gi.errors import DataError
from monai_gi.report.comparing import comparison_sections
from monai_gi.report.page import Section, escape, page
from monai_gi.report.printing import print_pdf
from monai_gi.report.reading import Run, read_runs
from monai_gi.report.sections import sections_of

REPORT_HTML = "report.html"


def write_report(runs: Sequence[Path], output: Path, *, pdf: bool = False) -> Path:
    """Write one self-contained page about runs or evaluations; of several it compares each with the first.

    Args:
        runs: folders of trainings (their --output_dir) or of evaluations, at least one.
        output: the HTML file; replaced where it is there.
        pdf: also print it, to the same name with `.pdf`.

    Returns:
        The HTML file.

    Raises:
        DataError: a folder holds no run, runs judge different kinds of images, `output` is a folder or is not named as
            HTML, or there is no browser to print with; the HTML is written then.
        ValueError: there is no run.
    """
    runs, output = [Path(run) for run in runs], Path(output)
    if output.is_dir() or output.suffix.lower() not in (".html", ".htm"):
        raise DataError(output, "wanted a file name that ends in .html, such as report.html")
    text = report_page(read_runs(runs))
    write_whole(output, text)
    if pdf:
        try:
            print_pdf(text, output.with_suffix(".pdf"))
        except DataError as error:
            raise DataError("--pdf", f"{output} is written, but not as PDF: {error.problem}") from error
    return output


def report_evaluation(folder: str | Path) -> None:
    """Write report.html into the folder of an evaluation, at its end; configs call this, and process 0 writes.

    Args:
        folder: where summary.json was written.

    Raises:
        DataError: the evaluation is damaged.
    """
    from monai_gi.handlers.processes import is_first_process  # torch, which a report of files needs not

    if is_first_process():
        path = write_report([Path(folder)], Path(folder) / REPORT_HTML)
        print(f"Report: {path.resolve()}", flush=True)


def report_page(runs: Sequence[Run]) -> str:
    """Lay out the page.

    Args:
        runs: at least one.

    Returns:
        HTML.

    Raises:
        DataError: runs judge different kinds of images.
    """
    kinds = {run.judged.kind.unit: run.name for run in runs if run.judged}
    if len(kinds) > 1:
        named = ", ".join(f"{name} {unit}s" for unit, name in kinds.items())
        raise DataError("report", f"the runs judge different things ({named}). Report each kind by itself")
    if len(runs) == 1:
        sections = sections_of(runs[0])
        return page(f"Report: {_title(runs[0])}", _subtitle(runs), sections, sections)
    sections, links = comparison_sections(runs), []
    links += sections
    for number, run in enumerate(runs, start=1):
        parts = sections_of(run, f"run{number}_")
        inside = "\n".join(f'<h3 id="{part.anchor}">{escape(part.title)}</h3>\n{part.body}' for part in parts)
        whole = Section(f"run{number}", run.name, inside, "run")
        sections.append(whole)
        links.append(whole)
    return page(f"Report: {', '.join(run.name for run in runs)}", _subtitle(runs), sections, links)


def _title(run: Run) -> str:
    """The run's name, and its bundle's where that is another."""
    bundle = run.settings.get("settings", {}).get("bundle", "")
    return run.name if not bundle or bundle in run.name else f"{run.name} ({bundle})"


def _subtitle(runs: Sequence[Run]) -> str:
    days = sorted({run.day for run in runs if run.day})
    judged = f"Judged {' to '.join(dict.fromkeys((days[0], days[-1])))}." if days else "Not judged yet."
    return f"{judged} Written by monai_gi."
