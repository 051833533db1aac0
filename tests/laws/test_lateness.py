"""Honest lateness is not a breach: in whichever order the doors deliver what is said of a change, within the lag, the same is found."""

import random
from functools import cache
from operator import itemgetter
from typing import Any

import pytest
from changes import ARTIFACT, OTHER, found, ready
from telling import Story, at, document

from ledger.authority import LEDGER_PRINCIPAL
from projections.readings.people.powers import HOLDERS
from projections.rules.digests import content_digest, list_digest

ORDERS = 5
ALL_ORDERS = 400
# Minutes within the lag of 15 that a policy allows by default; and what follows so close that the order in the record is another.
LAG = 14
DAY = 24 * 60
Said = tuple[float, str, dict[str, Any]]
CHG = {"change_id": "CHG-9"}
WHERE = {"deployment_id": "d-9", "service": "api", "environment": "prod"}
TITLE = {"sha256": "0" * 64}


def by_the_book() -> list[Said]:
    """A change from its opening to its review, with a minute of its time for each statement."""
    about = {"actor": "person:alice", **CHG}
    score = {"model_id": "m", "version": "1", "model_digest": OTHER, "score": "1", "band": "low"}
    return [
        (0, "change.opened", {**about, "change_type": "normal", "services": ["api"], "environment": "prod", "title": TITLE}),
        (4, "change.submitted", {**about, "artifacts": [ARTIFACT]}),
        (7, "risk.assessed", {**CHG, **score, "features": [{"name": "criticality", "value": "1"}]}),
        (8, "approval.requested", {**about, "policy_id": "p", "policy_version": "1", "rule": "normal",
            "required_roles": ["release-approver"], "quorum": 1}),
        (11, "approval.granted", {"actor": "person:bob", **CHG}),
        (12, "change.scheduled", {**about, "planned_start": at(24.2), "planned_end": at(26)}),
        (18, "deployment.started", {"actor": "service:ci", **WHERE, **CHG, "artifact": ARTIFACT}),
        (24, "deployment.finished", {**WHERE, **CHG, "artifact": ARTIFACT, "outcome": "success"}),
        (29, "deployment.verified", {**WHERE, "verdict": "healthy", "checks": [{"name": "x", "passed": True, "observations": 9}]}),
        (60, "pir.completed", {"actor": "person:carol", **CHG, "pir_id": "P", "outcome": "successful", "rolled_back": False}),
    ]  # fmt: skip


def without(name: str) -> list[Said]:
    return [said for said in by_the_book() if said[1] != name]


def altered(name: str, **more: Any) -> list[Said]:
    return [(minute, kind, data | more if kind == name else data) for minute, kind, data in by_the_book()]


FREEZE = {
    "actor": "person:frank",
    "freeze_id": "F",
    "tiers": ["production"],
    "start": at(24),
    "end": at(30),
    "time_zone": "UTC",
}
OVERRIDE = {
    "actor": "person:frank", "freeze_id": "F", **CHG, "requester": "person:dan", "expires_at": at(30), "reason": TITLE
}  # fmt: skip
# Of the scope as it is in the end, by what the ledger says is its digest.
DIGEST = content_digest(
    {"change": CHG["change_id"], "services": ["api"], "environments": ["prod"], "artifacts": [ARTIFACT]}
)
DECLARED: Said = (2, "freeze.declared", FREEZE)
HISTORIES: dict[str, tuple[list[Said], set[str]]] = {
    "by the book": (by_the_book(), set()),
    # By the digest of what is approved: where none is named, it is what was on record.
    "amended and approved": (
        [
            *((minute, kind, data | {"scope_digest": DIGEST} if kind == "approval.granted" else data)
              for minute, kind, data in altered("change.submitted", artifacts=[OTHER])),
            (9, "change.scope_amended", {"actor": "person:alice", **CHG, "artifacts": [ARTIFACT]}),
        ],
        set(),
    ),
    "planned twice": (
        [*by_the_book(), (10, "change.scheduled", {"actor": "person:alice", **CHG, "planned_start": at(1), "planned_end": at(2)})],
        set(),
    ),
    "in a freeze, lifted before": (
        [*by_the_book(), DECLARED, (14, "freeze.lifted", {"actor": "person:frank", "freeze_id": "F"})],
        set(),
    ),
    "in a freeze, let through": ([*by_the_book(), DECLARED, (14, "freeze.override_granted", OVERRIDE)], set()),
    "in a freeze": ([*by_the_book(), DECLARED], {"deployed-in-freeze"}),
    "not approved": (without("approval.granted"), {"started-without-approval"}),
    "another artifact": (altered("deployment.started", artifact=OTHER), {"artifact-not-approved"}),
    "outside of its window": (
        altered("change.scheduled", planned_start=at(25), planned_end=at(26)), {"outside-window"},
    ),
    "of no change": (
        [(m, k, {n: v for n, v in d.items() if k[:10] != "deployment" or n not in ("change_id", "artifact")})
         for m, k, d in altered("change.scheduled", planned_start=at(50), planned_end=at(51))],
        {"deployment-without-change"},
    ),
}  # fmt: skip


@cache
def rests_on() -> list[dict[str, Any]]:
    """What was told the day before: who may approve, and the model of risk."""
    return ready().documents()


def delivered(history: list[Said], chance: random.Random) -> dict[str, list[str]]:
    """Return what is found when each statement is recorded some minutes after its time."""
    late = [(minute + chance.uniform(0, LAG), minute, name, data) for minute, name, data in history]
    return recorded(late)


