"""Takes the pictures of `docs/howto/look-around.md` anew, of the demo: `python tests/tools/pictures.py`, a minute or two.

Starts `scripts/demo`, signs in as alice, for whom something waits, and ends it. Needs the browser that the tests of the console need.
"""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from playwright.sync_api import Browser, sync_playwright

ROOT: Final = Path(__file__).resolve().parents[2]
PICTURES: Final = ROOT / "docs" / "howto" / "pictures"
WIDTH: Final = 1080


class Picture(NamedTuple):
    """One picture: its name, the page, how high, and in which theme."""

    name: str
    path: str
    height: int = 720
    dark: bool = False


TAKEN: Final = (
    Picture("today", "/console/"),
    Picture("change", "/console/changes/CHG-2001", 900),
    Picture("finding", "/console/findings?is_open=true&severity=high", 640, dark=True),
    Picture("board", "/console/board/CAB-weekly", 760),
    # Of when what is planned lies.
    Picture("calendar", f"/console/calendar?at={(datetime.now(UTC) + timedelta(days=10)).date()}", 900, dark=True),
    Picture("access", "/console/access/this-quarter", 760),
    Picture("risk", "/console/risk", 700),
    Picture("delivery", "/console/delivery?service=identity-api", 760, dark=True),
)


@contextmanager
def demo() -> Iterator[tuple[str, str]]:
    """Give the address of a demo that serves, and the token of alice."""
    command = [sys.executable, str(ROOT / "scripts" / "demo.py")]
    told = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                told.append(line)
                if token := re.match(r"person:alice .* (clt_\S+)$", line):
                    url = re.search(r"Serving (\S+)", "".join(told))
                    assert url is not None
                    yield url[1], token[1]
                    return
            raise SystemExit("the demo ended before it served: " + "".join(told[-5:]))
        finally:
            process.send_signal(signal.SIGTERM)


def take(browser: Browser, url: str, token: str, picture: Picture) -> None:
    """Take one picture, as somebody sees it who signs in and goes there."""
    theme = "dark" if picture.dark else "light"
    size = {"width": WIDTH, "height": picture.height}
    context = browser.new_context(base_url=url, color_scheme=theme, viewport=size, java_script_enabled=False)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"/console/sign-in?next={picture.path.replace('?', '%3F').replace('&', '%26').replace('=', '%3D')}")
    page.fill("#token", token)
    page.keyboard.press("Enter")
    page.wait_for_selector(".standing")
    page.wait_for_load_state()
    page.screenshot(path=PICTURES / f"{picture.name}.png")
    context.close()


def main() -> None:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with demo() as (url, token), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for picture in TAKEN:
            take(browser, url, token, picture)
            print(picture.name)
        browser.close()


if __name__ == "__main__":
    main()
