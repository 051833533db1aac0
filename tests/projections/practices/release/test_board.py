"""1.4 The change advisory board: given these facts, this is found, and this is answered."""

from datetime import timedelta
from typing import Any

import pytest
from asking import against, ask, ready_to_deploy, refused
from changes import ARTIFACT, CHG, OTHER, deploy, finding, found, give, pass_time, publish
from telling import Story, at
from year import DAY, HOUR, START, Change, Year, stamp

from projections.readings.changes.board import board_facts, board_meetings, compliance_windows
from projections.readings.changes.board_matters import board_matters

MEETING = {"meeting_id": "M"}
ASKED = ("board-decision", "any", "required")
MEMBERS = ("person:mia", "person:max", "person:moe")


def before_the_board(*settings: tuple[str, str, str], quorum: int = 2) -> Story:
    """A change that may be deployed, but for the board, which meets from hour 20 to 22, each day."""
    story = ready_to_deploy("normal", ASKED, ("board-quorum", "any", str(quorum)), *settings)
    for member in MEMBERS:
        give(story, kind="human", grant_id=member[7:], principal=member, role="cab")
    schedule(story)
    return story


def schedule(story: Story, **more: Any) -> None:
    times = {"start": at(20), "end": at(22), "recurs": "FREQ=DAILY"} | more
    story.tell("cab.meeting_scheduled", actor="person:mia", **MEETING, **times)


def table(story: Story, *changes: str, **more: Any) -> int:
    return story.tell("cab.agenda_fixed", **{"actor": "person:mia"} | more, **MEETING, changes=changes or ("CHG-7",))


def vote(story: Story, who: str, how: str = "for", **more: Any) -> None:
    story.tell("cab.vote_cast", **{"actor": who} | more, **MEETING, **CHG, vote=how)


def decide(story: Story, verdict: str = "approved", **more: Any) -> int:
    return story.tell("cab.decision_recorded", **{"actor": "person:mia"} | more, **MEETING, **CHG, verdict=verdict)


def wait_until(story: Story, hour: int) -> None:
    pass_time(story, hour - len(story.log) - 1)


def approved(story: Story, **more: Any) -> Story:
    table(story)
    wait_until(story, 20)
    vote(story, "person:mia")
    vote(story, "person:max")
    decide(story, **more)
    return story


def answer(story: Story, hours: float = 30) -> dict[str, tuple[str, str]]:
    said = against(ask(story, hours=hours))
    return {rule: told for rule, told in said.items() if rule == "board-has-decided"}


def not_yet(reason: str, verdict: str = "needs_approval") -> dict[str, tuple[str, str]]:
    return {"board-has-decided": (verdict, reason)}


def test_what_the_policy_puts_before_the_board_waits_for_its_decision() -> None:
    story = before_the_board()
    decision = ask(story)
    assert against(decision) == not_yet("not-decided")
    words = next(a.words for a in decision.answers if a.rule == "board-has-decided")
    assert words.endswith(f"the next meeting is M at {at(20)}")
    assert refused(story, decision)["board-has-decided"].able == tuple(sorted(MEMBERS))
    approved(story)
    assert ask(story, hours=30).verdict == "allow"
    deploy(story, artifact=ARTIFACT)
    assert found(story) == {}
    assert story.row(board_meetings, "M").agendas[0].changes == ("CHG-7",)
    assert len(story.row(board_facts, "CHG-7").votes) == 2


def test_what_is_deployed_without_the_board_is_found_and_no_later_decision_excuses_it() -> None:
    story = before_the_board()
    table(story)
    wait_until(story, 20)
    deploy(story, artifact=ARTIFACT)
    assert found(story) == {"deployed-without-the-board": ["d-1"]}
    vote(story, "person:mia")
    vote(story, "person:max")
    decide(story, time=at(20))
    assert found(story) == {"deployed-without-the-board": ["d-1"]}


def test_who_asks_nothing_of_the_board_is_asked_nothing() -> None:
    story = ready_to_deploy()
    assert answer(story) == {}
    deploy(story, artifact=ARTIFACT)
    assert found(story) == {}
    story = ready_to_deploy("normal", ("board-decision", "high", "required"))
    assert answer(story) == {}


