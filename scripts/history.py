"""A made-up quarter of one company's changes, as the posts that its systems and people send. One seed, the same bytes.

A dozen services, about 300 changes in 13 weeks, and what an auditor looks for among them: failures and their rollbacks,
a freeze with an override and a breach, deployments without a change, one of what nobody had approved, a self-approval,
two access reviews, a statement taken back. Nothing here knows a ledger. Positions, which only a ledger assigns, are 1 in
the body; `Post.positions` says which earlier statement is meant.

Longer than other files here because it is one story: its threads share their people, services and clock.
"""

import hashlib
import itertools
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

import quarter_of_modules

from projections.rules.digests import list_digest

START: Final = date(2026, 7, 1)
WEEKS: Final = 13
CHANGES: Final = 300
Facts = dict[str, Any]
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
    kind: Literal["human", "service"]
    roles: tuple[Literal["analyst", "operator", "reporter"], ...]
    areas: tuple[str, ...]
    sources: tuple[str, ...]


def _person(name: str, *areas: str) -> Sender:
    return Sender(
        f"person:{name}", "human", ("reporter",), areas or ("*",), (f"https://desk.example.com/people/{name}",)
    )


SENDERS: Final[dict[str, Sender]] = {
    "desk": Sender(
        "service:change-desk",
        "service",
        ("reporter",),
        ("approval", "change", "pir", "risk", "statement", "template"),
        (_DESK,),
    ),
    "monitoring": Sender(
        "service:monitoring",
        "service",
        ("reporter",),
        ("deployment", "error_budget", "incident", "rollback", "rollout"),
        ("https://monitoring.example.com/prod",),
    ),
    "infrastructure": Sender(
        "service:infrastructure-ci",
        "service",
        ("reporter",),
        ("attestation", "iac", "module", "pipeline_run", "sbom", "scan", "secret", "state", "test"),
        ("https://ci.example.com/infrastructure",),
    ),
    "platform": Sender(
        "service:platform",
        "service",
        ("reporter",),
        ("backup", "dataset", "environment", "perf_test", "resource", "restore", "service"),
        ("https://platform.example.com/",),
    ),
    "access": Sender(
        "service:access-manager",
        "service",
        ("reporter",),
        ("access", "access_review"),
        ("https://access.example.com/",),
    ),
    **{
        f"{team}-ci": Sender(
            f"service:{team}-ci",
            "service",
            ("reporter",),
            ("code", "deployment", "incident", "rollback"),
            (f"https://ci.example.com/{team}", f"/pipelines/{team}"),
        )
        for team in TEAMS
    },
    **{
        # Who approves looks, too.
        approver: _person(
            approver,
            *("access_review", "approval", "cab", "code_review", "environment", "pir", "risk", "rollback", "team"),
        )._replace(roles=("analyst", "reporter"))
        for approver, _, _ in TEAMS.values()
    },
    # Operators, who report, too: models, freezes, templates and grants count from operators, unless a policy names roles for them. What
    # is told here happened before its policy was recorded.
    "erin": _person("erin", "approval", "code_review", "risk")._replace(roles=("operator", "reporter")),
    "frank": _person("frank", "approval", "freeze", "pir")._replace(roles=("operator", "reporter")),
    "olga": _person("olga")._replace(roles=("operator", "reporter")),
    "oscar": _person("oscar")._replace(roles=("operator", "reporter")),
}


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


def history(seed: int = 7, start: date = START) -> Iterator[Post]:
    """Yield the posts of a quarter that begins on `start`, in the order of time."""
    quarter = _Quarter(random.Random(seed), datetime.combine(start, time(), UTC))
    quarter.tell()
    for _, _, post in sorted(quarter.posts, key=lambda item: item[:2]):
        yield post


@dataclass
class _Change:
    """One change on its way."""

    id: str
    service: str
    team: str
    author: str
    kind: str
    artifact: str
    band: str = "low"
    score: str = "0"


