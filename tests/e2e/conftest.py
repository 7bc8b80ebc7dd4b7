"""A real browser on a real server. Skipped where Debian's chromium and chromium-driver are not installed."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions as expected
from selenium.webdriver.support.ui import WebDriverWait

from campus.work import producer
from tests.campus.conftest import own_folders, video_bytes, world

__all__ = ["own_folders", "video_bytes", "world"]

PATIENCE = 20  # seconds until something that should happen is taken for not happening


class Browser:
    """Chromium, with the few gestures that the tests need."""

    def __init__(self, driver: webdriver.Chrome, root: str, downloads: Path) -> None:
        self.driver, self.root, self.downloads = driver, root, downloads

    def open(self, path: str) -> None:
        self.driver.get(self.root + path)

    def find(self, selector: str) -> WebElement:
        return self.wait(lambda driver: driver.find_element(By.CSS_SELECTOR, selector))

    def wait(self, condition):
        """Ask again while the page is being replaced: Chromium then answers with more errors than that of the stale element."""
        return WebDriverWait(self.driver, PATIENCE, 0.1, [WebDriverException]).until(condition)

    def sees(self, text: str) -> None:
        self.wait(lambda driver: text in driver.find_element(By.TAG_NAME, "main").text)

    def press(self, label: str) -> None:
        """Click the button, link or summary with that text."""
        xpath = f"//*[self::button or self::a or self::summary][starts-with(normalize-space(), '{label}')]"
        clickable = expected.element_to_be_clickable((By.XPATH, xpath))
        self.wait(lambda driver: (clickable(driver).click(), True))

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            box = self.find(f"[name={name}]")
            box.clear()
            box.send_keys(value)

    def path(self) -> str:
        return self.driver.current_url.removeprefix(self.root)

    def log_in(self, name: str) -> None:
        self.open("/login/")
        self.fill(username=name, password="password")
        self.press("Log in")
        self.wait(lambda _: self.path() == "/")


@pytest.fixture
def browser(transactional_db, live_server, settings, tmp_path: Path) -> Iterator[Browser]:
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (program and driver):
        pytest.skip("chromium or chromedriver is not installed (Debian: apt install chromium chromium-driver)")
    settings.BROKER_URL = "redis://127.0.0.1:1/0"  # nobody there: the tests do the workers' part by the same services
    producer.cache_clear()
    downloads = tmp_path / "downloads"
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1280,1000",
        "--lang=en-GB",
    ):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield Browser(chrome, live_server.url, downloads)
        complaints = [entry["message"] for entry in chrome.get_log("browser") if "Content Security Policy" in entry["message"]]
        assert not complaints
    finally:
        chrome.quit()
        producer.cache_clear()
