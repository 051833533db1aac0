"""A small honest team: two people, GitHub alone, no tickets and no grants. Nothing is found that is not so.

Played over HTTP, with a clock that the test moves: five years of history on the first day, a day's work, an emergency at night, and
an outage of the webhooks.
"""

import itertools
from contextlib import closing
from pathlib import Path
from typing import Any

import bodies
import pytest
from deliveries import deliver
from moved_servers import Moved, moved_server
from servers import Server, event

from api.cli.policies import approve_in, publish_in
from api.cli.policy_files import policy_of, starting_policy
from api.cli.remote_door import RemoteDoor
from projections.rules.digests import list_digest

# Their numbers at GitHub.
ANN, BEN, CI = 503, 502, 77
_numbers = itertools.count(1)


class Team:
    """What the two of them do, as GitHub tells of it when it happens, or when it is delivered later."""

    def __init__(self, server: Server, clock: Moved) -> None:
        self.server, self.clock = server, clock
        self.outbox: list[tuple[dict[str, Any], str]] | None = None

    def tell(self, body: dict[str, Any], kind: str) -> None:
        if self.outbox is not None:
            self.outbox.append((body, kind))
            return
        answer = deliver(self.server, body, kind)
        assert answer.status_code == 201, answer.text

    def propose(self, pull: int, by: int) -> str:
        head = f"{pull:040x}"
        now = self.clock.now()
        user = bodies.user(by)
        self.tell(
            bodies.pull_request("opened", head, pull, by, user=user, created_at=now, updated_at=now), "pull_request"
        )
        return head

    def review(self, pull: int, by: int) -> None:
        made = bodies.review(
            number=pull, pull=pull, user=bodies.user(by), commit_id=f"{pull:040x}", submitted_at=self.clock.now()
        )
        made["pull_request"]["user"] = bodies.user(ANN + BEN - by)
        self.tell(made, "pull_request_review")

    def merge(self, pull: int, by: int) -> str:
        head, commit = f"{pull:040x}", f"{pull + 9000:040x}"
        body = bodies.merged(head, pull, by)
        body["pull_request"] |= {"user": bodies.user(by), "merged_at": self.clock.now(), "merge_commit_sha": commit}
        self.tell(body, "pull_request")
        return commit

    def deploy(self, commit: str, by: int) -> int:
        number, now = next(_numbers), self.clock.now()
        made = {
            "sha": commit,
            "environment": "production",
            "creator": bodies.user(by),
            "created_at": now,
            "payload": {},
        }
        self.tell(bodies.deployment(number, **made), "deployment")
        status = bodies.deployment_status("success", number, environment="production", created_at=self.clock.now())
        status["deployment"] |= made
        self.tell(status, "deployment_status")
        return number

    def deliver_what_waited(self) -> list[dict[str, Any]]:
        """Deliver what waited; return the statements as they are on record."""
        waited, self.outbox = self.outbox or [], None
        before = self.server.size()
        for body, kind in waited:
            self.tell(body, kind)
        entries = [item["entry"] for item in self.server.entries(before)]
        return [entry["statement"] for entry in entries if entry["recorded_by"]["principal"] == "service:github"]

    def reconcile(self, statements: list[dict[str, Any]], begin: str, end: str) -> None:
        """Have the code host's own list of a time recorded, by the credential of its hook: what it says happened then."""
        _, token = self.server.issue_token("reporter", principal="service:github")
        ids, (source,) = [said["id"] for said in statements], {said["source"] for said in statements}
        told = {"actor": "service:github", "source": source, "period_start": begin, "period_end": end,
            "listed": ids, "listed_count": len(ids), "listed_digest": list_digest(ids), "missing_count": 0, "extra_count": 0}  # fmt: skip
        with self.server.client_with(token) as client:
            answer = client.post(
                "/v1/events", json=event("source.reconciled", **told) | {"source": source, "time": end}
            )
            assert answer.status_code == 201, answer.text

    def ask(self, commit: str) -> dict[str, Any]:
        asked = {
            "service": bodies.REPOSITORY,
            "environment": "production",
            "commit": commit,
            "actor": f"github-bot:{CI}",
        }
        answer = self.server.client().post("/v1/gates/deploy", json=asked)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def found(self) -> dict[str, list[str]]:
        """Return the open findings, by rule, once the views have seen everything."""
        asked = {"is_open": "true", "min_position": str(self.server.size())}
        answer = self.server.get("/v1/views/findings", params=asked)
        assert answer.status_code == 200, answer.text
        rows = answer.json()["items"]
        return {rule: [r["subject"] for r in rows if r["rule"] == rule] for rule in sorted({r["rule"] for r in rows})}


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A ledger of an hour ago, with the policy for teams on GitHub: Ann published it, and Ben approved it."""
    with moved_server(tmp_path / "var", monkeypatch) as (server, clock):
        enrolled = {"source": "https://github.com/acme/*", "door": "github", "principal": "service:github",
            "authority_for": ["github:*"]}  # fmt: skip
        assert server.client().post("/v1/ledger/sources", json=enrolled).status_code == 201
        tokens = [
            server.issue_token("operator", "reporter", principal=who, kind="human")[1]
            for who in ("person:ann", "person:ben")
        ]
        with closing(RemoteDoor(server.url, tokens[0])) as anns, closing(RemoteDoor(server.url, tokens[1])) as bens:
            told = publish_in(anns, policy_of(starting_policy("github"), "github.toml"), "person:ann")
            assert approve_in(bens, told, "person:ben")[1]
        clock.pass_time(hours=1)
        yield Team(server, clock)


def import_five_years(team: Team) -> None:
    """Bring in what was done before: nothing of it had been reviewed, and an incident came of it."""
    server, clock = team.server, team.clock
    credential, token = server.issue_token("reporter", principal="service:migrator")
    wanted = {"import_id": "acme/history", "credential": credential, "sources": ["https://old.example.com/*"],
        "until": clock.now(), "reason": "migration"}  # fmt: skip
    assert server.client().post("/v1/ledger/imports", json=wanted).status_code == 201
    told = []
    for year in range(1, 6):
        when, commit = {"days": 365 * year}, f"{year + 700:040x}"
        where = {
            "deployment_id": f"old-{year}",
            "service": bodies.REPOSITORY,
            "environment": "production",
            "commit": commit,
        }
        told += [
            (when, event("code.merged", actor=f"github:{ANN}", repository=bodies.REPOSITORY, merge_sha=commit, branch="main")),
            (when, event("deployment.started", actor=f"github:{ANN}", **where)),
            (when, event("deployment.finished", **where | {"change_id": None}, outcome="success")),
            (when, event("incident.opened", incident_id=f"INC-{year}", service=bodies.REPOSITORY, severity="sev2")),
        ]  # fmt: skip
    events = []
    for ago, made in told:
        data = {name: value for name, value in made["data"].items() if value is not None}
        events.append(made | {"source": "https://old.example.com/ci", "time": clock.now(**ago), "data": data})
    with server.client_with(token) as client:
        batch = {"Content-Type": "application/cloudevents-batch+json"}
        answer = client.post("/v1/events", json=events, headers=batch)
        assert answer.status_code == 201, answer.text
    assert server.client().delete("/v1/ledger/imports/acme/history").status_code == 200


def test_nothing_is_found_of_a_small_honest_team(team: Team) -> None:
    clock = team.clock
    import_five_years(team)
    assert team.found() == {}

    # A day's work: Ann proposes, Ben reviews, and the pipeline asks before it deploys.
    team.propose(1, ANN)
    asked = team.ask(f"{1:040x}")
    assert asked["verdict"] == "insufficient_evidence"
    clock.pass_time(minutes=30)
    team.review(1, BEN)
    commit = team.merge(1, ANN)
    asked = team.ask(commit)
    assert asked["verdict"] == "allow", asked
    assert asked["policy"]["is_of_one"] is False
    team.deploy(commit, ANN)
    assert team.found() == {}

    # An emergency at night: Ben is alone, merges and deploys. The gate does not allow it, and says who could make it.
    clock.pass_time(hours=14)
    team.propose(2, BEN)
    commit = team.merge(2, BEN)
    asked = team.ask(commit)
    (against,) = (rule for rule in asked["rules"] if rule["verdict"] != "allow")
    assert (asked["verdict"], against["rule"], against["able"]) == (
        "needs_approval",
        "code-is-reviewed",
        [f"github:{ANN}"],
    )
    team.deploy(commit, BEN)
    assert team.found() == {}
    # In the morning Ann looks at it; then it may be deployed again.
    clock.pass_time(hours=6)
    team.review(2, ANN)
    assert team.ask(commit)["verdict"] == "allow"
    clock.pass_time(hours=30)

    # For more than a day no webhook comes; then all of them do.
    team.outbox, begin = [], clock.now()
    team.propose(3, ANN)
    team.review(3, BEN)
    clock.pass_time(minutes=30)
    late = team.deploy(team.merge(3, ANN), ANN)
    clock.pass_time(hours=26)
    delivered, end = team.deliver_what_waited(), clock.now()
    # By then the review is late by more than the policy lets anybody review afterwards; that it was given in time, the host's list tells.
    assert team.found() == {
        "deployed-without-review": [f"github-{late}"],
        "merged-without-review": [f"{bodies.REPOSITORY}#3"],
        "reported-late": [f"github-{late}"],
    }
    team.reconcile(delivered, begin, end)
    assert team.found() == {"reported-late": [f"github-{late}"]}
    clock.pass_time(hours=60)
    # What is done afterwards makes overdue what is overdue; and it goes out with all that was merged since.
    team.propose(4, BEN)
    team.review(4, ANN)
    commit = team.merge(4, BEN)
    assert team.ask(commit)["verdict"] == "allow"
    team.deploy(commit, BEN)
    # So it was: that deployment was reported late.
    assert team.found() == {"reported-late": [f"github-{late}"]}


def test_what_nobody_looks_at_is_found_when_the_day_is_over(team: Team) -> None:
    team.propose(5, ANN)
    number = team.deploy(team.merge(5, ANN), ANN)
    assert team.found() == {}
    team.clock.pass_time(hours=25)
    team.propose(6, ANN)
    assert team.found() == {
        "deployed-without-review": [f"github-{number}"],
        "merged-without-review": [f"{bodies.REPOSITORY}#5"],
    }
