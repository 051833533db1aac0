"""With the token of one pipeline nobody obtains an `allow`, or keeps a finding from being there: attempts, played over HTTP.

A small company with an honest policy, a clock that the test moves, and a pipeline that may tell of anything. Each attempt stands beside
what is so without it. Longer than other files because each is a story of its own.
"""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from moved_servers import Moved, moved_server
from servers import Server

from api.cli.policies import approve_in, publish_in
from api.cli.remote_door import RemoteDoor

GOOD, EVIL = ("sha256:" + letter * 64 for letter in "ab")
COMMIT, OTHER = "9fceb02d0ae598e95dc970b74767f19372d61af8", "1" * 40
CI, DESK, SCANNER, ALICE, CAROL, OLGA = (
    "service:ci", "service:desk", "service:scanner", "person:alice", "person:carol", "person:olga",
)  # fmt: skip
# The gate, and a review of the code, are asked for from the second version on.
FIRST = [
    ("risk", "any", "not-required"), ("rollback-triggers", "any", "0"), ("change", "prod-gated", "not-required"),
    ("change", "prod-code", "not-required"), ("change", "rim", "not-required"), ("scan-tool", "prod-scan", "semgrep"),
    ("secret-gate", "prod-secret", "required"), ("plan-validation", "any", "optional"),
]  # fmt: skip
SECOND = [*FIRST, ("deploy-gate", "prod-gated", "required"), ("code-review", "prod-code", "required")]
HEALTHY = {"verdict": "healthy", "checks": [{"name": "up", "passed": True, "observations": 9}]}
FOUND = {"fingerprint": "f" * 32, "rule": "sql-injection", "path": "a.py", "line": 1, "level": "error"}


class Company:
    """Who works here, each with a credential of their own; what each says is dated now unless another time is said."""

    def __init__(self, server: Server, clock: Moved) -> None:
        self.server, self.clock, self._said = server, clock, 0
        self.tokens: dict[str, str] = {}
        # The rules that did not allow when a gate was asked last, each with its reason.
        self.against: dict[str, str] = {}

    def issue(self, who: str, *roles: str) -> None:
        kind = "human" if who.startswith("person:") else "service"
        self.tokens[who] = self.server.issue_token(*(roles or ("reporter",)), principal=who, kind=kind)[1]

    def publish(self, version: str, settings: list[tuple[str, str, str]]) -> None:
        said = [{"name": name, "applies_to": whom, "value": value} for name, whom, value in settings]
        text = {"policy_id": "change-approval", "version": version, "settings": said}
        with (
            closing(RemoteDoor(self.server.url, self.tokens[OLGA])) as one,
            closing(RemoteDoor(self.server.url, self.tokens["person:oscar"])) as other,
        ):
            assert approve_in(other, publish_in(one, text, OLGA), "person:oscar")[1]

    def say(self, who: str, event_type: str, /, *, time: str | None = None, **data: Any) -> int:
        self._said += 1
        told = {
            "specversion": "1.0", "id": f"said-{self._said}", "source": f"https://{who.partition(':')[2]}.example.com/",
            "type": event_type, "time": time or self.clock.now(), "data": {"actor": "person:paul" if who == DESK else who} | data,
        }  # fmt: skip
        with self.server.client_with(self.tokens[who]) as client:
            answer = client.post("/v1/events", json=told, headers={"Content-Type": "application/cloudevents+json"})
        assert answer.status_code == 201, answer.text
        position: int = answer.json()["position"]
        return position

    def take_back(self, position: int) -> None:
        self.say(CI, "statement.withdrawn", position=position, reason="by-mistake")

    def open(self, name: str, *places: str, by: str = DESK, **more: Any) -> None:
        about = {
            "change_id": name,
            "services": [name.lower()],
            "environments": list(places or ("prod",)),
            "title": name,
        }
        self.say(by, "change.opened", **about | {"change_type": "normal"} | more)

    def approved(self, name: str, *places: str, kind: str = "normal", **scope: Any) -> None:
        """Open a change, submit it, and have it approved by two."""
        self.open(name, *places, change_type=kind)
        self.say(DESK, "change.submitted", change_id=name, **scope)
        for who in (ALICE, "person:bob"):
            self.say(who, "approval.granted", change_id=name, scope_digest=self.digest(name))

    def digest(self, name: str) -> str:
        path = f"/v1/views/change_scopes/{name}"
        row = self.server.get(path, params={"min_position": str(self.server.size())}).json()
        found: str = row["row"]["versions"][-1]["digest"]
        return found

    def deploy(self, name: str, service: str, place: str = "prod", time: str | None = None, **more: Any) -> None:
        where = {"deployment_id": name, "service": service, "environment": place} | more
        self.say(CI, "deployment.started", time=time, **where)
        self.say(CI, "deployment.finished", time=time, **where, outcome="success")

    def ask(self, gate: str, /, **question: Any) -> str:
        """Return what a gate answers to the pipeline."""
        with self.server.client_with(self.tokens[CI]) as client:
            answer = client.post(f"/v1/gates/{gate}", json=question)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        self.against = {rule["rule"]: rule["reason"] for rule in found["rules"] if rule["verdict"] != "allow"}
        verdict: str = found["verdict"]
        return verdict

    def may_deploy(self, name: str, place: str = "prod", **more: Any) -> str:
        return self.ask("deploy", **{"change_id": name, "service": name.lower(), "environment": place} | more)

    def found(self, *subjects: str) -> set[str]:
        """Return the rules by which something about any of some subjects is open."""
        rules: set[str] = set()
        asked = {"is_open": "true", "min_position": str(self.server.size()), "limit": "1000"}
        rows = self.server.get("/v1/views/findings", params=asked).json()
        assert "next" not in rows
        for row in rows["items"]:
            if row["subject"] in subjects:
                rules.add(row["rule"])
        return rules


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    monkeypatch = pytest.MonkeyPatch()
    with moved_server(tmp_path_factory.mktemp("one-token") / "var", monkeypatch) as (server, clock):
        made = Company(server, clock)
        for who in (OLGA, "person:oscar"):
            made.issue(who, "operator", "reporter")
        for who in (CI, DESK, SCANNER, ALICE, "person:bob", CAROL):
            made.issue(who)
        # The tickets are people's.
        source = {
            "source": "https://desk.example.com/",
            "door": "events",
            "principal": DESK,
            "authority_for": ["person:*"],
        }
        assert server.client().post("/v1/ledger/sources", json=source).is_success
        made.publish("1", FIRST)
        made.say(OLGA, "environment.declared", environment="rim", tier="staging")
        clock.pass_time(days=20)
        made.publish("2", SECOND)
        made.say(OLGA, "environment.declared", environment="rim", tier="production")
        clock.pass_time(days=5)
        yield made
    monkeypatch.undo()


