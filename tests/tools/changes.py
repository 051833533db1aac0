"""The steps of a change's life, told to a story in memory."""

from typing import Any

from telling import Story, at, retold

from projections.engine.finding import Finding
from projections.judging.findings import findings
from projections.readings.risk.models import risk_models

SCOPE = "sha256:" + "1" * 64
OTHER = "sha256:" + "2" * 64
ARTIFACT = "sha256:" + "a" * 64
CHG = {"change_id": "CHG-7"}
CI = {"grant_id": "G", "principal": "service:ci"}
HUMANS = ("alice", "bob", "carol")


def opened(kind: str = "normal", change: str = "CHG-7", **more: Any) -> Story:
    """A change by alice, in a company where alice, bob and carol may approve."""
    story = Story()
    for number, name in enumerate(HUMANS):
        story.tell(
            "access.granted", actor="person:olga", grant_id=f"GR-{number}", principal=f"person:{name}",
            principal_kind="human", role="release-approver",
        )  # fmt: skip
    open_change(story, kind, change, **more)
    return story


def open_change(story: Story, kind: str = "normal", change: str = "CHG-7", **more: Any) -> None:
    data = {"actor": "person:alice", "change_id": change, "services": ["api"], "environment": "prod"} | more
    story.tell("change.opened", change_type=kind, title={"sha256": "0" * 64}, **data)
    artifacts = [ARTIFACT] if change == "CHG-7" else []
    story.tell("change.submitted", actor=data["actor"], change_id=change, artifacts=artifacts)


def assess(story: Story, band: str = "low") -> None:
    model = {"model_id": "m", "version": "1", "model_digest": OTHER}
    if story.row(risk_models, "m/1") is None:
        story.tell(
            "risk.model_published", actor="person:dan", **model, form="weighted_points", features_version="1",
            parameters=[value("criticality", 1)], bands=[value("low", 0), value("high", 5)],
        )  # fmt: skip
        story.tell("risk.model_approved", actor="person:erin", **model)
    score = {"low": 1, "high": 9}[band]
    story.tell(
        "risk.assessed", **CHG, **model, score=str(score), band=band, features=[value("criticality", score)]
    )  # fmt: skip


def value(name: str, number: float) -> dict[str, str]:
    return {"name": name, "value": str(number)}


def request(story: Story, quorum: int = 1, roles: tuple[str, ...] = ("release-approver",), **more: Any) -> None:
    story.tell(
        "approval.requested", actor="person:alice", **CHG, policy_id="p", policy_version="1",
        rule="normal", required_roles=list(roles), quorum=quorum, **more,
    )  # fmt: skip


def publish(
    story: Story, *settings: tuple[str, str, str], policy: str = "change-approval", version: str = "1", **more: Any
) -> None:
    """Put a version of a policy into force: settings are name, for whom, and value."""
    told = [{"name": name, "applies_to": whom, "value": value} for name, whom, value in settings]
    digest = {"policy_id": policy, "version": version, "policy_digest": "sha256:" + "9" * 64}
    told = told or [{"name": "quorum", "applies_to": "any", "value": "1"}]
    story.tell("policy.published", actor="person:olga", **digest, settings=told, **more)
    story.tell("policy.approved", actor="person:oscar", **digest)


def give(story: Story, owner: str | None = "person:olga", kind: str = "service", **more: Any) -> None:
    owned = {"owner": owner} if owner else {}
    story.tell("access.granted", **{"actor": "person:olga", "principal_kind": kind, "role": "deployer", "environment": "prod"}
        | CI | owned | more)  # fmt: skip


def limit(story: Story, name: str, days: int, version: str = "1", **more: Any) -> None:
    publish(story, (name, "prod", str(days)), version=version, **more)


def approve(story: Story, who: str = "person:bob", digest: str | None = None, **more: Any) -> int:
    """An approval of the scope as it stands, or of the one that has a digest."""
    named = {"scope_digest": digest} if digest is not None else {}
    return story.tell("approval.granted", **{"by": who} | more, actor=who, **CHG, **named)


def deploy(story: Story, name: str = "d-1", change: str | None = "CHG-7", **more: Any) -> None:
    where = {"deployment_id": name, "service": "api", "environment": "prod"} | ({"change_id": change} if change else {})
    where |= {name: more.pop(name) for name in ("service", "environment") if name in more}
    what = {"artifact": ARTIFACT, "commit": None} if "commit" not in more else {}
    more = {name: value for name, value in (what | more).items() if value is not None}
    story.tell("deployment.started", **{"actor": "service:ci"} | where | more)
    story.tell("deployment.finished", **where, outcome="success")


def review(story: Story, who: str = "person:carol", **more: Any) -> None:
    data = {"outcome": "successful", "rolled_back": False, "pir_id": "PIR-7"} | more
    story.tell("pir.completed", actor=who, **CHG, **data)


def found(story: Story, but: tuple[str, ...] = ("policy-believes-anybody",)) -> dict[str, list[str]]:
    """The open findings: subjects by rule; but for what is found of most policies that are as short as those of tests."""
    story.flush()
    rows = [findings.load(text) for text in story.store.texts(findings)]
    by_rule: dict[str, list[str]] = {}
    for row in rows:
        if row.is_open and row.rule not in but:
            by_rule.setdefault(row.rule, []).append(row.subject)
    return by_rule


def finding(story: Story, rule: str, subject: str) -> Finding:
    row: Finding = story.row(findings, f"{rule}/{subject}")
    return row


def ready(kind: str = "normal", **more: Any) -> Story:
    story = opened(kind, **more)
    assess(story)
    request(story)
    approve(story)
    return story


def pass_time(story: Story, hours: int) -> None:
    for _ in range(hours):
        story.tell("ledger.time_passed", until=at(0))


def emergency() -> Story:
    story = opened("emergency")
    request(story, quorum=2)
    approve(story)
    deploy(story)
    return story


def found_by_any_process(story: Story) -> None:
    """Check that the same is found in batches of any size, and by a process that takes over half-way."""
    told = story.documents()
    for batch in (1, 7, 100):
        again = retold(told, batch=batch)
        assert again.digests() == story.digests()
    begun = retold(told[: len(told) - 15], batch=1)
    begun.flush()
    taken_over = Story()
    taken_over.log, taken_over.store = begun.log, begun.store
    taken_over.begin()
    for document in told[len(told) - 15 :]:
        taken_over.add(document)
    assert taken_over.digests() == story.digests()
