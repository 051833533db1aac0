"""Tests, as CDEvents tell of them: `testsuiterun.finished`, `testcaserun.finished` and `.skipped`, one report each.

A run of a suite says how it ended and names no test; runs of its cases name one each. Together they are a run of tests: it is named by
the run of the suite, or as whoever sends them says (`customData.run_id`), because of several shards only they know that they are one.
What was cancelled says nothing of tests that did not run, and so is no report.

A case of the type `performance` is a test of performance, too, where it is said of which service, and when it began.
"""

from typing import Any, Final

from api.intake.translation import need, pick, pick_text
from ledger.errors import StatementError
from ledger.events.identifiers import identifier_of

# How a test ended -> what that is of a report, and of which list of it. CDEvents 0.4 had words of its own.
_ENDS: Final = {
    "success": ("passed", "passed"),
    "pass": ("passed", "passed"),
    "failure": ("failed", "failed"),
    "fail": ("failed", "failed"),
    "error": ("failed", "errored"),
}
# What CDEvents have no word for: their senders say it of their own.
_OWN: Final = ("attempt", "shard", "shards", "service", "commit", "coverage")

Told = list[tuple[str, dict[str, Any]]]


def suite_ended(event: dict[str, Any]) -> Told:
    """Return that a run of a suite ended. Which tests ran it does not say."""
    outcome, _ = _end_of(event)
    return [("test.shard_finished", _report(event) | {"outcome": outcome, "tests": 0})]


def case_ended(event: dict[str, Any]) -> Told:
    """Return that a test ran, and where it is one of performance, that."""
    outcome, where = _end_of(event)
    told: Told = [("test.shard_finished", _report(event) | {"outcome": outcome, "tests": 1, where: (_case(event),)})]
    is_measured = pick(event, "subject.content.testCase.type") == "performance"
    if is_measured and pick_text(event, "customData.service") and pick_text(event, "customData.started_at"):
        measured = {
            name: pick(event, f"customData.{name}")
            for name in ("service", "started_at", "commit", "artifact", "reservation_id")
        }
        about = {"test_id": need(event, "subject.id"), "environment": need(event, "subject.content.environment.id")}
        told.append(
            (
                "perf_test.executed",
                measured | about | {"finished_at": need(event, "context.timestamp"), "outcome": outcome},
            )
        )
    return told


def case_skipped(event: dict[str, Any]) -> Told:
    """Return that a test was to run, and was skipped."""
    return [
        ("test.shard_finished", _report(event) | {"outcome": "nothing_ran", "tests": 1, "skipped": (_case(event),)})
    ]


def _report(event: dict[str, Any]) -> dict[str, Any]:
    own = {name: pick(event, f"customData.{name}") for name in _OWN}
    return own | {
        "report": f"cdevents-{need(event, 'context.id')}",
        "run_id": pick_text(event, "customData.run_id", "subject.content.testSuiteRun.id") or need(event, "subject.id"),
        "suite": pick_text(event, "customData.suite", "subject.content.testSuite.id", "subject.content.testSuite.name"),
        "environment": pick(event, "subject.content.environment.id"),
    }


def _case(event: dict[str, Any]) -> str:
    """Return what a test is called: by its name, which manifests have, too."""
    name = pick_text(event, "subject.content.testCase.name", "subject.content.testCase.id", "subject.id")
    return identifier_of(name or need(event, "subject.id"))


def _end_of(event: dict[str, Any]) -> tuple[str, str]:
    said = need(event, "subject.content.outcome")
    if (found := _ENDS.get(said)) is None:
        words = f"expected the outcome of a test that ran to its end, found {said}"
        raise StatementError(words[:200], "/subject/content/outcome")
    return found
