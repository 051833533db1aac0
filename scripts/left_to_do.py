"""What is left to do when the demo ends: a change to approve, a meeting that is on, access to review, and what is planned.

Of now, and told by those who would tell it; so that pages have something to decide about, for alice first of all.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from history import SENDERS, Post, told_by

from projections.rules.digests import list_digest

_BOARD: Final = ("alice", "bob")
_SERVICE: Final = {"services": ["payments-api"], "environment": "prod"}


def left_to_do(now: datetime, grants: Sequence[str]) -> Iterator[Post]:
    """Yield what is told now. `grants` are those in force: all of them are for production, or for everywhere."""
    yield from _changes(now)
    yield from _meeting(now)
    frozen: dict[str, Any] = {
        "start": _in(now, days=11),
        "end": _in(now, days=24),
        "time_zone": "UTC",
        "exempt_types": ["emergency"],
    }
    yield _say(
        now, "frank", "freeze.declared", freeze_id="year-end", environments=["prod"], **frozen, reason="The year's end."
    )
    held = {*grants, *(f"GR-cab-{member}" for member in _BOARD)}
    review = {"population_digest": list_digest(held), "population_count": len(held), "due_at": _in(now, days=5)}
    yield _say(now, "access", "access_review.opened", "olga", review_id="this-quarter", environment="prod", **review)
    going = {"deployment_id": "payments-api-next", "service": "payments-api", "environment": "staging"}
    yield _say(now, "payments-ci", "deployment.started", **going)


def _changes(now: datetime) -> Iterator[Post]:
    """An emergency, which needs no score, waits for approval; two plans are of one service at one time, and one reaches into the freeze."""
    for number, kind, title in (
        (1, "emergency", "Stop a leak"),
        (2, "normal", "A new ledger of fees"),
        (3, "normal", "Less memory"),
    ):
        of: dict[str, Any] = {"change_id": f"CHG-200{number}"}
        yield _say(now, "desk", "change.opened", "paul", **of, change_type=kind, title=title, **_SERVICE)
        artifact = "sha256:" + hashlib.sha256(title.encode()).hexdigest()
        scope = {"services": _SERVICE["services"], "environments": ["prod"], "artifacts": [artifact]}
        yield _say(now, "desk", "change.submitted", "paul", **of, **scope)
        if kind == "normal":
            # The second ends when all is frozen already.
            planned = {
                "planned_start": _in(now, days=10, hours=number),
                "planned_end": _in(now, days=8 + number, hours=4),
            }
            yield _say(now, "desk", "change.scheduled", "paul", **of, **planned)


def _meeting(now: datetime) -> Iterator[Post]:
    """A meeting of the board is on: one change was on its agenda, the other came later, and one member has voted."""
    for member in _BOARD:
        granted = {"grant_id": f"GR-cab-{member}", "principal": f"person:{member}", "principal_kind": "human"}
        yield _say(now, "access", "access.granted", "olga", **granted, role="cab")
    of = {"meeting_id": "CAB-weekly"}
    begin, end = _in(now, minutes=-20), _in(now, minutes=70)
    yield _say(now, "olga", "cab.meeting_scheduled", **of, start=begin, end=end, time_zone="UTC", recurs="FREQ=WEEKLY")
    for number in (2, 3):
        yield _say(now, "olga", "cab.agenda_fixed", **of, slot=begin, changes=[f"CHG-200{number}"])
    yield _say(now, "bob", "cab.vote_cast", **of, change_id="CHG-2002", vote="for")


def _say(now: datetime, sender: str, kind: str, actor: str = "", **data: Any) -> Post:
    """Return what a sender tells: in the name of somebody, or, of a person, in their own."""
    who = f"person:{actor}" if actor else SENDERS[sender].principal
    about = [value for name, value in data.items() if name.endswith("_id")] + data.get("changes", [])
    return told_by(sender, kind, f"left/{kind}/{'/'.join(about)}", _in(now), {"actor": who} | data)


def _in(now: datetime, **later: float) -> str:
    return (now + timedelta(**later)).strftime("%Y-%m-%dT%H:%M:%SZ")
