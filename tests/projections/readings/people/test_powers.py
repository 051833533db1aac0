"""Powers by grants: which grants count, who is a human, and from when a policy says who may."""

import pytest
from changes import found, pass_time, publish
from people import DIGEST
from telling import Story, at

from projections.readings.people.policies import in_force
from projections.readings.people.powers import kind_of
from projections.readings.people.roles import roles_of

WHO = {"principal_kind": "human"}


def give(story: Story, by: str, to: str, role: str, number: int = 1, **more: object) -> int:
    """Let somebody give somebody a role, by a credential of their own."""
    named = {"grant_id": f"{to.rpartition(':')[2]}-{role}-{number}", "principal": to, "role": role}
    return story.tell("access.granted", actor=by, by=by, **WHO | named | more)


def with_granters() -> Story:
    """A company whose policy lets granters grant. The operators made oscar one."""
    story = Story()
    publish(story, ("role-for", "access.granted", "granter"), ("role-for", "access.revoked", "granter"))
    story.tell("access.granted", actor="person:olga", grant_id="root", principal="person:oscar", role="granter", **WHO)
    return story


def roles(story: Story, who: str, hour: float | None = None) -> set[str]:
    story.flush()
    return set(roles_of(story.folder.rows, who, at(hour) if hour is not None else at(10**4)))


def test_power_is_passed_on_by_who_holds_it() -> None:
    story = with_granters()
    give(story, "person:oscar", "person:ann", "granter")
    give(story, "person:ann", "person:bob", "approver")
    assert roles(story, "person:bob") == {"approver"}
    assert found(story) == {}


def test_nobody_without_the_power_gives_anything() -> None:
    story = with_granters()
    position = give(story, "person:mallory", "person:bob", "approver")
    assert roles(story, "person:bob") == set()
    assert found(story) == {"without-power": [str(position)]}


def test_nobody_gives_themselves_power_under_any_login_and_letter_case_makes_no_other_person() -> None:
    for to in ("person:oscar", "github:7", "person:Oscar"):
        story = with_granters()
        story.tell("identity.linked", actor="person:olga", identities=["person:oscar", "github:7"], evidence="hr")
        give(story, "person:oscar", to, "approver")
        assert "approver" not in roles(story, to)
        assert list(found(story)) == ["power-given-to-oneself"]


def test_two_who_hold_their_power_by_each_other_do_not() -> None:
    story = with_granters()
    give(story, "person:oscar", "person:ann", "granter")
    give(story, "person:ann", "person:oscar", "approver")
    assert roles(story, "person:oscar") == {"granter"}
    assert found(story) == {"power-given-to-oneself": ["oscar-approver-1"]}
    # By way of a third, too.
    give(story, "person:ann", "person:bob", "granter")
    give(story, "person:bob", "person:oscar", "deployer")
    assert roles(story, "person:oscar") == {"granter"}


def test_two_operators_may_give_each_other_what_their_work_needs() -> None:
    story = Story()
    for to in ("person:olga", "person:oscar"):
        story.tell("access.granted", actor="person:root", grant_id=to[7:], principal=to, role="approver", **WHO)
    assert roles(story, "person:olga") == roles(story, "person:oscar") == {"approver"}
    assert found(story) == {}


def test_what_a_grant_gave_is_gone_when_the_power_to_give_it_turns_out_never_to_have_been() -> None:
    story = with_granters()
    given = give(story, "person:oscar", "person:ann", "granter")
    position = give(story, "person:ann", "person:bob", "approver")
    assert roles(story, "person:bob") == {"approver"}
    story.tell("statement.withdrawn", actor="person:oscar", by="person:oscar", position=given, reason="wrong-person")
    assert roles(story, "person:bob") == set()
    assert found(story) == {"without-power": [str(position)]}


