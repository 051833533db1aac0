"""A made-up quarter of one company's changes, as the posts that its systems and people send. One seed, the same bytes.

A dozen services, about 300 changes in 13 weeks, and what an auditor looks for among them: failures and their rollbacks,
a freeze with an override and a breach, deployments without a change, one of what nobody had approved, a self-approval,
two access reviews, a statement taken back. Nothing here knows a ledger. Positions, which only a ledger assigns, are 1 in
the body; `Post.positions` says which earlier statement is meant.

What is said of a change by the book is the company's (`company.py`); here stands who works there, when, and what is special.
Longer than other files here because it is one story: its threads share their people, services and clock.
"""

import hashlib
import itertools
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final, Literal, NamedTuple

import company
import quarter_of_modules
from company import Company, Facts, values

START: Final = date(2026, 7, 1)
WEEKS: Final = 13
CHANGES: Final = 300
_HOUR: Final = 60
_DAY: Final = 24 * _HOUR
_DESK: Final = "https://desk.example.com/changes"

# team -> its human approver, its engineers, and its services with their criticality from 1 to 3.
TEAMS: Final[dict[str, tuple[str, tuple[str, ...], dict[str, int]]]] = {
    "payments": ("alice", ("paul", "pia"), {"payments-api": 3, "payments-worker": 2, "fraud-scoring": 3}),
    "storefront": ("bob", ("sam", "sue"), {"checkout-web": 3, "catalog-api": 2, "mobile-bff": 2}),
    "platform": ("carol", ("ken", "kim"), {"identity-api": 3, "edge-proxy": 3, "notifications": 1}),
    "data": ("dan", ("deniz", "dora"), {"search-index": 2, "data-export": 1, "reporting": 1}),
}
_TITLES: Final = (
    "Raise the connection pool", "Upgrade the base image", "Add an index", "New rule", "Rotate certificates",
    "Tune timeouts", "Move to the new queue", "Drop the old endpoint",
)  # fmt: skip
# What was deployed for this change had been built again after the approval: not what was approved.
BUILT_AGAIN: Final = "CHG-1136"
# Deployed through GitHub and through a pipeline that speaks CDEvents; all others post to /v1/events.
GITHUB_SERVICE: Final = "mobile-bff"
CDEVENTS_SERVICE: Final = "data-export"


class Sender(NamedTuple):
    """Who posts, and what its token may report."""

    principal: str
    areas: tuple[str, ...]
    sources: tuple[str, ...]
    kind: Literal["human", "service"] = "service"
    roles: tuple[Literal["analyst", "operator", "reporter"], ...] = ("reporter",)


def _person(name: str, role: Literal["analyst", "operator"], *areas: str) -> Sender:
    place = f"https://desk.example.com/people/{name}"
    return Sender(f"person:{name}", areas or ("*",), (place,), "human", (role, "reporter"))


