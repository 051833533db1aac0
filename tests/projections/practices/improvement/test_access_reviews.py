"""8.3 Access reviews: given these facts, this is found, and this is answered."""

from typing import Any

import pytest
from changes import OTHER, finding, found, give, limit, opened, pass_time, publish
from telling import Story, at
from year import DAY, START, AccessReview, Year, credential_of, stamp

from ledger.authority import LEDGER_PRINCIPAL
from projections.readings.people.access_review_facts import access_review_facts, population
from projections.readings.people.access_reviews import access_reviews
from projections.readings.people.powers import ROLE_FOR
from projections.rules.digests import list_digest


def access_review(story: Story, *grants: str, count: int = 3, digest: str | None = None, **more: Any) -> None:
    story.flush()
    there = population(story.folder.rows, None, at(10**6))
    known = list_digest(grant_id for grant_id, held in there.items() if not held.why)
    said = {"actor": "person:olga", "review_id": "Q", "population_count": count, "due_at": at(40)} | more
    story.tell("access_review.opened", population_digest=digest or known, **said)
    for number, grant in enumerate(grants):
        who = ("alice", "bob", "carol")[number]
        story.tell("access_review.item_decided", actor="person:dan", review_id="Q", grant_id=grant,
            principal=f"person:{who}", decision="keep")  # fmt: skip


def decide(story: Story, grant: str, by: str = "person:dan", decision: str = "keep", **more: Any) -> int:
    holder = {"GR-0": "person:alice", "GR-1": "person:bob", "GR-2": "person:carol"}
    told = {"principal": holder.get(grant, "person:zoe")} | more
    return story.tell(
        "access_review.item_decided", actor=by, **{"review_id": "Q"} | told, grant_id=grant, decision=decision
    )


def complete(story: Story, kept: int = 3, revoked: int = 0, **more: Any) -> None:
    story.tell("access_review.completed", actor="person:olga", review_id="Q", kept=kept, revoked=revoked, **more)


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


def test_a_grant_that_gives_nothing_stands_apart_unless_its_giver_had_the_power_to_as_comes_to_be_known() -> None:
    story = opened()
    publish(story, (ROLE_FOR.name, "access.granted", "granter"))
    about = {"principal_kind": "human", "role": "release-approver", "by": "person:mallory", "actor": "person:mallory"}
    story.tell("access.granted", grant_id="GR-3", principal="person:zoe", **about)
    # Nor does a stranger say whose a grant is.
    story.tell("access.granted", grant_id="GR-0", principal="person:zoe", **about)
    access_review(story, "GR-0", "GR-1", "GR-2")
    complete(story)
    row = story.row(access_reviews, "Q")
    assert (row.items[0].grant_id, row.items[0].principal) == ("GR-0", "person:alice")
    assert (row.population_count, row.state, row.undecided, row.outside) == (3, "done", 0, ())
    assert [(one.grant_id, one.principal) for one in row.apart] == [("GR-3", "person:zoe")]
    assert row.apart[0].why.startswith("without power: person:mallory held no grant of granter")
    assert sorted(found(story)) == ["without-power"]


def test_a_grant_whose_giver_lost_the_power_later_is_reviewed_as_before() -> None:
    story = opened()
    publish(story, (ROLE_FOR.name, "access.granted", "granter"))
    story.tell("access.granted", actor="person:olga", grant_id="GR-G", principal="person:gus", principal_kind="human",
        role="granter")  # fmt: skip
    story.tell("access.granted", actor="person:gus", by="person:gus", grant_id="GR-3", principal="person:zoe",
        principal_kind="human", role="release-approver")  # fmt: skip
    access_review(story, count=5)
    story.tell("access.revoked", actor="person:olga", grant_id="GR-G", principal="person:gus", time=at(0))
    row = story.row(access_reviews, "Q")
    assert (row.population_count, row.apart) == (5, ())


@pytest.mark.parametrize(("days", "is_found"), [(1, True), (0, False)])
def test_a_review_is_due_at_the_latest_when_the_policy_asks_for_the_next_one(days: int, is_found: bool) -> None:
    story = opened()
    publish(story, ("access-review-days", "any", str(days)))
    access_review(story, due_at="9999-01-01T00:00:00Z")
    pass_time(story, 20)
    assert "access-review-overdue" not in found(story)
    pass_time(story, 20)
    # Opened once more, the first one is overdue all the same.
    access_review(story, review_id="R", due_at="9999-01-01T00:00:00Z")
    assert found(story).get("access-review-overdue") == (["Q"] if is_found else None)


