"""Two people who collude, of whom neither has any power: whatever they say, no gate opens and nothing ends, but what was found stays.

Played over HTTP, with a clock that the test moves, at a company whose policy asks for approvals by a role, reviews and a board. Each of the
attempts let something through once, or would if a rule forgot who spoke.
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from moved_servers import Moved, moved_server
from servers import Server, event

from projections.engine.finding import said_of
from projections.rules.digests import list_digest

MALLORY, EVE = "person:mallory", "person:eve"
OPERATORS = ("person:olga", "person:oscar")
PEOPLE = ("person:ann", "person:paul", "person:rob", "person:mia", "person:max", MALLORY, EVE)
SERVICES = ("service:ci", "service:github", "service:desk")
POLICY = {"policy_id": "change-approval", "version": "1", "policy_digest": "sha256:" + "9" * 64}
SETTINGS = [
    ("quorum", "any", "1"), ("required-role", "any", "approver"), ("risk", "any", "not-required"),
    ("rollback-triggers", "any", "0"), ("review-within-hours", "any", "24"), ("review-by", "any", "somebody-else"),
    ("board-decision", "board", "required"), ("code-review", "prod-code", "required"),
]  # fmt: skip
Attempt = Callable[["Company"], None]
_numbers = itertools.count(1)


class Company:
    """What people and programs say, each by a credential of their own, and what is found and answered."""

    def __init__(self, server: Server, clock: Moved) -> None:
        self.server, self.clock = server, clock
        self.clients: dict[str, httpx.Client] = {}
        for who in (*OPERATORS, *PEOPLE, *SERVICES):
            roles = ("operator", "reporter") if who in OPERATORS else ("reporter",)
            kind = "service" if who in SERVICES else "human"
            self.clients[who] = server.client_with(server.issue_token(*roles, principal=who, kind=kind)[1])

    def say(self, who: str, event_type: str, /, **data: Any) -> int:
        named = {"actor": who} | data
        told = event(event_type)
        told |= {"time": self.clock.now(), "data": {name: value for name, value in named.items() if value is not None}}
        answer = self.clients[who].post("/v1/events", json=told)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["position"])

    def ask(self, gate: str = "deploy", **question: Any) -> dict[str, str]:
        """Return the rules of a gate that do not allow, with their reasons."""
        answer = self.clients["service:ci"].post(f"/v1/gates/{gate}", json={"actor": "service:ci"} | question)
        assert answer.status_code == 200, answer.text
        return {rule["rule"]: rule["reason"] for rule in answer.json()["rules"] if rule["verdict"] != "allow"}

    def found(self, *subjects: str) -> set[str]:
        """Return the rules by which something is found of some subjects, once the views have seen everything."""
        asked = {"is_open": "true", "limit": "1000", "min_position": str(self.server.size())}
        rows = self.server.get("/v1/views/findings", params=asked).json()["items"]
        return {row["rule"] for row in rows if row["subject"] in subjects}

    def row(self, view: str, key: str) -> dict[str, Any]:
        asked = {"min_position": str(self.server.size())}
        row: dict[str, Any] = self.server.get(f"/v1/views/{view}/{key}", params=asked).json()["row"]
        return row

    def pass_time(self, **span: float) -> None:
        self.clock.pass_time(**span)
        # Something is recorded by then.
        self.say("service:ci", "incident.acknowledged", incident_id=f"INC-{next(_numbers)}")

    def grant(self, name: str, who: str, role: str, environment: str | None = None) -> None:
        self.say("person:olga", "access.granted", grant_id=name, principal=who, principal_kind="human", role=role,
            environment=environment)  # fmt: skip

    def change(self, name: str, by: str = "person:paul", kind: str = "normal", **scope: Any) -> dict[str, Any]:
        """Have a change opened, submitted and approved; return what is asked about it."""
        where = {"service": name.lower(), "environment": scope.pop("environment", "prod")}
        artifact = f"sha256:{next(_numbers):064x}"
        self.say(by, "change.opened", change_id=name, change_type=kind, services=[where["service"]],
            environment=where["environment"], title="x", template_id=scope.get("template_id"))  # fmt: skip
        self.say(by, "change.submitted", change_id=name, artifacts=[artifact], **scope)
        if kind != "standard":
            self.say("person:ann", "approval.granted", change_id=name)
        return {"change_id": name, "artifact": artifact, **where}

    def deploy(self, asked: dict[str, Any], by: str = MALLORY, end: bool = True, **more: Any) -> str:
        name = f"d-{asked['change_id']}"
        self.say(by, "deployment.started", deployment_id=name, **asked, **more)
        if end:
            self.say(by, "deployment.finished", deployment_id=name, **asked, outcome="success", **more)
        return name

    def review(self, who: str, change: str, **more: Any) -> None:
        told = {"pir_id": f"PIR-{next(_numbers)}", "outcome": "successful", "rolled_back": False}
        self.say(who, "pir.completed", **told | more, change_id=change)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    directory: Path = tmp_path_factory.mktemp("colluders") / "var"
    with pytest.MonkeyPatch.context() as patch, moved_server(directory, patch) as (server, clock):
        enrolled = {"source": event("change.opened")["source"], "door": "events", "principal": "service:github",
            "authority_for": ["person:*"]}  # fmt: skip
        assert server.client().post("/v1/ledger/sources", json=enrolled).status_code == 201
        company = Company(server, clock)
        settings = [{"name": name, "applies_to": whom, "value": value} for name, whom, value in SETTINGS]
        company.say("person:olga", "policy.published", **POLICY, settings=settings)
        company.say("person:oscar", "policy.approved", **POLICY)
        company.grant("G-ann", "person:ann", "approver")
        for who in ("mia", "max"):
            company.grant(f"G-{who}", f"person:{who}", "cab")
        company.pass_time(hours=1)
        yield company
        for client in company.clients.values():
            client.close()


def who_deployed_reviews_it_as_if_the_pipeline_had(company: Company) -> None:
    for name, actor in (("R1", "service:ci"), ("R2", None)):
        company.deploy(company.change(name), actor=actor)
        company.review(MALLORY, name)
    company.pass_time(hours=30)
    assert company.found("R1") == company.found("R2") == {"review-owed"}


def it_is_reviewed_before_it_is_done(company: Company) -> None:
    asked = company.change("R3")
    company.review(EVE, "R3")
    company.pass_time(hours=1)
    company.deploy(asked)
    assert company.ask("close", change_id="R3") == {"review-is-done": "not-reviewed"}
    company.pass_time(hours=30)
    assert company.found("R3") == {"review-owed"}


def nobody_tells_that_it_ended(company: Company) -> None:
    company.deploy(company.change("R4"), end=False)
    company.pass_time(hours=30)
    assert company.found("R4") == {"review-owed"}


def it_is_done_out_of_the_window_of_its_scope(company: Company) -> None:
    begin, end = company.clock.now(hours=-100), company.clock.now(hours=-104)
    asked = company.change("W1", window_start=begin, window_end=end)
    assert company.ask(**asked) == {"window-is-open": "outside-scope"}
    assert company.found(company.deploy(asked)) == {"outside-window"}


def the_window_of_another_is_moved(company: Company) -> None:
    asked = company.change("W2")
    plan = {"planned_start": company.clock.now(hours=-100), "planned_end": company.clock.now(hours=-104)}
    company.say("person:paul", "change.scheduled", change_id="W2", **plan)
    plan = {"planned_start": company.clock.now(hours=1), "planned_end": company.clock.now(hours=-4)}
    company.say(EVE, "change.scheduled", change_id="W2", **plan)
    assert company.ask(**asked) == {"window-is-open": "outside-window"}
    assert company.found(company.deploy(asked), "W2") == {"outside-window", "planned-by-who-may-not"}


def fewer_approvals_are_asked_for(company: Company) -> None:
    asked = company.change("A1", MALLORY)
    request = {"change_id": "A1", "policy_id": "p", "policy_version": "1", "rule": "x", "required_roles": ["approver"]}
    company.say("person:rob", "approval.requested", **request, quorum=2)
    company.say(EVE, "approval.requested", **request, quorum=1)
    assert set(company.ask(**asked)) == {"change-may-start", "change-is-approved"}


def an_objection_to_code_is_dismissed(company: Company) -> None:
    pull = {"repository": "acme/x", "pull_request": 1}
    head, merge = f"{next(_numbers):040x}", f"{next(_numbers):040x}"
    company.say("service:github", "code.proposed", actor=MALLORY, **pull, head_sha=head, authors=[MALLORY])
    for who, verdict in (("person:rob", "changes_requested"), (EVE, "approved")):
        company.say(
            "service:github",
            "code_review.submitted",
            actor=who,
            **pull,
            review_id=who.partition(":")[2],
            commit=head,
            verdict=verdict,
        )
    company.say(EVE, "code_review.dismissed", **pull, review_id="rob", commit=head)
    company.say("service:github", "code.merged", actor=MALLORY, **pull, head_sha=head, merge_sha=merge, branch="main")
    assert company.found("acme/x#1") == {"merged-without-review"}
    asked = company.change("C1", environment="prod-code")
    assert company.ask(**asked, commit=merge) == {"code-is-reviewed": "not-reviewed"}


def somebody_reviews_their_own_code_as_anothers(company: Company) -> None:
    pull, head = {"repository": "acme/y", "pull_request": 1}, f"{next(_numbers):040x}"
    company.say(MALLORY, "code.proposed", **pull, head_sha=head, authors=[EVE])
    company.say(MALLORY, "code_review.submitted", **pull, review_id="1", commit=head, verdict="approved")
    company.say(MALLORY, "code.merged", **pull, head_sha=head, merge_sha=f"{next(_numbers):040x}", branch="main")
    assert company.found("acme/y#1") == {"merged-without-review"}


def the_failure_of_a_template_is_called_a_success(company: Company) -> None:
    company.say("person:olga", "template.published", template_id="T", services=["s1", "s2"])
    company.say(
        "person:oscar", "template.approved", template_id="T", expires_at="2099-01-01T00:00:00Z", failure_limit=0
    )
    company.deploy(company.change("S1", MALLORY, "standard", template_id="T"))
    company.review("person:ann", "S1", outcome="unsuccessful")
    company.say(EVE, "risk.outcome_labelled", change_id="S1", label="success")
    asked = company.change("S2", MALLORY, "standard", template_id="T")
    assert set(company.ask(**asked)) == {"change-may-start", "change-is-approved"}


def another_cause_of_an_incident_is_named(company: Company) -> None:
    name = company.deploy(company.change("I1"))
    incident = {"incident_id": "INC-I1", "method": "human", "method_version": "1", "confirmed": True}
    company.say("person:ann", "incident.attributed", **incident, deployment_id=name)
    company.review(EVE, "I1")
    for who, cause in ((EVE, {}), (MALLORY, {"deployment_id": "d-other"})):
        company.say(who, "incident.attributed", **incident, **cause)
    assert company.found("I1") == {"review-contradicts-the-record"}


def a_failed_deployment_is_told_as_a_success(company: Company) -> None:
    asked = company.change("D1")
    company.say("service:ci", "deployment.finished", deployment_id="d-D1", **asked, outcome="failure")
    company.review(EVE, "D1")
    company.pass_time(minutes=5)
    company.say(EVE, "deployment.finished", deployment_id="d-D1", **asked, outcome="success")
    assert company.found("D1") == {"review-contradicts-the-record"}


def something_new_is_put_there_as_a_rollback(company: Company) -> None:
    asked = company.change("K1")
    company.deploy(asked, "service:ci")
    later = asked | {"artifact": f"sha256:{next(_numbers):064x}"}
    company.say("service:ci", "deployment.finished", deployment_id="d-K2", **later, outcome="success")
    undo = {"rollback_id": "RB-K", "service": asked["service"], "environment": asked["environment"]}
    company.say(EVE, "rollback.decided", **undo, decision="roll_back", options=["roll_back"])
    company.say(MALLORY, "rollback.completed", **undo, to_artifact="sha256:" + "f" * 64, outcome="success")
    assert company.found("RB-K") == {"rolled-back-to-something-new"}


def a_standard_change_is_done_by_another_playbook(company: Company) -> None:
    how = {"playbook_id": "restart", "playbook_version": "1"}
    company.say("person:olga", "template.published", template_id="P", services=["t1", "t2", "t3"], **how)
    company.say(
        "person:oscar", "template.approved", template_id="P", expires_at="2099-01-01T00:00:00Z", failure_limit=0
    )
    for name, said, denied in (
        ("T1", {}, set()),
        ("T2", how, set()),
        ("T3", {"playbook_id": "replace"}, {"change-may-start", "change-is-approved"}),
    ):
        asked = company.change(name, MALLORY, "standard", template_id="P", **said)
        assert set(company.ask(**asked)) == denied


def the_conditions_of_the_board_are_left_out(company: Company) -> None:
    asked, meeting = company.change("B1", MALLORY, "board"), {"meeting_id": "M1"}
    plan = {"start": company.clock.now(minutes=-2), "end": company.clock.now(hours=-2)}
    company.say("person:mia", "cab.meeting_scheduled", **meeting, **plan)
    company.say("person:mia", "cab.agenda_fixed", **meeting, changes=["B1"])
    company.pass_time(minutes=5)
    for who in ("person:mia", "person:max"):
        company.say(who, "cab.vote_cast", **meeting, change_id="B1", vote="for")
    company.say(EVE, "cab.decision_recorded", **meeting, change_id="B1", verdict="approved")
    assert company.ask(**asked) == {"board-has-decided": "does-not-count"}
    company.say("person:mia", "cab.decision_recorded", **meeting, change_id="B1", verdict="approved", conditions=["x"])
    company.say(EVE, "cab.condition_met", **meeting, change_id="B1", condition="x")
    assert company.ask(**asked) == {"board-has-decided": "conditions"}


def each_keeps_the_access_of_the_other_in_a_review_of_their_own(company: Company) -> None:
    company.grant("G-M", MALLORY, "deployer", "lab-a")
    company.grant("G-E", EVE, "deployer", "lab-b")
    company.pass_time(minutes=1)
    for place, grant, holder, who in (("lab-a", "G-M", MALLORY, EVE), ("lab-b", "G-E", EVE, MALLORY)):
        due = company.clock.now(hours=-48)
        company.say(who, "access_review.opened", review_id=place, environment=place, population_count=1,
            population_digest=list_digest([grant]), due_at=due)  # fmt: skip
        company.say(
            who, "access_review.item_decided", review_id=place, grant_id=grant, principal=holder, decision="keep"
        )
    # What a machine says hides nothing of it.
    company.say(
        "service:ci", "access_review.item_decided", review_id="lab-b", grant_id="G-E", principal=EVE, decision="keep"
    )
    assert company.found("lab-a") == company.found("lab-b") == {"own-access-reviewed"}


def what_was_found_is_taken_back_or_answered(company: Company) -> None:
    position = company.say(
        EVE, "deployment.started", actor=MALLORY, deployment_id="d-F1", service="f1", environment="prod"
    )
    (row,) = (
        row
        for row in company.server.get("/v1/views/findings", params={"min_position": str(position)}).json()["items"]
        if row["subject"] == "d-F1"
    )
    said = said_of(row["rule"], "d-F1", row["says"])
    company.say(EVE, "finding.disposed", disposition="accepted", rule=row["rule"], findings=[{"subject": "d-F1", "said": said}],
        reason="x")  # fmt: skip
    assert company.found("d-F1") == {"deployment-without-change"}
    company.say(EVE, "statement.withdrawn", position=position, reason="mistaken")
    assert company.found(f"{row['rule']}/d-F1") == {"withdrawn-by-who-acted"}


def each_gives_the_other_power_and_lets_them_through(company: Company) -> None:
    for name, who, by in (("P-E", EVE, MALLORY), ("P-M", MALLORY, EVE)):
        company.say(by, "access.granted", grant_id=name, principal=who, principal_kind="human", role="approver")
    asked = company.change("P1", MALLORY)
    company.say("person:ann", "approval.withdrawn", change_id="P1")
    company.say(EVE, "approval.granted", change_id="P1", role="approver")
    assert set(company.ask(**asked)) == {"change-may-start", "change-is-approved"}
    freeze = {"freeze_id": "F"}
    company.say("person:olga", "freeze.declared", **freeze, environments=["prod-f"], start=company.clock.now(hours=1),
        end=company.clock.now(hours=-9))  # fmt: skip
    asked = company.change("P2", MALLORY, environment="prod-f")
    company.say(EVE, "freeze.override_granted", **freeze, change_id="P2", requester=MALLORY, expires_at=company.clock.now(hours=-9),
        reason="x")  # fmt: skip
    company.say(EVE, "freeze.lifted", **freeze)
    company.say(EVE, "environment.declared", environment="sandbox", tier="development", aliases=["prod-f"])
    assert company.ask(**asked) == {"no-freeze-holds": "frozen"}


ATTEMPTS: tuple[Attempt, ...] = (
    who_deployed_reviews_it_as_if_the_pipeline_had,
    it_is_reviewed_before_it_is_done,
    nobody_tells_that_it_ended,
    it_is_done_out_of_the_window_of_its_scope,
    the_window_of_another_is_moved,
    fewer_approvals_are_asked_for,
    an_objection_to_code_is_dismissed,
    somebody_reviews_their_own_code_as_anothers,
    the_failure_of_a_template_is_called_a_success,
    another_cause_of_an_incident_is_named,
    a_failed_deployment_is_told_as_a_success,
    something_new_is_put_there_as_a_rollback,
    a_standard_change_is_done_by_another_playbook,
    the_conditions_of_the_board_are_left_out,
    each_keeps_the_access_of_the_other_in_a_review_of_their_own,
    what_was_found_is_taken_back_or_answered,
    each_gives_the_other_power_and_lets_them_through,
)


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.__name__)
def test_two_who_collude_obtain_nothing_and_what_they_do_is_found(attempt: Attempt, company: Company) -> None:
    attempt(company)