# -- what was approved -----------------------------------------------------------------------------------------------------


def test_another_scope_is_not_approved_by_the_digest_that_it_is_called_by(company: Company) -> None:
    company.open("S1")
    company.say(DESK, "change.submitted", change_id="S1", artifacts=[GOOD])
    digest = company.digest("S1")
    company.say(CI, "change.submitted", change_id="S1", artifacts=[EVIL], scope_digest=digest)
    company.say(ALICE, "approval.granted", change_id="S1", scope_digest=digest)
    assert company.may_deploy("S1", artifact=EVIL) == "needs_approval", company.against


def test_what_was_approved_is_not_taken_back_and_another_put_in_its_place(company: Company) -> None:
    for name in ("S2", "S3", "S4"):
        company.open(name)
    before = company.clock.now(minutes=1)
    approved = {name: company.say(CI, "change.submitted", change_id=name, artifacts=[GOOD]) for name in ("S2", "S3")}
    digest = company.digest("S2")
    company.say(CI, "change.submitted", change_id="S4", artifacts=[EVIL])
    company.clock.pass_time(minutes=5)
    approved["S4"] = company.say(CI, "change.submitted", change_id="S4", artifacts=[GOOD])
    company.say(ALICE, "approval.granted", change_id="S2", scope_digest=digest)
    for name in ("S3", "S4"):
        company.say(ALICE, "approval.granted", change_id=name)
        assert company.may_deploy(name, artifact=GOOD) == "allow", company.against
    for position in approved.values():
        company.take_back(position)
    # By the same digest; as of before the approval; and what had been there before.
    company.say(CI, "change.submitted", change_id="S2", artifacts=[EVIL], scope_digest=digest)
    company.say(CI, "change.submitted", change_id="S3", artifacts=[EVIL], time=before)
    for name in approved:
        assert company.may_deploy(name, artifact=EVIL) != "allow", name


def test_a_template_is_approved_for_nothing_more_when_what_was_written_is_taken_back(company: Company) -> None:
    written = company.say(CI, "template.published", template_id="T", services=["s5"])
    company.say(OLGA, "template.approved", template_id="T", expires_at="2099-01-01T00:00:00Z", failure_limit=9)
    for name, service, expected in (("S5", "s5", "allow"), ("S6", "s6", "needs_approval")):
        company.open(name, by=CI, change_type="standard", template_id="T")
        company.say(CI, "change.submitted", change_id=name, artifacts=[GOOD])
        assert company.may_deploy(name, artifact=GOOD, service=service) == expected
    company.take_back(written)
    assert company.may_deploy("S6", artifact=GOOD) == "needs_approval", company.against


