"""Questions to the gates, asked of a story in memory."""

from typing import Any

from changes import ARTIFACT, approve, assess, deploy, opened, publish, request
from telling import Story, at

from projections.engine.asking import Asking
from projections.engine.skips import Skips
from projections.gates.asking import Decision, answer, remedied
from projections.judging.gate_rule import Answer, Question

WHERE = {"change_id": "CHG-7", "service": "api", "environment": "prod", "artifact": ARTIFACT, "actor": "service:ci"}


def define_trigger(story: Story) -> None:
    story.tell(
        "rollback.trigger_defined", actor="person:bob", trigger_id="T", version="1", service="api", environment="prod",
        metric="error_rate", comparator="gt", threshold="0.02", window_s=300, min_samples=10, mode="manual",
    )  # fmt: skip


def ready_to_deploy(kind: str = "normal", *settings: tuple[str, str, str]) -> Story:
    """A change that may be deployed."""
    story = opened(kind)
    publish(story, *settings)
    define_trigger(story)
    assess(story)
    request(story)
    approve(story)
    return story


def ask(story: Story, gate: str = "deploy", hours: float = 20, **more: Any) -> Decision:
    story.flush()
    question = Question(gate, at(hours), **{**WHERE, **more})
    return answer(question, Asking(story.folder.rows, question.asked_at, Skips(story.log)), len(story.log))


def against(decision: Decision) -> dict[str, tuple[str, str]]:
    """The rules that do not allow, with verdict and reason."""
    return {a.rule: (a.verdict, a.reason) for a in decision.answers if a.verdict != "allow"}


def refused(story: Story, decision: Decision) -> dict[str, Answer]:
    """The answers that do not allow, with what would make them, and who could."""
    look = Asking(story.folder.rows, decision.question.asked_at, Skips(story.log))
    return {a.rule: a for a in remedied(decision, look).answers if a.verdict != "allow"}


def deployed(story: Story, **more: Any) -> Story:
    deploy(story, **more)
    return story
