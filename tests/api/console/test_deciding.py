"""Deciding on a page: of the scope that is shown and of no other, in one's own name, once; and what is not offered says why."""

from typing import Any

import httpx
import pytest
from browsing import fields, form_token, look, person, read_page, tell, wait_for_views
from servers import Server, event

from api.desk.deciding import Difference, difference

OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def submitted(server: Server, change: str, artifact: str, kind: str = "change.submitted") -> int:
    return tell(server, kind, change_id=change, actor="person:alice", artifacts=[artifact], services=["api"])


@pytest.fixture(scope="module")
def change(server: Server) -> str:
    tell(server, "change.opened", change_id="CHG-900", actor="person:alice", services=["api"], environment="prod")
    submitted(server, "CHG-900", OLD)
    return "CHG-900"


def test_an_approval_is_of_the_scope_that_was_shown_and_is_recorded_once(server: Server, change: str) -> None:
    path = f"/console/changes/{change}"
    with person(server, "bob", "analyst", "reporter") as bob:
        stale = look(bob, path)
        assert OLD in stale
        assert "No scope of this change was approved before" in stale
        submitted(server, change, NEW, "change.scope_amended")
        before = server.size()
        refused = bob.post(path, data=fields(stale, decision="granted"))
        assert refused.status_code == 409
        read_page(refused.text)
        assert f"<ins><bdi>{NEW}</bdi></ins>" in refused.text
        assert f"<del><bdi>{OLD}</bdi></del>" in refused.text
        assert server.size() == before
        submitted(server, change, NEW)
        before = server.size()
        shown = fields(look(bob, path), decision="granted", comment='<b>"fine"</b>')
        answer = bob.post(path, data=shown)
        assert answer.status_code == 303, answer.text[:500]
        assert server.size() == before + 1
        recorded = server.get(f"/v1/events/{before + 1}").json()
        assert recorded["entry"]["recorded_by"]["principal"] == "person:bob"
        assert recorded["entry"]["statement"]["data"]["scope_digest"] == shown["scope_digest"]
        assert recorded["texts"]["comment"]["text"] == '<b>"fine"</b>'
        after = look(bob, answer.headers["location"])
        assert "you approved it already" in after
        again = bob.post(path, data=shown)
        assert again.headers["location"] == answer.headers["location"]
        other = bob.post(path, data=shown | {"decision": "rejected"})
        assert other.status_code == 409
        assert server.size() == before + 1
    counts = server.get(f"/v1/views/change_tickets/{change}").json()["row"]["approvals"]
    assert [(a["approver"], a["counts"]) for a in counts] == [("person:bob", True)]


def test_what_somebody_may_not_do_is_not_offered_and_the_reason_is_said(server: Server, change: str) -> None:
    path = f"/console/changes/{change}"
    with person(server, "alice", "analyst", "reporter") as alice:
        page = look(alice, path)
        assert "S1 (" in page
        assert 'value="granted"' not in page
    with person(server, "carol", "auditor") as carol:
        page = look(carol, path)
        assert "needs the role reporter" in page
        form = {"form_token": form_token(page), "id": "x", "decision": "granted", "scope_digest": NEW, "position": "1"}
        assert carol.post(path, data=form).status_code == 403


def test_a_form_that_is_none_says_what_is_wrong_with_it(server: Server, change: str) -> None:
    path = f"/console/changes/{change}"
    with person(server, "dan", "analyst", "reporter") as dan:
        good = fields(look(dan, path), decision="granted")
        before = server.size()
        for wrong, status in (
            ({"decision": "maybe"}, 422),
            ({"scope_digest": "x"}, 422),
            ({"position": "0"}, 422),
            ({"id": ""}, 422),
            ({"comment": "x" * 3000}, 422),
            ({"bogus": "1"}, 422),
            ({"form_token": "0" * 64}, 403),
            ({"form_token": ""}, 403),
        ):
            answer = dan.post(path, data=good | wrong)
            assert answer.status_code == status, (wrong, answer.text[:500])
            read_page(answer.text)
        assert dan.post(path, content=b"{}", headers={"Content-Type": "application/json"}).status_code == 415
        assert dan.post("/console/changes/CHG-none", data=good).status_code == 404
        assert server.size() == before


def test_a_finding_is_answered_by_whoever_did_not_act_in_it(server: Server, change: str) -> None:
    own = event("approval.granted", change_id=change, actor="person:alice")
    path = f"/console/findings/approval-of-ones-own%2F{change}"
    with person(server, "alice", "analyst", "reporter") as alice:
        position = alice.post("/v1/events", json=own).json()["position"]
        wait_for_views(server, position)
        page = look(alice, path)
        assert "You cannot answer it" in page
        assert all(f"<dt>{told}</dt>" in page for told in ("done", "found", "age"))
        assert "person:alice" in page
    with person(server, "olga", "operator", "reporter") as olga:
        page = look(olga, path)
        form = fields(page, disposition="accepted", reason="seen", until="")
        changed = olga.post(path, data=form | {"said": "A" * 43 + "="})
        assert changed.status_code == 412, changed.text
        assert "says something else by now" in changed.text
        answer = olga.post(path, data=form)
        assert answer.status_code == 303, answer.text[:500]
        size = server.size()
        page = look(olga, answer.headers["location"])
        assert "accepted by" in page
        assert "it is not open" in page
        assert olga.post(path, data=form).headers["location"] == answer.headers["location"]
        assert server.size() == size


