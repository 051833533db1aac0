"""A year of two hundred services, made up from a seed: changes by the book, and breaches planted among them.

Every breach is planted with the finding that it must become. Whatever else the ledger finds in the year is wrong, and so
is what it does not find. The statements are plain data; `told` folds them in memory, `tell` makes a ledger of them.
"""

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from telling import Story, document

from ledger.clock import Clock
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.log.recorder import Recorded, Submission
from ledger.stewardship.credentials import enrol_source
from signing.keys import SigningKey

START: Final = datetime(2026, 1, 5, tzinfo=UTC)
DAYS: Final = 365
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
TITLE: Final = "A change"
DESK: Final = "service:desk"
SOURCE: Final = "https://year.example.com/"
GROUP: Final = 200
APART: Final = timedelta(minutes=30)
# When nothing is to change, but for what is planted: day of the beginning and length in days.
FREEZES: Final = {"spring": (95, 5), "summer": (200, 5), "year-end": (340, 10)}
MODEL: Final[dict[str, Any]] = {"model_id": "change-risk", "version": "1"}
# What the policy asks for from time to time. No review of staging is ever opened.
LIMITS: Final = (
    ("escalate-after-hours", "any", 48),
    ("dormant-after-days", "prod", 120),
    ("rotate-within-days", "prod", 200),
    ("access-review-days", "prod", 100),
    ("access-review-days", "staging", 300),
)
# What stands in a statement for the title that was given with it.
SALTED: Final = {"title": {"sha256": "c" * 64}}
POLICY: Final[dict[str, Any]] = {"policy_id": "change-approval", "version": "1"}


@dataclass(frozen=True, slots=True)
class Told:
    """One statement: when it was recorded, when it says that it happened, by whom, and what."""

    recorded_at: datetime
    time: datetime
    principal: str
    type: str
    data: dict[str, Any]