def test_an_emergency_lets_nothing_else_be_deployed_and_is_reviewed_though_it_is_called_off(company: Company) -> None:
    company.open("E1", change_type="emergency")
    company.say(ALICE, "approval.granted", change_id="E1")
    company.deploy("d-e1", "e1", change_id="E1")
    company.deploy("d-e1-db", "e1-db", change_id="E1")
    company.say(CI, "change.cancelled", change_id="E1", time=company.clock.now(hours=3))
    assert "artifact-not-approved" in company.found("d-e1-db")
    company.clock.pass_time(days=11)
    company.say(CI, "metric.measured", service="e1", environment="dev", metric="m", start="2026-01-01T00:00:00Z",
        end="2026-01-01T00:01:00Z", value="0", samples=1)  # fmt: skip
    assert "review-owed" in company.found("E1")


def test_a_pipeline_plans_the_change_of_others_for_no_other_time(company: Company) -> None:
    company.approved("W1", artifacts=[GOOD])
    start, end = company.clock.now(hours=-30), company.clock.now(hours=-31)
    company.say(DESK, "change.scheduled", change_id="W1", planned_start=start, planned_end=end)
    assert company.may_deploy("W1", artifact=GOOD) == "deny", company.against
    start, end = company.clock.now(hours=1), company.clock.now(hours=-1)
    company.say(CI, "change.scheduled", change_id="W1", planned_start=start, planned_end=end)
    assert company.may_deploy("W1", artifact=GOOD) == "deny", company.against
    assert company.found("W1") == {"planned-by-who-may-not"}


# -- what was deployed -----------------------------------------------------------------------------------------------------


def test_what_is_dated_to_before_a_policy_or_a_tier_is_held_to_them_as_of_when_it_is_told(company: Company) -> None:
    before = company.clock.now(days=60)
    company.deploy("d-d1", "d1", "prod-gated", time=before, artifact=GOOD)
    company.deploy("d-d2", "d2", "prod-code", time=before, commit=COMMIT)
    company.deploy("d-d3", "d3", "rim", time=before)
    assert company.found("d-d1") == {"gate-bypassed", "reported-late"}
    assert company.found("d-d2") == {"deployed-without-review", "reported-late"}
    assert company.found("d-d3") == {"reported-late"}


def test_each_word_about_a_deployment_is_held_against_the_scope(company: Company) -> None:
    company.approved("D4", "staging", "prod", artifacts=[GOOD])
    company.deploy("d-d4", "d4", "staging", change_id="D4", artifact=EVIL)
    company.say(
        CI, "deployment.promoted", deployment_id="d-d4", service="d4", environment="staging", to_environment="prod"
    )
    assert company.found("d-d4") == {"artifact-not-approved"}
    company.approved("D5", commits=[COMMIT])
    where = {"deployment_id": "d-d5", "service": "d5", "environment": "prod", "change_id": "D5"}
    company.say(CI, "deployment.started", **where, commit=COMMIT)
    company.say(CI, "deployment.finished", **where, commit=OTHER, outcome="success")
    assert company.found("d-d5") == {"artifact-not-approved"}


def test_what_is_said_of_a_deployment_before_it_is_reported_takes_nothing_from_it(company: Company) -> None:
    company.open("D6-other", by=CI)
    for name, early in (("D6", "deployment.verified"), ("D7", "change.linked")):
        company.approved(name, artifacts=[GOOD])
        told = {"change_id": "D6-other", "deployment_id": f"d-{name}"}
        told |= HEALTHY | {"environment": "dev"} if early == "deployment.verified" else {}
        company.say(CI, early, **told)
        company.deploy(f"d-{name}", name.lower(), change_id=name, artifact=GOOD)
    assert company.found("D6", "D7", "D6-other", "d-D6") == set()
    assert company.found("d-D7") == {"linked-by-who-may-not"}


def test_what_is_promoted_was_verified_since_it_was_put_there(company: Company) -> None:
    company.approved("D8", "staging", "prod", artifacts=[GOOD, EVIL])
    company.deploy("d-d8", "d8", "staging", change_id="D8", artifact=GOOD)
    company.say(SCANNER, "deployment.verified", deployment_id="d-d8", **HEALTHY)
    asked = {"deployment_id": "d-d8", "service": "d8", "environment": "staging", "to_environment": "prod"}
    assert company.ask("promote", **asked) == "allow", company.against
    company.clock.pass_time(minutes=30)
    company.deploy("d-d8", "d8", "staging", change_id="D8", artifact=EVIL, attempt=2)
    assert company.ask("promote", **asked) == "insufficient_evidence", company.against


