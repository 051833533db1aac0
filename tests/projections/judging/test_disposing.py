"""How a finding ends by somebody's decision: by whom, of what it said, until when; and that nothing else ends one about an act."""

from typing import Any

from changes import deploy, finding, found
from telling import Story, at

from projections.engine.finding import said_of

NOBODY = {"by": "person:nora", "token": "token:nora"}
RULE, SUBJECT = "deployment-without-change", "d-1"


def with_finding() -> Story:
    """A deployment without a change, by service:ci; service:desk reported it."""
    story = Story()
    deploy(story, change=None)
    assert found(story) == {RULE: [SUBJECT]}
    return story


def dispose(story: Story, actor: str = "person:nora", rule: str = RULE, **more: Any) -> int:
    """Accept what a finding says now, as an operator by the ledger's own key unless it is said."""
    subject = more.pop("subject", SUBJECT)
    said = more.pop("said", None) or finding(story, rule.replace("_", "-"), subject).said
    told = {"disposition": "accepted", "reason": {"sha256": "0" * 64}} | more
    return story.tell("finding.disposed", actor=actor, rule=rule, findings=[{"subject": subject, "said": said}], **told)


def test_who_neither_acted_nor_approved_and_has_the_power_ends_a_finding() -> None:
    story = with_finding()
    row = finding(story, RULE, SUBJECT)
    assert row.said == said_of(RULE, SUBJECT, row.says)
    position = dispose(story)
    row = finding(story, RULE, SUBJECT)
    assert (row.is_open, row.disposition, row.disposed_by, row.disposed_position) == (
        False, "accepted", "person:nora", position,
    )  # fmt: skip
    assert (row.resolved_position, row.first_seen_position) == (position, 1)
    assert found(story) == {}
    # Without the change that it was for it is as it stood.
    assert story.row_as_of(_findings(), f"{RULE}/{SUBJECT}", position - 1).is_open


def test_a_rule_may_be_called_as_its_function_is() -> None:
    story = with_finding()
    dispose(story, rule="deployment_without_change")
    assert found(story) == {}


def test_what_says_something_else_by_now_is_open() -> None:
    story = with_finding()
    dispose(story, said="A" * 43 + "=")
    assert found(story) == {RULE: [SUBJECT]}


def test_what_was_accepted_until_a_time_is_open_after_it() -> None:
    story = with_finding()
    dispose(story, until=at(5.5))
    assert (found(story), finding(story, RULE, SUBJECT).disposed_until) == ({}, at(5.5))
    story.tell("ledger.time_passed", until=at(0))
    story.tell("ledger.time_passed", until=at(0))
    assert found(story) == {}
    story.tell("ledger.time_passed", until=at(0))
    row = finding(story, RULE, SUBJECT)
    assert (row.is_open, row.disposition, row.resolved_at) == (True, None, None)


def test_a_disposition_that_is_taken_back_ends_nothing() -> None:
    story = with_finding()
    position = dispose(story)
    story.tell("statement.withdrawn", actor="person:nora", position=position, reason="x")
    assert found(story) == {RULE: [SUBJECT]}


def test_who_acted_disposes_of_nothing_under_any_login_and_is_found() -> None:
    story = with_finding()
    position = dispose(story, actor="service:ci")
    assert found(story) == {RULE: [SUBJECT], "disposition-does-not-count": [f"{RULE}/{SUBJECT}"]}
    row = finding(story, "disposition-does-not-count", f"{RULE}/{SUBJECT}")
    assert (
        row.says == f"what service:ci decided of {RULE}/{SUBJECT} does not count: service:ci acted in what it is about"
    )
    assert row.positions[-1] == position
    # An honest one ends it, until it is known that both are one person.
    dispose(story, actor="person:nora")
    assert RULE not in found(story)
    story.tell("identity.linked", actor="person:olga", identities=["person:nora", "service:ci"], evidence="x")
    assert found(story)[RULE] == [SUBJECT]


def test_who_holds_no_power_disposes_of_nothing_and_is_found() -> None:
    story = with_finding()
    dispose(story, **NOBODY)
    assert found(story) == {
        RULE: [SUBJECT], "disposition-does-not-count": [f"{RULE}/{SUBJECT}"], "without-power": ["3"],
    }  # fmt: skip
    assert "without power" in finding(story, "disposition-does-not-count", f"{RULE}/{SUBJECT}").says


def test_many_dispositions_by_one_token_in_many_names_fill_no_row() -> None:
    from projections.readings.assurance.dispositions import dispositions

    story = with_finding()
    dispose(story)
    for number in range(40):
        dispose(story, actor=f"person:p{number}", **NOBODY)
    assert len(story.row(dispositions, f"{RULE}/{SUBJECT}").disposed) == 2
    assert RULE not in found(story)


def test_a_finding_that_is_disposed_of_ends_when_its_rule_finds_nothing_any_more() -> None:
    story = with_finding()
    dispose(story)
    story.begin()
    _withdraw_as_an_operator(story)
    row = finding(story, RULE, SUBJECT)
    assert (row.is_open, row.disposition, row.verdict) == (False, None, None)
    assert RULE not in found(story)


def test_who_acted_and_withdraws_what_was_said_of_it_is_found_and_an_operator_who_did_not_act_is_not() -> None:
    story = with_finding()
    _withdraw_as_an_operator(story)
    assert "withdrawn-by-who-acted" not in found(story)
    story = with_finding()
    for position in (1, 2):
        story.tell("statement.withdrawn", actor="service:ci", position=position, reason="x")
    assert found(story) == {"withdrawn-by-who-acted": [f"{RULE}/{SUBJECT}"]}
    row = finding(story, "withdrawn-by-who-acted", f"{RULE}/{SUBJECT}")
    assert row.says.startswith("service:desk acted in what deployment-without-change/d-1 is about, and withdrew")
    dispose(story, rule="withdrawn-by-who-acted", subject=f"{RULE}/{SUBJECT}")
    assert found(story) == {}


def _withdraw_as_an_operator(story: Story) -> None:
    story.tell(
        "ledger.credential_issued", credential="token:olga", principal="person:olga", kind="human", roles=["operator"],
        areas=[], sources=[], token_sha256="0" * 64,
    )  # fmt: skip
    for position in (1, 2):
        story.tell(
            "statement.withdrawn",
            by="person:olga",
            token="token:olga",
            actor="person:olga",
            position=position,
            reason="x",
        )


def _findings() -> Any:
    from projections.judging.findings import findings

    return findings
