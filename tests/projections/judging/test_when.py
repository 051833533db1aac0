"""When findings are of: when something was done, when that was found, whether it was known then, and what came too late to let it through.

Found out by the engine, for every rule alike.
"""

import pytest
from changes import approve, assess, deploy, emergency, finding, opened, pass_time, publish, ready
from telling import Story, at

from projections.engine.finding import Finding
from projections.judging.findings import findings

FREEZE = {"freeze_id": "F", "environments": ["prod"], "start": at(0), "end": at(999), "time_zone": "UTC"}
SALTED = {"sha256": "0" * 64}


def justified(row: Finding) -> tuple[str | None, int | None]:
    return row.justified_by, row.justified_position


def test_what_would_have_let_an_act_through_is_told_by_the_statement_that_came_too_late() -> None:
    story = Story()
    publish(story, ("change", "any", "not-required"))
    frozen = story.tell("freeze.declared", actor="person:frank", **FREEZE)
    deploy(story, change=None)
    row = finding(story, "deployed-in-freeze", "d-1")
    assert (row.acted_at, row.acted_position, row.first_seen_position) == (at(frozen + 1), frozen + 1, frozen + 1)
    assert (row.known_then, justified(row)) == (True, (None, None))
    lifted = story.tell("freeze.lifted", actor="person:frank", freeze_id="F", time=at(1))
    row = finding(story, "deployed-in-freeze", "d-1")
    assert (row.is_open, row.justified_at, justified(row)) == (True, at(lifted), ("person:frank", lifted))
    # As it was before, it says nothing of that; and once more of the same changes nothing.
    assert justified(story.row_as_of(findings, row.finding_id, lifted - 1)) == (None, None)
    story.tell("freeze.lifted", actor="person:frank", freeze_id="F")
    assert justified(finding(story, "deployed-in-freeze", "d-1")) == ("person:frank", lifted)


def test_what_comes_late_and_would_not_have_been_enough_justifies_nothing() -> None:
    story = opened()
    publish(story, ("quorum", "any", "2"), ("required-role", "any", "release-approver"))
    assess(story)
    deploy(story)
    approve(story)
    assert justified(finding(story, "started-without-approval", "CHG-7")) == (None, None)
    # By somebody without the role, by the author, and then by a second one who may.
    approve(story, "person:mallory")
    approve(story, "person:alice")
    assert justified(finding(story, "started-without-approval", "CHG-7")) == (None, None)
    last = approve(story, "person:carol")
    assert justified(finding(story, "started-without-approval", "CHG-7")) == ("person:carol", last)
    # Taken back, it justifies no more.
    story.tell("statement.withdrawn", actor="person:carol", position=last, reason="x")
    assert justified(finding(story, "started-without-approval", "CHG-7")) == (None, None)


@pytest.mark.parametrize("before", [True, False])
def test_that_two_logins_are_one_person_was_known_then_or_came_later(before: bool) -> None:
    story = ready()
    link = {"actor": "person:olga", "identities": ["person:alice", "github:7"], "evidence": "hr"}
    story.tell("access.granted", actor="person:olga", grant_id="GH", principal="github:7", principal_kind="human",
        role="release-approver")  # fmt: skip
    if before:
        story.tell("identity.linked", **link)
    own = approve(story, "github:7")
    if not before:
        story.tell("identity.linked", **link)
    row = finding(story, "approval-of-ones-own", "CHG-7")
    assert (row.acted_position, row.known_then) == (own, before)


def test_what_falls_due_was_known_when_it_fell_due() -> None:
    story = emergency()
    pass_time(story, 30)
    row = finding(story, "retro-approval-overdue", "CHG-7")
    assert row.known_then
    assert str(row.first_seen_at) > str(row.acted_at)


def test_its_age_is_as_of_when_it_is_asked_and_stands_still_when_it_ended() -> None:
    story = Story()
    deploy(story, change=None)
    row = {"first_seen_at": finding(story, "deployment-without-change", "d-1").first_seen_at, "resolved_at": None}
    assert findings.read_at(row, at(1))["age_s"] == 0
    assert findings.read_at(row, at(25))["age_s"] == 24 * 3600
    assert findings.read_at(row | {"resolved_at": at(2)}, at(25))["age_s"] == 3600