_APPROVER: Final = ("access_review", "approval", "cab", "code_review", "environment", "pir", "risk", "rollback", "team")
SENDERS: Final[dict[str, Sender]] = {
    "desk": Sender(
        "service:change-desk", ("approval", "change", "pir", "risk", "statement", "template"), (_DESK,),
    ),
    "monitoring": Sender(
        "service:monitoring", ("deployment", "error_budget", "incident", "rollback", "rollout"),
        ("https://monitoring.example.com/prod",),
    ),
    "infrastructure": Sender(
        "service:infrastructure-ci",
        ("attestation", "iac", "module", "pipeline_run", "sbom", "scan", "secret", "state", "test"),
        ("https://ci.example.com/infrastructure",),
    ),
    "platform": Sender(
        "service:platform", ("backup", "dataset", "environment", "perf_test", "resource", "restore", "service"),
        ("https://platform.example.com/",),
    ),
    "access": Sender("service:access-manager", ("access", "access_review"), ("https://access.example.com/",)),
    **{
        f"{team}-ci": Sender(
            f"service:{team}-ci", ("code", "deployment", "incident", "rollback"),
            (f"https://ci.example.com/{team}", f"/pipelines/{team}"),
        )
        for team in TEAMS
    },
    # Who approves looks, too.
    **{approver: _person(approver, "analyst", *_APPROVER) for approver, _, _ in TEAMS.values()},
    # Operators, who report, too: models, freezes, templates and grants count from operators, unless a policy names roles for them. What
    # is told here happened before its policy was recorded.
    "erin": _person("erin", "operator", "approval", "code_review", "risk"),
    "frank": _person("frank", "operator", "approval", "freeze", "pir"),
    "olga": _person("olga", "operator"),
    "oscar": _person("oscar", "operator"),
}  # fmt: skip
# Who tells what, whoever did it; all else people tell themselves, and what nobody did the first system that reports on it.
TOLD_BY: Final = {
    "desk": (
        "approval.requested", "change", "pir.opened", "risk.assessed", "risk.model_recalibrated", "risk.outcome_labelled",
        "statement",
    ),
    "access": ("access", "access_review.opened", "access_review.completed"),
    "ci": ("code", "deployment.started", "deployment.finished", "rollback.completed", "rollback.trigger_defined"),
}  # fmt: skip


class Source(NamedTuple):
    """A source that speaks for people, as an operator enrols it, and the types of event for which it has an operator's power."""

    source: str
    door: str
    principal: str
    authority_for: tuple[str, ...]
    types: tuple[str, ...] = ()


# The desk and the access manager know who works with them; grants are the access manager's to record.
SOURCES: Final = (
    Source("https://github.com/acme/*", "github", "service:github", ("github:*",)),
    Source(_DESK, "events", SENDERS["desk"].principal, ("person:*",)),
    Source(
        SENDERS["access"].sources[0], "events", SENDERS["access"].principal, ("person:*",),
        ("access.granted", "access.revoked"),
    ),
)  # fmt: skip


class Post(NamedTuple):
    """One request: by which door, by whom (a key of SENDERS; "github" signs instead), and what."""

    door: Literal["events", "github", "cdevents"]
    sender: str
    body: dict[str, Any]
    # Value of X-GitHub-Event.
    github_event: str = ""
    # Dotted field of `data` -> (source, id) of the earlier statement whose position belongs there.
    positions: Mapping[str, tuple[str, str]] = {}
    # When it is sent.
    time: str = ""

    def event(self, positions: Mapping[tuple[str, str], int]) -> dict[str, Any]:
        """Return the body with the positions that it names, given those of the statements before it."""
        event: dict[str, Any] = json.loads(json.dumps(self.body))
        for path, pair in self.positions.items():
            *parents, last = path.split(".")
            place = event["data"]
            for name in parents:
                place = place[name]
            place[last] = positions[pair]
        return event


def told_by(sender: str, kind: str, name: str, time: str, data: Facts) -> Post:
    """Return an event as somebody posts it: what is None is left out."""
    data = {field: value for field, value in data.items() if value is not None}
    event = {
        "specversion": "1.0",
        "id": name,
        "source": SENDERS[sender].sources[0],
        "type": kind,
        "time": time,
        "data": data,
    }
    return Post("events", sender, event, time=time)


def history(seed: int = 7, start: date = START) -> Iterator[Post]:
    """Yield the posts of a quarter that begins on `start`, in the order of time."""
    quarter = Quarter(random.Random(seed), datetime.combine(start, time(), UTC))
    quarter.tell()
    for _, _, post in sorted(quarter.posts, key=lambda item: item[:2]):
        yield post


@dataclass(kw_only=True)
class Change(company.Change):
    band: str = "low"
    score: str = "0"


