"""Findings about access: given these facts, this rule is broken; and when that was recorded, and what resolved it."""

from typing import Any

import pytest
from changes import OTHER, finding, found, found_by_any_process, opened, pass_time, publish
from telling import Story, at


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


# -- credentials of services ------------------------------------------------------------------------------------------

CI = {"grant_id": "G", "principal": "service:ci"}


def give(story: Story, owner: str | None = "person:olga", kind: str = "service", **more: Any) -> None:
    owned = {"owner": owner} if owner else {}
    story.tell("access.granted", **{"actor": "person:olga", "principal_kind": kind, "role": "deployer", "environment": "prod"}
        | CI | owned | more)  # fmt: skip


def limit(story: Story, name: str, days: int, version: str = "1", **more: Any) -> None:
    publish(story, (name, "prod", str(days)), version=version, **more)


def test_a_service_whose_grant_nobody_owns_is_found_until_the_grant_ends() -> None:
    story = Story()
    give(story, owner=None, expires_at=at(6))
    assert found(story) == {"ownerless-credential": ["G"]}
    pass_time(story, 5)
    assert found(story) == {}
    give(story, owner="service:ci")
    assert found(story) == {"ownerless-credential": ["G"]}
    give(story)
    assert found(story) == {}


@pytest.mark.parametrize("first", ["the grant", "the policy"])
def test_a_service_that_does_not_use_its_grant_is_found_when_the_policy_says_so(first: str) -> None:
    story = Story()
    if first == "the grant":
        give(story)
        limit(story, "dormant-after-days", 1)
    else:
        limit(story, "dormant-after-days", 1)
        give(story)
    pass_time(story, 21)
    assert found(story) == {}
    pass_time(story, 4)
    assert found(story) == {"dormant-credential": ["G"]}
    story.tell("access.used", **CI, purpose="deployment")
    assert found(story) == {}
    pass_time(story, 23)
    assert found(story) == {}
    pass_time(story, 2)
    assert "has not used G (deployer) since" in finding(story, "dormant-credential", "G").says


def test_a_secret_that_is_not_rotated_in_time_is_found_until_it_is() -> None:
    story = Story()
    give(story)
    limit(story, "rotate-within-days", 1)
    story.tell("access.used", **CI, purpose="deployment")
    pass_time(story, 24)
    assert found(story) == {"unrotated-credential": ["G"]}
    story.tell("access.rotated", actor="person:olga", **CI)
    assert found(story) == {}
    pass_time(story, 24)
    assert found(story) == {"unrotated-credential": ["G"]}


def test_a_human_needs_no_owner_and_no_use() -> None:
    story = Story()
    give(story, owner=None, kind="human", principal="person:ann")
    limit(story, "dormant-after-days", 1)
    pass_time(story, 30)
    assert found(story) == {}


def test_a_limit_counts_from_when_the_policy_comes_into_effect() -> None:
    story = Story()
    give(story)
    limit(story, "dormant-after-days", 1, effective_from=at(40))
    pass_time(story, 36)
    assert found(story) == {}
    pass_time(story, 2)
    assert found(story) == {"dormant-credential": ["G"]}


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


def test_what_a_policy_makes_due_is_found_whoever_folds_and_from_wherever() -> None:
    story = Story()
    give(story)
    limit(story, "dormant-after-days", 1)
    limit(story, "access-review-days", 1, version="2", effective_from=at(12))
    pass_time(story, 34)
    assert found(story) != {}
    found_by_any_process(story)


def test_a_limit_that_no_calendar_has_a_day_for_is_none() -> None:
    story = Story()
    give(story)
    for number, name in enumerate(("dormant-after-days", "rotate-within-days", "access-review-days")):
        limit(story, name, 99_999_999, version=str(number))
    pass_time(story, 3)
    assert not story.folder.failures
    assert found(story) == {}
