"""The PDF: printed by a real browser where there is one, one clear sentence where there is none or it fails."""

import re
import shutil
import subprocess

import pytest

from monai_gi.browser import find_browser
from monai_gi.errors import DataError
from monai_gi.report import printing, write_report
from tests.drawn_runs import draw_scans, write_evaluation

PAGE = "<!DOCTYPE html><title>t</title><details><summary>more</summary><p>inside</p></details>"


@pytest.mark.slow
def test_a_report_is_printed_beside_its_page(tmp_path):
    if find_browser() is None:
        pytest.skip("no Chromium on this machine")
    write_evaluation(tmp_path / "judged", scores=draw_scans(2))
    path = write_report([tmp_path / "judged"], tmp_path / "report.html", pdf=True)
    data = path.with_suffix(".pdf").read_bytes()
    assert data.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", data)) >= 2
    assert {entry.name for entry in tmp_path.iterdir()} == {"judged", "report.html", "report.pdf"}


def test_without_a_browser_the_page_is_written_and_the_sentence_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    write_evaluation(tmp_path / "judged", scores=draw_scans(2))
    with pytest.raises(DataError, match=r"report\.html is written, but not as PDF: no Chromium or Chrome was found"):
        write_report([tmp_path / "judged"], tmp_path / "report.html", pdf=True)
    assert (tmp_path / "report.html").is_file()
    assert not (tmp_path / "report.pdf").exists()


def browser(tmp_path, monkeypatch, script):
    """A browser that does what the script says; $pdf is where its PDF is wanted, $page what it prints."""
    path = tmp_path / "chromium"
    words = "--print-to-pdf=*) pdf=${word#*=};;\nfile://*) page=${word#file://};;\n"
    path.write_text(f"#!/bin/sh\nfor word; do case $word in\n{words}esac; done\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(path) if name == "chromium" else None)


def test_what_is_folded_is_printed_open(tmp_path, monkeypatch):
    browser(tmp_path, monkeypatch, 'cp "$page" "$pdf"')
    assert "<details open>" in printing.print_pdf(PAGE, tmp_path / "out.pdf").read_text()


def test_the_browser_gets_a_profile_of_its_own_and_no_network(tmp_path, monkeypatch):
    browser(tmp_path, monkeypatch, 'echo "$@" > "$pdf"')
    words = printing.print_pdf(PAGE, tmp_path / "out.pdf").read_text()
    assert "--headless=new" in words
    assert "--host-resolver-rules=MAP * ~NOTFOUND" in words
    assert re.search(r"--user-data-dir=\S*/monai_gi_\S+/profile", words)


@pytest.mark.parametrize(("root", "expected"), [(0, True), (1000, False)])
def test_only_root_goes_without_the_sandbox(tmp_path, monkeypatch, root, expected):
    browser(tmp_path, monkeypatch, 'echo "$@" > "$pdf"')
    monkeypatch.setattr("os.geteuid", lambda: root)
    assert ("--no-sandbox" in printing.print_pdf(PAGE, tmp_path / "out.pdf").read_text()) == expected


@pytest.mark.parametrize(
    ("script", "words"),
    [("exit 7", "chromium ended with code 7"), ("exit 0", "chromium made no PDF")],
)
def test_a_browser_that_fails_is_told_with_what_to_do(tmp_path, monkeypatch, script, words):
    browser(tmp_path, monkeypatch, script)
    with pytest.raises(DataError, match=rf"{words}\. Print the HTML from any browser"):
        printing.print_pdf(PAGE, tmp_path / "out.pdf")


def test_a_browser_that_hangs_is_given_up(tmp_path, monkeypatch):
    browser(tmp_path, monkeypatch, "exit 0")

    def hang(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(DataError, match="chromium did not end within 180 s"):
        printing.print_pdf(PAGE, tmp_path / "out.pdf")
