"""Debian's Chromium without a window, driven by Selenium: a new empty profile each, all its requests written down."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest

selenium = pytest.importorskip("selenium", reason="selenium is not installed: pip install monai_gi[dev]")
from selenium.common.exceptions import WebDriverException  # noqa: E402
from selenium.webdriver import Chrome, ChromeOptions, ChromeService  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.remote.webelement import WebElement  # noqa: E402

__all__ = ["Browser", "Keys", "needs_chromium"]

T = TypeVar("T")

BROWSER, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
SWITCHES = (
    *("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-quic", "no-first-run"),
    *("disable-background-networking", "disable-component-update", "disable-sync", "hide-scrollbars"),
)
# Deadlines, never pauses: generous, as many may share the cores.
PATIENCE_S = 90.0
LOOK_AGAIN_S = 0.05


def needs_chromium() -> pytest.MarkDecorator:
    """Skips, with the reason, where Chromium or its driver is absent."""
    absent = [str(path) for path in (BROWSER, DRIVER) if not path.exists()]
    return pytest.mark.skipif(bool(absent), reason=f"{' and '.join(absent)} absent: apt-get install chromium-driver")


class Browser:
    """One person's browser.

    Args:
        folder: empty, for the profile and the downloads.
        width: of the window in px.
        height: of the window in px.
    """

    def __init__(self, folder: Path, width: int = 1280, height: int = 1000) -> None:
        self.downloads = folder / "downloads"
        self.downloads.mkdir(parents=True)
        options = ChromeOptions()
        options.binary_location = str(BROWSER)
        for switch in (*SWITCHES, f"user-data-dir={folder / 'profile'}"):
            options.add_argument(f"--{switch}")
        options.add_experimental_option("prefs", {"download.default_directory": str(self.downloads)})
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        self.driver = Chrome(options=options, service=ChromeService(str(DRIVER)))
        self.driver.set_page_load_timeout(PATIENCE_S)
        self.driver.set_script_timeout(PATIENCE_S)
        self.requested: list[str] = []
        self.resize(width, height)

    def close(self) -> None:
        """End it."""
        self.driver.quit()

    def resize(self, width: int, height: int) -> None:
        """Show the page as on a screen of this size, a phone's too, which no window can be narrowed to."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def until(self, what: str, look: Callable[[], T]) -> T:
        """Look again until there is something; pages that are being drawn anew meanwhile are looked at again."""
        deadline = time.monotonic() + PATIENCE_S
        last: object = None
        while time.monotonic() < deadline:
            try:
                last = look()
            except (WebDriverException, LookupError) as error:
                last = error
            else:
                if last:
                    return last
            time.sleep(LOOK_AGAIN_S)
        raise AssertionError(f"waited {PATIENCE_S:.0f} s in vain: {what}; last {last!r}\n{self.text()[-1500:]}")

    def becomes(self, wanted: T, look: Callable[[], T]) -> None:
        """Wait until something is as wanted; what it is in the end is told where it never is."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := look()) != wanted and time.monotonic() < deadline:
            time.sleep(LOOK_AGAIN_S)
        assert found == wanted, f"{found!r}, wanted {wanted!r}"

    def text(self) -> str:
        """All that the page shows."""
        return str(self.driver.execute_script("return document.body.innerText"))

    def all(self, css: str) -> list[WebElement]:
        """Elements in the order of the page."""
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def shown(self, css: str) -> list[WebElement]:
        """Those that can be seen."""
        return [element for element in self.all(css) if element.is_displayed()]

    def find(self, css: str) -> WebElement:
        """The first that can be seen, as soon as it is there."""
        return self.until(f"{css} can be seen", lambda: self.shown(css))[0]

    def click(self, css: str) -> None:
        """Click on it as soon as it takes clicks."""

        def press() -> bool:
            element = self.shown(css)[0]
            self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
            if not element.is_enabled():
                return False
            element.click()
            return True

        self.until(f"{css} takes a click", press)

    def press(self, *keys: str) -> None:
        """Keys, one after the other, to whatever has the focus."""
        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def roll(self, css: str, pixels: int) -> None:
        """The mouse wheel over an element, down where positive."""
        origin = ScrollOrigin.from_element(self.find(css))
        ActionChains(self.driver, duration=0).scroll_from_origin(origin, 0, pixels).perform()

    def upload(self, css: str, *files: Path) -> None:
        """Give files to an input, as its dialog does."""
        self.until(f"{css} takes files", lambda: self.all(css))[0].send_keys("\n".join(str(file) for file in files))

    def screenshot(self, path: Path) -> Path:
        """The whole page, however long, as PNG."""
        width, height = self.driver.execute_script(
            "return [window.innerWidth, Math.max(window.innerHeight, document.documentElement.scrollHeight)]"
        )
        before = self.driver.execute_script("return window.innerHeight")
        self.resize(width, height)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(path))
        self.resize(width, before)
        return path

    def downloaded(self, name: str) -> Path:
        """A file of the downloads' folder, once it is whole."""
        path = self.downloads / name
        self.until(f"{name} is downloaded", lambda: path.exists() and not list(self.downloads.glob("*.crdownload")))
        return path

    def foreign_requests(self, own: str) -> list[str]:
        """Addresses outside of `own` that the pages asked for since the browser started."""
        for entry in self.driver.get_log("performance"):
            message: dict[str, Any] = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.requested.append(message["params"]["request"]["url"])
            elif message["method"] == "Network.webSocketCreated":
                self.requested.append(message["params"]["url"])
        asked = [url for url in self.requested if urlsplit(url).scheme in ("http", "https", "ws", "wss")]
        return [url for url in asked if not url.startswith(own)]

    def complaints(self) -> list[str]:
        """What the pages' scripts wrote as errors into the browser's console."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