@dataclass
class Quarter(Company[int]):
    """The story. Times are minutes since the start."""

    rng: random.Random
    start: datetime
    posts: list[tuple[int, int, Post]] = field(default_factory=list)
    failures: list[tuple[int, str]] = field(default_factory=list)
    grants: dict[str, str] = field(default_factory=dict)
    said: Counter[str] = field(default_factory=Counter)
    models: list[tuple[int, str, str]] = field(default_factory=list)  # approved when, version, one weight
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    policy: ClassVar[Facts] = {"policy_id": "change-approval", "version": "1.0.0"}

    # -- saying things -------------------------------------------------------------------------------------------

    def stamp(self, minute: int) -> str:
        # Seconds are made from the minute: not everything happens on the full one, and no random number is spent.
        return (self.start + timedelta(minutes=minute, seconds=minute * 37 % 60)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def put(self, minute: int, post: Post) -> None:
        self.posts.append((minute, len(self.posts), post._replace(time=self.stamp(minute))))

    def say(self, minute: int, kind: str, /, positions: Mapping[str, str] | None = None, **data: Any) -> str:
        """Post an event; return its id, which counts those of its type. `positions` names statements of the desk."""
        self.said[kind] += 1
        sender, name = self.sender(kind, data), f"{kind}/{self.said[kind]}"
        post = told_by(sender, kind, name, self.stamp(minute), data)
        self.put(minute, post._replace(positions={path: (_DESK, said) for path, said in (positions or {}).items()}))
        return name

    def sender(self, kind: str, data: Facts) -> str:
        """Return who tells a statement."""
        area = kind.partition(".")[0]
        who = next((who for who, told in TOLD_BY.items() if kind in told or area in told), None)
        if who == "ci":
            service = data.get("service") or data["repository"].removeprefix("acme/")
            return f"{_team_of(service)}-ci"
        kind_of_actor, _, name = data.get("actor", "").partition(":")
        systems = (key for key, sender in SENDERS.items() if area in sender.areas)
        return who or (name if kind_of_actor == "person" else next(systems))

    def told(self, kind: str, service: str = "") -> Iterator[tuple[int, Facts]]:
        """Yield when each statement of a type was told, and its data; of one service, or of any."""
        for minute, _, post in sorted(self.posts, key=lambda item: item[:2]):
            if post.body.get("type") == kind:
                data = post.body["data"]
                if not service or service in (data.get("service"), *data.get("services", ())):
                    yield minute, data

    def digest(self, *parts: object) -> str:
        return "sha256:" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def hex(self, length: int) -> str:
        return f"{self.rng.getrandbits(4 * length):0{length}x}"

    def artifact(self, service: str) -> str:
        return f"pkg:oci/{service}@sha256%3A{self.hex(64)}"

    def soon(self, minute: int, least: int, most: int) -> int:
        return minute + self.rng.randint(least, most)

    def working(self, minute: int) -> int:
        """Return `minute`, or the morning of the next working day when it is a night or a weekend."""
        if not 8 * _HOUR <= minute % _DAY <= 18 * _HOUR:
            minute += (-minute) % _DAY + 9 * _HOUR + self.rng.randint(0, 90)
        while (self.start + timedelta(minutes=minute)).weekday() > 4:
            minute += _DAY
        return minute

    # -- the quarter ---------------------------------------------------------------------------------------------

    def tell(self) -> None:
        self.rules()
        self.access()
        # The week in which nobody may deploy: the eighth, Monday to Friday.
        monday = 7 * 7 - self.start.weekday()
        self.freeze = (monday * _DAY, (monday + 5) * _DAY)
        self.declare_freeze(self.freeze[0] - 6 * _DAY + 10 * _HOUR, "peak-week", *self.freeze, exempt_types=["emergency"],
            reason="The busiest trading week of the year.")  # fmt: skip
        services = [service for _, _, owned in TEAMS.values() for service in owned]
        opened = sorted(self.rng.randrange(2 * _DAY, (7 * WEEKS - 6) * _DAY) for _ in range(CHANGES - 8))
        kinds = self.rng.choices(("normal", "standard", "emergency"), (64, 28, 8), k=len(opened))
        twists = ["rejected"] * 8 + ["cancelled"] * 6 + ["amended"] * 15 + ["relabelled"]
        twists += [""] * (len(opened) - len(twists))
        self.rng.shuffle(twists)
        changes = [
            (self.working(minute), self.rng.choice(services), "normal" if twist else kind, twist)
            for minute, kind, twist in zip(opened, kinds, twists, strict=True)
        ]
        changes += [
            (self.freeze[0] - 4 * _DAY + 9 * _HOUR, "checkout-web", "normal", "override"),
            (self.freeze[0] - 4 * _DAY + 10 * _HOUR, "notifications", "standard", "breach"),
            (self.working(40 * _DAY), "catalog-api", "normal", "self-approved"),
        ]
        for day in (12, 27, 44, 66, 80):
            changes.append((self.working(day * _DAY), self.rng.choice(services[::3]), "unauthorized", ""))
        for minute, service, kind, twist in sorted(changes):
            self.change(minute, service, kind, twist)
        self.outside()
        quarter_of_modules.tell(self)

    def rules(self) -> None:
        """The policy, the risk models and the rollback triggers that everything else stands on."""
        settings = (("quorum", "high", "2"), ("quorum", "any", "1"), *quarter_of_modules.SETTINGS)
        self.publish_policy(8 * _HOUR, 9 * _HOUR, self.digest(settings), settings)
        self.say(30 * _DAY, "identity.linked", actor="person:olga", identities=["person:bob", "github:583231"],
            evidence="hr-directory")  # fmt: skip
        for minute, version, failures_weight in ((10 * _HOUR, "1.0.0", "1"), (62 * _DAY + 600, "1.1.0", "1.5")):
            weights = {"criticality": "1", "dependents": "0.5", "failures_30d": failures_weight}
            model: Facts = {"model_id": "change-risk", "version": version, "model_digest": self.digest(weights)}
            if version != "1.0.0":
                self.say(minute - 60, "risk.model_recalibrated",
                    {"trained_on.from_position": "change.opened/1", "trained_on.to_position": "change.opened/120"},
                    actor="service:change-desk", from_version="1.0.0",
                    trained_on={"from_position": 1, "to_position": 1, "query_digest": self.digest("labelled")},
                    metrics=[{"name": "brier", "value": "0.071"}], **model)  # fmt: skip
            bands = {"low": 0, "moderate": "3.5", "high": 5}
            self.publish_model(minute, minute + 120, model, weights | {"scale": "20"}, bands)
            self.models.append((minute + 120, version, failures_weight))
        self.approve_template(9 * _HOUR, 400 * _DAY, failure_limit=20)
        approvers = sorted({"erin", *(approver for approver, _, _ in TEAMS.values())})
        for number, who in enumerate(approvers, 1):
            self.hire(10 * _HOUR + number, f"GR-{number}", f"person:{who}", "release-approver")
        for _, _, owned in TEAMS.values():
            for service in owned:
                self.define_trigger(_DAY + 9 * _HOUR, service, version="1.0.0")

    def hire(self, minute: int, grant: str, who: str, role: str, **more: Any) -> None:
        self.grants[grant] = who
        self.give(minute, grant, who, role, **more)

    def change(self, minute: int, service: str, kind: str, twist: str = "") -> None:
        """Tell one change from its opening to its end."""
        team = _team_of(service)
        approver, engineers, _ = TEAMS[team]
        author = f"person:{approver if twist == 'self-approved' else self.rng.choice(engineers)}"
        name = f"CHG-{1000 + next(self.numbers)}"
        artifact = self.artifact(service)
        change = Change(id=name, service=service, team=team, author=author, kind=kind, artifact=artifact)
        if kind == "unauthorized":
            self.unauthorized(minute, change)
            return
        about: Facts = {"actor": author, "change_id": change.id}
        title = f"{self.rng.choice(_TITLES)} of {service}"
        opened, minute = minute, self.soon(minute, 5, 90)
        scope = {"playbook_id": f"{service}-rollback", "playbook_version": "1.0.0"}
        self.open(opened, minute, change, title, [_called(service)], scope)
        if twist == "cancelled":
            self.say(self.soon(minute, 60, 3000), "change.cancelled", **about, reason="Not needed any more.")
            return
        if kind != "standard":
            minute = self.score(minute, change)
            minute = self.ask(minute, change, twist)
        self.implement(minute, change, twist)

    def score(self, minute: int, change: Change) -> int:
        dependents = self.rng.randint(0, 3)
        if change.kind == "normal" and self.rng.random() < 0.4:
            minute = self.soon(minute, 10, 60)
            self.say(minute, "change.impact_assessed", actor=change.author, change_id=change.id,
                targets=[f"kubernetes_deployment.{change.service}"], method="service-graph",
                dependents=[{"resource": f"service.{n}", "depth": n} for n in range(1, dependents + 1)])  # fmt: skip
        minute = self.soon(minute, 1, 20)
        _, version, weight = [model for model in self.models if model[0] <= minute][-1]
        recent = sum(s == change.service and minute - 30 * _DAY < at < minute for at, s in self.failures)
        criticality = TEAMS[change.team][2][change.service]
        features = {"criticality": criticality, "dependents": dependents, "failures_30d": recent}
        weights = {"criticality": "1", "dependents": "0.5", "failures_30d": weight}
        points = {name: Decimal(weights[name]) * value for name, value in features.items()}
        score = sum(points.values(), Decimal(0))
        change.score = str(score)
        change.band = "high" if score >= 5 else "moderate" if score >= Decimal("3.5") else "low"
        model = {"model_id": "change-risk", "version": version, "model_digest": self.digest(weights)}
        self.assess(minute, change, model, features, score=change.score, band=change.band, contributions=values(points))
        return minute

    def ask(self, minute: int, change: Change, twist: str) -> int:
        """Ask for approvals and get them; a rejection or an amended scope means asking again."""
        approver = TEAMS[change.team][0]
        about: Facts = {"actor": change.author, "change_id": change.id}
        for number in itertools.count(1):
            quorum = 2 if change.band == "high" and change.kind == "normal" else 1
            minute = self.soon(minute, 2, 30)
            asked, wait = minute, (3, 15) if change.kind == "emergency" else (20, 24 * _HOUR)
            minute = self.soon(minute, *wait) if change.kind == "emergency" else self.working(self.soon(minute, *wait))
            again = number == 1 and twist in ("rejected", "amended")
            verdict = "rejected" if again and twist == "rejected" else "granted"
            answers = []
            for person in (approver, "erin")[: quorum if verdict == "granted" else 1]:
                minute = self.soon(minute, 1, 60)
                answers.append((minute, f"person:{person}"))
            comment = "The rollback plan is missing." if verdict == "rejected" else None
            self.approve(asked, change, f"{change.kind}-{change.band}", quorum, answers, verdict, comment=comment)
            if not again:
                break
            minute = self.working(self.soon(minute, 30, 300))
            if twist == "rejected":
                self.say(minute, "change.reverted", **about)
            else:
                change.artifact = self.digest(self.hex(16))
                self.say(minute, "change.scope_amended", **about, artifacts=[change.artifact])
            # Both are back at the beginning: what was approved and assessed was of another scope.
            self.say(minute + 5, "change.submitted", **about, artifacts=[change.artifact])
            minute = self.score(minute + 5, change)
        return minute

    def implement(self, minute: int, change: Change, twist: str) -> None:
        begin = self.soon(minute, 10, 40)
        if change.kind != "emergency":
            begin = self.working(self.soon(minute, 60, 30 * _HOUR))
            if self.freeze[0] <= begin < self.freeze[1]:
                begin = self.working(self.freeze[1] + self.rng.randint(0, 2 * _DAY))
            if twist in ("override", "breach"):
                begin = self.freeze[0] + 2 * _DAY + 14 * _HOUR
            self.say(minute + 2, "change.scheduled", change_id=change.id, planned_start=self.stamp(begin),
                planned_end=self.stamp(begin + 2 * _HOUR))  # fmt: skip
        if twist == "override":
            self.say(begin - 5 * _HOUR, "freeze.override_granted", actor="person:frank", freeze_id="peak-week", change_id=change.id,
                requester=change.author, expires_at=self.stamp(begin + 2 * _HOUR), reason="A tax rate changes this week.")  # fmt: skip
        chance = 0.02 + 0.03 * float(change.score) + (0.05 if change.kind == "emergency" else 0)
        failed = not twist and self.rng.random() < chance
        artifact, before = change.artifact, self.artifact(change.service)
        if change.id == BUILT_AGAIN:
            artifact = self.digest(artifact, "built again")
        deployment, end = self.release(begin, change, artifact)
        end = self.soon(end, 5, 20)
        where = {"deployment_id": deployment, "change_id": change.id, "service": change.service, "environment": "prod"}
        observations = {name: self.rng.randint(800, 5000) for name in ("error_rate", "latency_p99")}
        self.verify(end, where | {"artifact": artifact}, failed, observations)
        incidents = self.fail(end, change, deployment, artifact, before) if failed else []
        self.look_back(self.soon(end, _DAY, 3 * _DAY), change, incidents, twist)

    def release(self, minute: int, change: Change, artifact: str) -> tuple[str, int]:
        """Deploy by the door that the service's pipeline uses. Returns the deployment's id and when it ended."""
        end, commit = self.soon(minute, 4, 25), self.hex(40)
        if change.service == GITHUB_SERVICE:
            number = 90_000 + int(change.id[4:])
            review = {"id": number + 500, "user": _github_user(583231), "commit_id": commit, "state": "approved",
                "submitted_at": self.stamp(minute - 30), "body": "Looks good."}  # fmt: skip
            self.github(minute - 30, "pull_request_review", action="submitted", review=review, pull_request={
                "number": int(change.id[4:]), "user": _github_user(190741), "head": {"sha": commit},
                "updated_at": self.stamp(minute - 30)})  # fmt: skip
            deployment = {"id": number, "sha": commit, "ref": "main", "task": "deploy", "environment": "prod",
                "payload": {"change_id": change.id}, "creator": _github_user(190741),
                "created_at": self.stamp(minute)}  # fmt: skip
            self.github(minute, "deployment", action="created", deployment=deployment, workflow=None)
            status = {"id": 7 * number, "state": "success", "creator": _github_user(190741),
                "created_at": self.stamp(end), "environment": "prod"}  # fmt: skip
            self.github(end, "deployment_status", action="created", deployment_status=status, deployment=deployment)
            return f"github-{number}", end
        if change.service == CDEVENTS_SERVICE:
            name = self.cdevent(end, change.id, "service.deployed.0.3.0", change.service, {
                "environment": {"id": "prod"}, "artifactId": artifact})  # fmt: skip
            return f"cdevents-{name}", end
        deployment_id, sender = f"{change.service}-{change.id[4:]}", f"{change.team}-ci"
        about: Facts = {"deployment_id": deployment_id, "change_id": change.id, "service": change.service,
            "environment": "prod", "artifact": artifact, "commit": commit}  # fmt: skip
        # Merged some hours before: from there, lead time is counted.
        merged = minute - 60 * (2 + int(change.id[4:]) % 40)
        reviewer = f"person:{TEAMS[change.team][0]}"
        reviewer = "person:erin" if change.author == reviewer else reviewer
        self.merge((merged - 120, merged - 60, merged), change, commit, reviewer, change_id=change.id)
        started = {"actor": SENDERS[sender].principal, "strategy": self.rng.choice(("canary", "rolling", "blue_green"))}
        self.deploy(minute, end, about, started)
        return deployment_id, end

    def fail(self, minute: int, change: Change, deployment: str, artifact: str, before: str) -> list[str]:
        """The deployment hurts: trigger, incident, decision, rollback, attribution. Returns the incident's id."""
        self.failures.append((minute, change.service))
        incident, approver = f"INC-{change.id[4:]}", TEAMS[change.team][0]
        place: Facts = {"service": change.service, "environment": "prod"}
        hurt = place | {"incident_id": incident}
        self.say(minute + 1, "rollback.trigger_fired", **place, trigger_id=f"{change.service}-errors", version="1.0.0",
            deployment_id=deployment, change_id=change.id, measured=f"0.0{self.rng.randint(3, 9)}",
            samples=self.rng.randint(500, 3000))  # fmt: skip
        if change.service == CDEVENTS_SERVICE:
            self.cdevent(minute + 2, change.id, "incident.detected.0.3.0", incident, {
                "environment": {"id": "prod"}, "service": {"id": change.service},
                "description": "Exports fail."})  # fmt: skip
        else:
            self.say(minute + 2, "incident.detected", **hurt, artifact=artifact,
                description="Errors above two percent.")  # fmt: skip
        self.say(minute + 3, "incident.opened", **hurt, severity=self.rng.choice(("sev2", "sev3", "sev3", "sev4")),
            trigger_id=f"{change.service}-errors")  # fmt: skip
        decided = self.soon(minute, 6, 25)
        rollback: Facts = {"rollback_id": f"RB-{change.id[4:]}", "deployment_id": deployment, "change_id": change.id}
        self.say(decided, "rollback.decided", **rollback, **place, actor=f"person:{approver}", decision="roll_back",
            options=["roll_back", "roll_forward"], reason="Errors began with this deployment.")  # fmt: skip
        back = self.soon(decided, 3, 15)
        if change.service == CDEVENTS_SERVICE:
            self.cdevent(back, change.id, "service.rolledback.0.3.0", change.service, {
                "environment": {"id": "prod"}, "artifactId": before})  # fmt: skip
        else:
            self.say(back, "rollback.completed", **rollback, **place, from_artifact=artifact, to_artifact=before,
                outcome="success")  # fmt: skip
        self.say(back + 5, "incident.resolved", **hurt, resolution="Rolled back.")
        self.attribute(back + _DAY, hurt, deployment, change, method_version="1.0.0",
            candidates=[{"deployment_id": deployment, "score": "0.87"}], none_score="0.13")  # fmt: skip
        return [incident]

    def look_back(self, minute: int, change: Change, incidents: list[str], twist: str) -> None:
        """The post-implementation review, where one is due, and the label that the risk model learns from."""
        mandatory = bool(incidents) or change.kind in ("emergency", "unauthorized") or twist == "override"
        if mandatory or self.rng.random() < 0.2:
            minute = opened = self.working(minute)
            # Now and then nobody gets round to it.
            is_done = int(change.id[4:]) % 45 != 0
            if is_done:
                minute = self.working(self.soon(minute, _DAY, 4 * _DAY))
            self.review(opened, opened + 10 * _DAY, minute if is_done else None, change, f"PIR-{change.id[4:]}", mandatory,
                bool(incidents), caused_incidents=incidents, predicted_score=change.score,
                lessons="Watch the error rate for longer before promoting." if incidents else None)  # fmt: skip
            if not is_done:
                return
        desk = SENDERS["desk"].principal
        if twist == "relabelled":
            wrong = self.label(minute + 10, change, desk, True)
            right = self.label(minute + 90, change, desk, bool(incidents), positions={"corrects": wrong}, corrects=1)
            self.say(minute + 95, "statement.withdrawn", {"position": wrong, "replaced_by": right}, actor=desk, position=1,
                replaced_by=1, reason="wrong-change")  # fmt: skip
            return
        self.label(minute + 10, change, desk, bool(incidents), causes=["rollback", "incident"] if incidents else [])

    def unauthorized(self, minute: int, change: Change) -> None:
        """Somebody deploys without a change; it is found later, and a change is opened for what has happened."""
        service, team = change.service, change.team
        deployment = f"{service}-{change.id[4:]}"
        about: Facts = {"deployment_id": deployment, "service": service, "environment": "prod"}
        self.deploy(minute, minute + 9, about, {"actor": change.author})
        found = self.working(self.soon(minute, 60, _DAY))
        change_about: Facts = {"actor": "service:change-desk", "change_id": change.id}
        self.say(found, "change.opened", **change_about, change_type="unauthorized", services=[service], environment="prod",
            team=team, title=f"Deployment of {service} without a change")  # fmt: skip
        self.say(found + 1, "change.linked", **change_about, deployment_id=deployment)
        self.look_back(found + _DAY, change, [], "")

    def access(self) -> None:
        """Grants at the start, and two reviews of them, each followed by the revocations it decided."""
        holders = [f"person:{name}" for _, engineers, _ in TEAMS.values() for name in engineers]
        holders += [f"service:{team}-ci" for team in TEAMS]
        for number, holder in enumerate(holders, 1):
            self.hire(11 * _HOUR + number, f"GR-{100 + number}", holder, "deployer", environment="prod")
        for day, review, leavers in ((20, "2026-07-prod", ("GR-102",)), (76, "2026-09-prod", ("GR-105", "GR-107"))):
            opened = minute = self.working(day * _DAY)
            decided = []
            for number, (_, holder) in enumerate(sorted(self.grants.items())):
                reviewers = [name for name in ("alice", "bob", "carol", "dan") if f"person:{name}" != holder]
                minute = self.soon(minute, 1, 40)
                decided.append((minute, f"person:{reviewers[number % len(reviewers)]}"))
            self.review_access(opened, opened + 10 * _DAY, review, self.grants, decided, minute + 60, leavers)
            for grant in leavers:
                minute = self.soon(minute + 60, 60, 600)
                self.say(minute, "access.revoked", actor="person:olga", grant_id=grant, principal=self.grants.pop(grant),
                    reason="Changed teams.")  # fmt: skip

    # -- outside formats -----------------------------------------------------------------------------------------

    def outside(self) -> None:
        """Bodies that are authentic, and that no translator maps."""
        minute = self.working(33 * _DAY)
        self.github(minute, "star", action="created", starred_at=self.stamp(minute))
        self.cdevent(minute + 50, "", "taskrun.finished.0.3.0", "nightly", {"outcome": "success"})

    def github(self, minute: int, event: str, **body: Any) -> None:
        repository = {"id": 4401, "full_name": f"acme/{GITHUB_SERVICE}", "private": True}
        body |= {"repository": repository, "sender": _github_user(190741)}
        self.put(minute, Post("github", "github", body, github_event=event))

    def cdevent(self, minute: int, change: str, kind: str, subject: str, content: dict[str, Any]) -> str:
        """Post a CDEvent 0.5 of the data team's pipeline; return its id."""
        name, source = self.hex(32), SENDERS["data-ci"].sources[1]
        context = {"specversion": "0.5.1", "id": name, "source": source, "type": f"dev.cdevents.{kind}",
            "timestamp": self.stamp(minute)}  # fmt: skip
        body = {"context": context, "subject": {"id": subject, "source": source, "content": content},
            "customData": {"actor": "service:data-ci"} | ({"change_id": change} if change else {})}  # fmt: skip
        self.put(minute, Post("cdevents", "data-ci", body))
        return name


def _team_of(service: str) -> str:
    return next(team for team, (_, _, owned) in TEAMS.items() if service in owned)


def _called(service: str) -> str:
    """Return what a service is called where it is deployed: GitHub knows repositories."""
    return f"acme/{service}" if service == GITHUB_SERVICE else service


def _github_user(number: int) -> dict[str, Any]:
    return {"login": f"user-{number}", "id": number, "type": "User"}
