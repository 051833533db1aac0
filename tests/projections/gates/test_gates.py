"""The gates: given these facts, this rule answers so. And whatever was answered comes out again."""

from typing import Any

import pytest
from changes import ARTIFACT, SCOPE, approve, assess, deploy, opened, publish, request, review
from telling import Story, at

from ledger.errors import NotFoundError
from projections.engine.asking import Looking
from projections.engine.skips import Skips
from projections.gates.asking import Decision, answer
from projections.gates.composition import GATES
from projections.judging.gate_rule import Question, strictest

WHERE = {"change_id": "CHG-7", "service": "api", "environment": "prod", "artifact": ARTIFACT, "actor": "service:ci"}


def define_trigger(story: Story) -> None:
    story.tell(
        "rollback.trigger_defined", actor="person:bob", trigger_id="T", version="1", service="api", environment="prod",
        metric="error_rate", comparator="gt", threshold="0.02", window_s=300, min_samples=10, mode="manual",
    )  # fmt: skip


def ready(kind: str = "normal", *settings: tuple[str, str, str]) -> Story:
    """A change that may be deployed."""
    story = opened(kind)
    publish(story, *settings)
    define_trigger(story)
    assess(story)
    request(story)
    approve(story)
    return story


def ask(story: Story, gate: str = "deploy", hours: float = 20, **more: Any) -> Decision:
    story.flush()
    question = Question(gate, at(hours), **{**WHERE, **more})
    return answer(question, Looking(story.folder.rows, Skips(story.log)), len(story.log))


def against(decision: Decision) -> dict[str, tuple[str, str]]:
    """The rules that do not allow, with verdict and reason."""
    return {a.rule: (a.verdict, a.reason) for a in decision.answers if a.verdict != "allow"}


# -- deploy -------------------------------------------------------------------------------------------------------------


def test_what_was_approved_may_be_deployed() -> None:
    decision = ask(ready())
    assert (decision.verdict, against(decision)) == ("allow", {})
    assert [a.rule for a in decision.answers] == [rule.name for rule in GATES["deploy"].rules]


def test_nothing_known_is_no_pass() -> None:
    decision = ask(Story())
    assert decision.verdict == "deny"
    assert against(decision) == {
        "policy-is-in-force": ("insufficient_evidence", "no-policy"),
        "change-may-start": ("insufficient_evidence", "no-change"),
        "change-is-approved": ("insufficient_evidence", "no-change"),
        "risk-comes-out-again": ("insufficient_evidence", "no-change"),
        "deployed-is-approved": ("insufficient_evidence", "no-scope"),
        "window-is-open": ("insufficient_evidence", "no-change"),
        "impact-is-covered": ("insufficient_evidence", "no-change"),
        "rollback-is-prepared": ("deny", "no-trigger"),
    }


@pytest.mark.parametrize("gate", GATES)
def test_no_gate_allows_an_empty_question(gate: str) -> None:
    blank = dict.fromkeys(("change_id", "deployment_id", "service", "environment", "artifact", "actor"))
    assert ask(ready(), gate, **blank).verdict != "allow"


def test_no_rule_at_all_is_no_pass() -> None:
    with pytest.raises(ValueError, match="empty"):
        strictest([])
    with pytest.raises(NotFoundError, match="there are approve, deploy"):
        ask(Story(), "launch")


def test_a_missing_approval_is_asked_for_and_says_which_do_not_count() -> None:
    story = ready("normal", ("quorum", "low", "2"))
    approve(story, "person:alice")
    decision = ask(story)
    assert against(decision)["change-is-approved"] == ("needs_approval", "quorum")
    words = next(a.words for a in decision.answers if a.rule == "change-is-approved")
    assert words == "1 approval(s) missing; do not count: person:alice: S1: person:alice is the author"


def test_a_role_that_the_policy_asks_for_has_to_have_been_asked_for() -> None:
    story = ready("normal", ("required-role", "low", "security"))
    assert against(ask(story)) == {"change-is-approved": ("needs_approval", "role")}


def test_an_amended_scope_voids_the_approval_at_the_gate() -> None:
    story = ready()
    story.tell("change.scope_amended", actor="person:alice", change_id="CHG-7", scope_digest="sha256:" + "2" * 64,
        previous_digest=SCOPE, artifacts=[ARTIFACT])  # fmt: skip
    found = against(ask(story))
    assert found["change-may-start"] == ("insufficient_evidence", "draft")
    assert found["change-is-approved"] == ("needs_approval", "quorum")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"artifact": "sha256:" + "b" * 64}, ("deny", "other-artifact")),
        ({"artifact": None}, ("insufficient_evidence", "not-said")),
        ({"service": "web"}, ("deny", "other-service")),
        ({"environment": "staging"}, ("deny", "other-environment")),
    ],
)
def test_only_what_was_approved_may_be_deployed(more: dict[str, Any], reason: tuple[str, str]) -> None:
    assert against(ask(ready(), **more))["deployed-is-approved"] == reason


