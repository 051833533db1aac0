"""Whether the ledger is what it was, asked on its page: by whom it may be asked, under a pin, and what is said of faults."""

import re

import httpx
from browsing import fields, look, person, read_page, tell
from servers import Server

PATH = "/console/ledger"


def pressed(client: httpx.Client, **more: str) -> str:
    form = look(client, PATH)
    answer = client.post(
        PATH, data=fields('class="stack"' + form[form.index('action="/console/ledger#check"') :]) | more
    )
    assert answer.status_code == 200, answer.text[:500]
    return re.sub(r"\s+", " ", read_page(answer.text).text)


def test_an_auditor_has_every_entry_checked_under_the_first_that_they_know(server: Server) -> None:
    position = tell(server, "change.opened", change_id="CHG-77", actor="person:alice")
    genesis = server.get("/v1/ledger").json()["genesis_hash"]
    with person(server, "aud", "auditor") as auditor:
        sound = pressed(auditor, genesis=genesis)
        assert "Yes: it is what it was." in sound
        found = re.search(r"was\. ([\d\u202f]+) entries were read again", sound)
        assert found is not None
        assert int(found[1].replace("\u202f", "")) >= position
        wrong = pressed(auditor, genesis="0" * 64)
        assert "No: this ledger is not what it was." in wrong or "could not be checked" in wrong
        assert auditor.post(PATH, data={"genesis": genesis}).status_code == 403
        form = {"genesis": "x", "form_token": fields('class="stack"' + look(auditor, PATH))["form_token"]}
        assert auditor.post(PATH, data=form).status_code == 422


def test_nobody_else_is_offered_what_reads_every_entry(server: Server) -> None:
    with person(server, "ann", "analyst", "reporter") as analyst:
        page = look(analyst, PATH)
        assert "Check every entry now" not in page
        assert "Auditors and operators can have every entry checked here" in page
        assert analyst.post(PATH, data={}).status_code == 403
