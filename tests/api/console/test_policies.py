"""Policies on a page: what was in force on a day, what it was before, and in what the two differ."""

import re

from browsing import look, person, read_page, wait_for_views
from servers import Server, event

from projections.readings.people.policies import Setting, policy_digest

POLICY = "of-the-page"
VERSIONS = {"1": ("1", None), "2": ("2", "2090-01-01T00:00:00Z")}


def told(server: Server) -> None:
    """Two versions, of which the second comes into effect long after."""
    with (
        person(server, "olga", "operator", "reporter") as olga,
        person(server, "oscar", "operator", "reporter") as oscar,
    ):
        for version, (quorum, effective) in VERSIONS.items():
            settings = [{"name": "quorum", "applies_to": "any", "value": quorum}]
            moment = effective and effective.replace("Z", ".000000Z")
            digest = policy_digest([Setting(**one) for one in settings], moment)
            of = {"policy_id": POLICY, "version": version, "policy_digest": digest}
            said = event("policy.published", actor="person:olga", settings=settings, **of)
            said["data"] |= {"effective_from": effective} if effective else {}
            assert olga.post("/v1/events", json=said).status_code == 201
            answer = oscar.post("/v1/events", json=event("policy.approved", actor="person:oscar", **of))
            assert answer.status_code == 201, answer.text
    wait_for_views(server, answer.json()["position"])


def words(page: str) -> str:
    return re.sub(r"\s+", " ", read_page(page[page.index('id="policies"') :].partition("</section>")[0]).text)


def test_a_policy_is_shown_as_it_was_in_force_on_a_day_with_what_it_was_before(server: Server) -> None:
    told(server)
    with person(server, "carol", "auditor") as carol:
        now = words(look(carol, "/console/gates"))
        assert f"{POLICY} version 1 in force" in now
        assert "No version was in force before it" in now
        assert "No finding says that nobody could satisfy it" in now
        then = words(look(carol, "/console/gates?at=2090-01-01"))
        assert f"{POLICY} version 2 in force since 1 Jan 2090, 00:00" in then
        assert "Before it, version 1 was in force." in then
        assert re.search(r"quorum ?any ?1 ?2", then), then
        assert f"{POLICY} no version in force" in words(look(carol, "/console/gates?at=2001-01-01"))
        assert carol.get("/console/gates?at=tomorrow").status_code == 422