@pytest.mark.parametrize(
    "how", ["one vote", "against", "no member", "an author", "by another", "after the vote", "no meeting"]
)
def test_members_decide_and_enough_of_them_by_their_own_word(how: str) -> None:
    story = before_the_board()
    table(story)
    wait_until(story, 25 if how == "no meeting" else 20)
    if how == "no meeting":
        schedule(story, start=at(200), end=at(202))
    vote(story, "person:mia")
    if how == "against":
        vote(story, "person:max", "against")
    elif how == "no member":
        vote(story, "person:bob")
    elif how == "an author":
        give(story, kind="human", grant_id="alice", principal="person:alice", role="cab")
        vote(story, "person:alice")
    elif how == "by another":
        vote(story, "person:max", by="person:mia")
    elif how == "no meeting":
        vote(story, "person:max")
    decide(story)
    if how == "after the vote":
        vote(story, "person:max")
    assert answer(story, 48) == not_yet("does-not-count")
    if how == "after the vote":
        # It decides again.
        vote(story, "person:mia")
        decide(story)
        assert answer(story, 48) == {}


@pytest.mark.parametrize("first", [{"verdict": "approved"}, {"verdict": "deferred"}])
def test_what_the_board_decides_a_member_writes_down_and_who_is_none_uses_up_no_vote(first: dict[str, Any]) -> None:
    story = before_the_board()
    table(story)
    wait_until(story, 20)
    vote(story, "person:mia")
    vote(story, "person:max")
    # Who is no member leaves the conditions out, and comes first.
    decide(story, actor="person:eve", **first)
    assert answer(story, 30) == not_yet(
        "does-not-count" if first["verdict"] == "approved" else "not-approved",
        **({} if first["verdict"] == "approved" else {"verdict": "deny"}),
    )
    decide(story, conditions=["x"])
    assert answer(story, 30) == not_yet("conditions")
    story.tell("cab.condition_met", actor="person:max", **MEETING, **CHG, condition="x")
    assert answer(story, 30) == {}


def test_a_clerk_of_the_board_writes_down_what_it_decides_by_the_role_that_the_policy_names() -> None:
    for settings, reason in (((), "does-not-count"), ((("role-for", "cab.decision_recorded", "clerk"),), None)):
        story = before_the_board(*settings)
        story.tell("access.granted", actor="person:olga", grant_id="clerk", principal="person:clara", principal_kind="human",
            role="clerk")  # fmt: skip
        table(story)
        wait_until(story, 20)
        vote(story, "person:mia")
        vote(story, "person:max")
        decide(story, actor="person:clara")
        assert answer(story, 40) == (not_yet(reason) if reason is not None else {})


def test_whoever_records_the_decision_speaks_for_members_only_as_an_authority() -> None:
    voters = [{"member": member, "vote": "for"} for member in MEMBERS]
    for is_enrolled in (False, True):
        story = before_the_board()
        if is_enrolled:
            story.tell(
                "ledger.source_enrolled", actor="person:root", source="test", door="events", principal="service:desk",
                must_sign=False, authority_for=["person:*"], by="service:ledger", token="key:story",
            )  # fmt: skip
        table(story)
        wait_until(story, 20)
        decide(story, by="service:desk" if is_enrolled else "person:mia", voters=voters)
        assert answer(story, 40) == ({} if is_enrolled else not_yet("does-not-count"))


def test_a_rejection_stands_and_one_that_does_not_count_takes_the_place_of_none() -> None:
    story = approved(before_the_board())
    decide(story, actor="person:zoe")
    assert answer(story) == {}
    decide(story, "rejected")
    assert answer(story) == not_yet("not-approved", "deny")


@pytest.mark.parametrize(
    ("papers", "late", "expected"),
    [
        ("agenda", "put on it", not_yet("other-papers")), ("late", "put on it", {}), ("any", "put on it", {}),
        ("late", "amended", not_yet("other-papers")), ("any", "amended", {}), ("late", "not there", not_yet("other-papers")),
        ("any", "not there", {}),
    ],
)  # fmt: skip
def test_the_agenda_is_what_stood_on_it_when_it_was_fixed_and_later_papers_are_apart(
    papers: str, late: str, expected: dict[str, Any]
) -> None:
    story = before_the_board(("board-papers", "any", papers))
    table(story, "CHG-1" if late != "amended" else "CHG-7")
    if late == "put on it":
        # A date of before the other makes it no earlier.
        table(story, "CHG-7", time=at(1))
    if late == "amended":
        story.tell("change.scope_amended", actor="person:alice", **CHG, artifacts=[ARTIFACT, OTHER])
        story.tell("approval.granted", actor="person:bob", **CHG)
    wait_until(story, 20)
    vote(story, "person:mia")
    vote(story, "person:max")
    decide(story)
    assert answer(story) == expected
    if late != "not there":
        assert story.row(board_matters, "CHG-7").is_late


