"""The pages of docs/ build without a warning, ask no network, say what they are for, and hold what they promise."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from monai_gi.arguments import parser
from tests.headless_chromium import Browser, needs_chromium

pytest.importorskip("mkdocs", reason="mkdocs comes with the extra docs")
ROOT = Path(__file__).parent.parent
RESEARCH = "Research use only."


class Requests(HTMLParser):
    """What a browser fetches while it shows a page: not the links that somebody may click."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag != "a":
            self.found += [values[name] or "" for name in ("src", "href", "srcset", "data") if name in values]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    # With --quiet MkDocs would not count its warnings. Material would advertise its successor on every build.
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "COLUMNS": "40"}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_every_page_asks_no_network_and_states_its_use(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        text = page.read_text()
        requests = Requests()
        requests.feed(text)
        assert not [url for url in requests.found if re.match(r"(https?:)?//", url)], page
        assert text.count(RESEARCH) >= 2, f"{page}: above and below"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    started = Browser(tmp_path)
    yield started
    started.close()


@pytest.mark.slow
@needs_chromium()
def test_search_works_in_pages_opened_from_a_disk_and_asks_nobody(site: Path, browser: Browser) -> None:
    browser.driver.get(f"file://{site}/how-to/pacs.html")
    browser.click(".md-search__input")
    browser.press("Hausdorff")
    found = browser.until("search finds pages", lambda: browser.all(".md-search-result__item a"))
    assert any("scores.html" in (link.get_attribute("href") or "") for link in found)
    assert browser.foreign_requests(f"file://{site}") == []


@pytest.mark.slow
@needs_chromium()
def test_nothing_sticks_out_of_a_narrow_page(site: Path, browser: Browser) -> None:
    browser.resize(390, 900)
    for name in ("index", "get-started", "how-to/own-network", "explanation/scores", "reference/command-line"):
        browser.driver.get(f"file://{site}/{name}.html")
        assert browser.driver.execute_script("return document.documentElement.scrollWidth") == 390, name


@pytest.mark.slow
def test_styles_fetch_nothing_either(site: Path) -> None:
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(\s*[\"']?(https?:)?//|@import", style.read_text()), style


@pytest.mark.slow
def test_the_page_of_the_command_line_holds_every_verb_and_option(site: Path) -> None:
    from docs.generated_pages import verbs

    text = (site / "reference/command-line.html").read_text()
    for words, verb in verbs(parser()):
        assert f'id="{words.replace(" ", "-")}"' in text
        options = {option for action in verb._actions for option in action.option_strings} - {"-h", "--help"}
        assert all(option in text for option in options)


@pytest.mark.slow
def test_reference_pages_show_what_docstrings_say(site: Path) -> None:
    networks = (site / "reference/networks.html").read_text()
    assert 'id="monai_gi.networks.HuggingFaceSegmenter"' in networks
    assert "init_weights_required" in networks
    for name in ("readers-and-transforms", "datasets", "handlers", "metrics", "results"):
        assert len(re.findall(r'<h3 id="monai_gi\.', (site / f"reference/{name}.html").read_text())) > 5, name


@pytest.mark.slow
def test_every_bundle_has_its_page_of_settings(site: Path) -> None:
    for source in (ROOT / "bundles").glob("*/docs/README.md"):
        page = (site / f"reference/bundle-{source.parent.parent.name}.html").read_text()
        assert "max_epochs" in page


def test_every_page_is_in_the_menu() -> None:
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    listed = set(re.findall(r"[\w/-]+\.md", str(config["nav"])))
    written = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert listed - written == {"reference/command-line.md", "reference/bundles.md"}
    assert written - listed == set()


def test_the_names_of_the_extras_are_those_of_the_package() -> None:
    text = (ROOT / "docs/get-started.md").read_text()
    setup = (ROOT / "setup.cfg").read_text()
    for name in ("dicom", "sharing", "wsi", "app", "docs"):
        assert f"`{name}`" in text
        assert re.search(rf"^{name} =$", setup, re.MULTILINE)
