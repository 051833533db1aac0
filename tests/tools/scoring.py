"""The life of a risk model, told to a story in memory: published, approved, scored by, and held against outcomes."""

from typing import Any

from telling import Story

DIGEST = "sha256:" + "d" * 64
OTHER = "sha256:" + "e" * 64
NOTE = {"sha256": "0" * 64}


def values(**numbers: str) -> list[dict[str, str]]:
    return [{"name": name, "value": number} for name, number in numbers.items()]


def publish(story: Story, version: str = "1", by: str = "person:dan", **more: Any) -> None:
    data = {
        "form": "weighted_points",
        "parameters": values(criticality="1", scale="10"),
        "bands": values(low="0", high="5"),
        "model_digest": DIGEST,
        "model_id": "m",
    } | more
    story.tell("risk.model_published", actor=by, version=version, features_version="1", **data)


def approve(
    story: Story, by: str = "person:erin", version: str = "1", digest: str = DIGEST, model_id: str = "m"
) -> None:
    story.tell("risk.model_approved", actor=by, model_id=model_id, version=version, model_digest=digest)


def open_change(story: Story, change: str, service: str = "api", **more: Any) -> None:
    about = {"change_id": change, "services": [service], "environment": "prod", "team": "payments"} | more
    story.tell("change.opened", actor="person:alice", change_type="normal", title=NOTE, **about)


def assess(story: Story, change: str = "CHG-1", score: str = "3", band: str = "low", **more: Any) -> None:
    data = {"features": values(criticality=score), "model_digest": DIGEST, "version": "1", "model_id": "m"} | more
    story.tell("risk.assessed", change_id=change, score=score, band=band, **data)


def label(story: Story, label: str, change: str = "CHG-1") -> int:
    return story.tell("risk.outcome_labelled", actor="service:desk", change_id=change, label=label)
