"""Listings: lines by pages, up and down, as they stand and as they stood. On SQLite and PostgreSQL."""

from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from ledgers import append, cloud_event

from ledger.errors import StatementError
from ledger.ledger import Ledger
from ledger.log.recorder import Recorded
from projections import VIEWS
from projections.engine.checking import check
from projections.engine.listing import Listing
from projections.engine.runner import Runner
from projections.engine.serving import Page, ViewNotReadyError, list_rows, read_row
from projections.engine.view import DeclarationError
from projections.readings.changes.timeline import change_timeline
from projections.readings.delivery.deployments import deployments

CHANGES = ("CHG-7", "CHG-70", "CHG-8")


def tell(ledger: Ledger, event_type: str, **data: Any) -> int:
    (outcome,) = append(ledger, cloud_event(event_type, **data))
    assert isinstance(outcome, Recorded)
    return outcome.receipts[0].position


def deploy(ledger: Ledger, count: int) -> list[int]:
    """Deploy so often for each of the changes, in turn; return the positions of what is about the first."""
    positions = []
    for number in range(count):
        for change in CHANGES:
            data = {"change_id": change, "deployment_id": f"{change}-{number}", "service": "api", "environment": "prod"}
            position = tell(ledger, "deployment.started", actor="service:ci", **data)
            positions += [position] if change == CHANGES[0] else []
    return positions


def pages(ledger: Ledger, **asked: Any) -> list[Page]:
    """Return all pages of the first change's timeline."""
    found: list[Page] = []
    cursor = None
    with ledger.database.read() as connection:
        while not found or cursor is not None:
            narrow = {"change_id": CHANGES[0]} | asked.get("where", {})
            more = {name: value for name, value in asked.items() if name != "where"}
            found.append(list_rows(connection, change_timeline, where=narrow, cursor=cursor, limit=4, **more))
            cursor = found[-1].next
    return found


def positions_in(found: list[Page]) -> list[int]:
    return [row["position"] for page in found for row in page.rows]


def test_a_timeline_is_had_by_pages_up_and_down_and_as_it_stood(ledger: Ledger, runner_of_few: Runner) -> None:
    told = deploy(ledger, 10)
    runner_of_few.catch_up()
    assert positions_in(pages(ledger)) == told
    assert [len(page.rows) for page in pages(ledger)] == [4, 4, 2]
    assert positions_in(pages(ledger, sort="-line")) == told[::-1]
    assert positions_in(pages(ledger, as_of=told[5])) == told[:6]
    assert positions_in(pages(ledger, as_of=told[5], sort="-line")) == told[5::-1]
    assert [page.position for page in pages(ledger, as_of=told[5])] == [told[5]] * 2
    assert positions_in(pages(ledger, where={"type": "deployment.finished"})) == []
    assert pages(ledger, as_of=told[5], total=True)[0].total == 6


def test_what_was_taken_back_says_so_from_there_on_and_not_before(ledger: Ledger, runner: Runner) -> None:
    told = deploy(ledger, 3)
    taken = tell(ledger, "statement.withdrawn", actor="person:ann", position=told[1], reason="wrong-change")
    runner.catch_up()
    withdrawn = [row["withdrawn_position"] for row in pages(ledger)[0].rows]
    assert withdrawn == [None, taken, None]
    assert [row["withdrawn_position"] for row in pages(ledger, as_of=taken)[0].rows] == withdrawn
    assert [row["withdrawn_position"] for row in pages(ledger, as_of=taken - 1)[0].rows] == [None] * 3
    assert positions_in(pages(ledger, where={"withdrawn_position__null": "false"})) == [told[1]]
    assert all(view.is_equal for view in check(ledger.database, VIEWS))


def test_as_of_is_asked_of_lines_alone_and_not_before_they_are_there(ledger: Ledger, runner_of_few: Runner) -> None:
    told = deploy(ledger, 1)
    runner_of_few.catch_up()
    end = deploy(ledger, 1)[-1]
    with ledger.database.read() as connection:
        with pytest.raises(ViewNotReadyError, match=f"not yet at {end}"):
            list_rows(connection, change_timeline, where={}, as_of=end)
        with pytest.raises(StatementError, match="one by one: name the key of one"):
            list_rows(connection, deployments, where={}, as_of=told[0])
        for asked in ({"where": {"withdrawn_position__null": "true"}}, {"where": {}, "sort": "-withdrawn_position"}):
            with pytest.raises(StatementError, match="expected no withdrawn_position beside as_of"):
                list_rows(connection, change_timeline, as_of=told[0], **asked)  # type: ignore[arg-type]


def test_a_line_is_written_without_looking_whether_it_is_there(ledger: Ledger, runner_of_few: Runner) -> None:
    deploy(ledger, 2)
    runner_of_few.catch_up()
    said: list[str] = []
    sa.event.listen(ledger.database.engine, "before_cursor_execute", lambda _, __, sql, *more: said.append(sql))
    (told, *_) = deploy(ledger, 1)
    runner_of_few.catch_up()
    about = [sql for sql in said if "view_change_timeline" in sql]
    assert [sql for sql in about if not sql.lstrip().startswith(("INSERT", "WITH"))] == []
    with ledger.database.read() as connection:
        assert read_row(connection, change_timeline, f"CHG-7/{told:016d}").rows[0]["says"].startswith("service:ci")


def test_a_listing_without_the_columns_of_lines_is_refused_at_import() -> None:
    @dataclass(frozen=True)
    class Bare:
        line: str
        change_id: str = ""

    with pytest.raises(DeclarationError, match="have no column position"):
        Listing("bare", version=1, row=Bare, about="change_id", doc="Lines.")