def test_power_that_ends_takes_nothing_from_what_was_given_before_unless_it_ended_before() -> None:
    story = with_granters()
    give(story, "person:oscar", "person:ann", "granter")
    give(story, "person:ann", "person:bob", "approver")
    gone = {"grant_id": "ann-granter-1", "principal": "person:ann"}
    story.tell("access.revoked", actor="person:olga", **gone)
    assert roles(story, "person:bob") == {"approver"}
    late = give(story, "person:ann", "person:eve", "approver")
    assert (roles(story, "person:eve"), list(found(story).values())) == (set(), [[str(late)]])
    # As of before she gave anything.
    story.tell("access.revoked", actor="person:olga", **gone, time=at(4.5))
    assert roles(story, "person:bob") == set()


def test_a_backdated_grant_gives_no_power_over_what_was_said_before_it() -> None:
    story = with_granters()
    position = give(story, "person:ann", "person:bob", "approver")
    give(story, "person:oscar", "person:ann", "granter", time=at(3.5))
    assert roles(story, "person:bob") == set()
    assert found(story) == {"without-power": [str(position)]}


def test_nobody_gives_anything_as_of_when_they_had_the_power() -> None:
    story = with_granters()
    story.tell("access.revoked", actor="person:olga", grant_id="root", principal="person:oscar")
    position = give(story, "person:oscar", "person:bob", "approver", time=at(3.5))
    assert roles(story, "person:bob") == set()
    assert found(story) == {"without-power": [str(position)]}


def test_a_stranger_neither_revokes_nor_rewrites_a_grant() -> None:
    story = with_granters()
    give(story, "person:oscar", "person:bob", "approver")
    about = {"grant_id": "bob-approver-1", "principal": "person:bob"}
    story.tell("access.revoked", actor="person:mallory", by="person:mallory", **about)
    story.tell("access.granted", actor="person:mallory", by="person:mallory", role="reader", **about, **WHO)
    assert roles(story, "person:bob") == {"approver"}
    give(story, "person:oscar", "person:eve", "reader", grant_id="bob-approver-1")
    assert (roles(story, "person:bob"), roles(story, "person:eve")) == (set(), {"reader"})


def test_two_who_take_each_others_power_away_are_judged_in_order() -> None:
    story = with_granters()
    story.tell("access.granted", actor="person:olga", grant_id="other", principal="person:ann", role="granter", **WHO)
    for who, grant, holder in (("person:oscar", "other", "person:ann"), ("person:ann", "root", "person:oscar")):
        story.tell("access.revoked", actor=who, by=who, grant_id=grant, principal=holder, time=at(8))
    assert (roles(story, "person:ann"), roles(story, "person:oscar")) == (set(), {"granter"})


def test_a_role_in_one_environment_gives_no_power_in_another_nor_everywhere() -> None:
    story = with_granters()
    give(story, "person:oscar", "person:ann", "granter", environment="staging")
    give(story, "person:ann", "person:bob", "approver", environment="staging")
    give(story, "person:ann", "person:bob", "deployer", environment="prod")
    give(story, "person:ann", "person:bob", "reader")
    assert roles(story, "person:bob") == {"approver"}


def test_logins_that_a_stranger_linked_share_no_role_and_are_one_person_all_the_same() -> None:
    story = with_granters()
    give(story, "person:oscar", "person:bob", "approver")
    story.tell(
        "identity.linked",
        actor="person:mallory",
        by="person:mallory",
        identities=["person:bob", "github:6"],
        evidence="x",
    )
    assert roles(story, "github:6") == set()
    story.tell("identity.linked", actor="person:olga", identities=["person:bob", "github:6"], evidence="hr")
    assert roles(story, "github:6") == {"approver"}


@pytest.mark.parametrize("names", [1, 40])
def test_a_judgement_of_grants_ends_however_many_there_are(names: int) -> None:
    story = with_granters()
    people = [f"person:p{number}" for number in range(names)]
    for who in people:
        give(story, "person:oscar", who, "granter")
    for who in people[:8]:
        for other in people[:8]:
            give(story, who, other, "granter", 2)
    assert roles(story, people[0]) == {"granter"}
    assert not story.folder.failures


# -- what somebody is --------------------------------------------------------------------------------------------------


