"""A made-up company: how its people tell of a change from its opening to its review, and of what it rests on. It knows no ledger, no clock.

Two stories are told of it: the quarter of the demo, and the year of tests and benchmarks. A story says when things happen, to whom, and
what is special about it; what is said then is written here, once. `At` is how a story counts time.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from projections.rules.digests import list_digest

Facts = dict[str, Any]
At = TypeVar("At")


@dataclass(kw_only=True)
class Change:
    """One change on its way."""

    id: str
    service: str
    team: str
    kind: str
    author: str
    artifact: str


class Company(ABC, Generic[At]):
    """What is told by the book. Whatever more a story knows of it is told with it; what is None is left out."""

    template: ClassVar[str] = "routine-release"
    policy: ClassVar[Facts]

    @abstractmethod
    def say(self, at: At, kind: str, /, **data: Any) -> Any:
        """Record that something happened at a time, told by whoever tells such things."""

    @abstractmethod
    def stamp(self, at: At) -> str:
        """Return a time as statements have it."""

    # -- what everything stands on -------------------------------------------------------------------------------

    def publish_policy(self, at: At, approved: At, digest: str, settings: Iterable[tuple[str, str, str]]) -> None:
        told = [{"name": name, "applies_to": whom, "value": value} for name, whom, value in settings]
        policy = self.policy | {"policy_digest": digest}
        self.say(at, "policy.published", actor="person:olga", **policy, settings=told)
        self.say(approved, "policy.approved", actor="person:oscar", **policy)

    def publish_model(
        self, at: At, approved: At, model: Facts, parameters: Mapping[str, object], bands: Mapping[str, object]
    ) -> None:
        self.say(at, "risk.model_published", actor="person:dan", **model, form="weighted_points", features_version="1",
            parameters=values(parameters), bands=values(bands))  # fmt: skip
        self.say(approved, "risk.model_approved", actor="person:erin", **model)

    def approve_template(self, at: At, expires: At, failure_limit: int) -> None:
        self.say(at, "template.approved", actor="person:olga", template_id=self.template, expires_at=self.stamp(expires),
            failure_limit=failure_limit)  # fmt: skip

    def define_trigger(self, at: At, service: str, **more: Any) -> None:
        self.say(at, "rollback.trigger_defined", **more, trigger_id=f"{service}-errors", service=service, environment="prod",
            metric="error_rate", comparator="gt", threshold="0.02", window_s=300, min_samples=500, mode="manual")  # fmt: skip

    def declare_freeze(self, at: At, name: str, start: At, end: At, **more: Any) -> None:
        self.say(at, "freeze.declared", actor="person:frank", freeze_id=name, environments=["prod"], start=self.stamp(start),
            end=self.stamp(end), time_zone="UTC", **more)  # fmt: skip

    # -- a change ------------------------------------------------------------------------------------------------

    def open(
        self, at: At, submitted: At, change: Change, title: str, services: Sequence[str], scope: Facts, **more: Any
    ) -> None:
        about = {"actor": change.author, "change_id": change.id}
        self.say(at, "change.opened", **about, change_type=change.kind, services=services, environment="prod", team=change.team,
            title=title, template_id=self.template if change.kind == "standard" else None, **more)  # fmt: skip
        self.say(submitted, "change.submitted", **about, **scope, artifacts=[change.artifact])

    def assess(self, at: At, change: Change, model: Facts, features: Mapping[str, object], **more: Any) -> None:
        self.say(at, "risk.assessed", change_id=change.id, **model, features=values(features), **more)

    def approve(
        self, at: At, change: Change, rule: str, quorum: int, answers: Iterable[tuple[At, str]], verdict: str = "granted",
        **more: Any,
    ) -> None:  # fmt: skip
        """Ask for approval, and let each approver answer at a time."""
        self.say(at, "approval.requested", actor=change.author, change_id=change.id, policy_id=self.policy["policy_id"],
            policy_version=self.policy["version"], rule=rule, required_roles=["release-approver"], quorum=quorum)  # fmt: skip
        for answered, who in answers:
            self.say(answered, f"approval.{verdict}", actor=who, change_id=change.id, role="release-approver", **more)

    def merge(self, at: tuple[At, At, At], change: Change, commit: str, reviewer: str, **more: Any) -> None:
        """Propose the code of a change, review it and merge it."""
        pull: Facts = {"repository": f"acme/{change.service}", "pull_request": int(change.id.partition("-")[2])}
        proposed, reviewed, merged = at
        self.say(proposed, "code.proposed", actor=change.author, **pull, head_sha=commit, authors=[change.author], **more)  # fmt: skip
        self.say(reviewed, "code_review.submitted", actor=reviewer, **pull, review_id="1", commit=commit,
            verdict="approved")  # fmt: skip
        self.say(merged, "code.merged", actor=change.author, **pull, head_sha=commit, merge_sha=commit, **more)

    def deploy(self, begin: At, end: At, where: Facts, started: Facts, **told: Any) -> None:
        """Deploy; `started` is what only its beginning says."""
        self.say(begin, "deployment.started", **told, **where, **started)
        self.say(end, "deployment.finished", **told, **where, outcome="success")

    def verify(self, at: At, where: Facts, failed: bool, observations: Mapping[str, int]) -> None:
        """Say what was measured, and that the rate of errors was too high, if it was."""
        checks = [
            {"name": name, "passed": not (failed and name == "error_rate"), "observations": count}
            for name, count in observations.items()
        ]
        self.say(at, "deployment.verified", **where, verdict="degraded" if failed else "healthy", checks=checks)

    def attribute(self, at: At, incident: Facts, deployment: str, change: Change, **more: Any) -> None:
        self.say(at, "incident.attributed", **incident, method="label-overlap", deployment_id=deployment, change_id=change.id,
            confirmed=True, **more)  # fmt: skip

    def review(
        self, at: At, due: At, completed: At | None, change: Change, pir_id: str, mandatory: bool, failed: bool, **more: Any
    ) -> None:  # fmt: skip
        """Open the review of a change, and complete it, unless nobody gets round to it."""
        pir: Facts = {"actor": "person:frank", "pir_id": pir_id, "change_id": change.id}
        self.say(at, "pir.opened", **pir, due_at=self.stamp(due), mandatory=mandatory)
        if completed is not None:
            outcome = "backed_out" if failed else "successful"
            self.say(completed, "pir.completed", **pir, outcome=outcome, rolled_back=failed, **more)

    def label(self, at: At, change: Change, by: str, failed: bool, **more: Any) -> Any:
        """Say what the model of risk learns of a change."""
        label = "failure" if failed else "success"
        return self.say(at, "risk.outcome_labelled", actor=by, change_id=change.id, label=label, **more)

    # -- access --------------------------------------------------------------------------------------------------

    def give(self, at: At, grant: str, who: str, role: str, *, owner: str | None = "person:olga", **more: Any) -> None:
        """Give somebody a role; whoever is no person is somebody's."""
        is_human = who.startswith("person:")
        self.say(at, "access.granted", **{"actor": "person:olga"} | more, grant_id=grant, principal=who, role=role,
            principal_kind="human" if is_human else "service", owner=None if is_human else owner)  # fmt: skip

    def review_access(
        self, at: At, due: At, name: str, grants: Mapping[str, str], decided: Iterable[tuple[At, str]], completed: At | None,
        revoked: Sequence[str] = (), miscounted: int = 0,
    ) -> None:  # fmt: skip
        """Look through who holds which grant, in the order of their names; `decided` says when, and who decides, of each."""
        about: Facts = {"review_id": name}
        self.say(at, "access_review.opened", actor="person:olga", **about, environment="prod", population_digest=list_digest(grants),
            population_count=len(grants) - miscounted, due_at=self.stamp(due))  # fmt: skip
        for (grant, who), (then, reviewer) in zip(sorted(grants.items()), decided, strict=True):
            self.say(then, "access_review.item_decided", actor=reviewer, **about, grant_id=grant, principal=who,
                decision="revoke" if grant in revoked else "keep")  # fmt: skip
        if completed is not None:
            self.say(completed, "access_review.completed", actor="person:olga", **about, kept=len(grants) - len(revoked),
                revoked=len(revoked))  # fmt: skip


def values(named: Mapping[str, object]) -> list[dict[str, str]]:
    """Return named values as statements have them: `[{"name": "low", "value": "0"}]`."""
    texts = {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in named.items()}
    return [{"name": name, "value": text} for name, text in texts.items()]
