"""Made-up histories for all views: a few people and rows, about which everything is said that views fold."""

from typing import Any

from hypothesis import strategies as st
from telling import Story, at

from projections.readings.people.policies import POLICY

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
NOTE = {"sha256": "c" * 64}
WHO = {"grant_id": "GR-1", "principal": "person:paul"}


LIMITS = ("access-review-days", "dormant-after-days", "rotate-within-days", "escalate-after-hours")


def grant(story: Story, **more: Any) -> int:
    data = {"actor": "person:olga", "principal_kind": "human", "role": "deployer", "environment": "prod"}
    return story.tell("access.granted", **data | WHO | more)


def publish(story: Story, by: str = "person:olga", digest: str = DIGEST, version: str = "1") -> int:
    asked = ("quorum", *LIMITS, *(("deployer-role", "required-role", "reviewed-branch") if version == "1" else ()))
    settings = [{"name": name, "applies_to": "any", "value": "1"} for name in asked]
    return story.tell(
        "policy.published", actor=by, policy_id=POLICY, version=version, policy_digest=digest, settings=settings
    )


def approve(
    story: Story, by: str = "person:oscar", digest: str = DIGEST, version: str = "1", time: str | None = None
) -> int:
    about = {"policy_id": POLICY, "version": version, "policy_digest": digest}
    return story.tell("policy.approved", actor=by, time=time, **about)


def deploy(story: Story, **more: Any) -> None:
    data = {"deployment_id": "d-1", "service": "api", "environment": "prod"} | more
    story.tell("deployment.started", actor="service:ci", **data, artifact=DIGEST)
    story.tell("deployment.finished", **data, outcome="success")


IDS = st.sampled_from(["GR-1", "GR-2", "d-1", "d-2"])
CHANGES = st.sampled_from(["CHG-1", "CHG-2"])
TYPES = st.sampled_from(["normal", "standard", "emergency"])
DIGESTS = st.sampled_from([DIGEST, OTHER])
PEOPLE = st.sampled_from(["person:olga", "person:oscar", "github:1"])


RESOURCES = st.sampled_from(["db", "api", "web"])
COMMITS = st.sampled_from(["a" * 40, "b" * 40])
HOURS = st.integers(0, 30)
ONE = {"name": "x", "value": "1"}