def test_what_a_review_left_out_is_found() -> None:
    story = opened()
    access_review(story, "GR-0", "GR-1", count=2)
    story.tell(
        "access.granted", actor="person:olga", grant_id="GR-9", principal="person:zoe", principal_kind="human", role="x"
    )
    story.tell("access_review.item_decided", actor="person:dan", review_id="Q", grant_id="GR-9",
        principal="person:zoe", decision="keep")  # fmt: skip
    complete(story, kept=2)
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
    complete(story, kept=0)
    assert found(story) == ({"access-review-incomplete": ["Q"]} if stated else {})


def test_who_reviews_their_own_access_is_found() -> None:
    story = opened()
    access_review(story, "GR-0", "GR-1")
    story.tell("access_review.item_decided", actor="person:carol", review_id="Q", grant_id="GR-2",
        principal="person:carol", decision="keep")  # fmt: skip
    complete(story)
    assert set(found(story)) == {"own-access-reviewed", "access-review-incomplete"}
    # What does not count hides nothing of it.
    decide(story, "GR-2", "service:ci")
    assert set(found(story)) == {"own-access-reviewed", "access-review-incomplete", "without-power"}


@pytest.mark.parametrize("who", ["neither", "one of them has the role"])
def test_two_who_keep_each_others_access_without_the_power_to_are_found(who: str) -> None:
    story = opened()
    if who != "neither":
        publish(story, (ROLE_FOR.name, "access_review.item_decided", "release-approver"))
    access_review(story)
    decide(story, "GR-0", "person:bob")
    decide(story, "GR-1", "person:alice")
    decide(story, "GR-2", "person:bob")
    complete(story)
    if who != "neither":
        assert found(story) == {}
        return
    assert set(found(story)) == {"own-access-reviewed", "access-review-incomplete"}
    items = {item.grant_id: item.why for item in story.row(access_reviews, "Q").items}
    assert (
        items["GR-0"] == "S7: person:bob and person:alice kept each other's grants, and neither has the power to say so"
    )
    assert (bool(items["GR-1"]), items["GR-2"]) == (True, "")
    # Somebody else decides.
    decide(story, "GR-0")
    assert story.row(access_reviews, "Q").undecided == 1


@pytest.mark.parametrize("since", ["nobody", "somebody else", "a machine"])
def test_so_are_two_who_do_it_in_two_reviews_as_long_as_nobody_else_decides(since: str) -> None:
    story = opened()
    access_review(story)
    for grant in ("GR-0", "GR-2"):
        decide(story, grant, "person:bob")
    decide(story, "GR-1")
    complete(story)
    assert found(story) == {}
    access_review(story, review_id="R")
    decide(story, "GR-0", review_id="R")
    decide(story, "GR-1", "person:alice", review_id="R")
    decide(story, "GR-2", review_id="R")
    # The grant of alice was kept by dan since; so it was not in return.
    assert found(story) == {}
    access_review(story, review_id="S")
    decide(story, "GR-0", "person:bob", review_id="S")
    assert found(story) == {"own-access-reviewed": ["R", "S"]}
    whys = [next(item.why for item in story.row(access_reviews, name).items if item.why) for name in ("R", "S")]
    assert [why[:2] for why in whys] == ["S7", "S7"]
    if since != "nobody":
        decide(story, "GR-0", "person:dan" if since == "somebody else" else "service:ci", review_id="S")
        assert found(story).get("own-access-reviewed") == (["R", "S"] if since == "a machine" else None)


def test_a_revocation_that_does_not_come_is_found_after_seven_days() -> None:
    story = opened()
    access_review(story, "GR-0", "GR-1")
    story.tell("access_review.item_decided", actor="person:dan", review_id="Q", grant_id="GR-2",
        principal="person:carol", decision="revoke")  # fmt: skip
    complete(story, kept=2, revoked=1)
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


def test_a_stated_population_is_compared_by_its_digest_and_totals_by_the_decisions() -> None:
    story = opened()
    access_review(story, "GR-0", "GR-1", "GR-2", digest=OTHER)
    complete(story, kept=9, revoked=9)
    says = finding(story, "access-review-incomplete", "Q").says
    assert says.startswith(f"Q: opened over {OTHER}, in force were sha256:")
    assert says.endswith("; said 9 kept and 9 to revoke, decided were 3 and 0")


