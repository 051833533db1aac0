"""Rows by the entries that name them: what was taken back names none, whoever asks, though the row itself may stay."""

from dataclasses import dataclass
from typing import Any

import pytest
from ledgers import append, cloud_event
from telling import Story, at, retold

from ledger.events.deployment import DeploymentStarted
from ledger.ledger import Ledger
from projections.engine.asking import asking_now
from projections.engine.derived import Derived, Rule
from projections.engine.finding import Breach
from projections.engine.judging import Judge
from projections.engine.reads import Look
from projections.engine.runner import Runner
from projections.engine.view import Around, EntryInfo, Limit, View

PROD = "environment:prod"


@dataclass(frozen=True)
class Service:
    """A service that was started somewhere, once."""

    name: str
    is_known: bool = False


def watching(limit: Limit = None) -> tuple[View[Service], View[Service], Derived]:
    services = View("services", version=1, row=Service, kind="service", doc="Services that were started somewhere.")
    others = View("others", version=1, row=Service, kind="service", doc="By what production runs.", reads=(services,))

    @services.on(DeploymentStarted, key=lambda event: event.service)
    def heard(row: Service, event: DeploymentStarted, entry: EntryInfo) -> Service:
        return Service(row.name, is_known=True)

    @others.on(DeploymentStarted, key=lambda event: event.service)
    def beside(row: Service, event: DeploymentStarted, entry: EntryInfo) -> Service:
        named = entry.reads.named(services, DeploymentStarted, PROD, limit)
        return Service(row.name, is_known="api" in {service.name for service in named})

    found = Derived("found", version=1, doc="Services in production.", reads=(services,))

    @found.rule(services, severity="low")
    def is_in_production(row: Service, look: Look) -> Breach | None:
        """It was started in production, and is among the last that were."""
        named = look.named(services, DeploymentStarted, PROD, limit)
        return Breach(row.name) if row.name in {service.name for service in named} else None

    return services, others, found


def start(story: Story, service: str, environment: str = "prod") -> int:
    return story.tell(
        "deployment.started", actor="service:ci", deployment_id=f"d-{len(story.log)}", change_id="CHG-7",
        service=service, environment=environment,
    )  # fmt: skip


def take_back(story: Story, position: int) -> int:
    return story.tell("statement.withdrawn", position=position, reason="x")


def is_found(story: Story, service: str) -> bool:
    row = story.row(story.views[2], f"is-in-production/{service}")
    return row is not None and row.is_open


@pytest.mark.parametrize("begun_anew", [False, True])
def test_a_row_that_stays_is_named_no_more_by_what_was_taken_back(begun_anew: bool) -> None:
    story = Story(watching())
    start(story, "api", "test")
    named = start(story, "api")
    assert is_found(story, "api")
    if begun_anew:
        story.begin()
    at_the_end = take_back(story, named)
    assert not is_found(story, "api")
    start(story, "web")
    assert not story.row(story.views[1], "web").is_known
    assert story.row_as_of(story.views[2], "is-in-production/api", at_the_end - 1).is_open
    for batch in (1, 2, 100):
        assert retold(story.documents(), batch=batch, views=story.views).digests() == story.digests()


def test_what_was_said_and_taken_back_leaves_the_last_that_hold_in_sight() -> None:
    """Else many that nobody sees any more would hide one that stands."""
    story = Story(watching(limit=2))
    start(story, "api")
    noise = [start(story, "noise") for _ in range(3)]
    assert not is_found(story, "api")
    story.begin()
    for position in noise:
        take_back(story, position)
    assert is_found(story, "api")
    asked_at = start(story, "web")
    assert story.row(story.views[1], "web").is_known
    assert story.row_as_of(story.views[1], "web", asked_at).is_known


@pytest.mark.parametrize("begun_anew", [False, True])
def test_what_is_complete_around_a_position_moves_only_by_what_is_taken_back(
    monkeypatch: pytest.MonkeyPatch, begun_anew: bool
) -> None:
    story = Story(watching(Around(3, 1)))
    # Its row stays as it is when the other start is taken back.
    start(story, "db", "test")
    named = [start(story, service) for service in ("api", "web", "db", "mail")]
    assert [is_found(story, service) for service in ("api", "web", "db", "mail")] == [False, True, True, False]
    judged: list[str] = []
    inner = Judge.judge

    def counted(judge: Judge, rule: Rule, key: str, entry: EntryInfo) -> Any:
        judged.append(key)
        return inner(judge, rule, key, entry)

    monkeypatch.setattr(Judge, "judge", counted)
    if begun_anew:
        story.begin()
    start(story, "more")
    story.flush()
    assert judged == ["more"]
    take_back(story, named[2])
    assert [is_found(story, service) for service in ("api", "web", "db", "mail")] == [False, True, False, True]


def test_a_gate_reads_no_row_by_what_was_taken_back_on_either_database(ledger: Ledger) -> None:
    views = watching()
    append(
        ledger,
        *(cloud_event("deployment.started", id=where, deployment_id=where, change_id="CHG-7", service="api", environment=where,
                      actor="service:ci") for where in ("test", "prod")),
    )  # fmt: skip
    runner = Runner(ledger.database, views, ledger.watcher)
    assert runner.acquire()

    def named() -> list[str]:
        runner.catch_up()
        with ledger.database.read() as connection:
            look, _ = asking_now(connection, ledger.database, views, at(10**4))
            return [row.name for row in look.named(views[0], DeploymentStarted, PROD)]

    assert named() == ["api"]
    append(ledger, cloud_event("statement.withdrawn", actor="service:ci", position=ledger.size(), reason="wrong"))
    assert named() == []
    runner.close()
