"""The steps of credentials, sources, grants, policies and deployments, told to a story in memory."""

from typing import Any

from telling import Story

from projections.readings.people.policies import POLICY

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
NOTE = {"sha256": "c" * 64}
WHO = {"grant_id": "GR-1", "principal": "person:paul"}


LIMITS = ("access-review-days", "dormant-after-days", "rotate-within-days", "escalate-after-hours")


def grant(story: Story, **more: Any) -> int:
    data = {"actor": "person:olga", "principal_kind": "human", "role": "deployer", "environment": "prod"}
    return story.tell("access.granted", **data | WHO | more)


def publish(story: Story, by: str = "person:olga", digest: str = DIGEST, version: str = "1") -> int:
    asked = ("quorum", *LIMITS, *(("deployer-role", "required-role", "reviewed-branch") if version == "1" else ()))
    settings = [{"name": name, "applies_to": "any", "value": "1"} for name in asked]
    return story.tell(
        "policy.published", actor=by, policy_id=POLICY, version=version, policy_digest=digest, settings=settings
    )


def approve(
    story: Story, by: str = "person:oscar", digest: str = DIGEST, version: str = "1", time: str | None = None
) -> int:
    about = {"policy_id": POLICY, "version": version, "policy_digest": digest}
    return story.tell("policy.approved", actor=by, time=time, **about)


def deploy(story: Story, **more: Any) -> None:
    data = {"deployment_id": "d-1", "service": "api", "environment": "prod"} | more
    story.tell("deployment.started", actor="service:ci", **data, artifact=DIGEST)
    story.tell("deployment.finished", **data, outcome="success")


def issue(story: Story, principal: str, *roles: str, kind: str = "human") -> str:
    """Issue a credential to somebody; return it."""
    credential = f"token:{principal.replace(':', '.')}"
    story.tell(
        "ledger.credential_issued", actor="person:root", credential=credential, principal=principal, kind=kind,
        roles=roles or ("reporter",), areas=["*"], sources=["*"], token_sha256="0" * 64, by="service:ledger",
        token="key:story",
    )  # fmt: skip
    return credential


def enrol(story: Story, principal: str, *identities: str, types: tuple[str, ...] = ()) -> None:
    """Enrol the source of all stories as somebody's, and as an authority for identities."""
    story.tell(
        "ledger.source_enrolled", actor="person:root", source="test", door="events", principal=principal,
        must_sign=False, authority_for=identities, types=types, by="service:ledger", token="key:story",
    )  # fmt: skip
