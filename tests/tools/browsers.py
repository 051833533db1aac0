"""A real browser for the tests: one that is started once a file, and pages of it that note what goes wrong in them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from servers import START_TIMEOUT_S, Server

CHROMIUM: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NO_BROWSER: Final = "NO BROWSER: nothing was looked at. Install chromium (scripts/setup --dev does, as root on Debian)"


@contextmanager
def launched() -> Iterator[Browser]:
    """Start a browser."""
    with sync_playwright() as playwright:
        # Root has no sandbox of its own, and the machine is the test's.
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


def opened_context(browser: Browser, **more: Any) -> BrowserContext:
    """Open a browser's windows anew, without cookies. What hangs is given up, and not what a busy machine takes long over."""
    context = browser.new_context(**more)
    context.set_default_timeout(START_TIMEOUT_S * 1000)
    return context


@contextmanager
def looking(browser: Browser, server: Server, **more: Any) -> Iterator[tuple[Page, list[str]]]:
    """Give a page of a browser without scripts, and what went wrong in it: refused by its policy, or asked of others."""
    context = opened_context(browser, **{"java_script_enabled": False, "base_url": server.url} | more)
    page, wrong = context.new_page(), []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("request", lambda request: wrong.append(request.url) if not request.url.startswith(server.url) else None)
    page.on("response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None)
    try:
        yield page, wrong
    finally:
        context.close()


def sign_in(page: Page, token: str) -> None:
    """Sign in to the console, with the keyboard."""
    page.goto("/console/")
    # The field has the focus: nobody has to point at it.
    page.wait_for_selector("#token:focus")
    page.keyboard.type(token)
    go_on(page, "Enter", "h1:has-text('Today')")


def go_on(page: Page, key: str, there: str) -> None:
    """Press a key that leads to another page, and return when it is there whole: what is waited for may come before what is read next."""
    with page.expect_navigation():
        page.keyboard.press(key)
    page.wait_for_selector(there)
