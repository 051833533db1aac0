"""8.3 Access reviews: given these facts, this is found, and this is answered."""

import pytest
from changes import OTHER, finding, found, give, limit, opened, pass_time
from telling import Story, at
from year import DAY, START, AccessReview, Year, stamp


def access_review(story: Story, *grants: str, count: int = 3) -> None:
    story.tell("access_review.opened", actor="person:olga", review_id="Q", population_digest=OTHER,
        population_count=count, due_at=at(40))  # fmt: skip
    for number, grant in enumerate(grants):
        who = ("alice", "bob", "carol")[number]
        story.tell("access_review.item_decided", actor="person:dan", review_id="Q", grant_id=grant,
            principal=f"person:{who}", decision="keep")  # fmt: skip


def complete(story: Story) -> None:
    story.tell("access_review.completed", actor="person:olga", review_id="Q", kept=3, revoked=0)


def test_a_review_of_every_grant_by_somebody_else_is_none() -> None:
    story = opened()
    access_review(story, "GR-0", "GR-1", "GR-2")
    # Granted after the opening: not part of it, whoever decides about it.
    story.tell(
        "access.granted", actor="person:olga", grant_id="GR-9", principal="person:zoe", principal_kind="human", role="x"
    )
    complete(story)
    pass_time(story, 50)
    assert found(story) == {}


def test_what_a_review_left_out_is_found() -> None:
    story = opened()
    access_review(story, "GR-0", "GR-1", count=2)
    story.tell(
        "access.granted", actor="person:olga", grant_id="GR-9", principal="person:zoe", principal_kind="human", role="x"
    )
    story.tell("access_review.item_decided", actor="person:dan", review_id="Q", grant_id="GR-9",
        principal="person:zoe", decision="keep")  # fmt: skip
    complete(story)
    assert finding(story, "access-review-incomplete", "Q").says == (
        "Q: 1 of 3 grants without a decision that counts; opened over 2 grants, 3 were in force; "
        "decided about GR-9, not in force at the opening"
    )


@pytest.mark.parametrize("stated", [0, 2])
def test_a_review_over_nothing_is_complete_when_its_opener_says_so_too(stated: int) -> None:
    story = Story()
    access_review(story, count=stated)
    pass_time(story, 50)
    assert found(story) == ({"access-review-overdue": ["Q"]} if stated else {})
    # Called done all the same: then the two counts are compared.
    complete(story)
    assert found(story) == ({"access-review-incomplete": ["Q"]} if stated else {})


def test_who_reviews_their_own_access_is_found() -> None:
    story = opened()
    access_review(story, "GR-0", "GR-1")
    story.tell("access_review.item_decided", actor="person:carol", review_id="Q", grant_id="GR-2",
        principal="person:carol", decision="keep")  # fmt: skip
    complete(story)
    assert set(found(story)) == {"own-access-reviewed", "access-review-incomplete"}


def test_a_revocation_that_does_not_come_is_found_after_seven_days() -> None:
    story = opened()
    access_review(story, "GR-0", "GR-1")
    story.tell("access_review.item_decided", actor="person:dan", review_id="Q", grant_id="GR-2",
        principal="person:carol", decision="revoke")  # fmt: skip
    complete(story)
    pass_time(story, 7 * 24 - 2)
    assert found(story) == {}
    pass_time(story, 2)
    assert found(story) == {"revocation-overdue": ["Q"]}
    story.tell("access.revoked", actor="person:olga", grant_id="GR-2", principal="person:carol")
    assert found(story) == {}


def test_access_that_is_not_reviewed_again_is_found_until_a_review_is_opened() -> None:
    story = Story()
    give(story)
    limit(story, "access-review-days", 1)
    pass_time(story, 22)
    assert found(story) == {}
    pass_time(story, 2)
    row = finding(story, "access-not-reviewed", "change-approval")
    assert (row.is_open, row.says) == (True, f"access was not reviewed again: prod (due at {at(27)})")
    # A review of everything is one of production, too.
    story.tell("access_review.opened", actor="person:olga", review_id="Q", population_digest=OTHER,
        population_count=1, due_at=at(400))  # fmt: skip
    assert found(story) == {}
    pass_time(story, 25)
    assert found(story) == {"access-not-reviewed": ["change-approval"]}


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_reviews_of_access_that_are_not_done_well(year: Year) -> set[str]:
    first = next(iter(year.grants.values()))[0]
    year.access_reviews += [
        AccessReview("short", 85, miscounted=1),
        AccessReview("own", 175, reviewer_of_first=first),
        AccessReview("not-followed", 265, revokes_first=True),
        AccessReview("late", 351, is_completed=False),
    ]
    # Its time is over before the year is.
    end = START + (351 + 11) * DAY
    year.say(end, "ledger.time_passed", until=stamp(end))
    return {
        "access-review-incomplete/short", "own-access-reviewed/own", "access-review-incomplete/own",
        "revocation-overdue/not-followed", "access-review-overdue/late",
    }  # fmt: skip


def plant_an_environment_whose_access_is_never_reviewed(year: Year) -> set[str]:
    year.settings.append(("access-review-days", "staging", "300"))
    return {"access-not-reviewed/change-approval"}
