"""The readings: given these facts, a row says this. And for all of them: live is rebuilt, in whatever batches."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telling import Story, at, retold

from projections import VIEWS
from projections.engine import standing
from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.freezes import freezes
from projections.readings.people.grants import access_grants
from projections.readings.people.identities import are_same, identities
from projections.readings.people.policies import POLICY, policies

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


# -- access ------------------------------------------------------------------------------------------------------------


def test_a_grant_tells_its_life_from_beginning_to_end() -> None:
    story = Story()
    begun = grant(story, expires_at="2026-12-01T00:00:00Z")
    story.tell("access.used", **WHO, environment="prod", purpose="deployment")
    decided = story.tell("access_review.item_decided", actor="person:ann", review_id="Q1", decision="revoke", **WHO)
    ended = story.tell("access.revoked", actor="person:olga", **WHO)
    row = story.row(access_grants, "GR-1")
    assert (row.granted_by, row.granted_position, row.expires_at) == (
        "person:olga",
        begun,
        "2026-12-01T00:00:00.000000Z",
    )
    assert (row.uses, row.last_used_at) == (1, at(2))
    assert [(d.reviewer, d.decision, d.position) for d in row.decisions] == [("person:ann", "revoke", decided)]
    assert (row.revoked_by, row.revoked_at, row.revoked_position) == ("person:olga", at(4), ended)


def test_a_revocation_of_a_grant_that_nobody_saw_is_a_row_all_the_same() -> None:
    story = Story()
    story.tell("access.revoked", actor="person:olga", **WHO)
    assert story.row(access_grants, "GR-1").principal == "person:paul"


# -- identities and policies -------------------------------------------------------------------------------------------


def test_links_are_followed_from_login_to_login() -> None:
    story = Story()
    for pair in (["person:bob", "github:583231"], ["github:583231", "gitlab:77"]):
        story.tell("identity.linked", actor="person:olga", identities=pair, evidence="hr-directory")
    assert are_same(story.folder.rows, "person:bob", "gitlab:77")
    assert are_same(story.folder.rows, "person:bob", "person:bob")
    assert not are_same(story.folder.rows, "person:bob", "person:alice")
    assert [link.identity for link in story.row(identities, "github:583231").links] == ["person:bob", "gitlab:77"]


def test_a_policy_is_in_force_when_somebody_else_approved_the_very_text() -> None:
    story = Story()
    publish(story)
    approve(story, digest=OTHER)
    assert story.row(policies, POLICY).in_force is None
    approve(story, by="person:olga")
    assert story.row(policies, POLICY).in_force is None
    position = approve(story)
    row = story.row(policies, POLICY)
    assert (row.in_force, row.versions[0].approved_position) == ("1", position)


def test_another_login_of_the_author_does_not_put_a_policy_into_force() -> None:
    story = Story()
    story.tell("identity.linked", actor="person:ann", identities=["person:olga", "github:1"], evidence="hr-directory")
    publish(story)
    approve(story, by="github:1")
    assert story.row(policies, POLICY).in_force is None


# -- freezes and deployments -------------------------------------------------------------------------------------------


def test_a_freeze_shows_that_it_was_declared_after_it_had_begun() -> None:
    story = Story()
    story.tell(
        "freeze.declared", actor="person:frank", freeze_id="peak", environments=["prod"], start="2026-03-01T00:00:00Z",
        end="2026-03-08T00:00:00Z", time_zone="UTC", exempt_types=["emergency"],
    )  # fmt: skip
    story.tell(
        "freeze.override_granted", actor="person:frank", freeze_id="peak", change_id="CHG-7", requester="person:paul",
        expires_at="2026-03-03T00:00:00Z", reason=NOTE,
    )  # fmt: skip
    story.tell("freeze.lifted", actor="person:frank", freeze_id="peak")
    row = story.row(freezes, "peak")
    assert row.recorded_at > row.start_at
    assert [(o.change_id, o.requester, o.granted_by) for o in row.overrides] == [
        ("CHG-7", "person:paul", "person:frank")
    ]
    assert row.lifted_at == at(3)


def deploy(story: Story, **more: Any) -> None:
    data = {"deployment_id": "d-1", "service": "api", "environment": "prod"} | more
    story.tell("deployment.started", actor="service:ci", **data, artifact=DIGEST)
    story.tell("deployment.finished", **data, outcome="success")


def test_a_deployment_without_a_change_is_linked_afterwards() -> None:
    story = Story()
    deploy(story)
    assert story.row(deployments, "d-1").change_id is None
    story.tell("change.linked", actor="person:ann", change_id="CHG-7", deployment_id="d-1")
    row = story.row(deployments, "d-1")
    assert (row.change_id, row.linked_by, row.outcome, row.positions) == ("CHG-7", "link", "success", (1, 2, 3))


def test_the_success_of_a_job_is_not_yet_that_of_the_deployment() -> None:
    story = Story()
    deploy(story, change_id="CHG-7")
    where = {"deployment_id": "d-1", "service": "api", "environment": "prod"}
    blame = {"incident_id": "INC-1", "method": "labels", "method_version": "1"} | where
    story.tell("incident.attributed", **blame | {"incident_id": "INC-0"}, confirmed=False)
    story.tell("incident.attributed", **blame, confirmed=True)
    story.tell("rollback.decided", actor="person:ann", rollback_id="R", decision="roll_back", options=["x"], **where)
    story.tell("rollback.completed", rollback_id="R", outcome="success", **where)
    row = story.row(deployments, "d-1")
    assert (row.outcome, row.incidents, row.rolled_back_at) == ("success", ("INC-1",), at(6))
    assert row.linked_by == "id"


# -- time travel and statements taken back -----------------------------------------------------------------------------


def test_a_row_is_had_as_it_stood_and_as_it_was_known() -> None:
    story = Story()
    grant(story)
    # Recorded at the fourth hour, about the second.
    story.tell("access.used", **WHO, purpose="x")
    story.tell("access.used", **WHO, purpose="x")
    story.tell("access.revoked", actor="person:olga", **WHO, time=at(1.5))
    assert story.row_as_of(access_grants, "GR-1", 1).uses == 0
    assert story.row_as_of(access_grants, "GR-1", 3).revoked_at is None
    assert story.row_as_of(access_grants, "GR-1", 4).revoked_at == at(1.5)
    # What had happened by 1.7, as is known now, and as was known at position 3.
    now = story.row_as_of(access_grants, "GR-1", 4, until=at(1.7))
    assert (now.revoked_at, now.uses) == (at(1.5), 0)
    assert story.row_as_of(access_grants, "GR-1", 3, until=at(1.7)).revoked_at is None


def test_a_statement_that_was_taken_back_counts_up_to_there_and_no_further() -> None:
    story = Story()
    grant(story)
    wrong = story.tell("access.revoked", actor="person:olga", **WHO)
    story.tell("access.used", **WHO, purpose="x")
    taken_back = story.tell("statement.withdrawn", actor="service:desk", position=wrong, reason="wrong-grant")
    row = story.row(access_grants, "GR-1")
    assert (row.revoked_at, row.uses) == (None, 1)
    assert story.row_as_of(access_grants, "GR-1", taken_back - 1).revoked_at is not None
    assert story.row_as_of(access_grants, "GR-1", taken_back) == row


def test_a_row_whose_only_statement_was_taken_back_is_gone() -> None:
    story = Story()
    position = grant(story)
    story.tell("statement.withdrawn", actor="service:desk", position=position, reason="never-granted")
    assert story.row(access_grants, "GR-1") is None
    assert story.row_as_of(access_grants, "GR-1", position) is not None


@pytest.mark.parametrize(("roles", "counts"), [(["operator"], True), (["reporter"], False)])
def test_only_the_principal_or_an_operator_takes_a_statement_back(roles: list[str], counts: bool) -> None:
    story = Story()
    story.tell(
        "ledger.credential_issued", actor="person:olga", credential="token:x", principal="person:eve", kind="human",
        roles=roles, areas=["*"], sources=["*"], token_sha256="0" * 64,
    )  # fmt: skip
    position = grant(story)
    story.tell(
        "statement.withdrawn", actor="person:eve", position=position, reason="x", by="person:eve", token="token:x"
    )
    assert (story.row(access_grants, "GR-1") is None) is counts


# -- for all views -----------------------------------------------------------------------------------------------------

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


@settings(deadline=None)
@given(histories(), st.integers(2, 30))
def test_any_batch_size_gives_the_same_rows_and_every_row_is_its_own_past(
    told: list[dict[str, Any]], batch: int
) -> None:
    live, rebuilt = retold(told, batch=1), retold(told, batch=batch)
    assert not live.folder.failures
    assert live.digests() == rebuilt.digests()
    for view in VIEWS:
        for text in live.store.texts(view):
            row = view.load(text)
            assert live.row_as_of(view, getattr(row, view.key), len(told)) == row


@settings(deadline=None, max_examples=60)
@given(histories(), st.integers(1, 5), st.integers(0, 4))
def test_what_is_kept_between_batches_makes_no_difference(told: list[dict[str, Any]], batch: int, kept: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(standing, "MAX_CACHED", kept)
        patched.setattr(standing, "MAX_BEGUN", kept)
        forgetful = retold(told, batch=batch)
    assert forgetful.digests() == retold(told, batch=batch).digests()


@settings(deadline=None, max_examples=40)
@given(histories())
def test_a_row_as_of_a_position_is_what_stood_there_then(told: list[dict[str, Any]]) -> None:
    live = retold(told, batch=1)
    for position in range(1, len(told) + 1):
        then = retold(told[:position], batch=1)
        for view in VIEWS:
            for text in then.store.texts(view):
                row = view.load(text)
                assert live.row_as_of(view, getattr(row, view.key), position) == row
