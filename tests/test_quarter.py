"""The quarter that the demo tells: its first four modules are told by the book, and what breaks a rule in them is what was planted."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from history import BUILT_AGAIN, SENDERS, history
from meaning import COUNTED
from year import Told, told

from ledger.authority import LEDGER_PRINCIPAL
from projections import VIEWS
from projections.judging.findings import findings
from projections.practices.curriculum import MODULES
from projections.practices.serving import capabilities
from projections.readings.people.powers import HOLDERS

# What the board had not decided about are three changes that went out together.
PLANTED = {
    "Release strategy": {"strategy-not-kept": 1, "error-budget-spent": 1, "deployed-in-freeze": 1, "planned-in-freeze": 2,
        "deployed-without-the-board": 3, "misses-the-board": 3},
    "Pipeline architecture": {"policy-believes-anybody": 1, 
        "isolation-violated": 1, "tests-not-run": 1, "unapproved-plan-applied": 1, "unchecked-plan-applied": 1,
    },
    # One secret was not rotated; the other was, and its finding is over.
    "Governance of infrastructure as code": {"module-not-approved": 1, "secret-not-rotated": 2, "drifted": 1},
    "Environments": {
        "backup-older-than-rpo": 1, "environment-overdue": 1, "readiness-late": 1, "reservations-overlap": 1, "tags-missing": 1,
        "difference-unexplained": 1, "sensitive-data-loaded": 1,
    },
}  # fmt: skip


def statements() -> Iterator[Told]:
    """Yield what comes in as events; what comes in by other doors is of the later modules."""
    positions: dict[tuple[str, str], int] = {}
    for position, post in enumerate((post for post in history() if post.door == "events"), 1):
        event = post.event(positions)
        positions[event["source"], event["id"]] = position
        # The desk and the access manager may speak for people: as if these had spoken themselves.
        by = event["data"].get("actor") or SENDERS[post.sender].principal
        by = LEDGER_PRINCIPAL if HOLDERS.get(event["type"]) == "operator" else by
        time = datetime.fromisoformat(event["time"])
        yield Told(time, time, by, event["type"], event["data"])


def test_what_breaks_a_rule_in_the_first_four_modules_is_what_was_planted() -> None:
    story = told(statements(), 1)
    rules = Counter(findings.load(text).rule for text in story.store.texts(findings))
    found: dict[str, dict[str, int]] = {module: {} for module in MODULES[:4]}
    for practice in capabilities():
        if practice.part in found:
            found[practice.part] |= {rule: rules[rule] for rule in practice.findings if rules[rule]}
    assert found == PLANTED
    [breach] = [
        row for text in story.store.texts(findings) if (row := findings.load(text)).rule == "artifact-not-approved"
    ]
    assert breach.subject == f"checkout-web-{BUILT_AGAIN.removeprefix('CHG-')}"
    assert {"change.submitted", "deployment.started"} <= {
        story.log.entry(position).type for position in breach.positions
    }


def test_each_line_of_the_demo_counts_views_and_columns_that_there_are() -> None:
    views = {view.name: view for view in VIEWS}
    assert len(COUNTED) == len(MODULES)
    for _, name, narrow in (counted for line in COUNTED for counted in line):
        assert set(narrow) <= set(views[name].indexes)
