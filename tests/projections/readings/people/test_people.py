"""Access, identities, policies, freezes and deployments: given these facts, a row says this."""

import pytest
from people import DIGEST, NOTE, OTHER, WHO, approve, deploy, grant, publish
from telling import Story, at

from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.freezes import freezes
from projections.readings.people.credentials import credentials
from projections.readings.people.grants import access_grants
from projections.readings.people.identities import are_same, identities
from projections.readings.people.policies import POLICY, in_force, policies
from projections.readings.people.sources import sources_of

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


# -- credentials and sources --------------------------------------------------------------------------------------------


def test_a_credential_tells_whose_it_is_and_where_it_ended() -> None:
    story = Story()
    issued = story.tell(
        "ledger.credential_issued", actor="person:olga", credential="token:x", principal="person:eve", kind="human",
        roles=["reporter"], areas=["*"], sources=["*"], token_sha256="0" * 64,
    )  # fmt: skip
    ended = story.tell(
        "ledger.credential_revoked", actor="person:olga", credential="token:x", reason="leaked", from_position=issued
    )
    row = story.row(credentials, "token:x")
    assert (row.principal, row.kind, row.roles, row.position) == ("person:eve", "human", ("reporter",), issued)
    assert (row.revoked_position, row.distrusted_from) == (ended, issued)


def test_a_source_that_is_enrolled_again_was_an_authority_for_others_before() -> None:
    story = Story()
    told = {"source": "test", "door": "events", "principal": "service:desk", "must_sign": False}
    for known in (["person:*"], ["github:*"]):
        story.tell("ledger.source_enrolled", actor="person:olga", **told, authority_for=known)
        story.tell("ledger.source_retired", actor="person:olga", source="test", door="events")
    story.flush()
    found = [sources_of(story.folder.rows, "service:desk", position) for position in (1, 2, 3, 4, 5)]
    assert found == [[], [("test", ("person:*",))], [], [("test", ("github:*",))], []]


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


def test_one_person_alone_approves_their_own_policy_until_somebody_else_is_an_operator() -> None:
    alone = [{"name": "people", "applies_to": "any", "value": "one"}]
    about = {"policy_id": POLICY, "policy_digest": DIGEST, "actor": "person:olga"}

    def operator(story: Story, name: str) -> int:
        return story.tell("ledger.credential_issued", actor="person:root", credential=f"token:{name}", roles=["operator"],
            principal=f"person:{name}", kind="human", areas=["policy"], sources=["*"], token_sha256="0" * 64)  # fmt: skip

    story = Story()
    operator(story, "olga")
    for version, others, counts in (("1", (), True), ("2", ("oscar",), False)):
        story.tell("policy.published", **about, version=version, settings=alone)
        for name in others:
            operator(story, name)
        position = story.tell("policy.approved", **about, version=version)
        row = story.row(policies, POLICY)
        assert (row.versions[-1].approved_position == position) is counts
    # What was put into force before stays so; and an operator who is gone was there then.
    assert in_force(story.folder.rows, at(90)).version == "1"
    assert in_force(story.folder.rows, at(90)).is_of_one
    story.tell("ledger.credential_revoked", actor="person:olga", credential="token:oscar", reason="left")
    assert in_force(story.folder.rows, at(90)).version == "1"
    story.tell("policy.approved", **about, version="2")
    assert in_force(story.folder.rows, at(90)).version == "2"


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
    assert [(o.change_id, o.requester, o.said.actor) for o in row.overrides] == [
        ("CHG-7", "person:paul", "person:frank")
    ]
    assert row.lifted_at == at(3)


def test_a_freeze_shows_by_what_it_is_told_and_when_it_recurs() -> None:
    story = Story()
    story.tell(
        "freeze.declared", actor="person:frank", freeze_id="weekends", tiers=["production"], patterns=["prod-*"],
        tenants=["acme"], regions=["eu-west-1"], start="2026-03-06T17:00:00Z", end="2026-03-09T06:00:00Z",
        time_zone="Europe/Berlin", recurs="FREQ=WEEKLY;BYDAY=FR", except_at=["2026-03-13T17:00:00Z"],
    )  # fmt: skip
    row = story.row(freezes, "weekends")
    assert (row.environments, row.tiers, row.patterns) == ((), ("production",), ("prod-*",))
    assert (row.tenants, row.regions) == (("acme",), ("eu-west-1",))
    assert (row.time_zone, row.recurs) == ("Europe/Berlin", "FREQ=WEEKLY;BYDAY=FR")
    assert row.except_at == ("2026-03-13T17:00:00Z",)


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