def stamp(moment: datetime) -> str:
    """Return a time as statements have it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class _Change:
    id: str
    service: str
    team: str
    kind: str
    author: str
    approver: str
    deployer: str
    scope: str
    artifact: str
    deployment: str
    # What is done otherwise than by the book.
    twist: str = ""
    risk: int = 2


@dataclass
class Year:
    """The statements, in the order they are recorded, and the findings (`rule/subject`) that they must become."""

    seed: int = 7
    services: int = 200
    changes: int = 15_500
    # How often each kind of breach is planted.
    planted: int = 4
    expected: set[str] = field(default_factory=set)
    _told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._numbers = itertools.count(1)
        self._set_up()
        twists = [twist for twist in TWISTS for _ in range(self.planted)]
        others = [""] * (self.changes - len(twists))
        self._random.shuffle(twists)
        # Spread over the year: a breach among many changes that are none.
        step = max(1, len(others) // (len(twists) + 1))
        for number in range(self.changes):
            place, rest = divmod(number, step + 1)
            twist = twists[place] if rest == step and place < len(twists) else ""
            self._change(START + 20 * DAY + number * (DAYS - 60) * DAY / self.changes, twist)
        self._access_reviews()
        self._told.sort(key=lambda told: told.recorded_at)

    def __iter__(self) -> Iterator[Told]:
        return iter(self._told)

    def __len__(self) -> int:
        return len(self._told)

    def _say(
        self, at: datetime, event_type: str, *, by: str = DESK, late: timedelta = timedelta(), **data: Any
    ) -> None:
        self._told.append(Told(at + late, at, by, event_type, {name: v for name, v in data.items() if v is not None}))

    def _digest(self) -> str:
        return f"sha256:{self._random.getrandbits(256):064x}"

    # -- what everything stands on -------------------------------------------------------------------------------

    def _set_up(self) -> None:
        at = START
        teams = range(max(2, self.services // 10))
        self.teams = {
            f"team-{n}": ([f"person:t{n}-{who}" for who in range(6)], [f"person:t{n}-lead-{who}" for who in range(2)])
            for n in teams
        }
        self.team_of = {f"service-{n}": f"team-{n % len(self.teams)}" for n in range(self.services)}
        settings = [
            {"name": "quorum", "applies_to": "any", "value": "1"},
            {"name": "required-role", "applies_to": "any", "value": "release-approver"},
            {"name": "deployer-role", "applies_to": "prod", "value": "deployer"},
            *({"name": name, "applies_to": where, "value": str(value)} for name, where, value in LIMITS),
        ]
        self.grants: dict[str, tuple[str, datetime]] = {}
        for team, (_, leads) in self.teams.items():
            for who, kind, role in (
                *((lead, "human", "release-approver") for lead in leads),
                (f"service:{team}-ci", "service", "deployer"),
            ):
                self._grant(at, who, kind, role)
        self._robots(at)
        digest: dict[str, Any] = {"policy_digest": self._digest()}
        self._say(at + HOUR, "policy.published", actor="person:olga", **POLICY, **digest, settings=settings)
        self._say(at + 2 * HOUR, "policy.approved", actor="person:oscar", **POLICY, **digest)
        self.model: dict[str, Any] = {**MODEL, "model_digest": self._digest()}
        self._say(at + HOUR, "risk.model_published", actor="person:dan", **self.model, form="weighted_points",
            features_version="1", bands=[_value("low", 0), _value("high", 7)],
            parameters=[_value("criticality", 1), _value("size", 0.5), _value("scale", 20)])  # fmt: skip
        self._say(at + 2 * HOUR, "risk.model_approved", actor="person:erin", **self.model)
        self._say(at, "template.approved", actor="person:olga", template_id="routine", failure_limit=10_000,
            expires_at=stamp(at + 2 * DAYS * DAY))  # fmt: skip
        for service in self.team_of:
            self._say(at + HOUR, "rollback.trigger_defined", actor="person:dan", trigger_id=f"{service}-errors", version="1",
                service=service, environment="prod", metric="error_rate", comparator="gt", threshold="0.02", window_s=300,
                min_samples=500, mode="manual")  # fmt: skip
        for name, (day, length) in FREEZES.items():
            begin = at + day * DAY
            # The last of them is written down when it is over.
            late = 12 * DAY if name == "year-end" else timedelta()
            self._say(begin - DAY, "freeze.declared", actor="person:frank", freeze_id=name, environments=["prod"],
                start=stamp(begin), end=stamp(begin + length * DAY), time_zone="UTC", late=late)  # fmt: skip

    def _robots(self, at: datetime) -> None:
        """Services that use and renew what they hold, and one each that does not, or is nobody's."""
        robots = [(grant, who, "") for grant, (who, _) in self.grants.items() if who.startswith("service:")]
        for rule in ("dormant", "unrotated", "ownerless"):
            who = f"service:{rule}"
            grant = self._grant(at, who, "service", "reader", is_owned=rule != "ownerless")
            robots.append((grant, who, rule))
            self.expected.add(f"{rule}-credential/{grant}")
        self.expected.add(f"access-not-reviewed/{POLICY['policy_id']}")
        for day in range(60, DAYS, 60):
            for grant, who, rule in robots:
                about = {"grant_id": grant, "principal": who}
                if rule != "dormant":
                    self._say(at + day * DAY, "access.used", **about, purpose="work")
                if rule != "unrotated":
                    self._say(at + day * DAY, "access.rotated", actor="person:olga", **about)

    def _grant(self, at: datetime, who: str, kind: str, role: str, is_owned: bool = True) -> str:
        grant = f"GR-{len(self.grants) + 1}"
        self.grants[grant] = (who, at)
        self._say(at, "access.granted", actor="person:olga", grant_id=grant, principal=who, principal_kind=kind, role=role,
            environment="prod", owner="person:olga" if kind == "service" and is_owned else None)  # fmt: skip
        return grant

    # -- one change ----------------------------------------------------------------------------------------------

    def _change(self, at: datetime, twist: str) -> None:
        number, rng = next(self._numbers), self._random
        service = rng.choice(list(self.team_of))
        team = self.team_of[service]
        engineers, leads = self.teams[team]
        change = _Change(
            f"CHG-{number}", service, team, rng.choice(("normal", "normal", "standard")), rng.choice(engineers),
            leads[0], f"service:{team}-ci", self._digest(), self._digest(), f"d-{number}", twist, rng.randint(0, 4),
        )  # fmt: skip
        if twist:
            change.kind = "normal"
            TWISTS[twist](self, change)
        begin = _outside_freezes(at + 30 * HOUR) if twist not in IN_FREEZE else START + IN_FREEZE[twist] * DAY
        at = begin - 30 * HOUR
        if twist != "no-change":
            self._prepare(at, change)
        if twist not in NOT_DEPLOYED:
            self._deploy(begin, change)

    def _prepare(self, at: datetime, change: _Change) -> None:
        about: dict[str, Any] = {"actor": change.author, "change_id": change.id}
        self._say(at, "change.opened", **about, change_type=change.kind, services=[change.service], environment="prod",
            team=change.team, title=TITLE, template_id="routine" if change.kind == "standard" else None,
            release_id=f"R-{change.id}")  # fmt: skip
        self._say(at + HOUR, "change.submitted", **about, scope_digest=change.scope, artifacts=[change.artifact])
        if change.kind == "unauthorized":
            return
        begin = at + 30 * HOUR
        early = 2 * DAY if change.twist == "outside-window" else timedelta()
        if change.kind in ("normal", "emergency"):
            criticality, size = change.risk, 2
            score = criticality + size / 2 + (1 if change.twist == "wrong-score" else 0)
            self._say(at + 2 * HOUR, "risk.assessed", change_id=change.id, **self.model, score=_number(score),
                band="low", features=[_value("criticality", criticality), _value("size", size)])  # fmt: skip
            self._say(at + 3 * HOUR, "approval.requested", **about, scope_digest=change.scope, policy_id="change-approval",
                policy_version="1", rule=change.kind, required_roles=["release-approver"],
                quorum=2 if change.kind == "emergency" else 1)  # fmt: skip
            if change.twist not in ("not-approved", "not-escalated"):
                # An approver speaks by their own credential.
                self._approve(at + 5 * HOUR, change, change.approver)
        self._say(at + 6 * HOUR, "change.scheduled", **about, planned_start=stamp(begin - HOUR - early),
            planned_end=stamp(begin + 4 * HOUR - early))  # fmt: skip

    def _approve(self, at: datetime, change: _Change, who: str, by: str | None = None) -> None:
        self._say(at, "approval.granted", by=by or who, actor=who, change_id=change.id, scope_digest=change.scope,
            role="release-approver")  # fmt: skip

    def _deploy(self, begin: datetime, change: _Change) -> None:
        linked = None if change.twist == "no-change" else change.id
        where: dict[str, Any] = {
            "deployment_id": change.deployment,
            "service": change.service,
            "environment": "prod",
            "change_id": linked,
        }
        failed = not change.twist and self._random.random() < 0.06
        by = f"service:{change.team}-ci"
        artifact = self._digest() if change.twist == "other-artifact" else change.artifact
        minute, commit = timedelta(minutes=1), f"{self._random.getrandbits(160):040x}"
        self._say(
            begin - 40 * HOUR, "code.merged", actor=change.author, repository=f"acme/{change.service}", merge_sha=commit
        )
        self._say(begin, "deployment.started", by=by, actor=change.deployer, **where, artifact=artifact, commit=commit)
        self._say(begin + 9 * minute, "deployment.finished", by=by, **where, artifact=artifact, outcome="success")
        for probe in range(2):
            self._say(begin + (20 + probe) * minute, "deployment.verified", **where,
                verdict="degraded" if failed else "healthy",
                checks=[{"name": "error_rate", "passed": not failed, "observations": 900}])  # fmt: skip
        if failed:
            self._fail(begin + 25 * minute, change, where)
        if linked is None:
            return
        pir: dict[str, Any] = {"actor": "person:frank", "pir_id": f"PIR-{change.id}", "change_id": change.id}
        self._say(begin + DAY, "pir.opened", **pir, due_at=stamp(begin + 11 * DAY), mandatory=failed)
        if change.twist == "review-overdue":
            return
        self._say(
            begin + 4 * DAY,
            "pir.completed",
            **pir,
            outcome="backed_out" if failed else "successful",
            rolled_back=failed,
        )
        self._say(begin + 4 * DAY + HOUR, "risk.outcome_labelled", actor=DESK, change_id=change.id,
            label="failure" if failed else "success")  # fmt: skip

    def _fail(self, at: datetime, change: _Change, where: dict[str, Any]) -> None:
        incident: dict[str, Any] = {"incident_id": f"INC-{change.id}", "service": change.service, "environment": "prod"}
        self._say(at, "incident.detected", **incident, severity="sev3")
        undo: dict[str, Any] = {"rollback_id": f"RB-{change.id}", **where}
        self._say(
            at + HOUR / 4,
            "rollback.decided",
            actor=change.approver,
            **undo,
            decision="roll_back",
            options=["roll_back"],
        )
        self._say(at + HOUR / 2, "rollback.completed", **undo, from_artifact=change.artifact, outcome="success")
        self._say(at + HOUR, "incident.resolved", **incident)
        self._say(at + 2 * HOUR, "incident.attributed", **incident, method="label-overlap", method_version="1",
            deployment_id=change.deployment, change_id=change.id, confirmed=True)  # fmt: skip

    # -- reviews of access ---------------------------------------------------------------------------------------

    def _access_reviews(self) -> None:
        for number, day in enumerate((80, 170, 260, 350)):
            at, review = START + day * DAY, f"Q{number + 1}"
            grants = {name: who for name, (who, granted) in self.grants.items() if granted < at}
            stated = len(grants) - (number == 1)
            self._say(at, "access_review.opened", actor="person:olga", review_id=review, environment="prod",
                population_digest=self._digest(), population_count=stated, due_at=stamp(at + 10 * DAY))  # fmt: skip
            if number == 1:
                self.expected.add(f"access-review-incomplete/{review}")
            for item, (grant, who) in enumerate(sorted(grants.items())):
                reviewer = "person:olga"
                if number == 2 and item == 0:
                    reviewer = who
                    self.expected |= {f"own-access-reviewed/{review}", f"access-review-incomplete/{review}"}
                revoke = number == 0 and item == 0
                self._say(at + DAY, "access_review.item_decided", actor=reviewer, review_id=review, grant_id=grant,
                    principal=who, decision="revoke" if revoke else "keep")  # fmt: skip
                if revoke:
                    self.expected.add(f"revocation-overdue/{review}")
            if number == 3:
                # Its time is over before the year is.
                self.expected.add(f"access-review-overdue/{review}")
                self._say(at + 11 * DAY, "ledger.time_passed", until=stamp(at + 11 * DAY))
            else:
                self._say(
                    at + 2 * DAY, "access_review.completed", actor="person:olga", review_id=review, kept=1, revoked=0
                )


