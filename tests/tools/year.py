"""A year of two hundred services, made up from a seed: changes by the book, and breaches planted among them.

Every breach is planted with the finding that it must become, by the tests of the practice that finds it: a function `plant_…` of
the year, or of the year and a change. Whatever else the ledger finds in the year is wrong, and so is what it does not find.
The statements are plain data; `told` folds them in memory, `tell` makes a ledger of them.

What a change by the book says is the company's (`company.py`); here stands when, by whom, and what is altered.
Longer than other files here because a company that lives for a year is one story.
"""

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from inspect import signature
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Final

import company
from company import Company
from telling import Story, document

from ledger.authority import LEDGER_PRINCIPAL, Caller
from ledger.clock import Clock
from ledger.events import CATALOGUE
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.log.recorder import Recorded, Submission
from ledger.stewardship.credentials import enrol_source, issue_token, revoke_token
from signing.keys import SigningKey

START: Final = datetime(2026, 1, 5, tzinfo=UTC)
DAYS: Final = 365
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
TITLE: Final = "A change"
DESK: Final = "service:desk"
SOURCE: Final = "https://year.example.com/"
GROUP: Final = 200
APART: Final = timedelta(minutes=10)
# When nothing is to change, but for what is planted: day of the beginning and length in days.
FREEZES: Final = {"spring": (95, 5), "summer": (200, 5), "year-end": (340, 10)}
MODEL: Final[dict[str, Any]] = {"model_id": "change-risk", "version": "1"}
# By which the ledger speaks itself.
KEY: Final = "key:year"
# The root of all power; whoever else declares freezes or approves models holds a role for it.
OPERATORS: Final = ("person:olga", "person:oscar")
SETTINGS: Final = (
    ("role-for", "freeze.declared", "release-manager"),
    ("role-for", "freeze.override_granted", "release-manager"),
    ("role-for", "risk.model_approved", "model-approver"),
    ("quorum", "any", "1"),
    ("required-role", "any", "release-approver"),
    ("deployer-role", "production", "deployer"),
    ("escalate-after-hours", "any", "48"),
    ("dormant-after-days", "production", "120"),
    ("rotate-within-days", "production", "200"),
    ("access-review-days", "production", "100"),
    ("impact-assessment", "shared-change", "when-shared"),
    ("technical-review", "reviewed-change", "required"),
    ("technical-role", "reviewed-change", "release-approver"),
)
# What stands in a statement for a text that was given with it.
SALTED: Final = {"sha256": "c" * 64}
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


@dataclass(kw_only=True)
class Change(company.Change):
    """One change by the book. What is planted in it alters what is done."""

    approver: str
    deployer: str
    deployment: str
    risk: int
    # When it is deployed; all else is told from there.
    begins: datetime
    release: str
    # Whether anybody opened it, approved it, deployed it and looked back on it.
    is_opened: bool = True
    is_approved: bool = True
    is_deployed: bool = True
    is_reviewed: bool = True
    # What is deployed, where that is not what was approved; by how much its score is wrong, and its window too early.
    deployed: str | None = None
    score_is_off_by: int = 0
    # How many services its assessment says that it has.
    services_stated: int = 1
    # Whether it is scored once more, as less critical.
    is_scored_down: bool = False
    early: timedelta = timedelta()
    # How long its deployment is held back before it is reported.
    late: timedelta = timedelta()
    # Where it is deployed, by whatever name.
    environment: str = "prod"
    # Some of those by the book are rolled back; none in which something is planted.
    may_fail: bool = True


@dataclass
class AccessReview:
    """A review of all grants, by the book: how many it says there are, who decides about the first, and what."""

    id: str
    day: int
    miscounted: int = 0
    reviewer_of_first: str | None = None
    revokes_first: bool = False
    is_completed: bool = True


# A breach of a change, or of the company as a whole: it alters the one, or says things of the other, and returns which findings
# (`rule/subject`) that must become.
PlantInChange = Callable[["Year", Change], set[str]]
PlantInCompany = Callable[["Year"], set[str]]
PRACTICES: Final = Path(__file__).parents[1] / "projections" / "practices"


