"""The console in a real browser, with scripts off: every page in both themes, and the way from the sign-in to an approval."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsers import CHROMIUM, NO_BROWSER, go_on, launched, looking, sign_in
from browsing import person, tell_as
from playwright.sync_api import Browser
from servers import Server, event

from api.console.templating import PAGES
from api.http.auth import ROUTES

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)
SCOPE = {"actor": "person:alice", "change_id": "CHG-800", "services": ["api"]}
# What stands in the paths of pages, by the name of each part: a new one is told here.
THERE = {
    "change_id": "CHG-800",
    "finding_id": "deployment-without-change%2Fd-api",
    "review_id": "R-79",
    "meeting_id": "CAB-80",
    "view": "deployments",
    "key": "d-api",
    "ref": "service:api",
    "position": "1",
    "path": "nowhere",
}
# That there is no such page is told on a page, too.
NOWHERE = "/console/nowhere"
# Nobody signs in by these: they are no pages.
NO_PAGES = ("/console/stream", "/console/verify.html", "/console/static/{name}")
# Every page that the table of roles knows, one of each kind; and what some show when they are asked for more.
ALL = (
    *(
        path.format(**THERE)
        for method, path in ROUTES
        if method == "GET"
        and path.startswith("/console")
        and path not in NO_PAGES
        and not path.endswith((".json", ".csv"))
    ),
    "/console/delivery?service=api",
    "/console/calendar?scale=week",
    "/console/go?q=nothing",
    "/console/gates?gate=deploy&change_id=CHG-800&environment=prod",
    "/console/changes?state=closed",
    "/console/findings?is_open=true&owner=person:grace",
    *(f"/console/{page}?as_of=2100-01-01" for page in ("findings", "board", "risk", "delivery", "changes/CHG-800")),
)
# Of a telephone, and of the widest screen that somebody has.
SIZES = {"narrow": {"width": 360, "height": 740}, "wide": {"width": 3840, "height": 2160}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def told(server: Server) -> dict[str, str]:
    """A change that waits, something that was deployed, and a token of a person who may approve."""
    long = "a-service-with-" + "a-very-long-name-" * 4
    server.record(event("change.opened", environment="prod", change_type="emergency", **SCOPE))
    server.record(event("change.submitted", artifacts=["sha256:" + "a" * 64], **SCOPE))
    # One that can be broken at its hyphens, and one that cannot.
    for service in ("api", long, "w" * 90):
        server.record(event(service=service, environment="prod", deployment_id=f"d-{service}", outcome="success"))
    for grant, holder in (("GR-1", "person:grace"), ("GR-2", f"service:{long}")):
        said = {"actor": "person:root", "principal": holder, "principal_kind": "human", "role": "deployer"}
        server.record(event("access.granted", grant_id=grant, environment="prod", **said))
    meeting = {"actor": "person:olga", "meeting_id": "CAB-80"}
    hour = {"time_zone": "UTC", "start": "2025-06-02T12:00:00Z", "end": "2025-06-02T13:00:00Z"}
    with person(server, "olga", "operator", "reporter") as olga:
        for said in (
            event("cab.meeting_scheduled", **meeting, **hour),
            event("cab.agenda_fixed", **meeting, changes=["CHG-800"]),
        ):
            assert olga.post("/v1/events", json=said).status_code == 201
    opened = {"review_id": "R-79", "population_digest": "sha256:" + "0" * 64, "population_count": 2}
    tell_as(server, "root", "access_review.opened", due_at="2025-07-01T00:00:00Z", environment="prod", **opened)
    wanted = {"principal": "person:grace", "kind": "human", "roles": ["auditor", "reporter"]}
    return dict(server.client().post("/v1/ledger/credentials", json=wanted).json())


@pytest.mark.parametrize(("theme", "size"), [("light", "narrow"), ("dark", "wide")])
def test_every_page_fits_and_asks_nothing_of_others(
    browser: Browser, server: Server, told: dict[str, str], theme: Any, size: str
) -> None:
    with looking(browser, server, color_scheme=theme, viewport=SIZES[size]) as (page, wrong):
        sign_in(page, told["token"])
        background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert background == {"light": "rgb(250, 249, 246)", "dark": "rgb(22, 21, 19)"}[theme]
        for path in ALL:
            answer = page.goto(path)
            assert answer is not None
            assert answer.status == (404 if path == NOWHERE else 200), path
            assert page.locator("h1").count() == 1, path
            assert page.get_by_text("cannot be shown").count() == 0, path
            # What is wide scrolls by itself; the page does not.
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, (path, wide)
        # On paper there is what is shown, and nothing to press.
        page.emulate_media(media="print")
        page.goto("/console/changes/CHG-800")
        assert page.locator("h1").is_visible()
        assert not page.locator("nav").or_(page.locator("form")).or_(page.locator(".top")).first.is_visible()
        assert [text for text in wrong if "404" not in text] == []


def test_on_a_narrow_screen_the_page_that_is_shown_is_seen_among_the_pages(
    browser: Browser, server: Server, told: dict[str, str]
) -> None:
    with looking(browser, server, java_script_enabled=True, viewport=SIZES["narrow"]) as (page, _):
        sign_in(page, told["token"])
        for path in ("/console/", "/console/risk", "/console/entries"):
            page.goto(path)
            box = page.locator(".side [aria-current]").bounding_box()
            assert box is not None
            assert 0 <= box["x"] <= box["x"] + box["width"] <= SIZES["narrow"]["width"], (path, box)


def test_axe_finds_nothing_on_any_page(
    browser: Browser, server: Server, told: dict[str, str], request: pytest.FixtureRequest
) -> None:
    assert {path.partition("?")[0] for _, path in PAGES} <= set(ALL)
    # Of each page one theme, one after the other; all of both with --all. What colours go together, test_style.py says of both.
    themes, both = itertools.cycle(("dark", "light")), ("dark", "light")
    asked = both if request.config.getoption("--all") else ()
    found = []
    # Pages work without scripts: this is one that looks at them.
    with looking(browser, server, java_script_enabled=True) as (page, _):
        sign_in(page, told["token"])
        for path in ALL:
            for theme in asked or (next(themes),):
                page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
                page.goto(path)
                violations = Axe().run(page).response["violations"]
                found += [(path, theme, one["id"], one["nodes"][0]["html"][:200]) for one in violations]
    assert found == []


def test_a_change_is_approved_with_the_keyboard_alone(browser: Browser, server: Server, told: dict[str, str]) -> None:
    with looking(browser, server) as (page, wrong):
        sign_in(page, told["token"])
        assert page.get_by_text("Your approval would count").is_visible()
        page.locator("input[name=q]").focus()
        page.keyboard.type("CHG-800")
        go_on(page, "Enter", "h2:has-text('Your decision')")
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.locator(":focus").get_attribute("value") == "granted":
                break
        go_on(page, "Enter", "text=in your name")
        assert page.locator("td:has-text('person:grace')").first.is_visible()
        assert wrong == []


def test_access_is_reviewed_with_the_keyboard_alone(browser: Browser, server: Server, told: dict[str, str]) -> None:
    for grant, holder in (("GR-80", "person:dora"), ("GR-81", "person:grace"), ("GR-82", "person:dan")):
        said = {"actor": "service:all", "principal": holder, "principal_kind": "human", "role": "deployer"}
        server.record(event("access.granted", grant_id=grant, environment="eighty", **said))
    fixed: dict[str, Any] = {"population_digest": "sha256:" + "0" * 64, "population_count": 3}
    fixed |= {"environment": "eighty", "due_at": "2099-01-01T00:00:00Z"}
    tell_as(server, "root", "access_review.opened", review_id="R-80", **fixed)
    with looking(browser, server) as (page, wrong):
        sign_in(page, told["token"])

        def tab_to(target: str) -> None:
            for _ in range(60):
                page.keyboard.press("Tab")
                if page.evaluate("target => document.activeElement.matches(target)", target):
                    return
            raise AssertionError(f"the keyboard does not reach {target}")

        tab_to("nav a[href='/console/access']")
        go_on(page, "Enter", "h1:has-text('Access reviews')")
        tab_to("main a[href='/console/access/R-80']")
        go_on(page, "Enter", "h2:has-text('Undecided')")
        assert page.locator("button[name=keep][value=GR-81]").is_disabled()
        tab_to("button[name=keep][value=GR-80]")
        go_on(page, "Enter", "text=in your name")
        tab_to("button[name=revoke][value=GR-82]")
        go_on(page, "Space", "text=in your name")
        assert page.locator("button[name=revoke][value=GR-82]").count() == 0
        assert page.locator("button[name=keep]").count() == 1
        assert wrong == []


def test_an_ended_session_leads_back_to_where_somebody_was(
    browser: Browser, server: Server, told: dict[str, str]
) -> None:
    with looking(browser, server) as (page, wrong):
        sign_in(page, told["token"])
        page.goto("/console/findings?is_open=true")
        page.context.clear_cookies()
        page.reload()
        page.wait_for_selector("#token:focus")
        page.keyboard.type(told["token"])
        go_on(page, "Enter", "h1:has-text('Findings')")
        assert page.url == f"{server.url}/console/findings?is_open=true"
        page.locator(".me summary").click()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_selector("h1:has-text('Sign in')")
        assert wrong == []
