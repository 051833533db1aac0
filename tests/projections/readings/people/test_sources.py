"""Whose sources are enrolled: each principal's in one row, from when to when, whoever had them before."""

from typing import Any

from telling import Story

from projections.readings.people.sources import principals_sources, sources_of

ONE, OTHER = "service:one", "service:other"


def enrol(story: Story, principal: str, source: str = "https://ci.example.com/*", **more: Any) -> int:
    about = {
        "source": source,
        "door": "events",
        "principal": principal,
        "must_sign": False,
        "authority_for": ["person:*"],
    }
    return story.tell("ledger.source_enrolled", actor="person:root", by="service:ledger", token="key:s", **about | more)


def retire(story: Story, source: str = "https://ci.example.com/*") -> int:
    said = {"source": source, "door": "events"}
    return story.tell("ledger.source_retired", actor="person:root", by="service:ledger", token="key:s", **said)


def spoken_for(story: Story, principal: str, position: int | None = None, event_type: str | None = None) -> list[str]:
    return [source for source, _ in sources_of(story.folder.rows, principal, position, event_type)]


def test_a_source_is_its_principals_from_its_enrolment_to_its_end() -> None:
    story = Story()
    begun = enrol(story, ONE)
    enrol(story, ONE, "https://desk.example.com/", types=["approval.granted"])
    ended = retire(story)
    story.flush()
    assert spoken_for(story, ONE) == ["https://desk.example.com/"]
    assert spoken_for(story, ONE, begun) == []
    assert spoken_for(story, ONE, begun + 1) == ["https://ci.example.com/*"]
    assert spoken_for(story, ONE, ended) == ["https://ci.example.com/*", "https://desk.example.com/"]
    assert spoken_for(story, ONE, ended + 1) == ["https://desk.example.com/"]
    assert spoken_for(story, ONE, event_type="approval.granted") == ["https://desk.example.com/"]
    assert spoken_for(story, OTHER) == []


def test_a_source_that_is_enrolled_anew_for_another_is_no_longer_whose_it_was() -> None:
    story = Story()
    first = enrol(story, ONE)
    # Doors ask that it is retired before; of an old ledger it need not be.
    second = enrol(story, OTHER)
    story.flush()
    assert (spoken_for(story, ONE), spoken_for(story, OTHER)) == ([], ["https://ci.example.com/*"])
    assert (spoken_for(story, ONE, second), spoken_for(story, OTHER, second)) == (["https://ci.example.com/*"], [])
    [mine] = story.row(principals_sources, ONE).sources
    assert (mine.position, mine.retired_position) == (first, second)
    enrol(story, ONE)
    story.flush()
    assert [spoken_for(story, who) for who in (ONE, OTHER)] == [["https://ci.example.com/*"], []]
