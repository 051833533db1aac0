"""What would make a gate allow, and who could do it: said of every rule that does not."""

import pytest
from asking import WHERE, ask, ready_to_deploy, refused
from changes import approve, assess, open_change, opened, publish
from telling import Story, at

from projections.engine.asking import Asking
from projections.engine.skips import Skips
from projections.gates.asking import remedied
from projections.gates.composition import GATES
from projections.judging.gate_rule import COMMON, Question


def issue(story: Story, principal: str, kind: str = "human") -> None:
    story.tell(
        "ledger.credential_issued", actor="person:root", credential=f"token:{principal.rpartition(':')[2]}", principal=principal, kind=kind,
        roles=["operator", "reporter"], token_sha256="0" * 64, areas=["policy"], sources=["*"],
    )  # fmt: skip


@pytest.mark.parametrize("gate", GATES)
def test_every_answer_of_an_empty_ledger_says_what_would_make_it_allow(gate: str) -> None:
    story = Story()
    found = refused(story, ask(story, gate, artifact=None, actor=None, service=None, environment=None))
    assert found
    assert [rule for rule, answer in found.items() if not answer.remedy] == []
    assert found["policy-is-in-force"].able == ()


def test_who_could_approve_is_said_without_authors_and_those_who_did() -> None:
    story = opened()
    publish(story, ("quorum", "any", "2"), ("required-role", "any", "release-approver"))
    assess(story)
    found = refused(story, ask(story))
    assert found["change-is-approved"].able == ("person:bob", "person:carol")
    approve(story)
    assert refused(story, ask(story))["change-is-approved"].able == ("person:carol",)


def test_who_could_put_a_policy_into_force_is_said_without_its_author() -> None:
    story = Story()
    for name, kind in (("person:olga", "human"), ("person:oscar", "human"), ("service:ci", "service")):
        issue(story, name, kind)
    assert refused(story, ask(story))["policy-is-in-force"].able == ("person:olga", "person:oscar")
    story.tell("policy.published", actor="person:olga", policy_id="change-approval", version="1",
        policy_digest="sha256:" + "9" * 64, settings=[{"name": "quorum", "applies_to": "any", "value": "1"}])  # fmt: skip
    found = refused(story, ask(story))["policy-is-in-force"]
    assert found.able == ("person:oscar",)
    assert found.remedy.endswith("; 1 was published by person:olga, and waits for the other")


@pytest.mark.parametrize("role", [None, "release-approver"])
def test_where_nobody_on_record_could_approve_it_is_said_what_people_need(role: str | None) -> None:
    story = Story()
    publish(story, ("risk", "any", "not-required"), *((("required-role", "any", role),) if role else ()))
    open_change(story)
    needed = "nobody on record could: people need credentials of their own (token create --kind human)"
    for rule in ("change-is-approved", "change-may-start"):
        found = refused(story, ask(story))[rule]
        assert found.able == ()
        assert found.remedy.endswith(f"{needed}, and the role {role} (access.granted)" if role else needed)
    issue(story, "person:bob")
    story.tell("access.granted", actor="person:olga", grant_id="G", principal="person:bob", principal_kind="human",
        role="release-approver")  # fmt: skip
    found = refused(story, ask(story))["change-is-approved"]
    assert (found.able, needed in found.remedy) == (("person:bob",), False)


def test_whoever_names_neither_change_nor_environment_is_told_that_it_may_take_no_change() -> None:
    story = Story()
    publish(story, ("change", "any", "not-required"))
    found = refused(story, ask(story, change_id=None, environment=None))
    assert found["change-may-start"].remedy.endswith("or name the environment: there the policy may ask for none")
    assert not refused(story, ask(story, change_id="CHG-9"))["change-may-start"].remedy.count("name the environment")
    assert "change-may-start" not in refused(story, ask(story, change_id=None))


def test_who_could_let_a_change_through_a_freeze_is_said_without_its_authors() -> None:
    story = ready_to_deploy("normal", ("role-for", "freeze.override_granted", "release-approver"))
    story.tell("freeze.declared", actor="person:olga", freeze_id="F", environments=["prod"], start=at(0), end=at(90))
    found = refused(story, ask(story, hours=30))
    assert set(found) == {"no-freeze-holds"}
    assert found["no-freeze-holds"].able == ("person:bob", "person:carol")
    assert "lets this change through" in found["no-freeze-holds"].remedy


def test_what_is_not_said_in_the_question_is_for_whoever_asks() -> None:
    story = ready_to_deploy()
    open_change(story, change="CHG-9")
    found = refused(story, ask(story, artifact=None))
    assert found["deployed-is-approved"].remedy == COMMON["not-said"].words
    # Nothing that was read to say so is a condition of the answer.
    question = Question("deploy", at(20), **WHERE)
    look = Asking(story.folder.rows, question.asked_at, Skips(story.log))
    before = look.matches
    remedied(ask(story, artifact=None), Asking(story.folder.rows, question.asked_at, Skips(story.log)))
    assert look.matches == before