def recorded(
    history: list[tuple[float, float, str, dict[str, Any]]], by: dict[str, str] | None = None
) -> dict[str, list[str]]:
    """Return what is found of statements, each with the minute of its recording and that of its time; `by` says for whom others speak."""
    story = Story(batch=1000)
    for told in rests_on():
        story.add(told)
    # A day later everything that falls due has.
    for when, minute, name, data in (
        *sorted(history, key=itemgetter(0)),
        (DAY, DAY, "ledger.time_passed", {"until": at(48)}),
    ):
        speaker = LEDGER_PRINCIPAL if HOLDERS.get(name) == "operator" else data.get("actor", "service:desk")
        speaker = LEDGER_PRINCIPAL if name == "ledger.source_enrolled" else (by or {}).get(name, speaker)
        story.add(
            document(
                len(story.log) + 1, name, data, time=at(24 + minute / 60), recorded_at=at(24 + when / 60), by=speaker,
                credential="key:story" if speaker == LEDGER_PRINCIPAL else f"token:{speaker.rpartition(':')[2]}",
            )
        )  # fmt: skip
    return found(story)


@pytest.mark.parametrize("name", HISTORIES)
def test_the_same_is_found_in_whichever_order_a_change_is_delivered(name: str, request: pytest.FixtureRequest) -> None:
    history, expected = HISTORIES[name]
    orders = ALL_ORDERS if request.config.getoption("--all") else ORDERS
    for seed in range(orders):
        rules = set(delivered(history, random.Random(f"{name} {seed}")))
        assert rules == expected, f"{name}, order {seed}"


# -- evidence that travels slowly ----------------------------------------------------------------------------------------

FORGE = "service:forge"
PIPELINE = "service:pipeline"
APPROVED = 11
HOUR = 60


def enrolled(principal: str, *identities: str) -> Said:
    return (
        -HOUR,
        "ledger.source_enrolled",
        {"actor": "person:olga", "source": "test", "door": principal.rpartition(":")[2], "principal": principal, "must_sign": False,
         "authority_for": list(identities)},
    )  # fmt: skip


def lists(*ids: str, actor: str = FORGE, begin: float = 23, end: float = 26, missing: int = 0) -> dict[str, Any]:
    """A list that a source makes of an hour before the change to an hour after it."""
    return {
        "actor": actor, "source": "test", "period_start": at(begin), "period_end": at(end), "listed": list(ids),
        "listed_count": len(ids), "listed_digest": list_digest(ids), "missing_count": missing,
        "missing": list(ids)[:missing], "extra_count": 0,
    }  # fmt: skip


def told_late(chance: random.Random, *told: tuple[float, dict[str, Any]], reporter: str = FORGE) -> set[str]:
    """Return what is found where the approval is told hours late by who reports it, and lists are made at some hours."""
    first = len(rests_on()) + 1
    book = [(minute + chance.uniform(0, LAG), minute, name, data) for minute, name, data in without("approval.granted")]
    book += [(minute, minute, name, data) for minute, name, data in (enrolled(FORGE, "person:*"), enrolled(PIPELINE))]
    late = (2 * HOUR + chance.uniform(0, 5 * HOUR), APPROVED, "approval.granted", {"actor": "person:bob", **CHG})
    book.append(late)
    # Its id is where it comes to stand, and how many of the lists come before it.
    position = first + sum(one[0] < late[0] for one in book) + sum(hour * HOUR < late[0] for hour, _ in told)
    for hour, data in told:
        named = [str(position) if name == "it" else name for name in data["listed"]]
        missing = [str(position) if name == "it" else name for name in data["missing"]]
        filled = data | {"listed": named, "listed_digest": list_digest(named), "missing": missing}
        book.append((hour * HOUR, hour * HOUR, "source.reconciled", filled))
    return set(recorded(book, {"approval.granted": reporter}))


NOT_THERE = {"started-without-approval"}
TRAVELS: dict[str, tuple[list[tuple[float, dict[str, Any]]], str, set[str]]] = {
    "listed by its source afterwards": ([(8, lists("it", "other"))], FORGE, set()),
    "called missing by its source, and told then": ([(1.5, lists("it", missing=1))], FORGE, set()),
    "not listed": ([], FORGE, NOT_THERE),
    "not in the first list of that time": ([(1.5, lists("other")), (8, lists("it"))], FORGE, NOT_THERE),
    "in a list of another time": ([(8, lists("it", begin=26, end=30))], FORGE, NOT_THERE),
    "listed by a pipeline": ([(8, lists("it", actor=PIPELINE))], FORGE, NOT_THERE),
    "listed by who approved": ([(8, lists("it", actor="person:bob"))], FORGE, NOT_THERE),
    "in a list of more than it names": ([(8, lists("it") | {"listed_count": 7})], FORGE, set()),
    "told and listed by a pipeline": ([(8, lists("it", actor=PIPELINE))], PIPELINE,
        {*NOT_THERE, "spoken-for-another", "approval-without-standing"}),
    "told by who approved, and listed": ([(8, lists("it"))], "person:bob", NOT_THERE),
}  # fmt: skip


@pytest.mark.parametrize("name", TRAVELS)
def test_what_an_authority_tells_late_counts_where_its_own_first_list_of_that_time_has_it(name: str) -> None:
    told, reporter, expected = TRAVELS[name]
    for seed in range(2):
        rules = told_late(random.Random(f"{name} {seed}"), *told, reporter=reporter)
        assert rules == expected, f"{name}, order {seed}"