def test_a_finding_about_the_longest_names_has_a_page_and_is_answered(server: Server) -> None:
    service, environment = "s" * 100, "e" * 100
    about = {"service": service, "environment": environment, "stateful": True, "resources": ["db"]}
    tell(server, "service.provisioned", actor="service:all", **about)
    said = {"actor": "person:olga", "rule": "backup-missing", "disposition": "accepted", "reason": "x"}
    subject = f"{service}@{environment}"
    tell(server, "finding.disposed", **said, findings=[{"subject": subject, "said": "A" * 43 + "="}])
    key = f"backup-missing%2F{service}%40{environment}"
    assert server.get(f"/v1/views/dispositions/{key}").json()["row"]["subject"] == subject
    with person(server, "lena", "analyst") as lena:
        assert subject in look(lena, f"/console/views/dispositions/{key}")
        # There is no such finding, which is said as of any other.
        assert lena.get(f"/console/findings/{key}").status_code == 404


def test_a_gate_is_asked_what_if_and_nothing_is_recorded(server: Server, change: str) -> None:
    asked = {"change_id": change, "service": "api", "environment": "prod", "actor": "person:bob"}
    before = server.size()
    considered = server.get("/v1/gates/deploy/what-if", params=asked).json()
    with person(server, "erin", "operator") as erin:
        page = look(erin, "/console/gates?" + str(httpx.QueryParams({"gate": "deploy"} | asked)))
        assert considered["rules"][0]["words"] in page
        assert 'name="actor"' in page
        assert erin.get("/console/gates", params={"gate": "deploy", "service": ""}).status_code == 303
        assert erin.get("/console/gates", params={"gate": "bogus"}).status_code == 404
    # The token of the one who looks, and no answer of a gate.
    assert server.size() == before + 1
    decided = server.client().post("/v1/gates/deploy", json=asked).json()
    for answer in (considered, decided):
        answer["said"] = [(rule["rule"], rule["verdict"], rule["reason"]) for rule in answer["rules"]]
    assert (considered["verdict"], considered["said"]) == (decided["verdict"], decided["said"])
    assert "receipt" not in considered


def test_only_operators_ask_what_if_as_somebody_else(server: Server, change: str) -> None:
    asked = {"change_id": change, "service": "api", "environment": "prod"}
    for role in ("analyst", "auditor", "reporter"):
        with person(server, f"as-{role}", role, "analyst") as erin:
            page = look(erin, "/console/gates?" + str(httpx.QueryParams({"gate": "deploy"} | asked)))
            assert f"to <bdi>person:as-{role}</bdi>" in page
            assert 'name="actor"' not in page
            for actor, status in (("person:bob", 403), (f"PERSON:AS-{role.upper()}", 422), (f"person:as-{role}", 200)):
                told = erin.get("/v1/gates/deploy/what-if", params=asked | {"actor": actor})
                shown = erin.get("/console/gates", params={"gate": "deploy", "actor": actor} | asked)
                assert (told.status_code, shown.status_code) == (status, status), actor
                if status == 403:
                    assert told.json()["detail"].startswith("only an operator may ask what if as somebody else")
                    assert "rules" not in told.json()
                    assert "nly an operator may ask what if" in shown.text


def version(position: int, digest: str, artifact: str) -> dict[str, Any]:
    said = {"position": position}
    return {
        "said": said, "digest": digest, "stated": None, "artifacts": [artifact], "services": ["api"],
        "environments": [], "commits": [],
    }  # fmt: skip


def approval(position: int, digest: str | None, verdict: str = "granted") -> dict[str, Any]:
    return {"verdict": verdict, "scope_digest": digest, "position": position}


def test_a_scope_is_compared_with_the_one_that_was_approved_last() -> None:
    scope = {"versions": [version(2, "a", OLD), version(5, "b", OLD), version(8, "c", NEW)]}
    changed = [Difference("artifacts", (NEW,), (OLD,))]
    assert difference(scope, []) == (None, [])
    assert difference(scope, [approval(3, "a"), approval(6, None)]) == (5, changed)
    assert difference(scope, [approval(9, "c"), approval(3, "a")]) == (2, changed)
    assert difference(scope, [approval(9, "c")]) == (None, [])
    assert difference(scope, [approval(6, None, "rejected"), approval(9, "unknown")]) == (None, [])
