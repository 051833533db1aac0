"""8.1 Immutable audit trail: given these facts, this is found, and this is answered."""

from changes import deploy, finding, found
from telling import Story


def test_who_takes_back_what_another_said_is_found_whether_it_counts_or_not() -> None:
    story = Story()
    deploy(story, change=None)
    story.tell(
        "statement.withdrawn", by="service:other", token="token:other", actor="service:other", position=1, reason="x"
    )
    row = finding(story, "withdrawal-of-anothers", "3")
    assert (row.is_open, row.positions) == (True, (1, 3))
    assert row.says == "service:other withdrew the statement at 1, which service:desk had made"
    assert found(story)["deployment-without-change"] == ["d-1"]
    story.tell("statement.withdrawn", actor="service:desk", position=1, reason="x")
    assert finding(story, "withdrawal-of-anothers", "4") is None