def issue(story: Story, principal: str | None, kind: str, **more: object) -> None:
    story.tell(
        "ledger.credential_issued", actor="person:root", credential=f"token:{kind}", principal=principal, kind=kind,
        roles=["reporter"], areas=["*"], sources=["*"], token_sha256="0" * 64, by="service:ledger", **more,
    )  # fmt: skip


def test_a_name_makes_nobody_a_human_and_a_credential_a_grant_or_a_link_does() -> None:
    story = Story()
    story.flush()
    rows = story.folder.rows
    assert kind_of(rows, "person:ann") is None
    issue(story, "person:ann", "human")
    assert kind_of(rows, "person:ann") == "human"
    story.tell(
        "access.granted",
        actor="person:mallory",
        by="person:mallory",
        grant_id="G",
        principal="gitlab:1",
        role="x",
        **WHO,
    )
    assert kind_of(rows, "gitlab:1") is None
    story.tell("access.granted", actor="person:olga", grant_id="H", principal="gitlab:1", role="x", **WHO)
    assert kind_of(rows, "gitlab:1") == "human"
    story.tell("identity.linked", actor="person:olga", identities=["github:2", "person:ann"], evidence="hr")
    assert kind_of(rows, "github:2") == "human"


def test_a_service_is_never_human() -> None:
    story = Story()
    issue(story, "person:ann", "human")
    issue(story, "person:ann", "service")
    story.tell("access.granted", actor="person:olga", grant_id="H", principal="service:ci", role="x", **WHO)
    assert {kind_of(story.folder.rows, who) for who in ("person:ann", "service:ci", "github-bot:4")} == {"service"}


def test_those_whom_an_issuer_names_are_what_its_rule_says() -> None:
    story = Story()
    story.tell(
        "ledger.trust_rule_enrolled", actor="person:root", credential="oidc:people", issuer="https://id.example.com", audience="ledger",
        required=[{"claim": "groups", "one_of": ["staff"]}], recorded=["sub"], principal_from={"kind": "person", "claim": "sub"},
        kind="human", roles=["reporter"], areas=["*"], sources=["*"], by="service:ledger",
    )  # fmt: skip
    assert kind_of(story.folder.rows, "person:ann") == "human"
    assert kind_of(story.folder.rows, "github:1") is None


# -- policies ------------------------------------------------------------------------------------------------------------


def test_a_policy_counts_from_when_its_approval_was_recorded() -> None:
    story = Story()
    about = {"policy_id": "change-approval", "version": "1", "policy_digest": DIGEST}
    settings = [{"name": "quorum", "applies_to": "any", "value": "2"}]
    story.tell("policy.published", actor="person:olga", **about, settings=settings, time=at(0))
    pass_time(story, 3)
    story.tell("policy.approved", actor="person:oscar", **about, time=at(0))
    assert [in_force(story.folder.rows, at(hour)).version for hour in (0, 4, 5)] == [None, None, "1"]


@pytest.mark.parametrize("who", ["who wrote it", "who approved it"])
def test_a_policy_of_who_is_no_operator_is_not_in_force(who: str) -> None:
    story = Story()
    about = {"policy_id": "change-approval", "version": "1", "policy_digest": DIGEST}
    settings = [{"name": "quorum", "applies_to": "any", "value": "2"}]
    for number, event_type in enumerate(("policy.published", "policy.approved")):
        by = {"by": "person:mallory"} if number == (who == "who approved it") else {}
        story.tell(
            event_type,
            actor="person:mallory" if by else "person:olga",
            **about,
            **by,
            **({"settings": settings} if not number else {}),
        )
    assert in_force(story.folder.rows, at(10)).version is None
    assert "without-power" in found(story)


def test_logins_that_are_linked_afterwards_take_a_policy_out_of_force() -> None:
    story = Story()
    publish(story, ("quorum", "any", "2"))
    assert in_force(story.folder.rows, at(10)).version == "1"
    story.tell("identity.linked", actor="person:ann", identities=["person:olga", "person:oscar"], evidence="hr")
    assert in_force(story.folder.rows, at(10)).version is None