def test_a_decision_is_of_the_scope_that_the_board_saw() -> None:
    story = approved(before_the_board(("board-papers", "any", "any")))
    story.tell("change.scope_amended", actor="person:alice", **CHG, artifacts=[ARTIFACT, OTHER])
    story.tell("approval.granted", actor="person:bob", **CHG)
    assert answer(story) == not_yet("other-papers")


def test_a_decision_holds_for_so_many_days_and_comes_before_the_planned_start() -> None:
    story = approved(before_the_board(("board-decision-days", "any", "2")))
    assert answer(story, 60) == {}
    assert answer(story, 90) == not_yet("too-old")
    story.tell("change.scheduled", actor="person:alice", **CHG, planned_start=at(10), planned_end=at(60))
    assert answer(story, 50) == not_yet("too-old")


def test_conditions_are_met_by_a_member_of_the_board_before_it_is_done() -> None:
    story = approved(before_the_board(), conditions=["backup", "on-call"])
    assert answer(story) == not_yet("conditions")
    # An author, and a friend of theirs, let nothing pass.
    for who, condition in (("person:max", "backup"), ("person:alice", "on-call"), ("person:eve", "on-call")):
        story.tell("cab.condition_met", actor=who, **MEETING, **CHG, condition=condition)
    assert answer(story, 40) == not_yet("conditions")
    assert story.row(board_matters, "CHG-7").unmet == ("on-call",)
    story.tell("cab.condition_met", actor="person:max", **MEETING, **CHG, condition="on-call")
    assert answer(story, 40) == {}


def test_votes_are_of_the_scope_as_it_stood_when_they_were_cast() -> None:
    story = before_the_board()
    table(story)
    wait_until(story, 20)
    vote(story, "person:mia")
    vote(story, "person:max")
    story.tell("change.submitted", actor="person:alice", **CHG, artifacts=[OTHER])
    # Whoever writes it down puts the new one on the agenda, too.
    table(story, actor="person:eve", slot=at(20))
    decide(story, actor="person:eve")
    assert answer(story, len(story.log) + 1) == not_yet("does-not-count")
    # The same content once more is the same paper.
    again = before_the_board()
    table(again)
    wait_until(again, 20)
    vote(again, "person:mia")
    vote(again, "person:max")
    again.tell("change.submitted", actor="person:alice", **CHG, artifacts=[ARTIFACT])
    decide(again)
    assert answer(again, len(again.log) + 1) == {}


def test_whoever_voted_against_it_is_counted_whatever_the_date_of_the_decision() -> None:
    story = before_the_board()
    table(story)
    wait_until(story, 20)
    before = len(story.log)
    for who in MEMBERS:
        vote(story, who)
    for who in MEMBERS[:2]:
        vote(story, who, "against")
    decide(story, actor="person:eve", time=at(before + len(MEMBERS) + 0.2))
    assert answer(story, len(story.log) + 1) == not_yet("does-not-count")


def test_a_change_that_comes_after_the_cutoff_waits_for_the_next_meeting() -> None:
    story = before_the_board()
    table(story, "CHG-1")
    wait_until(story, 23)
    table(story)
    row = story.row(board_matters, "CHG-7")
    assert (row.slot_at, row.missed_at, row.is_late) == (at(44), at(20), False)
    assert row.lead_s == (44 - 5) * 3600


def test_a_plan_that_no_meeting_comes_before_is_found_until_it_is_moved() -> None:
    for fixed, start, expected in ((True, 23, ["CHG-7"]), (False, 23, None), (True, 46, None), (False, 19, ["CHG-7"])):
        story = before_the_board()
        if fixed:
            table(story, "CHG-1")
        story.tell("change.scheduled", actor="person:alice", **CHG, planned_start=at(start), planned_end=at(99))
        assert found(story).get("misses-the-board") == expected, (fixed, start)


