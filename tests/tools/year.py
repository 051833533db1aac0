"""A year of two hundred services, made up from a seed: changes by the book, and breaches planted among them.

Every breach is planted with the finding that it must become, by the tests of the practice that finds it: a function `plant_…` of
the year, or of the year and a change. Whatever else the ledger finds in the year is wrong, and so is what it does not find.
The statements are plain data; `told` folds them in memory, `tell` makes a ledger of them.

Longer than other files here because a change is one story from its opening to its review.
"""

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from inspect import signature
from pathlib import Path
from typing import Any, Final

from telling import Story, document

from ledger.authority import LEDGER_PRINCIPAL, Caller
from ledger.clock import Clock
from ledger.events import CATALOGUE
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.log.recorder import Recorded, Submission
from ledger.stewardship.credentials import enrol_source, issue_token, revoke_token
from projections.rules.digests import list_digest
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


@dataclass
class Change:
    """One change by the book. What is planted in it alters what is done."""

    id: str
    service: str
    team: str
    kind: str
    author: str
    approver: str
    deployer: str
    artifact: str
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
class Year:
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

    def digest(self) -> str:
        return f"sha256:{self._random.getrandbits(256):064x}"

    def grant(
        self,
        at: datetime,
        who: str,
        kind: str,
        role: str,
        *,
        is_owned: bool = True,
        environment: str | None = "prod",
        by: str = OPERATORS[0],
    ) -> str:
        """Give somebody a role in production, or wherever; return the grant."""
        grant = f"GR-{len(self.grants) + 1}"
        self.grants[grant] = (who, at)
        self.say(at, "access.granted", actor=by, grant_id=grant, principal=who, principal_kind=kind, role=role,
            environment=environment, owner="person:olga" if kind == "service" and is_owned else None)  # fmt: skip
        return grant

    def employ(self, grant: str, *, uses: bool = True, rotates: bool = True) -> None:
        """Let a service use what it was granted, and renew its secret, every two months."""
        about = {"grant_id": grant, "principal": self.grants[grant][0]}
        for day in range(60, DAYS, 60):
            if uses:
                self.say(START + day * DAY, "access.used", **about, purpose="work")
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
        self.grant(START, "person:frank", "human", "release-manager", environment=None)
        self.grant(START, "person:erin", "human", "model-approver", environment=None)
        for team, (_, leads) in self.teams.items():
            for lead in leads:
                self.grant(START, lead, "human", "release-approver")
            self.employ(self.grant(START, f"service:{team}-ci", "service", "deployer"))

    def _agree(self) -> None:
        """What everything is judged by: the policy, the model of risk, a template, triggers and freezes."""
        at = START
        digest: dict[str, Any] = {"policy_digest": self.digest()}
        settings = [{"name": name, "applies_to": whom, "value": value} for name, whom, value in self.settings]
        self.say(at + HOUR, "policy.published", actor="person:olga", **POLICY, **digest, settings=settings)
        self.say(at + 2 * HOUR, "policy.approved", actor="person:oscar", **POLICY, **digest)
        self.say(at + HOUR, "risk.model_published", actor="person:dan", **self.model, form="weighted_points",
            features_version="1", bands=[value("low", 0), value("high", 7)],
            parameters=[value("criticality", 1), value("size", 0.5), value("scale", 20)])  # fmt: skip
        self.say(at + 2 * HOUR, "risk.model_approved", actor="person:erin", **self.model)
        self.say(at, "template.approved", actor="person:olga", template_id="routine", failure_limit=10_000,
            expires_at=stamp(at + 2 * DAYS * DAY))  # fmt: skip
        for service in self.team_of:
            self.say(at + HOUR, "rollback.trigger_defined", actor="person:dan", trigger_id=f"{service}-errors", version="1",
                service=service, environment="prod", metric="error_rate", comparator="gt", threshold="0.02", window_s=300,
                min_samples=500, mode="manual")  # fmt: skip
        for name, (day, length) in FREEZES.items():
            begin = at + day * DAY
            # The last of them is written down when it is over.
            late = 12 * DAY if name == "year-end" else timedelta()
            self.say(begin - DAY, "freeze.declared", actor="person:frank", freeze_id=name, environments=["prod"],
                start=stamp(begin), end=stamp(begin + length * DAY), time_zone="UTC", late=late)  # fmt: skip

    # -- one change ----------------------------------------------------------------------------------------------

    def new_change(self, begins: datetime) -> Change:
        """Make up a change by the book, of some service, that is deployed at a time. Nothing is told of it yet."""
        number, rng = next(self._numbers), self._random
        service = rng.choice(list(self.team_of))
        team = self.team_of[service]
        engineers, leads = self.teams[team]
        return Change(
            f"CHG-{number}", service, team, rng.choice(("normal", "normal", "standard")), rng.choice(engineers),
            leads[0], f"service:{team}-ci", self.digest(), f"d-{number}", rng.randint(0, 4), begins,
            f"R-CHG-{number}",
        )  # fmt: skip

    def tell_change(self, change: Change) -> None:
        """Tell a change from its opening to its review, as far as it comes."""
        if change.is_opened:
            self._prepare(change.begins - 30 * HOUR, change)
        if change.is_deployed:
            self._deploy(change.begins, change)

    def _prepare(self, at: datetime, change: Change) -> None:
        about: dict[str, Any] = {"actor": change.author, "change_id": change.id}
        self.say(at, "change.opened", **about, change_type=change.kind, services=[change.service], environment="prod",
            team=change.team, title=TITLE, template_id="routine" if change.kind == "standard" else None,
            release_id=change.release)  # fmt: skip
        self.say(at + HOUR, "change.submitted", **about, artifacts=[change.artifact])
        if change.kind == "unauthorized":
            return
        if change.kind != "standard":
            criticality, size = change.risk, 2
            self.say(at + 2 * HOUR, "risk.assessed", change_id=change.id, **self.model,
                score=_number(criticality + size / 2 + change.score_is_off_by), band="low",
                features=[value("criticality", criticality), value("size", size),
                    value("scope_services", change.services_stated)])  # fmt: skip
            if change.is_scored_down:
                self.say(at + 2.5 * HOUR, "risk.assessed", change_id=change.id, **self.model, score=_number(size / 2 - 1),
                    band="low", features=[value("criticality", -1), value("size", size)])  # fmt: skip
            self.say(at + 3 * HOUR, "approval.requested", **about, policy_id="change-approval",
                policy_version="1", rule=change.kind, required_roles=["release-approver"],
                quorum=2 if change.kind == "emergency" else 1)  # fmt: skip
            if change.is_approved:
                # An approver speaks by their own credential.
                self.say(at + 5 * HOUR, "approval.granted", by=change.approver, actor=change.approver, change_id=change.id,
                    role="release-approver")  # fmt: skip
        self.say(at + 6 * HOUR, "change.scheduled", **about, planned_start=stamp(change.begins - HOUR - change.early),
            planned_end=stamp(change.begins + 4 * HOUR - change.early))  # fmt: skip

    def _deploy(self, begin: datetime, change: Change) -> None:
        linked = change.id if change.is_opened else None
        where: dict[str, Any] = {
            "deployment_id": change.deployment,
            "service": change.service,
            "environment": change.environment,
            "change_id": linked,
        }
        failed = change.may_fail and self._random.random() < 0.06
        by = f"service:{change.team}-ci"
        artifact = change.deployed or change.artifact
        minute, commit = timedelta(minutes=1), f"{self._random.getrandbits(160):040x}"
        pull: dict[str, Any] = {
            "repository": f"acme/{change.service}",
            "pull_request": int(change.id.partition("-")[2]),
        }
        reviewer = next(lead for lead in reversed(self.teams[change.team][1]) if lead != change.author)
        self.say(
            begin - 44 * HOUR, "code.proposed", actor=change.author, **pull, head_sha=commit, authors=[change.author]
        )
        self.say(begin - 42 * HOUR, "code_review.submitted", by=reviewer, actor=reviewer, **pull, review_id="1",
            commit=commit, verdict="approved")  # fmt: skip
        self.say(begin - 40 * HOUR, "code.merged", actor=change.author, **pull, head_sha=commit, merge_sha=commit)
        self.say(begin, "deployment.started", by=by, late=change.late, actor=change.deployer, **where, artifact=artifact,
            commit=commit)  # fmt: skip
        self.say(begin + 9 * minute, "deployment.finished", by=by, late=change.late, **where, artifact=artifact,
            outcome="success")  # fmt: skip
        for probe in range(2):
            self.say(begin + (20 + probe) * minute, "deployment.verified", **where,
                verdict="degraded" if failed else "healthy",
                checks=[{"name": "error_rate", "passed": not failed, "observations": 900}])  # fmt: skip
        if failed:
            self._fail(begin + 25 * minute, change, where)
        if linked is None:
            return
        pir: dict[str, Any] = {"actor": "person:frank", "pir_id": f"PIR-{change.id}", "change_id": change.id}
        self.say(begin + DAY, "pir.opened", **pir, due_at=stamp(begin + 11 * DAY), mandatory=failed)
        if not change.is_reviewed:
            return
        self.say(
            begin + 4 * DAY,
            "pir.completed",
            **pir,
            outcome="backed_out" if failed else "successful",
            rolled_back=failed,
        )
        self.say(begin + 4 * DAY + HOUR, "risk.outcome_labelled", actor=DESK, change_id=change.id,
            label="failure" if failed else "success")  # fmt: skip

    def _fail(self, at: datetime, change: Change, where: dict[str, Any]) -> None:
        incident: dict[str, Any] = {"incident_id": f"INC-{change.id}", "service": change.service, "environment": "prod"}
        self.say(at, "incident.detected", **incident, severity="sev3")
        undo: dict[str, Any] = {"rollback_id": f"RB-{change.id}", **where}
        self.say(
            at + HOUR / 4,
            "rollback.decided",
            actor=change.approver,
            **undo,
            decision="roll_back",
            options=["roll_back"],
        )
        self.say(at + HOUR / 2, "rollback.completed", **undo, from_artifact=change.artifact, outcome="success")
        self.say(at + HOUR, "incident.resolved", **incident)
        self.say(at + 2 * HOUR, "incident.attributed", **incident, method="label-overlap", method_version="1",
            deployment_id=change.deployment, change_id=change.id, confirmed=True)  # fmt: skip

    # -- reviews of access ---------------------------------------------------------------------------------------

    def _review_access(self, review: AccessReview) -> None:
        at = START + review.day * DAY
        grants = {name: who for name, (who, granted) in self.grants.items() if granted < at}
        about: dict[str, Any] = {"review_id": review.id}
        decisions = ["revoke" if item == 0 and review.revokes_first else "keep" for item in range(len(grants))]
        self.say(at, "access_review.opened", actor="person:olga", **about, environment="prod",
            population_digest=list_digest(grants), population_count=len(grants) - review.miscounted,
            due_at=stamp(at + 10 * DAY))  # fmt: skip
        for item, (grant, who) in enumerate(sorted(grants.items())):
            reviewer = (item == 0 and review.reviewer_of_first) or "person:olga"
            self.say(at + DAY, "access_review.item_decided", actor=reviewer, **about, grant_id=grant, principal=who,
                decision=decisions[item])  # fmt: skip
        if review.is_completed:
            self.say(at + 2 * DAY, "access_review.completed", actor="person:olga", **about, kept=decisions.count("keep"),
                revoked=decisions.count("revoke"))  # fmt: skip


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


def value(name: str, number: float) -> dict[str, str]:
    return {"name": name, "value": _number(number)}


def _number(value: float) -> str:
    return f"{value:g}"


# -- a ledger of it ---------------------------------------------------------------------------------------------------


def told(year: Year, batch: int) -> Story:
    """Fold a year in memory."""
    story = Story(batch=batch)
    for position, said in enumerate(year, 1):
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


def tell(year: Year, url: str, key: SigningKey | None = None) -> Ledger:
    """Make a ledger of a year: its clock stands where the year's does. Everybody speaks by a credential of their own.

    Rows name the credential that spoke: two ledgers of one key, whose ids are drawn from one seed, have the same rows.
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
    for number, told in enumerate(year):
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