@cache
def plants() -> tuple[list[PlantInCompany], list[PlantInChange]]:
    """Return what the tests of the practices plant: their functions named `plant_…`, of a company or of a change too."""
    of_company: list[Any] = []
    of_change: list[Any] = []
    for path in sorted(PRACTICES.glob("*/test_*.py")):
        spec = spec_from_file_location(f"planted_by_{path.parent.name}_{path.stem}", path)
        if spec is None or spec.loader is None:
            raise RuntimeError(f"expected a module at {path}")
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, function in vars(module).items():
            if name.startswith("plant_"):
                (of_change if len(signature(function).parameters) == 2 else of_company).append(function)
    return of_company, of_change


@dataclass
class Year(Company[datetime]):
    """The statements, in the order they are recorded, and the findings (`rule/subject`) that they must become."""

    seed: int = 7
    services: int = 200
    changes: int = 15_500
    # How often each kind of breach is planted; once for the company.
    planted: int = 4
    expected: set[str] = field(default_factory=set)
    grants: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    access_reviews: list[AccessReview] = field(default_factory=list)
    # What the policy asks for, for whom.
    settings: list[tuple[str, str, str]] = field(default_factory=lambda: list(SETTINGS))
    template: ClassVar[str] = "routine"
    policy: ClassVar[dict[str, Any]] = POLICY
    _told: list[Told] = field(default_factory=list)
    _doubted: list[tuple[str, Told]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._numbers = itertools.count(1)
        of_company, of_change = plants()
        self.model: dict[str, Any] = {**MODEL, "model_digest": self.digest()}
        self._hire()
        for plant in of_company if self.planted else ():
            self.expected |= plant(self)
        self._agree()
        breaches = [plant for plant in of_change for _ in range(self.planted)]
        self._random.shuffle(breaches)
        # Spread over the year: a breach among many changes that are none.
        step = max(1, (self.changes - len(breaches)) // (len(breaches) + 1))
        for number in range(self.changes):
            place, rest = divmod(number, step + 1)
            begins = START + 20 * DAY + 30 * HOUR + number * (DAYS - 60) * DAY / self.changes
            change = self.new_change(_outside_freezes(begins))
            if rest == step and place < len(breaches):
                change.kind, change.may_fail = "normal", False
                self.expected |= breaches[place](self, change)
            self.tell_change(change)
        self.access_reviews += [AccessReview(f"Q{number}", day) for number, day in enumerate((80, 170, 260, 350), 1)]
        for review in self.access_reviews:
            self._review_access(review)
        self._issue_credentials()
        self._told.sort(key=lambda told: told.recorded_at)
        positions = {id(told): position for position, told in enumerate(self._told, 1)}
        self.expected |= {f"{rule}/{positions[id(told)]}" for rule, told in self._doubted}

    def __iter__(self) -> Iterator[Told]:
        return iter(self._told)

    def __len__(self) -> int:
        return len(self._told)

    def say(
        self, at: datetime, event_type: str, *, by: str | None = None, late: timedelta = timedelta(), **data: Any
    ) -> Told:
        """Record that something happened at a time, at that time or so much later. What is None is left out.

        Whoever acts says so by a credential of their own, unless it is said otherwise.
        """
        by = by or data.get("actor") or DESK
        told = Told(at + late, at, by, event_type, {name: v for name, v in data.items() if v is not None})
        self._told.append(told)
        return told

    def doubt(self, rule: str, told: Told) -> None:
        """Plant that a statement does not count because of who made it; its position is known when all is told."""
        self._doubted.append((rule, told))

    def _issue_credentials(self) -> None:
        """Everybody who says anything has a credential, issued before all else."""
        for principal in sorted({told.principal for told in self._told} - {LEDGER_PRINCIPAL}):
            self.say(START - HOUR, "ledger.credential_issued", by=LEDGER_PRINCIPAL, actor="person:olga",
                credential=credential_of(principal), principal=principal, token_sha256="0" * 64, areas=["*"], sources=["*"],
                **rights_of(principal))  # fmt: skip

    def stamp(self, at: datetime) -> str:
        return stamp(at)

    def digest(self) -> str:
        return f"sha256:{self._random.getrandbits(256):064x}"

    def grant(
        self,
        at: datetime,
        who: str,
        role: str,
        *,
        is_owned: bool = True,
        environment: str | None = "prod",
        by: str = OPERATORS[0],
    ) -> str:
        """Give somebody a role in production, or wherever; return the grant."""
        grant = f"GR-{len(self.grants) + 1}"
        self.grants[grant] = (who, at)
        self.give(at, grant, who, role, owner="person:olga" if is_owned else None, actor=by, environment=environment)
        return grant

    def employ(self, grant: str, *, uses: bool = True, rotates: bool = True) -> None:
        """Let a service use what it was granted, and renew its secret, every two months."""
        about = {"grant_id": grant, "principal": self.grants[grant][0]}
        for day in range(60, DAYS, 60):
            if uses:
                self.say(START + day * DAY, "access.used", by=about["principal"], **about, purpose="work")
            if rotates:
                self.say(START + day * DAY, "access.rotated", actor="person:olga", **about)

    # -- what everything stands on -------------------------------------------------------------------------------

    def _hire(self) -> None:
        """The teams: engineers, two leads who approve, and a service that deploys."""
        self.teams = {
            f"team-{n}": ([f"person:t{n}-{who}" for who in range(6)], [f"person:t{n}-lead-{who}" for who in range(2)])
            for n in range(max(2, self.services // 10))
        }
        self.team_of = {f"service-{n}": f"team-{n % len(self.teams)}" for n in range(self.services)}
        self.grant(START, "person:frank", "release-manager", environment=None)
        self.grant(START, "person:erin", "model-approver", environment=None)
        for team, (_, leads) in self.teams.items():
            for lead in leads:
                self.grant(START, lead, "release-approver")
            self.employ(self.grant(START, f"service:{team}-ci", "deployer"))

    def _agree(self) -> None:
        """What everything is judged by: the policy, the model of risk, a template, triggers and freezes."""
        at = START
        self.publish_policy(at + HOUR, at + 2 * HOUR, self.digest(), self.settings)
        self.publish_model(
            at + HOUR, at + 2 * HOUR, self.model, {"criticality": 1, "size": 0.5, "scale": 20}, {"low": 0, "high": 7}
        )
        self.approve_template(at, at + 2 * DAYS * DAY, failure_limit=10_000)
        for service in self.team_of:
            self.define_trigger(at + HOUR, service, actor="person:dan", version="1")
        for name, (day, length) in FREEZES.items():
            begin = at + day * DAY
            # The last of them is written down when it is over.
            late = 12 * DAY if name == "year-end" else timedelta()
            self.declare_freeze(begin - DAY, name, begin, begin + length * DAY, late=late)

    # -- one change ----------------------------------------------------------------------------------------------

    def new_change(self, begins: datetime) -> Change:
        """Make up a change by the book, of some service, that is deployed at a time. Nothing is told of it yet."""
        number, rng = next(self._numbers), self._random
        service = rng.choice(list(self.team_of))
        team = self.team_of[service]
        engineers, leads = self.teams[team]
        return Change(
            id=f"CHG-{number}", service=service, team=team, kind=rng.choice(("normal", "normal", "standard")),
            author=rng.choice(engineers), approver=leads[0], deployer=f"service:{team}-ci", artifact=self.digest(),
            deployment=f"d-{number}", risk=rng.randint(0, 4), begins=begins, release=f"R-CHG-{number}",
        )  # fmt: skip

    def tell_change(self, change: Change) -> None:
        """Tell a change from its opening to its review, as far as it comes."""
        if change.is_opened:
            self._prepare(change.begins - 30 * HOUR, change)
        if change.is_deployed:
            self._deploy(change.begins, change)

    def _prepare(self, at: datetime, change: Change) -> None:
        self.open(at, at + HOUR, change, TITLE, [change.service], {}, release_id=change.release)
        if change.kind == "unauthorized":
            return
        if change.kind != "standard":
            size = 2
            features = {"criticality": change.risk, "size": size, "scope_services": change.services_stated}
            score = _number(change.risk + size / 2 + change.score_is_off_by)
            self.assess(at + 2 * HOUR, change, self.model, features, score=score, band="low")
            if change.is_scored_down:
                down = {"criticality": -1, "size": size}
                self.assess(at + 2.5 * HOUR, change, self.model, down, score=_number(size / 2 - 1), band="low")
            granted = [(at + 5 * HOUR, change.approver)] if change.is_approved else []
            self.approve(at + 3 * HOUR, change, change.kind, 2 if change.kind == "emergency" else 1, granted)
        begin = change.begins - HOUR - change.early
        self.say(at + 6 * HOUR, "change.scheduled", actor=change.author, change_id=change.id, planned_start=stamp(begin),
            planned_end=stamp(begin + 5 * HOUR))  # fmt: skip

    def _deploy(self, begin: datetime, change: Change) -> None:
        linked = change.id if change.is_opened else None
        where: dict[str, Any] = {
            "deployment_id": change.deployment,
            "service": change.service,
            "environment": change.environment,
            "change_id": linked,
        }
        failed = change.may_fail and self._random.random() < 0.06
        minute, commit = timedelta(minutes=1), f"{self._random.getrandbits(160):040x}"
        reviewer = next(lead for lead in reversed(self.teams[change.team][1]) if lead != change.author)
        self.merge((begin - 44 * HOUR, begin - 42 * HOUR, begin - 40 * HOUR), change, commit, reviewer)
        told = {"by": f"service:{change.team}-ci", "late": change.late, "artifact": change.deployed or change.artifact}
        self.deploy(begin, begin + 9 * minute, where, {"actor": change.deployer, "commit": commit}, **told)
        for probe in range(2):
            self.verify(begin + (20 + probe) * minute, where, failed, {"error_rate": 900})
        if failed:
            self._fail(begin + 25 * minute, change, where)
        if linked is None:
            return
        completed = begin + 4 * DAY if change.is_reviewed else None
        self.review(begin + DAY, begin + 11 * DAY, completed, change, f"PIR-{change.id}", failed, failed)
        if change.is_reviewed:
            self.label(begin + 4 * DAY + HOUR, change, DESK, failed)

    def _fail(self, at: datetime, change: Change, where: dict[str, Any]) -> None:
        incident: dict[str, Any] = {"incident_id": f"INC-{change.id}", "service": change.service, "environment": "prod"}
        self.say(at, "incident.detected", **incident, severity="sev3")
        undo: dict[str, Any] = {"rollback_id": f"RB-{change.id}", **where}
        self.say(at + HOUR / 4, "rollback.decided", actor=change.approver, **undo, decision="roll_back",
            options=["roll_back"])  # fmt: skip
        self.say(at + HOUR / 2, "rollback.completed", by=f"service:{change.team}-ci", **undo,
            from_artifact=change.artifact, outcome="success")  # fmt: skip
        self.say(at + HOUR, "incident.resolved", **incident)
        self.attribute(at + 2 * HOUR, incident, change.deployment, change, method_version="1")

    # -- reviews of access ---------------------------------------------------------------------------------------

    def _review_access(self, review: AccessReview) -> None:
        at = START + review.day * DAY
        grants = {name: who for name, (who, granted) in self.grants.items() if granted < at}
        first, olga = review.reviewer_of_first or OPERATORS[0], OPERATORS[0]
        reviewers = [(at + DAY, olga if item else first) for item in range(len(grants))]
        self.review_access(
            at, at + 10 * DAY, review.id, grants, reviewers, at + 2 * DAY if review.is_completed else None,
            revoked=sorted(grants)[:1] if review.revokes_first else (), miscounted=review.miscounted,
        )  # fmt: skip


def credential_of(principal: str) -> str:
    """Return the credential by which somebody speaks."""
    return f"token:{principal.replace(':', '.').replace('/', '.')}"


def rights_of(principal: str) -> dict[str, Any]:
    """Return what a credential says of whoever holds it."""
    kind = "service" if principal.startswith("service:") else "human"
    return {"kind": kind, "roles": ["operator", "reporter"] if principal in OPERATORS else ["reporter"]}


def _outside_freezes(at: datetime) -> datetime:
    for day, length in FREEZES.values():
        begin = START + day * DAY
        if begin - HOUR <= at <= begin + (length + 1) * DAY:
            return at + (length + 3) * DAY
    return at


def _number(value: float) -> str:
    return f"{value:g}"


# -- a ledger of it ---------------------------------------------------------------------------------------------------


def told(statements: Iterable[Told], batch: int) -> Story:
    """Fold a year, or whatever else was told, in memory."""
    story = Story(batch=batch)
    for position, said in enumerate(statements, 1):
        texts = CATALOGUE[said.type].erasable_fields
        data = {name: SALTED if name in texts else value for name, value in said.data.items()}
        story.add(
            document(
                position, said.type, data, time=stamp(said.time), recorded_at=stamp(said.recorded_at), by=said.principal,
                credential=KEY if said.principal == LEDGER_PRINCIPAL else credential_of(said.principal),
            )
        )  # fmt: skip
    story.flush()
    assert not story.folder.failures
    return story


def tell(year: Year, url: str, key: SigningKey | None = None, first: int | None = None) -> Ledger:
    """Make a ledger of a year: its clock stands where the year's does. Everybody speaks by a credential of their own.

    Rows name the credential that spoke: two ledgers of one key, whose ids are drawn from one seed, have the same rows.
    With `first`, only so many facts of the year are told.
    """
    now = [round(next(iter(year)).recorded_at.timestamp() * 1e9)]
    clock = Clock(wall_ns=lambda: now[0], steady_ns=lambda: now[0])
    ledger = Ledger.create(
        Database(url),
        origin="year.example.com/ledger",
        entry_key=key or SigningKey.generate(),
        checkpoint_key=SigningKey.generate().public_key,
        clock=clock,
        random=random.Random(year.seed).randbytes,
    )
    callers = {LEDGER_PRINCIPAL: ledger.local_caller()}
    for principal in sorted({told.principal for told in year} - set(callers)):
        _, token, _ = issue_token(ledger, actor="person:olga", principal=principal, **rights_of(principal))
        held = ledger.current_authority().authenticate(token, now[0] // 1000)
        callers[principal] = Caller(held.id, principal, "token", held)
    for told in (told for told in year if told.type == "ledger.source_enrolled"):
        enrol_source(ledger, f"{SOURCE}*", **{name: value for name, value in told.data.items() if name != "source"})
    group: list[Submission] = []
    begun = next(iter(year)).recorded_at
    for number, told in enumerate(islice(year, first)):
        if told.type == "ledger.credential_revoked":
            _append(ledger, group)
            now[0] = round(told.recorded_at.timestamp() * 1e9)
            held = next(c for who, c in callers.items() if credential_of(who) == told.data["credential"])
            revoke_token(ledger, held.credential, actor=told.data["actor"], reason=told.data["reason"])
        if told.type.startswith("ledger."):
            continue
        # A group has one time: what lies further apart is recorded apart.
        if len(group) == GROUP or told.recorded_at - begun > APART:
            _append(ledger, group)
            begun = told.recorded_at
        now[0] = round(told.recorded_at.timestamp() * 1e9)
        event = {"specversion": "1.0", "id": str(number), "source": SOURCE, "type": told.type, "time": stamp(told.time)}
        group.append(Submission((ledger.admission.admit(event | {"data": told.data}),), callers[told.principal]))
    _append(ledger, group)
    return ledger


def _append(ledger: Ledger, group: list[Submission]) -> None:
    for outcome in ledger.append_group(group):
        if not isinstance(outcome, Recorded):
            raise RuntimeError(f"expected a year that is admissible, found {outcome}")
    group.clear()