def test_whose_a_grant_is_the_grant_says_and_not_the_decision() -> None:
    story = opened()
    access_review(story, "GR-0", "GR-1")
    decide(story, "GR-2", by="person:carol", principal="person:somebody-else")
    complete(story, kept=2)
    assert set(found(story)) == {"own-access-reviewed", "access-review-incomplete"}
    assert "decided about GR-2 as person:somebody-else's, which is person:carol's" in (
        finding(story, "access-review-incomplete", "Q").says
    )


def test_a_reviewer_who_turns_out_to_be_the_holder_is_found_when_their_logins_are_linked() -> None:
    story = opened()
    access_review(story, "GR-0", "GR-1")
    story.tell(
        "access.granted", actor="person:olga", grant_id="GR-g", principal="github:50", principal_kind="human", role="y"
    )
    decide(story, "GR-2", by="github:50")
    complete(story)
    assert found(story) == {}
    story.tell("identity.linked", actor="person:olga", identities=["github:50", "person:carol"], evidence="hr")
    assert set(found(story)) == {"own-access-reviewed", "access-review-incomplete"}
    assert story.row(access_reviews, "Q").undecided == 1


def test_decisions_count_from_people_who_speak_for_themselves_and_replace_nothing_where_they_do_not() -> None:
    story = opened()
    access_review(story, "GR-0", "GR-1")
    decide(story, "GR-2", by="service:bot")
    story.tell("access_review.item_decided", by="service:ci", actor="person:dan", review_id="Q", grant_id="GR-2",
        principal="person:carol", decision="keep")  # fmt: skip
    row = story.row(access_reviews, "Q")
    assert (row.undecided, row.items[2].why) == (1, "S12: service:ci may not speak for person:dan")
    decide(story, "GR-2")
    decide(story, "GR-2", by="person:carol", decision="revoke")
    row = story.row(access_reviews, "Q")
    assert (row.undecided, row.items[2].reviewer, row.items[2].decision) == (0, "person:dan", "keep")
    # All that was said is there.
    facts = story.row(access_review_facts, "Q")
    assert [decision.said.speaker for decision in facts.decisions[2:]] == [
        "service:bot",
        "person:dan",
        "person:dan",
        "person:carol",
    ]


def test_a_grant_that_ends_by_itself_or_by_who_may_is_carried_out_and_not_by_a_stranger() -> None:
    for how in ("expires", "revoked", "revoked by a stranger"):
        story = opened()
        story.tell("access.granted", actor="person:olga", grant_id="GR-9", principal="person:zoe", principal_kind="human", role="x",
            **({"expires_at": at(20)} if how == "expires" else {}))  # fmt: skip
        access_review(story, "GR-0", "GR-1", "GR-2", count=4)
        decide(story, "GR-9", decision="revoke")
        complete(story, kept=3, revoked=1)
        if how != "expires":
            by = {"by": "person:eve"} if how.endswith("stranger") else {}
            story.tell("access.revoked", actor="person:eve", grant_id="GR-9", principal="person:zoe", **by)
        pass_time(story, 8 * 24)
        assert ("revocation-overdue" in found(story)) is how.endswith("stranger")


def test_what_is_granted_again_after_it_was_to_be_revoked_is_found_until_a_later_review_keeps_it() -> None:
    story = opened()
    access_review(story, "GR-0", "GR-1")
    decide(story, "GR-2", decision="revoke")
    complete(story, kept=2, revoked=1)
    story.tell("access.revoked", actor="person:olga", grant_id="GR-2", principal="person:carol")
    about = {"principal": "person:carol", "principal_kind": "human"}
    story.tell("access.granted", actor="person:olga", grant_id="GR-8", role="reader", **about)
    assert found(story) == {}
    story.tell("access.granted", actor="person:olga", grant_id="GR-9", role="release-approver", **about)
    assert finding(story, "revoked-access-granted-again", "Q").says == (
        "Q: granted again: release-approver to person:carol by GR-9"
    )
    story.tell("access_review.item_decided", actor="person:dan", review_id="Q2", grant_id="GR-9", principal="person:carol",
        decision="keep")  # fmt: skip
    assert found(story) == {}


def test_a_grant_for_everywhere_is_in_the_review_of_an_environment() -> None:
    story = opened()
    give(story)
    give(story, grant_id="H", principal="service:other", environment="staging")
    access_review(story, environment="prod")
    assert [item.grant_id for item in story.row(access_reviews, "Q").items] == ["G", "GR-0", "GR-1", "GR-2"]