def test_nothing_is_gone_back_to_that_is_said_afterwards_to_have_run_there(company: Company) -> None:
    company.approved("D9")
    company.deploy("d-d9-1", "d9", change_id="D9")
    company.deploy("d-d9-2", "d9", change_id="D9", artifact=GOOD)
    about = {"deployment_id": "d-d9-2", "service": "d9", "environment": "prod"}
    company.say(ALICE, "rollback.decided", rollback_id="RB-9", **about, decision="roll_back", options=["back"])
    company.say(CI, "deployment.finished", deployment_id="d-d9-1", service="d9", environment="prod", artifact=EVIL,
        outcome="success")  # fmt: skip
    assert company.ask("rollback", **about, artifact=EVIL) == "insufficient_evidence", company.against
    company.approved("D10", artifacts=[GOOD])
    company.deploy("d-d10", "d10", change_id="D10", artifact=GOOD)
    about = {"rollback_id": "RB-10", "deployment_id": "d-d10", "service": "d10", "environment": "prod"}
    company.say(ALICE, "rollback.decided", **about, decision="roll_back", options=["back"])
    company.say(CI, "rollback.completed", **about, to_artifact=EVIL, outcome="success")
    company.clock.pass_time(days=2)
    company.open("D10-later")
    assert "rollback-not-carried-out" in company.found("RB-10")


# -- what was looked at ----------------------------------------------------------------------------------------------------


def scan(
    company: Company, who: str, name: str, service: str, place: str, commit: str, *found: Any, parts: int = 0
) -> None:
    told = {"scan": name, "series": f"{service}:{place}", "commit": commit, "service": service, "environment": place}
    company.say(who, "scan.completed", **told, tool="semgrep", executed=True, errors=max(len(found), parts), warnings=0, notes=0,
        results=list(found), parts=parts)  # fmt: skip


def test_a_clean_scan_of_ones_own_hides_nothing_that_the_scanner_found(company: Company) -> None:
    for name in ("C1", "C2"):
        company.approved(name, "prod-scan", artifacts=[GOOD], commits=[COMMIT])
    # Of another environment; and under another length of the hash.
    scan(company, SCANNER, "c1", "c1", "staging", COMMIT, FOUND)
    scan(company, CI, "c1-ci", "c1", "prod-scan", COMMIT)
    assert company.may_deploy("C1", "prod-scan", artifact=GOOD, commit=COMMIT) == "deny", company.against
    scan(company, SCANNER, "c2", "c2", "prod-scan", COMMIT, FOUND)
    scan(company, CI, "c2-ci", "c2", "prod-scan", COMMIT[:7])
    assert company.may_deploy("C2", "prod-scan", artifact=GOOD, commit=COMMIT[:7]) == "deny", company.against


def test_a_part_of_a_scan_is_told_by_who_told_the_scan(company: Company) -> None:
    company.approved("C3", "prod-scan", artifacts=[GOOD])
    told = {"scan": "c3", "series": "c3:prod-scan", "commit": OTHER, "part": 1, "parts": 1}
    company.say(CI, "scan.results_reported", **told, results=[FOUND | {"level": "note"}])
    scan(company, SCANNER, "c3", "c3", "prod-scan", OTHER, parts=1)
    assert company.may_deploy("C3", "prod-scan", artifact=GOOD, commit=OTHER) == "insufficient_evidence", (
        company.against
    )
    company.say(SCANNER, "scan.results_reported", **told, results=[FOUND])
    assert company.may_deploy("C3", "prod-scan", artifact=GOOD, commit=OTHER) == "deny", company.against


def test_who_finds_a_secret_or_sees_an_incident_first_ends_nothing_that_others_find(company: Company) -> None:
    company.approved("C4", "prod-secret", artifacts=[GOOD])
    secret = {"secret": "sha256:" + "5" * 64, "tool": "gitleaks", "rule": "aws-key", "service": "c4", "path": "a.py"}
    company.say(CI, "secret.detected", **secret)
    company.say(CI, "secret.rotated", secret=secret["secret"])
    assert company.may_deploy("C4", "prod-secret", artifact=GOOD) == "allow", company.against
    company.clock.pass_time(minutes=30)
    company.say(SCANNER, "secret.detected", **secret)
    assert company.may_deploy("C4", "prod-secret", artifact=GOOD) == "deny", company.against
    for who in (CI, SCANNER):
        company.say(who, "incident.detected", incident_id="INC-4", service="c4")
    company.say(CI, "incident.resolved", incident_id="INC-4")
    row = company.server.get("/v1/views/incidents/INC-4", params={"min_position": str(company.server.size())}).json()
    assert row["row"]["resolved_at"] is None