def _outside_freezes(at: datetime) -> datetime:
    for day, length in FREEZES.values():
        begin = START + day * DAY
        if begin - HOUR <= at <= begin + (length + 1) * DAY:
            return at + (length + 3) * DAY
    return at


def _value(name: str, number: float) -> dict[str, str]:
    return {"name": name, "value": _number(number)}


def _number(value: float) -> str:
    return f"{value:g}"


# -- breaches ---------------------------------------------------------------------------------------------------------


def _expect(rule: str, subject: str) -> Callable[[Year, _Change], None]:
    def plant(year: Year, change: _Change) -> None:
        year.expected.add(f"{rule}/{getattr(change, subject)}")

    return plant


def _no_change(year: Year, change: _Change) -> None:
    # Nothing is ever planned for it: in the window of another change it would be taken for that one's deployment.
    change.service = "service-unplanned"
    year.expected.add(f"deployment-without-change/{change.deployment}")


def _own_approval(year: Year, change: _Change) -> None:
    change.author = change.approver
    year.expected |= {f"approval-of-ones-own/{change.id}", f"started-without-approval/{change.id}"}


def _own_approval_by_another_login(year: Year, change: _Change) -> None:
    """The author approves under a login that is linked at the end of the year."""
    change.author = f"github:{change.id[4:]}"
    year.expected.add(f"approval-of-ones-own/{change.id}")
    year._say(START + (DAYS - 5) * DAY, "identity.linked", actor="person:olga",
        identities=[change.author, change.approver], evidence="hr")  # fmt: skip


