"""A headless Chromium for tests of pages; they are skipped where there is none."""

import shutil
from contextlib import contextmanager

import pytest

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


@contextmanager
def chromium():
    """A browser, for as many pages as are opened in it."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="a browser test needs the package playwright")
    found = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)
    if found is None:
        pytest.skip("no Chromium was found")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def opened(path, browser=None):
    """A page, and what went wrong in it: console errors and network requests. browser: one that is open, if any."""
    if browser is None:
        with chromium() as browser, opened(path, browser) as found:
            yield found
        return
    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    faults = []
    page.on("console", lambda m: faults.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: faults.append(str(e)))
    page.on("request", lambda r: faults.append(r.url) if not r.url.startswith(("file:", "data:")) else None)
    page.goto(path.absolute().as_uri())
    yield page, faults
    page.close()
