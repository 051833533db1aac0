"""What is said later, however much of it, pushes nothing out by which something was judged that was done before."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from strangers import open_findings
from telling import Story, document
from year import Year, told

from ledger.clock import from_text, to_text
from ledger.conditions import Match

# More than any rule looks at of one service, one repository; of one module.
MANY, VERY_MANY = 70, 210
LEAST = {"service": 6, "repository": 6, "module": 3}
SHA = "sha256:" + "0" * 64


def later(story: Story) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield very much about every service, repository and module of a story: elsewhere, and about other things."""
    told: Counter[str] = Counter(name for entry in story.log.entries([Match()], up_to=None) for name in entry.refs)
    named: dict[str, set[str]] = defaultdict(set)
    for name, count in told.items():
        kind, _, value = name.partition(":")
        # Of what was hardly spoken of, nothing much can be lost.
        if count >= LEAST.get(kind, len(story.log)):
            named[kind].add(value)
    for service in sorted(named["service"]):
        for number in range(MANY):
            about = {"service": service, "environment": "sandbox"}
            deployment = about | {"deployment_id": f"later-{service}-{number}"}
            yield "deployment.started", deployment | {"artifact": SHA, "commit": f"{number:040x}"}
            yield "deployment.finished", deployment | {"outcome": "success"}
            rules = [{"rule": "x", "version": 1, "verdict": "deny", "reason": "x"}]
            yield (
                "gate.decided",
                about | {"gate": "deploy", "gate_version": 1, "verdict": "deny", "read_at": 1, "rules": rules},
            )
            options = {"options": ["back"], "decision": "hold", "reason": {"sha256": "0" * 64}}
            yield "rollback.decided", deployment | {"rollback_id": f"later-{service}-{number}"} | options
            opened = {"change_type": "normal", "services": [service], "environment": "sandbox"}
            yield "change.opened", opened | {"change_id": f"later-{service}-{number}", "title": {"sha256": "0" * 64}}
            applied = {"plan": f"sha256:f{number:063x}", "outcome": "success"}
            yield "iac.applied", about | applied
    for repository in sorted(named["repository"]):
        for number in range(MANY):
            sha = {"merge_sha": f"{number:039x}e", "head_sha": f"{number:039x}f", "branch": "other"}
            yield "code.merged", {"repository": repository, "pull_request": 10**6 + number} | sha
            secret = {"secret": f"sha256:f{number:063x}", "tool": "x", "rule": "x", "repository": repository}
            yield "secret.detected", secret
    for module in sorted(named["module"]):
        for number in range(VERY_MANY):
            yield (
                "module.released",
                {"module": module, "version": f"1000.{number}.0", "digest": f"sha256:f{number:063x}"},
            )


def test_what_comes_later_pushes_out_nothing_of_what_was_judged() -> None:
    story = told(Year(services=4, changes=60, planted=1), 200)
    before = {name: (row.says, row.positions) for name, row in open_findings(story).items()}
    size = len(story.log)
    last = from_text(story.log.entry(size).recorded_at)
    story._batch = 500
    said = set()
    for number, (event_type, data) in enumerate(later(story), 1):
        # Within a minute, so that nothing else falls due.
        now = to_text(last + number * 1000)
        more = {"asked_at": now} if event_type == "gate.decided" else {"actor": "service:ci"}
        story.add(
            document(
                len(story.log) + 1, event_type, more | data, time=now, recorded_at=now, by="service:ci", credential="token:ci"
            )
        )  # fmt: skip
        said.add(event_type)
    story.flush()
    assert story.folder.failures == {}
    assert len(said) == 9
    after = open_findings(story)
    assert {name: (after[name].says, after[name].positions) for name in before if name in after} == before
    assert {name for name in after.keys() - before.keys() if max(after[name].positions) <= size} == set()
