"""A view that cannot take an entry stops there, whoever refuses it; an operator has it step over, and whoever asks is told."""

from dataclasses import dataclass
from typing import Any

import pytest
from ledgers import append, cloud_event
from telling import Story, at, document

from ledger.errors import StatementError
from ledger.events.deployment import DeploymentFinished, DeploymentStarted
from ledger.events.ledger import LedgerViewEntrySkipped
from ledger.ledger import Ledger
from projections import VIEWS
from projections.engine.checking import check
from projections.engine.progress import progress, read_states
from projections.engine.runner import Runner
from projections.engine.serving import list_rows, read_row, row_as_of
from projections.engine.skips import Skips, step_over
from projections.engine.sql_store import SqlStore
from projections.engine.view import EntryInfo, View, replace
from projections.gates.asking import STEPPED_OVER, ask
from projections.gates.rechecking import recheck
from projections.judging.gate_rule import Question
from projections.readings.delivery.freezes import freezes
from projections.readings.delivery.placements import placements

OLGA = "person:olga"


@dataclass(frozen=True)
class Sum:
    """A number, and a word."""

    name: str
    total: int = 0
    word: str = ""


def summing(
    version: int = 1, *, refused_at: int = 0, raises_at: int = 0, total: int = 2**70, word: str = ""
) -> View[Sum]:
    """Return a view whose row at one position no database can hold, or whose fold raises there."""
    view = View("sums", version=version, row=Sum, kind="service", doc="Counts deployments.")

    @view.on(DeploymentStarted, key=lambda event: event.service)
    def started(row: Sum, event: DeploymentStarted, entry: EntryInfo) -> Sum:
        if entry.position == raises_at:
            raise ValueError("this fold does not hold")
        if entry.position == refused_at:
            return replace(row, total=total, word=word)
        return replace(row, total=row.total + 1)

    return view


def following(other: View[Sum], *more: View[Sum]) -> View[Sum]:
    reads = (other, *more)
    view = View("followers", version=1, row=Sum, kind="environment", doc="Follows another view.", reads=reads)

    @view.on(DeploymentFinished, key=lambda event: event.environment)
    def finished(row: Sum, event: DeploymentFinished, entry: EntryInfo) -> Sum:
        found = entry.reads.row(other, event.service or "")
        return replace(row, total=found.total if found else 0)

    return view


def test_a_view_that_is_read_by_many_ways_is_asked_once() -> None:
    story = Story(())
    story.add(document(1, LedgerViewEntrySkipped.type, {"view": "sums", "version": 1, "position": 1, "actor": OLGA, "reason": "defect",
        "dependents": []},
        time=at(0), recorded_at=at(0), by=OLGA, credential="token:olga"))  # fmt: skip
    top = summing()
    for _ in range(200):
        top = following(following(top), top)
    assert Skips(story.log).under(top) == [1]


def deploy(ledger: Ledger, count: int) -> None:
    for number in range(ledger.size(), ledger.size() + 2 * count, 2):
        where = {"deployment_id": f"d-{number}", "service": "api", "environment": "prod"}
        append(
            ledger,
            cloud_event("deployment.started", actor="service:ci", **where),
            cloud_event("deployment.finished", outcome="success", **where),
        )


def run(ledger: Ledger, *views: View[Any], batch: int = 16) -> None:
    runner = Runner(ledger.database, views, ledger.watcher, batch=batch)
    assert runner.acquire()
    runner.catch_up()
    runner.close()


def positions(ledger: Ledger) -> dict[str, tuple[int, int | None]]:
    with ledger.database.read() as connection:
        return {name: (state.position, state.failed_at) for name, state in read_states(connection).items()}


def total(ledger: Ledger, view: View[Sum], key: str = "api") -> int:
    with ledger.database.read() as connection:
        return int(read_row(connection, view, key).rows[0]["total"])


# -- stopping -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_served_before", [True, False])
@pytest.mark.parametrize("value", [{"total": 2**63}, {"word": "\ud800", "total": 0}], ids=["a number", "a text"])
def test_a_view_whose_row_the_database_refuses_stops_at_that_entry_and_no_other(
    ledger: Ledger, is_served_before: bool, value: dict[str, Any]
) -> None:
    view = summing(refused_at=16, **value)
    deploy(ledger, 2)
    if is_served_before:
        run(ledger, view, following(view), placements)
    deploy(ledger, 20)
    run(ledger, view, following(view), placements)
    assert positions(ledger) == {"sums": (15, 16), "followers": (15, 16), "placements": (ledger.size(), None)}
    assert total(ledger, view) == 7
    with ledger.database.read() as connection:
        [state] = [state for state in read_states(connection).values() if state.name == "sums"]
        found = progress(connection, (view, following(view), placements))
    assert (state.failure or "").startswith("the database cannot hold the row")
    assert (found.position, found.behind, found.stopped) == (15, ledger.size() - 15, {"sums": 16, "followers": 16})
    assert found.since is not None