def _outside_window(year: Year, change: _Change) -> None:
    """Its time passes, and then it is deployed all the same."""
    year.expected |= {f"outside-window/{change.deployment}", f"approved-and-not-deployed/{change.id}"}


def _no_role(year: Year, change: _Change) -> None:
    change.approver = f"person:stranger-{change.id}"
    year.expected |= {f"approval-without-standing/{change.id}", f"started-without-approval/{change.id}"}


def _unauthorized(year: Year, change: _Change) -> None:
    change.kind = "unauthorized"
    year.expected.add(f"unauthorized-change/{change.id}")


def _emergency(year: Year, change: _Change) -> None:
    """The second approval never comes."""
    change.kind = "emergency"
    year.expected.add(f"retro-approval-overdue/{change.id}")


def _no_grant(year: Year, change: _Change) -> None:
    change.deployer = "person:somebody"
    year.expected.add(f"deployer-without-grant/{change.deployment}")


def _review_overdue(year: Year, change: _Change) -> None:
    year.expected.add(f"review-overdue/PIR-{change.id}")


TWISTS: Final[dict[str, Callable[[Year, _Change], None]]] = {
    "no-change": _no_change,
    "other-artifact": _expect("artifact-not-approved", "deployment"),
    "outside-window": _outside_window,
    "in-freeze": _expect("deployed-in-freeze", "deployment"),
    "in-late-freeze": _expect("deployed-in-freeze", "deployment"),
    "not-approved": _expect("started-without-approval", "id"),
    "not-deployed": _expect("approved-and-not-deployed", "id"),
    "not-escalated": _expect("approval-overdue", "id"),
    "wrong-score": _expect("assessment-not-reproducible", "id"),
    "review-overdue": _review_overdue,
    "own-approval": _own_approval,
    "other-login": _own_approval_by_another_login,
    "no-role": _no_role,
    "unauthorized": _unauthorized,
    "emergency": _emergency,
    "no-grant": _no_grant,
}
# These changes never come to a deployment.
NOT_DEPLOYED: Final = ("not-deployed", "not-escalated")
IN_FREEZE: Final = {"in-freeze": 202, "in-late-freeze": 343}