def test_in_a_compliance_window_the_board_is_asked_about_every_change_in_it() -> None:
    def declare(story: Story, **more: Any) -> None:
        data = {"actor": "person:olga", "window_id": "W", "tiers": ["production"], "start": at(0), "end": at(90)} | more
        story.tell("compliance_window.declared", **data, framework="SOX")

    for more, holds in (
        ({}, True), ({"services": ["web"]}, False), ({"exempt_types": ["normal"]}, False), ({"end": at(5)}, False),
        ({"tiers": [], "environments": ["PROD"]}, True), ({"by": "person:zoe", "actor": "person:zoe", "token": "token:zoe"}, False),
    ):  # fmt: skip
        story = ready_to_deploy()
        declare(story, **more)
        assert bool(answer(story)) is holds, more
        deploy(story, artifact=ARTIFACT)
        assert ("deployed-without-the-board" in found(story)) is holds, more
        if holds:
            # Who declares it over afterwards excuses nothing.
            declare(story, end=at(1))
            assert "deployed-without-the-board" in found(story)
            assert story.row(compliance_windows, "W").framework == "SOX"
    story = ready_to_deploy()
    deploy(story, artifact=ARTIFACT)
    declare(story)
    assert found(story) == {}
    publish(story, version="2")
    declare(story, start=at(1), end=at(2), time_zone="Mars/Phobos", recurs="FREQ=DAILY")
    assert finding(story, "compliance-window-holds-nothing", "W").says.endswith("no time zone is called Mars/Phobos")


@pytest.mark.parametrize(("tenants", "holds"), [(["globex"], False), (["acme", "globex"], True), ([], True)])
def test_a_compliance_window_of_some_tenants_is_for_what_is_for_these(tenants: list[str], holds: bool) -> None:
    story = ready_to_deploy()
    story.tell(
        "compliance_window.declared", actor="person:olga", window_id="W", tiers=["production"], tenants=["acme"],
        start=at(0), end=at(90),
    )  # fmt: skip
    story.tell("change.submitted", actor="person:alice", **CHG, artifacts=[ARTIFACT], tenants=tenants)
    assert bool(answer(story)) is holds
    deploy(story, artifact=ARTIFACT)
    assert ("deployed-without-the-board" in found(story)) is holds


def test_what_is_not_of_production_needs_no_board() -> None:
    story = before_the_board()
    assert "board-has-decided" not in against(ask(story, environment="staging"))
    assert against(ask(story, change_id="CHG-9"))["board-has-decided"] == ("insufficient_evidence", "no-change")


# -- planted in the year -------------------------------------------------------------------------------------------------


def window(year: Year, change: Change) -> None:
    """The board is asked about what one team deploys at that hour."""
    begin = change.begins - HOUR * 1.25
    year.say(change.begins - 20 * DAY, "compliance_window.declared", actor="person:olga", window_id=f"W-{change.id}",
        environments=["prod"], services=[change.service], start=stamp(begin), end=stamp(begin + 2 * HOUR))  # fmt: skip


def plant_a_deployment_in_a_compliance_window(year: Year, change: Change) -> set[str]:
    window(year, change)
    return {f"deployed-without-the-board/{change.deployment}", f"misses-the-board/{change.id}"}


def plant_nothing_where_the_board_decided_in_time(year: Year, change: Change) -> set[str]:
    """The honest neighbour of the last: two members voted, and the chair wrote it down."""
    window(year, change)
    begin, about = change.begins - 5 * HOUR, {"meeting_id": f"M-{change.id}", "change_id": change.id}
    members = [f"person:m{number}-{change.id}" for number in range(2)]
    for member in members:
        year.grant(START, member, "cab", environment=None)
    year.say(begin - 20 * DAY, "cab.meeting_scheduled", actor=members[0], meeting_id=about["meeting_id"], start=stamp(begin),
        end=stamp(begin + HOUR))  # fmt: skip
    year.say(begin - HOUR, "cab.agenda_fixed", actor=members[0], meeting_id=about["meeting_id"], changes=[change.id])
    for member in members:
        year.say(begin + HOUR / 4, "cab.vote_cast", actor=member, **about, vote="for")
    year.say(begin + HOUR / 2, "cab.decision_recorded", actor=members[1], **about, verdict="approved")
    return set()


def plant_a_compliance_window_that_ends_before_it_begins(year: Year) -> set[str]:
    year.say(START + timedelta(days=3), "compliance_window.declared", actor="person:olga", window_id="never", tiers=["staging"],
        start=stamp(START), end=stamp(START), recurs="FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=9999")  # fmt: skip
    return {"compliance-window-holds-nothing/never"}