@pytest.mark.parametrize(("hours", "verdict"), [(29.9, "deny"), (30, "allow"), (40, "allow"), (40.1, "deny")])
def test_the_window_is_kept(hours: float, verdict: str) -> None:
    story = ready()
    story.tell("change.scheduled", actor="person:alice", change_id="CHG-7", planned_start=at(30), planned_end=at(40))
    assert ask(story, hours=hours).verdict == verdict


def depend(story: Story, resource: str, on: str = "db", kind: str = "declared", **more: Any) -> None:
    story.tell(f"dependency.{kind}", actor="person:ann", resource=resource, depends_on=on, **more)


def assess_impact(story: Story, *dependents: str) -> None:
    story.tell(
        "change.impact_assessed", actor="person:alice", change_id="CHG-7", targets=["db"], method="graph",
        dependents=[{"resource": name, "depth": 1} for name in dependents],
    )  # fmt: skip


def test_all_that_depends_on_what_is_shared_has_to_be_assessed_directly_or_not() -> None:
    story = ready()
    depend(story, "api", shared=True)
    depend(story, "web", "api", shared=False)
    assert ask(story).verdict == "allow"
    assess_impact(story, "api")
    assert against(ask(story)) == {"impact-is-covered": ("deny", "not-covered")}
    assess_impact(story, "api", "web")
    assert ask(story).verdict == "allow"
    depend(story, "mail", shared=False)
    assert against(ask(story)) == {"impact-is-covered": ("deny", "not-covered")}
    depend(story, "mail", kind="removed")
    assert ask(story).verdict == "allow"


def test_a_policy_may_ask_for_an_impact_assessment() -> None:
    story = ready("normal", ("impact-assessment", "normal", "required"))
    assert against(ask(story)) == {"impact-is-covered": ("insufficient_evidence", "not-assessed")}
    assess_impact(story)
    assert ask(story).verdict == "allow"


def freeze(story: Story, **more: Any) -> None:
    data = {"environments": ["prod"], "start": at(10), "end": at(50), "time_zone": "UTC"} | more
    story.tell("freeze.declared", actor="person:frank", freeze_id="F", **data)


def let_through(story: Story, requester: str = "person:alice", until: float = 40) -> None:
    story.tell(
        "freeze.override_granted", actor="person:frank", freeze_id="F", change_id="CHG-7", requester=requester,
        expires_at=at(until), reason={"sha256": "0" * 64},
    )  # fmt: skip


def test_a_freeze_holds_unless_somebody_else_let_this_change_through() -> None:
    story = ready()
    freeze(story)
    assert against(ask(story)) == {"no-freeze-holds": ("deny", "frozen")}
    let_through(story, requester="person:frank")
    assert against(ask(story)) == {"no-freeze-holds": ("deny", "frozen")}
    let_through(story, until=30)
    assert ask(story).verdict == "allow"
    assert against(ask(story, hours=31)) == {"no-freeze-holds": ("deny", "frozen")}
    story.tell("freeze.lifted", actor="person:frank", freeze_id="F")
    assert ask(story, hours=31).verdict == "allow"


@pytest.mark.parametrize(
    "more",
    [{"exempt_types": ["normal"]}, {"services": ["web"]}, {"environments": ["staging"]}, {"end": at(15)}],
)
def test_a_freeze_of_something_else_does_not_hold(more: dict[str, Any]) -> None:
    story = ready()
    freeze(story, **more)
    assert ask(story).verdict == "allow"


def test_who_approved_does_not_deploy() -> None:
    assert against(ask(ready(), actor="person:bob")) == {"deployer-is-allowed": ("deny", "S2")}


def test_a_deployer_holds_the_role_that_the_policy_asks_for() -> None:
    story = ready("normal", ("deployer-role", "prod", "deployer"))
    assert against(ask(story)) == {"deployer-is-allowed": ("deny", "no-grant")}
    story.tell("access.granted", actor="person:olga", grant_id="GR-9", principal="service:ci", principal_kind="service",
        role="deployer", environment="prod", expires_at=at(22))  # fmt: skip
    assert ask(story).verdict == "allow"
    assert against(ask(story, hours=22)) == {"deployer-is-allowed": ("deny", "no-grant")}


def test_a_score_that_does_not_come_out_again_is_no_evidence() -> None:
    story = ready()
    story.tell("risk.assessed", change_id="CHG-7", model_id="m", version="1", model_digest="sha256:" + "2" * 64,
        score="0.5", band="low", features=[{"name": "criticality", "value": "1"}])  # fmt: skip
    assert against(ask(story)) == {"risk-comes-out-again": ("insufficient_evidence", "not-reproducible")}


def test_an_emergency_may_start_with_one_approval() -> None:
    story = opened("emergency")
    publish(story, ("quorum", "any", "2"))
    define_trigger(story)
    assert against(ask(story))["change-is-approved"] == ("needs_approval", "quorum")
    request(story, quorum=2)
    approve(story)
    assert ask(story).verdict == "allow"


