"""8.1 Immutable audit trail: given these facts, this is found, and this is answered."""

from changes import deploy, finding, found
from telling import Story, at

from projections.readings.people.imports import THIS, beginnings, imports


def test_who_takes_back_what_another_said_is_found_whether_it_counts_or_not() -> None:
    story = Story()
    deploy(story, change=None)
    story.tell(
        "statement.withdrawn", by="service:other", token="token:other", actor="service:other", position=1, reason="x"
    )
    row = finding(story, "withdrawal-of-anothers", "3")
    assert (row.is_open, row.positions) == (True, (1, 3))
    assert row.says == "service:other withdrew the statement at 1, which service:ci had made"
    assert found(story)["deployment-without-change"] == ["d-1"]
    story.tell("statement.withdrawn", actor="service:desk", position=1, reason="x")
    assert finding(story, "withdrawal-of-anothers", "4") is None


def test_history_that_an_operator_imports_is_claimed_and_never_open() -> None:
    story = Story()
    story.tell(
        "ledger.import_opened", actor="person:olga", import_id="old", credential="token:old", sources=["test"],
        until=at(0.5), reason="migration",
    )  # fmt: skip
    about = {"service": "api", "environment": "prod", "outcome": "success", "time": at(0.1)}
    for number in range(3):
        story.tell("deployment.finished", token="token:old", deployment_id=f"d-{number}", **about)
    story.tell("ledger.import_closed", actor="person:olga", import_id="old")
    assert found(story) == {}
    story.tell("deployment.finished", token="token:old", deployment_id="d-9", **about)
    assert found(story) == {"deployment-without-change": ["d-9"], "reported-late": ["d-9"]}
    row = story.row(imports, "old")
    assert (row.credential, row.opened_position, row.closed_position) == ("token:old", 1, 5)
    assert story.row(beginnings, THIS) is None