def model(draw: st.DrawFn) -> dict[str, str]:
    return {"model_id": "m", "version": draw(st.sampled_from("12")), "model_digest": draw(DIGESTS)}


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A made-up history in which everything that views fold meets in few rows."""
    story = Story()
    for _ in range(draw(st.integers(1, 25))):
        number, who = draw(IDS), draw(PEOPLE)
        match draw(st.integers(0, 28)):
            case 0:
                grant(story, grant_id=number, principal=who, principal_kind=draw(st.sampled_from(["human", "service"])))
            case 1:
                story.tell("access.revoked", actor=who, grant_id=number, principal=who)
            case 2:
                if draw(st.booleans()):
                    story.tell("access.used", grant_id=number, principal=who, purpose="x")
                else:
                    story.tell("access.rotated", actor=who, grant_id=number, principal=who)
            case 3:
                publish(story, by=who, version=draw(st.sampled_from("12")))
            case 4:
                late = draw(st.booleans())
                approve(story, by=who, version=draw(st.sampled_from("12")), time=at(draw(HOURS)) if late else None)
            case 5:
                story.tell("identity.linked", actor=who, identities=[who, draw(PEOPLE)], evidence="x")
            case 6:
                deploy(story, deployment_id=number)
            case 7:
                story.tell("change.linked", actor=who, change_id="CHG-1", deployment_id=number)
            case 8:
                story.tell(
                    "change.opened", actor=who, change_id=draw(CHANGES), change_type=draw(TYPES), services=["api"],
                    environment="prod", template_id="T", title=NOTE,
                )  # fmt: skip
            case 9:
                story.tell(
                    "change.submitted", actor=who, change_id=draw(CHANGES), scope_digest=draw(DIGESTS),
                    artifacts=[DIGEST],
                )  # fmt: skip
            case 10:
                story.tell("approval.granted", actor=who, change_id=draw(CHANGES), scope_digest=draw(DIGESTS), by=who)
            case 11:
                change, label = draw(CHANGES), draw(st.sampled_from(["success", "failure"]))
                story.tell("risk.outcome_labelled", actor=who, change_id=change, label=label)
            case 12:
                story.tell(
                    "pir.completed", actor=who, pir_id="P", change_id=draw(CHANGES), outcome="backed_out",
                    rolled_back=True,
                )  # fmt: skip
            case 13:
                story.tell("template.approved", actor=who, template_id="T", expires_at=at(20), failure_limit=0)
            case 14:
                story.tell(
                    "risk.model_published", actor=who, **model(draw), form="weighted_points", features_version="1",
                    parameters=[ONE, {"name": "scale", "value": "2"}], bands=[ONE],
                )  # fmt: skip
            case 15:
                story.tell("risk.model_approved", actor=who, **model(draw))
            case 16:
                story.tell("risk.assessed", change_id=draw(CHANGES), **model(draw), features=[ONE], score="1", band="x")
            case 17:
                story.tell(
                    "freeze.declared", actor=who, freeze_id="F", environments=["prod"], start=at(draw(HOURS)), end=at(20),
                    time_zone="UTC",
                )  # fmt: skip
            case 18:
                start = draw(HOURS)
                story.tell(
                    "change.scheduled", actor=who, change_id=draw(CHANGES), planned_start=at(start),
                    planned_end=at(start + 3),
                )  # fmt: skip
            case 19:
                story.tell(
                    "pir.opened", actor=who, pir_id="P", change_id=draw(CHANGES), due_at=at(draw(HOURS)), mandatory=True
                )
            case 20:
                story.tell(
                    "access_review.opened", actor=who, review_id="Q", population_digest=DIGEST, population_count=1,
                    due_at=at(draw(HOURS)),
                )  # fmt: skip
                story.tell(
                    "access_review.item_decided", actor=who, review_id="Q", grant_id=number, principal=draw(PEOPLE),
                    decision=draw(st.sampled_from(["keep", "revoke"])),
                )  # fmt: skip
            case 21:
                where = {"rollback_id": "R", "deployment_id": number, "service": "api", "environment": "prod"}
                if draw(st.booleans()):
                    story.tell("rollback.decided", actor=who, **where, decision="roll_back", options=["x"])
                else:
                    story.tell("rollback.completed", **where, outcome="success")
            case 22:
                late = at(draw(HOURS))
                where = {"trigger_id": "T", "version": "1", "service": "api", "deployment_id": number}
                story.tell("rollback.trigger_fired", time=late, **where, measured="1", samples=1)
            case 23:
                about = {"incident_id": draw(st.sampled_from(["I-1", "I-2"])), "service": "api"}
                match draw(st.integers(0, 2)):
                    case 0:
                        story.tell("incident.opened", actor=who, **about, severity="sev2")
                    case 1:
                        story.tell("incident.resolved", **about)
                    case 2:
                        blame = {"method": "m", "method_version": "1", "deployment_id": number}
                        story.tell("incident.attributed", **about, **blame, confirmed=draw(st.booleans()))
            case 24:
                kind = draw(st.sampled_from(["declared", "removed"]))
                shared = {"shared": draw(st.booleans())} if kind == "declared" else {}
                pair = {"resource": draw(RESOURCES), "depends_on": draw(RESOURCES)}
                story.tell(f"dependency.{kind}", actor=who, **pair, **shared)
            case 25:
                story.tell(
                    "change.impact_assessed", actor=who, change_id=draw(CHANGES), targets=[draw(RESOURCES)], method="m",
                    dependents=[{"resource": draw(RESOURCES), "depth": 1}],
                )  # fmt: skip
            case 26:
                pull = {"repository": "a/b", "pull_request": draw(st.integers(1, 2))}
                review = {"review_id": draw(st.sampled_from("12")), "commit": draw(COMMITS)}
                match draw(st.integers(0, 3)):
                    case 0:
                        story.tell("code.proposed", **pull, head_sha=draw(COMMITS), authors=[who])
                    case 1:
                        verdict = draw(st.sampled_from(["approved", "changes_requested"]))
                        story.tell("code_review.submitted", actor=who, **pull, **review, verdict=verdict)
                    case 2:
                        story.tell("code_review.dismissed", actor=who, **pull, **review, reviewer=draw(PEOPLE))
                    case 3:
                        branch = {"branch": draw(st.sampled_from("1x"))} if draw(st.booleans()) else {}
                        story.tell("code.merged", actor=who, **pull, head_sha=draw(COMMITS), **branch)
            case 27:
                about = {"actor": who, "change_id": draw(CHANGES)}
                if draw(st.booleans()):
                    story.tell("advisory.issued", **about, verdict="reject", reasons=["x"])
                else:
                    told = draw(st.integers(1, len(story.log) + 1))
                    story.tell("advisory.overridden", **about, advisory=told, reason=NOTE)
            case 28 if len(story.log):
                story.tell("statement.withdrawn", actor=who, position=draw(st.integers(1, len(story.log))), reason="x")
    return story.documents()
