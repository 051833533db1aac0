"""verify.html in a browser: from a disk with the network off, and within the console."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsers import CHROMIUM, NO_BROWSER, launched, looking, opened_context, sign_in
from ledgers import CHECKPOINT_KEY, ORIGIN
from playwright.sync_api import Browser, FilePayload, Page
from servers import Server, event
from verifier import MADE

from api.desk.verifier import sha256
from signing.checkpoint import parse_checkpoint, sign_checkpoint
from signing.keys import SigningKey
from signing.notes import COSIGNATURE, NoteKey, format_verifier_key, parse_note
from signing.witness import cosign

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)
LOG = format_verifier_key(NoteKey(ORIGIN, CHECKPOINT_KEY.public_key))
WITNESS_KEY = SigningKey.from_seed(b"p" * 32)
WITNESS = NoteKey("witness.test", WITNESS_KEY.public_key, COSIGNATURE)
HOSTILE = "<img src=x onerror=alert(1)>\u202e.json"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def given(server: Server) -> dict[str, bytes]:
    """What a ledger gave out, by the name of the file."""
    position = server.record(event("change.opened", change_id="CHG-53", title="</script><b>x</b>"))["position"]
    committed = server.client().post("/v1/ledger/heads").json()["position"]
    covered = {"wait": "checkpoint"}
    server.post(event(), params=covered)
    files = {
        "one.tlog-proof": server.get(f"/v1/events/{position}/proof"),
        "one.json": server.get(f"/v1/events/{position}/entry"),
        "two.json": server.get(f"/v1/events/{committed}/entry"),
        "checkpoint": server.get("/checkpoint"),
        "dossier.json": server.get("/v1/dossiers/change:CHG-53"),
    }
    for answer in files.values():
        assert answer.status_code == 200, answer.text
    return {name: answer.content for name, answer in files.items()}


@contextmanager
def opened(browser: Browser, **more: Any) -> Iterator[Page]:
    """Open the file from the disk without a network. Whatever it says to the console, or asks of anybody, fails."""
    context = opened_context(browser, **more)
    context.set_offline(True)
    page, wrong = context.new_page(), []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.append(request.url) if not request.url.startswith("file:") else None)
    page.goto(MADE.as_uri())
    try:
        yield page
        assert wrong == []
    finally:
        context.close()


def give(page: Any, *files: tuple[str, bytes], key: str = LOG, witnesses: str = "") -> list[str]:
    """Give keys and files to the verifier; return its verdicts, once each is there."""
    page.locator("#log-key").fill(key)
    page.locator("#witness-keys").fill(witnesses)
    # A field tells of its change when it is left: before the files come, or a second check begins while we read the first.
    page.locator("#witness-keys").blur()
    payloads: Sequence[FilePayload] = [
        {"name": name, "mimeType": "application/octet-stream", "buffer": data} for name, data in files
    ]
    page.locator("#files").set_input_files(payloads)
    page.locator("#said p:not(:text('Checking'))").wait_for()
    said = page.locator("#said").inner_text()
    verdicts = [text.strip() for text in page.locator("article").all_inner_texts()]
    assert verdicts or "give the log's key" in said or "expected" in said, said
    return verdicts


def test_a_proof_with_its_entry_a_checkpoint_and_a_dossier_hold(browser: Browser, given: dict[str, bytes]) -> None:
    with opened(browser, viewport={"width": 360, "height": 740}) as page:
        names = ("one.tlog-proof", "one.json", "checkpoint", "dossier.json")
        verdicts = give(page, *((name, given[name]) for name in names))
        assert [verdict.split(" ")[0] for verdict in verdicts] == ["Holds"] * 3
        assert "3 hold, 0 do not, 0 could not be checked" in page.locator("#said").inner_text()
        for verdict in verdicts:
            assert "This does not say:" in verdict
            assert "no witness that you named vouches for it" in verdict
        assert "change.opened" in verdicts[2]
        assert page.locator("b").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_what_was_altered_does_not_hold_and_what_is_missing_is_no_pass(
    browser: Browser, given: dict[str, bytes]
) -> None:
    proof, entry, other = given["one.tlog-proof"], given["one.json"], given["two.json"]
    stranger = format_verifier_key(NoteKey(ORIGIN, WITNESS_KEY.public_key))
    cases: list[tuple[list[tuple[str, bytes]], dict[str, str], str, str]] = [
        ([("p", proof), ("e", entry.replace(b"CHG-53", b"CHG-54"))], {}, "Does not hold", "expected the root"),
        ([("p", proof), ("e", other)], {}, "Does not hold", "expected the root"),
        ([("p", proof)], {}, "Not checked", "give the exact bytes of that entry"),
        ([("e", entry)], {}, "Not checked", "an entry alone proves nothing"),
        ([("p", proof), ("e", entry)], {"key": stranger}, "Does not hold", "no signature by a known key"),
        ([("c", given["checkpoint"])], {"witnesses": format_verifier_key(WITNESS)}, "Does not hold", "of 1 witnesses"),
        ([("d", given["dossier.json"].replace(b"CHG-53", b"CHG-54"))], {}, "Does not hold", ""),
        ([("x", b"\x00\xff" * 50)], {}, "Not checked", "no kind that is known"),
        ([("x", b"[" * 100_000)], {}, "Not checked", "not JSON"),
        ([("x", b"")], {}, "Not checked", "not JSON"),
        ([(HOSTILE, b"null")], {}, "Not checked", "no kind that is known"),
    ]
    with opened(browser) as page:
        for files, more, word, why in cases:
            page.locator("#clear").click()
            verdicts = give(page, *files, **more)
            assert len(verdicts) == 1, (files[0][0], verdicts)
            assert verdicts[0].startswith(word), verdicts
            assert why in verdicts[0]
        assert page.locator("img").count() == 0
        page.locator("#clear").click()
        for key, why in (("", "give the log's key first"), ("nonsense", "expected <name>+<key id>")):
            assert give(page, ("c", given["checkpoint"]), key=key) == []
            assert why in page.locator("#said").inner_text()


def test_a_quorum_of_witnesses_and_two_histories(browser: Browser, given: dict[str, bytes]) -> None:
    note = parse_note(given["checkpoint"])
    cosigned = str(note.with_lines([cosign(note.text, WITNESS.name, WITNESS_KEY, 1_795_435_200)])).encode()
    said = parse_checkpoint(note.text)
    other = str(sign_checkpoint(type(said)(said.origin, said.size, bytes(32)), CHECKPOINT_KEY)).encode()
    with opened(browser, color_scheme="dark") as page:
        (verdict,) = give(page, ("checkpoint", cosigned), witnesses=format_verifier_key(WITNESS))
        assert "witness.test at 2026-11-23T12:00:00Z" in verdict
        page.locator("#at-least").fill("2")
        page.locator("#at-least").blur()
        page.get_by_text("from 1 to the number of witnesses, 1").wait_for()
        page.locator("#at-least").fill("")
        page.locator("#clear").click()
        verdicts = give(page, ("a", given["checkpoint"]), ("b", other))
        assert "signed two histories" in verdicts[-1]
        assert Axe().run(page).response["violations"] == []


def test_a_log_that_only_grew(browser: Browser, server: Server, given: dict[str, bytes]) -> None:
    server.post(event(), params={"wait": "checkpoint"})
    newer = server.get("/checkpoint").content
    sizes = [int(data.split(b"\n")[1]) for data in (given["checkpoint"], newer)]
    proof = server.get("/v1/ledger/consistency", params={"from": sizes[0], "to": sizes[1]}).content
    with opened(browser) as page:
        verdicts = give(page, ("proof", proof), ("old", given["checkpoint"]), ("new", newer))
        assert [verdict.split(" ")[0] for verdict in verdicts] == ["Holds"] * 3
        assert "only grew" in verdicts[2]
        page.locator("#clear").click()
        assert "give both checkpoints" in give(page, ("proof", proof), ("new", newer))[1]


def test_a_check_that_was_overtaken_says_nothing(browser: Browser, given: dict[str, bytes]) -> None:
    stranger = format_verifier_key(NoteKey(ORIGIN, WITNESS_KEY.public_key))
    with opened(browser) as page:
        page.evaluate("""() => {
            const read = Blob.prototype.arrayBuffer;
            const held = new Promise((release) => { window.release = release; });
            let first = true;
            Blob.prototype.arrayBuffer = async function () {
                if (first) { first = false; await held; }
                return read.call(this);
            };
            window.shown = [];
            const note = () => window.shown.push(document.querySelector("#verdicts").innerText);
            new MutationObserver(note).observe(document.querySelector("#verdicts"), { childList: true });
        }""")
        page.locator("#log-key").fill(stranger)
        # Its change is told when it is left: by the click below, a second check of the file would begin, which nothing holds.
        page.locator("#log-key").blur()
        page.locator("#files").set_input_files(
            {"name": "overtaken", "mimeType": "text/plain", "buffer": given["checkpoint"]}
        )
        page.get_by_text("Checking").wait_for()
        page.locator("#clear").click()
        page.evaluate("window.release()")
        # The newer check takes the same steps behind the older one: once it has answered, the older has too.
        (verdict,) = give(page, ("new", given["checkpoint"]))
        assert verdict.startswith("Holds")
        assert not [shown for shown in page.evaluate("window.shown") if "overtaken" in shown]


def test_a_file_that_is_too_large_is_not_read(browser: Browser, tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(65 * 1024 * 1024)
    with opened(browser) as page:
        page.locator("#log-key").fill(LOG)
        page.locator("#files").set_input_files(large)
        page.get_by_text("expected at most 67108864 bytes").wait_for()


def test_without_ed25519_it_says_so_and_checks_nothing(browser: Browser) -> None:
    context = opened_context(browser)
    context.add_init_script(
        "crypto.subtle.importKey = async () => { throw new DOMException('x', 'NotSupportedError') }"
    )
    page = context.new_page()
    page.goto(MADE.as_uri())
    page.get_by_text("this browser has no Ed25519: nothing can be checked here").wait_for()
    assert page.locator("#files").is_disabled()
    context.close()


def test_the_console_serves_it_and_shows_it_cut_off(browser: Browser, server: Server, given: dict[str, bytes]) -> None:
    answer = server.get("/console/verify.html", by="nobody")
    assert answer.content == MADE.read_bytes()
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy
    assert "connect-src" not in policy
    with looking(browser, server, java_script_enabled=True) as (page, wrong):
        sign_in(page, server.tokens["auditor"])
        page.goto("/console/verify")
        assert page.get_by_text(sha256()).is_visible()
        assert page.get_by_text("not yet", exact=True).is_visible()
        wanted = {"tool": "verify.html", "version": "0.1.0", "sha256": sha256()}
        position = server.client().post("/v1/ledger/tools", json=wanted).json()["position"]
        page.reload()
        assert page.locator(f"dd a[href='/console/entries/{position}']").is_visible()
        frame = page.frame_locator("iframe")
        verdicts = give(frame, *((name, given[name]) for name in ("one.tlog-proof", "one.json")))
        assert [verdict.split(" ")[0] for verdict in verdicts] == ["Holds"]
        assert Axe().run(page).response["violations"] == []
        with page.expect_download() as download:
            page.get_by_role("link", name=re.compile("Download")).click()
        assert Path(download.value.path()).read_bytes() == MADE.read_bytes()
        assert wrong == []
