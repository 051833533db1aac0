"""Live pages: what is recorded comes by itself, and nothing is lost or doubled, however often the connection breaks."""

import contextlib
import gzip
import hashlib
import socket
import threading
import tomllib
from collections.abc import Iterator
from importlib.resources import files

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsers import CHROMIUM, NO_BROWSER, go_on, launched, looking, opened_context, sign_in
from browsing import form_token, signed_in, wait_for_views
from playwright.sync_api import Browser, Error, Page
from servers import Server, event

from api.console.static import SCRIPTS

in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)
VENDOR = files("api.console").joinpath("assets", "vendor")
# Of all scripts of a page, compressed.
MAX_SCRIPTS = 25_000


# -- what others made ------------------------------------------------------------------------------------------------------


def test_what_others_made_is_what_they_published() -> None:
    manifest = tomllib.loads(VENDOR.joinpath("manifest.toml").read_text())
    named = {}
    for made in manifest.values():
        assert {"version", "licence", "origin"} <= made.keys()
        assert made["licence_file"] in made["files"]
        named |= made["files"]
    there = {path.name for path in VENDOR.iterdir()} - {"manifest.toml"}
    assert there == named.keys()
    digests = {name: hashlib.sha256(VENDOR.joinpath(name).read_bytes()).hexdigest() for name in named}
    assert digests == {name: told["sha256"] for name, told in named.items()}


def test_the_scripts_of_a_page_are_small_and_need_no_evaluation() -> None:
    assert sum(len(gzip.compress(script.body, 9)) for script in SCRIPTS) < MAX_SCRIPTS
    own = SCRIPTS[-1].body.decode()
    assert not any(word in own for word in ("eval(", "Function(", "innerHTML", "document.write"))


# -- the stream ------------------------------------------------------------------------------------------------------------