# -- a ledger of it ---------------------------------------------------------------------------------------------------


def told(year: Year, batch: int) -> Story:
    """Fold a year in memory."""
    story = Story(batch=batch)
    for position, said in enumerate(year, 1):
        data = {name: SALTED.get(name, value) for name, value in said.data.items()}
        story.add(
            document(
                position, said.type, data, time=stamp(said.time), recorded_at=stamp(said.recorded_at), by=said.principal,
                credential="token:year",
            )
        )  # fmt: skip
    story.flush()
    assert not story.folder.failures
    return story


def tell(year: Year, url: str) -> Ledger:
    """Make a ledger of a year: its clock stands where the year's does. Its one source may speak for everybody."""
    now = [round(next(iter(year)).recorded_at.timestamp() * 1e9)]
    clock = Clock(wall_ns=lambda: now[0], steady_ns=lambda: now[0])
    ledger = Ledger.create(
        Database(url),
        origin="year.example.com/ledger",
        entry_key=SigningKey.generate(),
        checkpoint_key=SigningKey.generate().public_key,
        clock=clock,
    )
    caller = ledger.local_caller()
    enrol_source(
        ledger, f"{SOURCE}*", door="events", principal=caller.principal, actor="person:olga", authority_for=["person:*"]
    )
    group: list[Submission] = []
    begun = next(iter(year)).recorded_at
    for number, told in enumerate(year):
        if told.type.startswith("ledger."):
            continue
        # A group has one time: what lies further apart is recorded apart.
        if len(group) == GROUP or told.recorded_at - begun > APART:
            _append(ledger, group)
            begun = told.recorded_at
        now[0] = round(told.recorded_at.timestamp() * 1e9)
        event = {"specversion": "1.0", "id": str(number), "source": SOURCE, "type": told.type, "time": stamp(told.time)}
        group.append(Submission((ledger.admission.admit(event | {"data": told.data}),), caller))
    _append(ledger, group)
    return ledger


def _append(ledger: Ledger, group: list[Submission]) -> None:
    for outcome in ledger.append_group(group):
        if not isinstance(outcome, Recorded):
            raise RuntimeError(f"expected a year that is admissible, found {outcome}")
    group.clear()