@dataclass
class _Quarter:
    """The story. Times are minutes since the start."""

    rng: random.Random
    start: datetime
    posts: list[tuple[int, int, Post]] = field(default_factory=list)
    failures: list[tuple[int, str]] = field(default_factory=list)
    grants: dict[str, str] = field(default_factory=dict)
    models: list[tuple[int, str, str]] = field(default_factory=list)  # approved when, version, one weight
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    # -- saying things -------------------------------------------------------------------------------------------

    def stamp(self, minute: int) -> str:
        # Seconds are made from the minute: not everything happens on the full one, and no random number is spent.
        return (self.start + timedelta(minutes=minute, seconds=minute * 37 % 60)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def put(self, minute: int, post: Post) -> None:
        self.posts.append((minute, len(self.posts), post._replace(time=self.stamp(minute))))

    def say(
        self, minute: int, sender: str, kind: str, name: str, /, positions: Mapping[str, str] | None = None, **data: Any
    ) -> None:
        """Post an event whose id is `name`; `positions` names statements of the desk."""
        event = {
            "specversion": "1.0",
            "id": name,
            "source": SENDERS[sender].sources[0],
            "type": kind,
            "time": self.stamp(minute),
            "data": {field: value for field, value in data.items() if value is not None},
        }
        pairs = {path: (_DESK, identifier) for path, identifier in (positions or {}).items()}
        self.put(minute, Post("events", sender, event, positions=pairs))

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
        self.say(
            self.freeze[0] - 6 * _DAY + 10 * _HOUR, "frank", "freeze.declared", "peak-week/declared",
            actor="person:frank", freeze_id="peak-week", environments=["prod"], start=self.stamp(self.freeze[0]),
            end=self.stamp(self.freeze[1]), time_zone="UTC", exempt_types=["emergency"],
            reason="The busiest trading week of the year.",
        )  # fmt: skip
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
        settings = [
            {"name": "quorum", "applies_to": "high", "value": "2"},
            {"name": "quorum", "applies_to": "any", "value": "1"},
            *({"name": name, "applies_to": to, "value": value} for name, to, value in quarter_of_modules.SETTINGS),
        ]
        policy: Facts = {
            "policy_id": "change-approval", "version": "1.0.0", "policy_digest": self.digest(settings)
        }  # fmt: skip
        self.say(8 * _HOUR, "olga", "policy.published", "change-approval-1.0.0/published",
            actor="person:olga", settings=settings, **policy)  # fmt: skip
        self.say(9 * _HOUR, "oscar", "policy.approved", "change-approval-1.0.0/approved",
            actor="person:oscar", **policy)  # fmt: skip
        self.say(30 * _DAY, "olga", "identity.linked", "bob-on-github", actor="person:olga",
            identities=["person:bob", "github:583231"], evidence="hr-directory")  # fmt: skip
        for minute, version, failures_weight in ((10 * _HOUR, "1.0.0", "1"), (62 * _DAY + 600, "1.1.0", "1.5")):
            weights = {"criticality": "1", "dependents": "0.5", "failures_30d": failures_weight}
            model: Facts = {
                "model_id": "change-risk", "version": version, "model_digest": self.digest(weights)
            }  # fmt: skip
            if version != "1.0.0":
                self.say(minute - 60, "desk", "risk.model_recalibrated", f"change-risk-{version}/recalibrated",
                    {"trained_on.from_position": "CHG-1001/opened", "trained_on.to_position": "CHG-1120/opened"},
                    actor="service:change-desk", from_version="1.0.0",
                    trained_on={"from_position": 1, "to_position": 1, "query_digest": self.digest("labelled")},
                    metrics=[{"name": "brier", "value": "0.071"}], **model)  # fmt: skip
            self.say(minute, "dan", "risk.model_published", f"change-risk-{version}/published",
                actor="person:dan", form="weighted_points", features_version="1",
                parameters=[{"name": name, "value": value} for name, value in (weights | {"scale": "20"}).items()],
                bands=[{"name": "low", "value": "0"}, {"name": "moderate", "value": "3.5"},
                    {"name": "high", "value": "5"}], **model)  # fmt: skip
            self.say(minute + 120, "erin", "risk.model_approved", f"change-risk-{version}/approved",
                actor="person:erin", **model)  # fmt: skip
            self.models.append((minute + 120, version, failures_weight))
        self.say(9 * _HOUR, "olga", "template.approved", "routine-release/approved", actor="person:olga",
            template_id="routine-release", expires_at=self.stamp(400 * _DAY), failure_limit=20)  # fmt: skip
        approvers = sorted({"erin", *(approver for approver, _, _ in TEAMS.values())})
        for number, who in enumerate(approvers, 1):
            grant = f"GR-{number}"
            self.grants[grant] = f"person:{who}"
            self.say(10 * _HOUR + number, "access", "access.granted", f"{grant}/granted", actor="person:olga",
                grant_id=grant, principal=self.grants[grant], principal_kind="human",
                role="release-approver")  # fmt: skip
        for team, (_, _, owned) in TEAMS.items():
            for service in owned:
                self.say(_DAY + 9 * _HOUR, f"{team}-ci", "rollback.trigger_defined", f"{service}-errors/1.0.0",
                    trigger_id=f"{service}-errors", version="1.0.0", service=service, environment="prod",
                    metric="error_rate", comparator="gt", threshold="0.02", window_s=300, min_samples=500,
                    mode="manual")  # fmt: skip

    def change(self, minute: int, service: str, kind: str, twist: str = "") -> None:
        """Tell one change from its opening to its end."""
        team = next(team for team, (_, _, owned) in TEAMS.items() if service in owned)
        approver, engineers, _ = TEAMS[team]
        author = f"person:{approver if twist == 'self-approved' else self.rng.choice(engineers)}"
        change = _Change(
            f"CHG-{1000 + next(self.numbers)}",
            service,
            team,
            author,
            kind,
            self.artifact(service),
        )
        if kind == "unauthorized":
            self.unauthorized(minute, change)
            return
        about: Facts = {"actor": author, "change_id": change.id}
        what = self.rng.choice(_TITLES)
        self.say(minute, "desk", "change.opened", f"{change.id}/opened", **about, change_type=kind,
            services=[_called(service)], environment="prod", team=team, title=f"{what} of {service}",
            template_id="routine-release" if kind == "standard" else None)  # fmt: skip
        minute = self.soon(minute, 5, 90)
        self.say(minute, "desk", "change.submitted", f"{change.id}/submitted", **about,
            playbook_id=f"{service}-rollback", playbook_version="1.0.0", artifacts=[change.artifact])  # fmt: skip
        if twist == "cancelled":
            self.say(self.soon(minute, 60, 3000), "desk", "change.cancelled", f"{change.id}/cancelled", **about,
                reason="Not needed any more.")  # fmt: skip
            return
        if kind != "standard":
            minute = self.assess(minute, change)
            minute = self.approve(minute, change, twist)
        self.implement(minute, change, twist)

    def assess(self, minute: int, change: _Change) -> int:
        dependents = self.rng.randint(0, 3)
        if change.kind == "normal" and self.rng.random() < 0.4:
            minute = self.soon(minute, 10, 60)
            self.say(minute, "desk", "change.impact_assessed", f"{change.id}/impact/{minute}", actor=change.author,
                change_id=change.id, targets=[f"kubernetes_deployment.{change.service}"], method="service-graph",
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
        self.say(minute, "desk", "risk.assessed", f"{change.id}/assessed/{minute}", change_id=change.id,
            model_id="change-risk", version=version, model_digest=self.digest(weights), score=change.score,
            band=change.band, features=[{"name": n, "value": str(v)} for n, v in features.items()],
            contributions=[{"name": n, "value": str(p)} for n, p in points.items()])  # fmt: skip
        return minute

    def approve(self, minute: int, change: _Change, twist: str) -> int:
        """Ask for approvals and get them; a rejection or an amended scope means asking again."""
        approver = TEAMS[change.team][0]
        for number in itertools.count(1):
            quorum = 2 if change.band == "high" and change.kind == "normal" else 1
            minute = self.soon(minute, 2, 30)
            self.say(minute, "desk", "approval.requested", f"{change.id}/requested/{number}", actor=change.author,
                change_id=change.id, policy_id="change-approval", policy_version="1.0.0",
                rule=f"{change.kind}-{change.band}", required_roles=["release-approver"], quorum=quorum)  # fmt: skip
            wait = (3, 15) if change.kind == "emergency" else (20, 24 * _HOUR)
            minute = self.soon(minute, *wait) if change.kind == "emergency" else self.working(self.soon(minute, *wait))
            again = number == 1 and twist in ("rejected", "amended")
            verdict = "rejected" if again and twist == "rejected" else "granted"
            for person in (approver, "erin")[:quorum] if verdict == "granted" else (approver,):
                minute = self.soon(minute, 1, 60)
                self.say(minute, person, f"approval.{verdict}", f"{change.id}/{verdict}/{number}",
                    actor=f"person:{person}", change_id=change.id, role="release-approver",
                    comment="The rollback plan is missing." if verdict == "rejected" else None)  # fmt: skip
            if not again:
                break
            minute = self.working(self.soon(minute, 30, 300))
            if twist == "rejected":
                self.say(minute, "desk", "change.reverted", f"{change.id}/reverted",
                    actor=change.author, change_id=change.id)  # fmt: skip
            else:
                change.artifact = self.digest(self.hex(16))
                self.say(minute, "desk", "change.scope_amended", f"{change.id}/amended", actor=change.author,
                    change_id=change.id,
                    artifacts=[change.artifact])  # fmt: skip
            # Both are back at the beginning: what was approved and assessed was of another scope.
            self.say(minute + 5, "desk", "change.submitted", f"{change.id}/submitted/2", actor=change.author,
                change_id=change.id, artifacts=[change.artifact])  # fmt: skip
            minute = self.assess(minute + 5, change)
        return minute

    def implement(self, minute: int, change: _Change, twist: str) -> None:
        begin = self.soon(minute, 10, 40)
        if change.kind != "emergency":
            begin = self.working(self.soon(minute, 60, 30 * _HOUR))
            if self.freeze[0] <= begin < self.freeze[1]:
                begin = self.working(self.freeze[1] + self.rng.randint(0, 2 * _DAY))
            if twist in ("override", "breach"):
                begin = self.freeze[0] + 2 * _DAY + 14 * _HOUR
            self.say(minute + 2, "desk", "change.scheduled", f"{change.id}/scheduled", change_id=change.id,
                planned_start=self.stamp(begin), planned_end=self.stamp(begin + 2 * _HOUR))  # fmt: skip
        if twist == "override":
            self.say(begin - 5 * _HOUR, "frank", "freeze.override_granted", f"peak-week/override/{change.id}",
                actor="person:frank", freeze_id="peak-week", change_id=change.id, requester=change.author,
                expires_at=self.stamp(begin + 2 * _HOUR), reason="A tax rate changes this week.")  # fmt: skip
        chance = 0.02 + 0.03 * float(change.score) + (0.05 if change.kind == "emergency" else 0)
        failed = not twist and self.rng.random() < chance
        artifact, before = change.artifact, self.artifact(change.service)
        if change.id == BUILT_AGAIN:
            artifact = self.digest(artifact, "built again")
        deployment, end = self.deploy(begin, change, artifact)
        end = self.soon(end, 5, 20)
        self.say(end, "monitoring", "deployment.verified", f"{deployment}/verified", deployment_id=deployment,
            change_id=change.id, service=change.service, environment="prod", artifact=artifact,
            verdict="degraded" if failed else "healthy",
            checks=[{"name": "error_rate", "passed": not failed, "observations": self.rng.randint(800, 5000)},
                {"name": "latency_p99", "passed": True, "observations": self.rng.randint(800, 5000)}])  # fmt: skip
        incidents = self.fail(end, change, deployment, artifact, before) if failed else []
        self.review(self.soon(end, _DAY, 3 * _DAY), change, incidents, twist)

    def deploy(self, minute: int, change: _Change, artifact: str) -> tuple[str, int]:
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
        pull: Facts = {"repository": f"acme/{change.service}", "pull_request": int(change.id[4:])}
        reviewer = TEAMS[change.team][0]
        reviewer = "erin" if change.author == f"person:{reviewer}" else reviewer
        self.say(merged - 120, sender, "code.proposed", f"{deployment_id}/proposed", **pull, actor=change.author,
            head_sha=commit, authors=[change.author], change_id=change.id)  # fmt: skip
        self.say(merged - 60, reviewer, "code_review.submitted", f"{deployment_id}/reviewed", **pull,
            actor=f"person:{reviewer}", review_id="1", commit=commit, verdict="approved")  # fmt: skip
        self.say(merged, sender, "code.merged", f"{deployment_id}/merged", **pull, actor=change.author, head_sha=commit,
            merge_sha=commit, change_id=change.id)  # fmt: skip
        self.say(minute, sender, "deployment.started", f"{deployment_id}/started", **about,
            actor=SENDERS[sender].principal, strategy=self.rng.choice(("canary", "rolling", "blue_green")))  # fmt: skip
        self.say(end, sender, "deployment.finished", f"{deployment_id}/finished", **about, outcome="success")
        return deployment_id, end

    def fail(self, minute: int, change: _Change, deployment: str, artifact: str, before: str) -> list[str]:
        """The deployment hurts: trigger, incident, decision, rollback, attribution. Returns the incident's id."""
        self.failures.append((minute, change.service))
        incident, approver = f"INC-{change.id[4:]}", TEAMS[change.team][0]
        place: Facts = {"service": change.service, "environment": "prod"}
        self.say(minute + 1, "monitoring", "rollback.trigger_fired", f"{deployment}/trigger", **place,
            trigger_id=f"{change.service}-errors", version="1.0.0", deployment_id=deployment, change_id=change.id,
            measured=f"0.0{self.rng.randint(3, 9)}", samples=self.rng.randint(500, 3000))  # fmt: skip
        if change.service == CDEVENTS_SERVICE:
            self.cdevent(minute + 2, change.id, "incident.detected.0.3.0", incident, {
                "environment": {"id": "prod"}, "service": {"id": change.service},
                "description": "Exports fail."})  # fmt: skip
        else:
            self.say(minute + 2, "monitoring", "incident.detected", f"{incident}/detected", **place,
                incident_id=incident, artifact=artifact, description="Errors above two percent.")  # fmt: skip
        self.say(minute + 3, "monitoring", "incident.opened", f"{incident}/opened", **place, incident_id=incident,
            severity=self.rng.choice(("sev2", "sev3", "sev3", "sev4")),
            trigger_id=f"{change.service}-errors")  # fmt: skip
        decided = self.soon(minute, 6, 25)
        rollback: Facts = {"rollback_id": f"RB-{change.id[4:]}", "deployment_id": deployment, "change_id": change.id}
        self.say(decided, approver, "rollback.decided", f"{rollback['rollback_id']}/decided", **rollback, **place,
            actor=f"person:{approver}", decision="roll_back", options=["roll_back", "roll_forward"],
            reason="Errors began with this deployment.")  # fmt: skip
        back = self.soon(decided, 3, 15)
        if change.service == CDEVENTS_SERVICE:
            self.cdevent(back, change.id, "service.rolledback.0.3.0", change.service, {
                "environment": {"id": "prod"}, "artifactId": before})  # fmt: skip
        else:
            self.say(back, f"{change.team}-ci", "rollback.completed", f"{rollback['rollback_id']}/completed",
                **rollback, **place, from_artifact=artifact, to_artifact=before, outcome="success")  # fmt: skip
        self.say(back + 5, "monitoring", "incident.resolved", f"{incident}/resolved", **place, incident_id=incident,
            resolution="Rolled back.")  # fmt: skip
        self.say(back + _DAY, "monitoring", "incident.attributed", f"{incident}/attributed", **place,
            incident_id=incident, method="label-overlap", method_version="1.0.0", deployment_id=deployment,
            change_id=change.id, candidates=[{"deployment_id": deployment, "score": "0.87"}], none_score="0.13",
            confirmed=True)  # fmt: skip
        return [incident]

    def review(self, minute: int, change: _Change, incidents: list[str], twist: str) -> None:
        """The post-implementation review, where one is due, and the label that the risk model learns from."""
        pir: Facts = {"actor": "person:frank", "pir_id": f"PIR-{change.id[4:]}", "change_id": change.id}
        mandatory = bool(incidents) or change.kind in ("emergency", "unauthorized") or twist == "override"
        if mandatory or self.rng.random() < 0.2:
            minute = self.working(minute)
            self.say(minute, "desk", "pir.opened", f"{pir['pir_id']}/opened", **pir,
                due_at=self.stamp(minute + 10 * _DAY), mandatory=mandatory)  # fmt: skip
            if int(change.id[4:]) % 45 == 0:
                # Nobody gets round to it.
                return
            minute = self.working(self.soon(minute, _DAY, 4 * _DAY))
            self.say(minute, "frank", "pir.completed", f"{pir['pir_id']}/completed", **pir,
                outcome="backed_out" if incidents else "successful", rolled_back=bool(incidents),
                caused_incidents=incidents, predicted_score=change.score,
                lessons="Watch the error rate for longer before promoting." if incidents else None)  # fmt: skip
        label = "failure" if incidents else "success"
        about: Facts = {"actor": "service:change-desk", "change_id": change.id}
        if twist == "relabelled":
            self.say(minute + 10, "desk", "risk.outcome_labelled", f"{change.id}/labelled/wrong", **about,
                label="failure")  # fmt: skip
            self.say(minute + 90, "desk", "risk.outcome_labelled", f"{change.id}/labelled", **about, label=label,
                positions={"corrects": f"{change.id}/labelled/wrong"}, corrects=1)  # fmt: skip
            self.say(minute + 95, "desk", "statement.withdrawn", f"{change.id}/withdrawn", actor="service:change-desk",
                positions={"position": f"{change.id}/labelled/wrong", "replaced_by": f"{change.id}/labelled"},
                position=1, replaced_by=1, reason="wrong-change")  # fmt: skip
            return
        self.say(minute + 10, "desk", "risk.outcome_labelled", f"{change.id}/labelled", **about, label=label,
            causes=["rollback", "incident"] if incidents else [])  # fmt: skip

    def unauthorized(self, minute: int, change: _Change) -> None:
        """Somebody deploys without a change; it is found later, and a change is opened for what has happened."""
        service, team = change.service, change.team
        deployment = f"{service}-{change.id[4:]}"
        about: Facts = {"deployment_id": deployment, "service": service, "environment": "prod"}
        self.say(minute, f"{team}-ci", "deployment.started", f"{deployment}/started", **about, actor=change.author)
        self.say(minute + 9, f"{team}-ci", "deployment.finished", f"{deployment}/finished", **about, outcome="success")
        found = self.working(self.soon(minute, 60, _DAY))
        self.say(found, "desk", "change.opened", f"{change.id}/opened", actor="service:change-desk",
            change_id=change.id, change_type="unauthorized", services=[service], environment="prod", team=team,
            title=f"Deployment of {service} without a change")  # fmt: skip
        self.say(found + 1, "desk", "change.linked", f"{change.id}/linked", actor="service:change-desk",
            change_id=change.id, deployment_id=deployment)  # fmt: skip
        self.review(found + _DAY, change, [], "")

    def access(self) -> None:
        """Grants at the start, and two reviews of them, each followed by the revocations it decided."""
        holders = [f"person:{name}" for _, engineers, _ in TEAMS.values() for name in engineers]
        holders += [f"service:{team}-ci" for team in TEAMS]
        for number, holder in enumerate(holders, 1):
            grant = f"GR-{100 + number}"
            self.grants[grant] = holder
            human = holder.startswith("person")
            self.say(11 * _HOUR + number, "access", "access.granted", f"{grant}/granted", actor="person:olga",
                grant_id=grant, principal=holder, principal_kind="human" if human else "service",
                owner=None if human else "person:olga", role="deployer", environment="prod")  # fmt: skip
        for day, review, leavers in ((20, "2026-07-prod", ("GR-102",)), (76, "2026-09-prod", ("GR-105", "GR-107"))):
            minute, open_ = self.working(day * _DAY), sorted(self.grants)
            self.say(minute, "access", "access_review.opened", f"{review}/opened", actor="person:olga",
                review_id=review, environment="prod", population_digest=list_digest(open_),
                population_count=len(open_), due_at=self.stamp(minute + 10 * _DAY))  # fmt: skip
            for number, grant in enumerate(open_):
                reviewers = [
                    name for name in ("alice", "bob", "carol", "dan") if f"person:{name}" != self.grants[grant]
                ]
                reviewer = reviewers[number % len(reviewers)]
                minute = self.soon(minute, 1, 40)
                self.say(minute, reviewer, "access_review.item_decided", f"{review}/{grant}", review_id=review,
                    actor=f"person:{reviewer}", grant_id=grant, principal=self.grants[grant],
                    decision="revoke" if grant in leavers else "keep")  # fmt: skip
            self.say(minute + 60, "access", "access_review.completed", f"{review}/completed", actor="person:olga",
                review_id=review, kept=len(open_) - len(leavers), revoked=len(leavers))  # fmt: skip
            for grant in leavers:
                minute = self.soon(minute + 60, 60, 600)
                self.say(minute, "access", "access.revoked", f"{grant}/revoked", actor="person:olga", grant_id=grant,
                    principal=self.grants.pop(grant), reason="Changed teams.")  # fmt: skip

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


def _called(service: str) -> str:
    """Return what a service is called where it is deployed: GitHub knows repositories."""
    return f"acme/{service}" if service == GITHUB_SERVICE else service


def _github_user(number: int) -> dict[str, Any]:
    return {"login": f"user-{number}", "id": number, "type": "User"}
