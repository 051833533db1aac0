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
from projections.rules.digests import content_digest

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
    story = Story(batch=1000)
    for told in rests_on():
        story.add(told)
    late = [(minute + chance.uniform(0, LAG), minute, name, data) for minute, name, data in history]
    # A day later everything that falls due has.
    for recorded, minute, name, data in (
        *sorted(late, key=itemgetter(0)),
        (DAY, DAY, "ledger.time_passed", {"until": at(48)}),
    ):
        by = LEDGER_PRINCIPAL if HOLDERS.get(name) == "operator" else data.get("actor", "service:desk")
        story.add(
            document(
                len(story.log) + 1, name, data, time=at(24 + minute / 60), recorded_at=at(24 + recorded / 60), by=by,
                credential="key:story" if by == LEDGER_PRINCIPAL else f"token:{by.rpartition(':')[2]}",
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