# -- the others ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actor", "found"),
    [
        ("person:carol", {}),
        ("person:alice", {"approval-would-count": ("deny", "S1")}),
        ("person:zoe", {"approval-would-count": ("deny", "S5")}),
        ("service:bot", {"approval-would-count": ("deny", "S4")}),
    ],
)
def test_an_approver_may_ask_beforehand(actor: str, found: dict[str, Any]) -> None:
    assert against(ask(ready(), "approve", actor=actor)) == found


def deployed(story: Story, **more: Any) -> Story:
    deploy(story, **more)
    return story


def verify(story: Story, verdict: str) -> None:
    checks = [{"name": "probe", "passed": verdict == "healthy", "observations": 3}]
    story.tell("deployment.verified", deployment_id="d-1", verdict=verdict, checks=checks)


def test_what_is_healthy_may_be_promoted() -> None:
    story = deployed(ready())
    q = {"deployment_id": "d-1", "to_environment": "prod", "environment": "staging"}
    assert against(ask(story, "promote", **q)) == {"deployment-is-healthy": ("insufficient_evidence", "not-verified")}
    verify(story, "degraded")
    assert against(ask(story, "promote", **q)) == {"deployment-is-healthy": ("deny", "degraded")}
    verify(story, "healthy")
    assert ask(story, "promote", **q).verdict == "allow"
    story.tell("incident.attributed", incident_id="INC-1", method="m", method_version="1", deployment_id="d-1",
        confirmed=True)  # fmt: skip
    assert against(ask(story, "promote", **q)) == {"deployment-held": ("deny", "incident")}


def test_a_rollback_needs_a_decision_and_a_place_to_go_back_to() -> None:
    old, new = "sha256:" + "c" * 64, ARTIFACT
    story = ready()
    deploy(story, "d-0", change=None, artifact=old)
    deploy(story, artifact=new)
    q = {"deployment_id": "d-1"}
    assert against(ask(story, "rollback", **q, artifact="sha256:" + "f" * 64)) == {
        "rollback-is-decided": ("needs_approval", "not-decided"),
        "target-was-deployed-before": ("insufficient_evidence", "unknown-artifact"),
    }
    undo = {"rollback_id": "R", "deployment_id": "d-1", "service": "api", "environment": "prod"}
    story.tell("rollback.decided", actor="person:bob", **undo, decision="roll_back", options=["roll_back"])
    assert against(ask(story, "rollback", **q)) == {"target-was-deployed-before": ("deny", "same-artifact")}
    assert ask(story, "rollback", **q, artifact=old).verdict == "allow"
    story.tell("rollback.completed", **undo, outcome="success")
    assert against(ask(story, "rollback", **q, artifact=old)) == {"deployment-can-be-undone": ("deny", "rolled-back")}


def test_a_change_is_closed_when_its_review_is_done_and_its_time_is_over() -> None:
    story = deployed(ready("normal", ("observation-hours", "any", "24")))
    story.tell("pir.opened", actor="person:frank", pir_id="PIR-7", change_id="CHG-7", due_at=at(90), mandatory=True)
    assert against(ask(story, "close", hours=30)) == {
        "change-waits-for-its-end": ("insufficient_evidence", "being-watched"),
        "review-is-done": ("insufficient_evidence", "review-open"),
    }
    review(story)
    assert ask(story, "close", hours=60).verdict == "allow"


def test_an_open_incident_keeps_a_change_open() -> None:
    story = deployed(ready())
    story.tell("incident.opened", actor="person:bob", incident_id="INC-1", service="api", severity="sev2")
    story.tell("incident.attributed", incident_id="INC-1", method="m", method_version="1", deployment_id="d-1",
        confirmed=True)  # fmt: skip
    review(story)
    assert against(ask(story, "close", hours=60)) == {"incidents-are-over": ("deny", "incident-open")}
    story.tell("incident.resolved", incident_id="INC-1")
    assert ask(story, "close", hours=60).verdict == "allow"


# -- what an answer rests on --------------------------------------------------------------------------------------------


def test_an_answer_names_what_would_change_it_and_nothing_else() -> None:
    story = ready()
    story.flush()
    looking = Looking(story.folder.rows, Skips(story.log), but=("gate.decided",))
    answer(Question("deploy", at(20), **WHERE), looking, len(story.log))

    def would_change(event_type: str, *refs: str) -> bool:
        return any(match.fits(event_type, refs) for match in looking.matches)

    assert would_change("approval.withdrawn", "change:CHG-7")
    assert would_change("freeze.declared", "environment:prod", "freeze:F")
    assert would_change("policy.approved", "policy:change-approval")
    assert would_change("statement.withdrawn")
    assert not would_change("deployment.finished", "environment:prod", "service:api")
    assert not would_change("approval.granted", "change:CHG-8")
    assert not would_change("gate.decided", "change:CHG-7", "environment:prod")