def test_what_is_refused_takes_no_row_with_it(ledger: Ledger) -> None:
    view = summing(refused_at=10)
    deploy(ledger, 30)
    run(ledger, view, placements)
    assert all(checked.is_equal for checked in check(ledger.database, (placements,)))


# -- stepping over ------------------------------------------------------------------------------------------------------


def test_a_view_steps_over_the_entry_at_which_it_stopped_and_goes_on(ledger: Ledger) -> None:
    view = summing(raises_at=6)
    views = (view, following(view), placements)
    deploy(ledger, 5)
    run(ledger, *views)
    receipt, anew = step_over(ledger, views, view, 6, actor=OLGA, reason="fold-raises")
    assert anew == ["sums", "followers"]
    run(ledger, *views)
    assert {at for at, _ in positions(ledger).values()} == {receipt.position} == {ledger.size()}
    assert total(ledger, view) == total(ledger, views[1], "prod") == 4
    checked = check(ledger.database, views)
    assert len(checked) == 3
    assert all(c.is_equal for c in checked)


def test_whoever_asks_is_told_what_was_stepped_over(ledger: Ledger) -> None:
    view = summing(refused_at=6)
    views = (view, following(view), placements)
    deploy(ledger, 5)
    run(ledger, *views)
    step_over(ledger, views, view, 6, actor=OLGA, reason="too-large")
    run(ledger, *views)
    store = SqlStore(ledger.database, views)
    with ledger.database.read() as connection:
        for known in views:
            told = [] if known is placements else [6]
            assert list_rows(connection, known, where={}).skipped == told
        assert read_row(connection, views[1], "prod").skipped == [6]
        before, after = (row_as_of(connection, store, view, "api", position) for position in (5, 6))
    assert (before.skipped, after.skipped) == ([], [6])
    assert before.rows == after.rows


def test_a_mended_version_takes_the_entry_and_ends_the_skip(ledger: Ledger) -> None:
    broken = summing(raises_at=6)
    deploy(ledger, 5)
    run(ledger, broken)
    step_over(ledger, (broken,), broken, 6, actor=OLGA, reason="fold-raises")
    run(ledger, broken)
    mended = summing(2)
    run(ledger, mended)
    assert total(ledger, mended) == 5
    with ledger.database.read() as connection:
        assert list_rows(connection, mended, where={}).skipped == []
    # A version that cannot take it either stops there, as the first one did.
    worse = summing(3, raises_at=6)
    run(ledger, worse)
    assert positions(ledger) == {"sums": (5, 6)}


@pytest.mark.parametrize(
    ("name", "position", "words"),
    [
        ("sums", 4, "stopped at position 6, not at 4"),
        ("placements", 6, "has not stopped"),
        ("followers", 6, "step over"),
    ],
)
def test_nothing_is_stepped_over_that_no_view_stands_at(ledger: Ledger, name: str, position: int, words: str) -> None:
    view = summing(raises_at=6)
    views = (view, following(view), placements)
    deploy(ledger, 5)
    run(ledger, *views)
    size = ledger.size()
    asked = next(known for known in views if known.name == name)
    with pytest.raises(StatementError, match=words):
        step_over(ledger, views, asked, position, actor=OLGA, reason="x")
    assert ledger.size() == size


def test_what_was_stepped_over_may_be_withdrawn(ledger: Ledger) -> None:
    view = summing(raises_at=6)
    deploy(ledger, 5)
    run(ledger, view)
    step_over(ledger, (view,), view, 6, actor=OLGA, reason="fold-raises")
    append(ledger, cloud_event("statement.withdrawn", actor="service:ci", position=6, reason="wrong"))
    run(ledger, view)
    assert positions(ledger) == {"sums": (ledger.size(), None)}
    assert total(ledger, view) == 4


def test_a_gate_that_reads_a_row_without_an_entry_has_not_enough_evidence(ledger: Ledger) -> None:
    append(
        ledger,
        cloud_event(
            "freeze.declared", actor=OLGA, freeze_id="F", environments=["prod"], start="2026-01-01T00:00:00Z",
            end="2027-01-01T00:00:00Z", time_zone="UTC", reason="year end",
        ),
    )  # fmt: skip
    skipped = {"view": freezes.name, "version": freezes.version, "position": ledger.size(), "reason": "x"}
    ledger.state("ledger.view_entry_skipped", {"actor": OLGA, **skipped})
    run(ledger, *VIEWS)

    def rule_of(environment: str) -> tuple[str, str]:
        question = Question("deploy", "2026-11-28T12:00:00.000000Z", service="api", environment=environment)
        decision = ask(ledger, VIEWS, question)
        assert decision.receipt is not None
        assert recheck(ledger, VIEWS, decision.receipt.position).agrees
        run(ledger, *VIEWS)
        return next((a.verdict, a.reason) for a in decision.answers if a.rule == "no-freeze-holds")

    assert rule_of("prod") == ("insufficient_evidence", STEPPED_OVER)
    # Whatever its environment is called, it may be of that one, too.
    assert rule_of("test") == ("insufficient_evidence", STEPPED_OVER)
