"""1.3 Release freezes: given these facts, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask, ready_to_deploy
from changes import ARTIFACT, deploy, finding, found, ready
from telling import Story, at
from year import DAY, START, TITLE, Change, Year, stamp


def freeze(story: Story, **more: Any) -> int:
    data = {"environments": ["prod"], "start": at(1), "end": at(50), "time_zone": "UTC"} | more
    return story.tell("freeze.declared", actor="person:frank", freeze_id="F", **data)


def let_through(story: Story, requester: str = "person:alice", until: float = 40) -> None:
    story.tell(
        "freeze.override_granted", actor="person:frank", freeze_id="F", change_id="CHG-7", requester=requester,
        expires_at=at(until), reason={"sha256": "0" * 64},
    )  # fmt: skip


def test_a_freeze_that_is_recorded_after_the_fact_finds_what_was_deployed_in_it() -> None:
    story = ready()
    deploy(story)
    assert found(story) == {}
    declared = freeze(story)
    assert found(story) == {"deployed-in-freeze": ["d-1"]}
    row = finding(story, "deployed-in-freeze", "d-1")
    assert (row.first_seen_position, row.says.endswith(", in freeze F, declared afterwards")) == (declared, True)
    assert declared in row.positions
    freeze(story, services=["web"])
    assert found(story) == {}


def test_what_was_let_through_a_freeze_in_time_is_none() -> None:
    story = ready()
    freeze(story)
    let_through(story, until=60)
    deploy(story)
    assert found(story) == {}
    let_through(story, requester="person:frank", until=60)
    assert found(story) == {"override-of-ones-own": ["F"]}


def test_a_freeze_that_is_taken_back_or_moved_holds_nothing_any_more() -> None:
    for how in ("taken back", "moved", "of another environment"):
        story = ready()
        declared = freeze(story, start=at(0), end=at(100))
        deploy(story, artifact=ARTIFACT)
        assert found(story) == {"deployed-in-freeze": ["d-1"]}
        if how == "taken back":
            story.tell("statement.withdrawn", actor="service:desk", position=declared, reason="x")
        elif how == "moved":
            freeze(story, start=at(200), end=at(300))
        else:
            freeze(story, environments=["test"], start=at(0), end=at(100))
        assert found(story) == {}, how


def test_a_freeze_holds_unless_somebody_else_let_this_change_through() -> None:
    story = ready_to_deploy()
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
    story = ready_to_deploy()
    freeze(story, **more)
    assert ask(story).verdict == "allow"


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_a_deployment_in_a_freeze(year: Year, change: Change) -> set[str]:
    change.begins = START + 202 * DAY
    return {f"deployed-in-freeze/{change.deployment}"}


def plant_a_deployment_in_a_freeze_that_is_written_down_when_it_is_over(year: Year, change: Change) -> set[str]:
    change.begins = START + 343 * DAY
    return {f"deployed-in-freeze/{change.deployment}"}


def plant_somebody_who_lets_themselves_through(year: Year) -> set[str]:
    at = START + 94 * DAY
    year.say(at, "freeze.override_granted", actor="person:frank", freeze_id="spring", change_id="CHG-0", requester="person:frank",
        expires_at=stamp(at + 5 * DAY), reason=TITLE)  # fmt: skip
    return {"override-of-ones-own/spring"}