def told(client: httpx.Client, after: int, *, last: int | None = None) -> tuple[int, str]:
    """Return the first word of the stream, its position and its name, and break the connection."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    position = -1
    with client.stream("GET", "/console/stream", params={"after": after}, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                position = int(value)
            elif name == "event":
                return position, value
    raise AssertionError("the stream ended without a word")


def test_a_reader_that_breaks_off_each_time_misses_nothing_and_is_told_nothing_twice(server: Server) -> None:
    with signed_in(server, "auditor") as client:
        start = known = server.size()
        for _ in range(40):
            position = server.record(event())["position"]
            while known < position:
                before, (known, name) = known, told(client, start, last=known)
                assert name == "grown"
                assert before < known <= position
        assert known == server.size()


def test_a_stream_ends_with_its_session_and_says_so(server: Server) -> None:
    with server.client_with(None) as client:
        assert told(client, 0) == (-1, "ended")
    with signed_in(server, "auditor") as client:
        page = client.get("/console/views").text
        with client.stream("GET", "/console/stream", params={"after": server.size()}) as answer:
            copy = dict(client.cookies)
            client.post("/console/sign-out", data={"form_token": form_token(page)})
            # Whoever waits looks again when something comes.
            server.record(event())
            assert "event: ended" in answer.iter_lines()
        with httpx.Client(base_url=server.url, cookies=copy, timeout=600) as other:
            assert told(other, 0) == (-1, "ended")


def test_a_token_that_was_revoked_ends_its_streams(server: Server) -> None:
    credential, token = server.issue_token("auditor")
    with httpx.Client(base_url=server.url, timeout=600) as client:
        client.post("/console/sign-in", data={"token": token})
        with client.stream("GET", "/console/stream", params={"after": server.size()}) as answer:
            server.client().delete(f"/v1/ledger/credentials/{credential}", params={"reason": "leaked"})
            assert "event: ended" in answer.iter_lines()


def test_who_may_not_look_is_told_nothing(server: Server) -> None:
    with signed_in(server, "reporter") as client:
        answer = client.get("/console/stream")
        assert answer.status_code == 403
        assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("last", ["x", "-1", "٣", "9" * 5000])
def test_a_last_event_id_that_is_no_position_is_as_none(server: Server, last: str) -> None:
    with (
        signed_in(server, "auditor") as client,
        client.stream("GET", "/console/stream", headers={"Last-Event-ID": last.encode()}) as answer,
    ):
        assert answer.status_code == 200
        assert next(answer.iter_lines()).startswith("id: ")


def test_a_part_of_a_page_is_sent_to_the_sign_in_as_a_whole(server: Server) -> None:
    asked = {"HX-Request": "true"}
    answer = server.get("/console/findings?is_open=true", by="nobody", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["hx-redirect"] == "/console/sign-in?next=%2Fconsole%2Ffindings%3Fis_open%3Dtrue"
    assert answer.text == ""


# -- in a browser ----------------------------------------------------------------------------------------------------------


class Breaking:
    """A way to a server that can be cut: every connection that goes over it, as often as one likes."""

    def __init__(self, server: Server) -> None:
        self._to = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._open: set[socket.socket] = set()
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(self._to)
                self._open |= {near, far}
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65_536):
                other.sendall(data)
        self._end(one, other)

    def _end(self, *ends: socket.socket) -> None:
        for end in ends:
            self._open.discard(end)
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def cut(self) -> None:
        """Break every connection there is."""
        self.cuts += 1
        self._end(*self._open)

    def close(self) -> None:
        self._end(self._listening, *self._open)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def many(server: Server) -> int:
    """More changes than fit on a screen, of one environment, and the position of the last."""
    for number in range(40):
        said = {"actor": "person:alice", "change_id": f"LIVE-{number:03}", "environment": "live"}
        position = server.record(event("change.opened", change_type="normal", services=["api"], **said))["position"]
    wait_for_views(server, position)
    return int(position)


def opened(server: Server, name: str) -> int:
    said = {"actor": "person:alice", "change_id": name, "change_type": "normal", "services": ["api"]}
    position = server.record(event("change.opened", environment="live", **said))["position"]
    wait_for_views(server, position)
    return int(position)


def is_connected(page: Page) -> None:
    """Return when the page follows the stream: what comes then comes over it."""
    # Asked again from here: a page of this policy lets nobody evaluate a condition within it.
    while not page.evaluate("document.querySelector('[hx-sse\\\\:connect]')._htmx?.sse?.status === 200"):
        page.wait_for_timeout(20)


NARROWED = "/console/changes?environment=live&sort=-change_id&limit=100"


@in_a_browser
def test_a_list_takes_in_what_comes_and_keeps_what_a_reader_did(browser: Browser, server: Server, many: int) -> None:
    with looking(browser, server, java_script_enabled=True, viewport={"width": 900, "height": 500}) as (page, wrong):
        sign_in(page, server.tokens["auditor"])
        page.goto(NARROWED)
        rows = page.locator("tbody tr")
        before = rows.count()
        is_connected(page)
        # Typed, and not sent; a place in the list; a link that has the focus.
        page.locator("input[name=service]").or_(page.locator("input[name=change_id]")).first.fill("half a na")
        link = page.get_by_role("link", name="LIVE-010", exact=True)
        link.scroll_into_view_if_needed()
        link.focus()
        scrolled = page.evaluate("window.scrollY")
        assert scrolled > 0
        opened(server, "LIVE-100")
        page.wait_for_selector("tr:has-text('LIVE-100')", state="attached")
        opened(server, "LIVE-101")
        page.wait_for_selector("tr:has-text('LIVE-101')", state="attached")
        assert rows.count() == before + 2
        names = rows.evaluate_all("(rows) => rows.map((row) => row.id)")
        assert len(set(names)) == len(names)
        assert page.evaluate("document.activeElement.textContent").strip() == "LIVE-010"
        assert page.url.endswith(NARROWED)
        assert abs(page.evaluate("window.scrollY") - scrolled) < 200
        assert page.locator("input").evaluate_all("(all) => all.some((one) => one.value === 'half a na')")
        # What is not asked for does not come.
        server.record(event("change.opened", change_id="ELSEWHERE-1", environment="other", actor="person:alice"))
        opened(server, "LIVE-102")
        page.wait_for_selector("tr:has-text('LIVE-102')", state="attached")
        assert page.locator("tr:has-text('ELSEWHERE-1')").count() == 0
        assert Axe().run(page).response["violations"] == []
        assert wrong == []


@in_a_browser
def test_a_page_over_a_line_that_breaks_again_and_again_shows_all_and_nothing_twice(
    browser: Browser, server: Server, many: int
) -> None:
    line = Breaking(server)
    context = opened_context(browser, base_url=line.url)
    page = context.new_page()
    sign_in(page, server.tokens["auditor"])
    page.goto(NARROWED)
    is_connected(page)
    made = []
    for number in range(8):
        made.append(f"LIVE-2{number:02}")
        opened(server, made[-1])
        line.cut()
    line.cut()
    page.wait_for_selector(f"tr:has-text('{made[-1]}')", state="attached")
    assert line.cuts > 8
    shown = page.locator("tbody tr").evaluate_all("(rows) => rows.map((row) => row.id)")
    listed = server.get("/v1/views/change_tickets", params={"environment": "live", "sort": "-change_id", "limit": 100})
    assert shown == [f"row-{row['change_id']}" for row in listed.json()["items"]]
    assert set(made) <= {name.removeprefix("row-") for name in shown}
    context.close()
    line.close()


@in_a_browser
@pytest.mark.parametrize(
    "path",
    [f"/console/{name}" for name in ("", "findings", "running", "entries", "board", "calendar", "risk")],
)
def test_other_pages_follow_as_well(browser: Browser, server: Server, many: int, path: str) -> None:
    with looking(browser, server, java_script_enabled=True) as (page, wrong):
        sign_in(page, server.tokens["auditor"])
        page.goto(path)
        is_connected(page)
        position = opened(server, f"FOLLOWED-{path.strip('/').replace('/', '-')}")
        page.wait_for_selector(f".standing a[href='/console/entries/{position}']")
        assert page.locator("#live").count() == 1
        assert wrong == []


@in_a_browser
def test_whoever_reads_stops_what_moves(browser: Browser, server: Server, many: int) -> None:
    with looking(browser, server, java_script_enabled=True) as (page, wrong):
        sign_in(page, server.tokens["auditor"])
        page.goto(NARROWED)
        is_connected(page)
        opened(server, "LIVE-300")
        page.wait_for_selector("tr:has-text('LIVE-300')", state="attached")
        page.get_by_role("button", name="Stop updating").click()
        page.evaluate("document.body.addEventListener('grown', () => (window.told = true))")
        opened(server, "LIVE-301")
        while not page.evaluate("window.told"):
            page.wait_for_timeout(50)
        page.wait_for_timeout(300)
        assert page.locator("tr:has-text('LIVE-301')").count() == 0
        page.get_by_role("button", name="Update by itself").click()
        page.wait_for_selector("tr:has-text('LIVE-301')", state="attached")
        assert wrong == []


@in_a_browser
def test_an_answer_that_comes_after_a_reader_stopped_what_moves_moves_nothing(
    browser: Browser, server: Server, many: int
) -> None:
    with looking(browser, server, java_script_enabled=True) as (page, wrong):
        sign_in(page, server.tokens["auditor"])
        page.goto(NARROWED)
        is_connected(page)
        page.evaluate("""() => {
            document.addEventListener("htmx:before:request", ({ detail }) => {
                const fetched = detail.ctx.fetch;
                const held = new Promise((release) => { window.release = release; });
                detail.ctx.fetch = async (...asked) => {
                    const answer = await fetched(...asked);
                    await held;
                    return answer;
                };
            }, { once: true });
            document.addEventListener("htmx:finally:request", () => { window.isAnswered = true; });
        }""")
        opened(server, "LIVE-310")
        while not page.evaluate("Boolean(window.release)"):
            page.wait_for_timeout(20)
        page.get_by_role("button", name="Stop updating").click()
        page.evaluate("window.release()")
        while not page.evaluate("Boolean(window.isAnswered)"):
            page.wait_for_timeout(20)
        assert page.locator("tr:has-text('LIVE-310')").count() == 0
        page.get_by_role("button", name="Update by itself").click()
        page.wait_for_selector("tr:has-text('LIVE-310')", state="attached")
        assert wrong == []


@in_a_browser
def test_an_ended_session_takes_the_whole_page_to_the_sign_in_and_back(
    browser: Browser, server: Server, many: int
) -> None:
    _, token = server.issue_token("auditor")
    with looking(browser, server, java_script_enabled=True) as (page, _):
        sign_in(page, token)
        page.goto(NARROWED)
        is_connected(page)
        # In another window, somebody signed out.
        page.context.clear_cookies()
        opened(server, "LIVE-400")
        page.wait_for_selector("#token:focus")
        assert page.locator("h1").count() == 1
        page.keyboard.type(token)
        go_on(page, "Enter", "h1:has-text('Changes')")
        assert page.url == f"{server.url}{NARROWED}"


@in_a_browser
def test_what_somebody_puts_into_a_page_does_not_run_nor_ask(browser: Browser, server: Server, many: int) -> None:
    with looking(browser, server, java_script_enabled=True) as (page, wrong):
        sign_in(page, server.tokens["auditor"])
        page.goto("/console/entries")
        # As by a hole in a template. What is put in as a text, later, is refused as such.
        page.evaluate("""() => {
            const one = Object.assign(document.createElement("b"), { id: "x", textContent: "x" });
            one.setAttribute("hx-get", "/console/views");
            one.setAttribute("hx-trigger", "load");
            document.body.append(one);
            htmx.process(document.body);
        }""")
        with pytest.raises(Error, match="TrustedHTML"):
            page.evaluate("document.body.insertAdjacentHTML('beforeend', '<b>x</b>')")
        page.wait_for_timeout(300)
        assert page.locator("#x").inner_text() == "x"
        assert any("[hx-csp] blocked <b#x>" in text for text in wrong)


# -- keys --------------------------------------------------------------------------------------------------------------------


@in_a_browser
def test_keys_lead_to_the_field_and_tell_of_themselves_and_can_be_let_be(browser: Browser, server: Server) -> None:
    with looking(browser, server, java_script_enabled=True, color_scheme="dark") as (page, wrong):
        sign_in(page, server.tokens["auditor"])
        page.wait_for_load_state()
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.name") == "q"
        # In a field they are letters.
        page.keyboard.type("a/b?")
        assert page.locator("input[name=q]").input_value() == "a/b?"
        page.locator("h1").click()
        page.keyboard.press("?")
        assert page.get_by_role("dialog", name="Keys").is_visible()
        assert Axe().run(page).response["violations"] == []
        page.get_by_label("Use these keys").uncheck()
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        assert not page.get_by_role("dialog", name="Keys").is_visible()
        # They are had again by a button.
        page.reload()
        page.locator(".me summary").click()
        page.get_by_role("button", name="Keys").click()
        page.get_by_label("Use these keys").check()
        page.get_by_role("button", name="Close").click()
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.name") == "q"
        assert wrong == []