def test_a_grant_that_is_dated_to_before_a_review_and_recorded_after_it_is_found_until_one_looks_at_it() -> None:
    story = opened()
    access_review(story, "GR-0", "GR-1", "GR-2")
    complete(story)
    story.tell("access.granted", actor="person:olga", grant_id="GR-9", principal="person:zoe", principal_kind="human", role="x",
        time=at(0.5))  # fmt: skip
    assert found(story) == {"grant-escaped-review": ["GR-9"]}
    story.tell("access_review.opened", actor="person:olga", review_id="Q2", population_digest=OTHER, population_count=4,
        due_at=at(400))  # fmt: skip
    assert found(story) == {}


def test_a_review_that_is_backfilled_says_when_it_was_done_and_when_that_was_recorded() -> None:
    story = opened()
    access_review(story, "GR-0", "GR-1", "GR-2")
    pass_time(story, 40)
    assert found(story) == {"access-review-overdue": ["Q"]}
    complete(story, time=at(20))
    row = story.row(access_reviews, "Q")
    assert (row.completed_at, row.is_in_time, row.is_recorded_late) == (at(20), True, True)
    assert found(story) == {}


def test_a_review_says_what_waits_for_whom() -> None:
    story = opened()
    give(story, owner="person:bob")
    give(story, grant_id="H", kind="human", principal="person:olga", owner=None, actor="person:oscar")
    access_review(story, "GR-0", count=5)
    waiting = [(w.reviewer, w.grants) for w in story.row(access_reviews, "Q").waits_for]
    assert waiting == [("person:bob", 1), ("person:olga", 2), ("person:oscar", 1)]


def test_who_has_no_credential_left_and_holds_a_grant_is_found_until_it_ends() -> None:
    story = opened()
    for number in (1, 2):
        story.tell("ledger.credential_issued", actor="person:olga", credential=f"token:{number}", principal="person:carol",
            kind="human", roles=["reporter"], areas=["*"], sources=["*"], token_sha256="0" * 64)  # fmt: skip
    for number in (1, 2):
        assert found(story) == {}
        story.tell("ledger.credential_revoked", actor="person:olga", credential=f"token:{number}", reason="left")
    assert found(story) == {"leaver-keeps-access": ["GR-2"]}
    story.tell("access.revoked", actor="person:olga", grant_id="GR-2", principal="person:carol")
    assert found(story) == {}


def test_a_review_that_a_machine_opens_is_no_review() -> None:
    story = Story()
    give(story)
    limit(story, "access-review-days", 1)
    story.tell(
        "access_review.opened",
        actor="service:bot",
        review_id="Q",
        population_digest=OTHER,
        population_count=1,
        due_at=at(400),
    )
    pass_time(story, 26)
    assert "access-not-reviewed" in found(story)


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


def plant_access_that_comes_back_escapes_or_outlives_its_holder(year: Year) -> set[str]:
    # The first grant was to be revoked by the review of day 265; its holder gets the same once more.
    first = next(iter(year.grants.values()))[0]
    year.grant(START + 300 * DAY, first, "release-manager", environment=None)
    about = {"actor": "person:olga", "principal_kind": "human", "role": "reader", "environment": "staging"}
    at = START + 79 * DAY
    year.say(at, "access.granted", late=5 * DAY, grant_id="GR-late", principal="person:late", **about)
    year.say(at, "access.granted", grant_id="GR-leaver", principal="person:leaver", **about)
    year.say(at, "access.used", actor="person:leaver", grant_id="GR-leaver", principal="person:leaver", purpose="work")
    year.say(at + DAY, "ledger.credential_revoked", by=LEDGER_PRINCIPAL, actor="person:olga",
        credential=credential_of("person:leaver"), reason="left")  # fmt: skip
    return {
        "revoked-access-granted-again/not-followed",
        "grant-escaped-review/GR-late",
        "leaver-keeps-access/GR-leaver",
    }


def plant_a_reviewer_who_turns_out_to_be_the_holder(year: Year) -> set[str]:
    first = next(iter(year.grants.values()))[0]
    year.access_reviews.append(AccessReview("linked", 290, reviewer_of_first="github:17"))
    year.say(START + 310 * DAY, "identity.linked", actor="person:olga", identities=[first, "github:17"], evidence="hr")
    return {"own-access-reviewed/linked", "access-review-incomplete/linked"}