def test_a_plan_is_applied_where_its_change_is_for(company: Company) -> None:
    plan = "sha256:" + "7" * 64
    company.say(
        SCANNER, "iac.plan_produced", plan=plan, format_version="1.2", creates=0, updates=0, destroys=0, complete=True
    )
    company.approved("P1", "staging", plans=[plan])
    assert company.ask("apply", plan=plan, environment="prod", service="p1", change_id="P1") == "deny", company.against
    applied = company.say(CI, "iac.applied", plan=plan, environment="prod", change_id="P1", outcome="success")
    assert company.found(str(applied)) == {"unapproved-plan-applied"}


# -- what was asked for, and said ------------------------------------------------------------------------------------------


def test_a_pipeline_moves_no_date_that_others_set_and_speaks_for_nobody_who_would(company: Company) -> None:
    company.approved("R1", artifacts=[GOOD])
    company.deploy("d-r1", "r1", change_id="R1", artifact=GOOD)
    for name in ("R2", "R3"):
        company.open(name)
        company.say(DESK, "change.submitted", change_id=name, artifacts=[GOOD])
    soon, never = company.clock.now(hours=-2), "2099-01-01T00:00:00Z"
    asked = {
        "policy_id": "change-approval",
        "policy_version": "2",
        "rule": "normal",
        "quorum": 1,
        "required_roles": ["approver"],
    }
    company.say(CAROL, "pir.opened", pir_id="PIR-R1", change_id="R1", due_at=soon, mandatory=True)
    for actor in (CI, CAROL):
        company.say(CI, "pir.opened", actor=actor, pir_id="PIR-R1", change_id="R1", due_at=never, mandatory=True)
    company.say(DESK, "approval.requested", change_id="R2", **asked, due_at=soon)
    company.say(CI, "approval.requested", change_id="R2", **asked, due_at=never)
    company.say(DESK, "approval.requested", change_id="R3", **asked, due_at=soon)
    company.say(CI, "change.escalated", actor=CAROL, change_id="R3", to_role="cab")
    company.say(CAROL, "environment.readiness_promised", release_id="R-1", environment="stage-1", ready_by=soon)
    company.say(CI, "environment.readiness_promised", release_id="R-1", environment="stage-1", ready_by=never)
    company.clock.pass_time(hours=3)
    company.open("R4")
    assert company.found("PIR-R1") == {"review-overdue"}
    assert company.found("R2") == {"approval-overdue"} == company.found("R3")
    assert company.found("R-1#stage-1") == {"readiness-late"}


def test_a_pipeline_takes_the_place_of_no_choice_assessment_or_label_of_others(company: Company) -> None:
    company.approved("R5", artifacts=[GOOD])
    company.say(CAROL, "strategy.selected", service="r5", change_id="R5", strategy="canary")
    company.say(CI, "strategy.selected", service="r5", change_id="R5", strategy="recreate")
    company.say(
        CI, "deployment.started", deployment_id="d-r5", service="r5", environment="prod", change_id="R5", artifact=GOOD
    )
    company.say(CI, "rollout.observed", deployment_id="d-r5", service="r5", environment="prod", weight=100)
    assert company.found("d-r5") == {"strategy-not-kept"}
    for name in ("r6-user", "r6-other"):
        company.say(DESK, "dependency.declared", resource=name, depends_on="r6-db", shared=True)
    company.approved("R6", artifacts=[GOOD])
    assessed = {"change_id": "R6", "method": "by-hand"}
    company.say(
        CAROL, "change.impact_assessed", **assessed, targets=["r6-db"], dependents=[{"resource": "r6-user", "depth": 1}]
    )
    company.say(CI, "change.impact_assessed", **assessed, targets=["r6-none"], dependents=[])
    assert company.may_deploy("R6", artifact=GOOD) == "deny", company.against
    company.approved("R7", artifacts=[GOOD])
    company.say(CAROL, "pir.completed", pir_id="PIR-R7", change_id="R7", outcome="unsuccessful", rolled_back=False)
    company.say(SCANNER, "risk.outcome_labelled", change_id="R7", label="success")
    row = company.server.get("/v1/views/outcomes/R7", params={"min_position": str(company.server.size())}).json()
    assert row["row"]["label"] == "failure"
