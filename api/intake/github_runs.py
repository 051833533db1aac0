"""Jobs of GitHub Actions, in our words: `workflow_job` webhooks. A job is what has a runner; a run of a workflow has as many as jobs.

A run is named by its number, which survives that it is run again; an attempt counts. A runner's number is its account's, and so is told
with that. Whether a runner is made for one job is not in the body, whatever its name looks like.
"""

import re
from typing import Any, Final

from api.intake.translation import need, pick, pick_text
from ledger.errors import StatementError

# How a job ended -> what that is here. A job that was skipped had no runner.
_OUTCOMES: Final = {
    "success": "success",
    "neutral": "success",
    "failure": "failure",
    "timed_out": "failure",
    "startup_failure": "failure",
    "cancelled": "cancelled",
}


# Where a run of a workflow is, on github.com or on a server of one's own; and how provenance of the generators of SLSA names one.
_is_address = re.compile(r"https://[^/]+/[^/]+/[^/]+/actions/runs/([0-9]+)(?:/attempts/([0-9]{1,4}))?/?").fullmatch
_is_number = re.compile(r"([0-9]+)-([0-9]{1,4})").fullmatch
_BUILDERS: Final = "https://github.com/"


def run_named(told: str, builder: str | None = None) -> tuple[str, int | None] | None:
    """Return the number of a run that somebody else names, and which try it is, where that is said; None where it is no run of these.

    >>> run_named("https://github.com/acme/api/actions/runs/4711/attempts/2")
    ('4711', 2)
    """
    found = _is_address(told) or (_is_number(told) if (builder or "").startswith(_BUILDERS) else None)
    return (found[1], int(found[2]) if found[2] else None) if found is not None else None


def run_of(document: dict[str, Any]) -> tuple[str, str, dict[str, Any]] | str:
    """Return type, time and data of what happened to a job, or in a word why that is nothing. Raises StatementError."""
    action, job = need(document, "action"), need(document, "workflow_job", dict)
    data = {
        "run_id": str(need(job, "run_id", int)),
        "attempt": pick(job, "run_attempt"),
        "job": need(job, "name"),
        "tenant": pick_text(document, "repository.owner.login"),
        "runner_id": _runner_of(document, job),
        "service": pick_text(document, "repository.full_name"),
        "commit": pick(job, "head_sha"),
    }
    if action == "in_progress":
        return "pipeline_run.started", need(job, "started_at"), data
    if action != "completed":
        return f"action-{action}"
    conclusion = need(job, "conclusion")
    if (outcome := _OUTCOMES.get(conclusion)) is None:
        return f"conclusion-{conclusion}"
    ended = need(job, "completed_at")
    said = {"outcome": outcome, "started_at": pick_text(job, "started_at"), "finished_at": ended}
    return "pipeline_run.finished", ended, data | said


def _runner_of(document: dict[str, Any], job: dict[str, Any]) -> str | None:
    try:
        number = need(job, "runner_id", int)
    except StatementError:
        return None
    owner = pick_text(document, "repository.owner.login") or pick_text(document, "organization.login") or ""
    # A job that was cancelled before it had a runner has the number 0.
    return f"github/{owner}/{number}" if number > 0 else None
