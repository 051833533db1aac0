"""The runner: catching up, stopping, rebuilding beside what is served, one process at a time. On SQLite and PostgreSQL."""

import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from ledgers import append, cloud_event, create_ledger

from ledger.clock import Clock
from ledger.errors import LedgerError, StatementError
from ledger.events.change import ChangeOpened
from ledger.events.deployment import DeploymentFinished, DeploymentStarted
from ledger.ledger import Ledger
from ledger.log.database import Database
from projections import VIEWS
from projections.engine import tables
from projections.engine.checking import check
from projections.engine.folding import Folder
from projections.engine.progress import ask_for_rebuild, is_served, read_states, with_inputs
from projections.engine.rows_then import RowsThen
from projections.engine.runner import Runner
from projections.engine.serving import (
    Page,
    Stored,
    ViewNotReadyError,
    cursor_of,
    list_rows,
    position_as_of,
    read_row,
    row_as_of,
)
from projections.engine.sql_store import SqlStore
from projections.engine.view import EntryInfo, View
from projections.judging.findings import findings
from projections.readings.changes.tickets import change_tickets
from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.placements import placements
from projections.readings.people.permission_use import permission_use
from projections.readings.risk.outcomes import base_rates, outcomes


def deploy(ledger: Ledger, number: int, **more: Any) -> None:
    where = {"deployment_id": f"d-{number}", "service": "api", "environment": "prod"} | more
    append(
        ledger,
        cloud_event("deployment.started", actor="service:ci", **where),
        cloud_event("deployment.finished", outcome="success", **where),
    )


def row(ledger: Ledger, view: View[Any], key: str) -> dict[str, Any]:
    with ledger.database.read() as connection:
        return read_row(connection, view, key).rows[0]


def positions(ledger: Ledger) -> dict[str, tuple[int, int | None]]:
    with ledger.database.read() as connection:
        return {name: (state.position, state.failed_at) for name, state in read_states(connection).items()}


def test_what_is_served_is_what_the_entries_say(ledger: Ledger, runner: Runner) -> None:
    for number in range(20):
        deploy(ledger, number, change_id=f"CHG-{number % 3}")
        if number % 6 == 0:
            runner.step()
    assert runner.catch_up() == ledger.size()
    assert {at for at, _ in positions(ledger).values()} == {ledger.size()}
    checked = check(ledger.database, VIEWS)
    assert [c.name for c in checked] == [view.name for view in VIEWS]
    assert all(c.is_equal for c in checked)
    assert len({c.served for c in checked if c.name in ("deployments", "freezes")}) == 2


def test_a_row_that_somebody_altered_is_found(ledger: Ledger, runner: Runner) -> None:
    deploy(ledger, 1)
    runner.catch_up()
    with ledger.database.write() as connection:
        connection.execute(sa.text("UPDATE view_deployments SET row_json = replace(row_json, 'api', 'ape')"))
    assert [c.name for c in check(ledger.database, VIEWS) if not c.is_equal] == ["deployments"]


def label(ledger: Ledger, change: str, verdict: str = "failure") -> None:
    append(ledger, cloud_event("risk.outcome_labelled", actor="person:ann", change_id=change, label=verdict))


def test_a_part_of_a_count_that_somebody_altered_is_found(ledger: Ledger, runner: Runner) -> None:
    label(ledger, "CHG-1")
    runner.catch_up()
    assert all(c.is_equal for c in check(ledger.database, VIEWS))
    with ledger.database.write() as connection:
        connection.execute(sa.text("UPDATE parts_of_base_rates SET count = 2"))
    assert [c.name for c in check(ledger.database, VIEWS) if not c.is_equal] == ["base_rates"]


def lose(ledger: Ledger, views: Sequence[View[Any]], *lost: str) -> None:
    """Let views be filled, and then one table be lost after another: each is filled again."""
    for number, table in enumerate((None, *lost), 1):
        if table is not None:
            with ledger.database.write() as connection:
                tables.make_here(connection)
                connection.execute(sa.text(f"DROP TABLE {table}"))
        deploy(ledger, number)
        runner = Runner(ledger.database, views, ledger.watcher, batch=7)
        assert runner.acquire()
        assert runner.catch_up() == ledger.size()
        runner.close()
        assert [c.name for c in check(ledger.database, views) if not c.is_equal] == [], table


def test_a_table_that_is_lost_is_filled_again(ledger: Ledger) -> None:
    # Of each kind of view one, and what it reads: to fill all views again takes longer than all else here.
    few = with_inputs(VIEWS, [permission_use, deployments, base_rates])
    grant = {"grant_id": "G", "principal": "person:ann", "principal_kind": "human", "role": "deployer"}
    append(ledger, cloud_event("access.granted", actor="person:olga", **grant))
    lost = ("reads_of_permission_use", "waits_of_permission_use", "view_deployments", "parts_of_base_rates")
    lose(ledger, few, *lost)


def test_findings_that_lost_what_they_rest_on_are_judged_again(ledger: Ledger) -> None:
    lose(ledger, VIEWS, "reads_of_findings")


def test_a_count_that_is_not_there_yet_is_not_answered_for_an_entry_it_does_not_know(
    ledger: Ledger, runner: Runner
) -> None:
    store = SqlStore(ledger.database, VIEWS)

    def asked(view: View[Any], key: str, position: int) -> dict[str, Any]:
        with ledger.database.read() as connection:
            return row_as_of(connection, store, view, key, position).rows[0]

    label(ledger, "CHG-1")
    with pytest.raises(ViewNotReadyError, match="is being built"):
        asked(base_rates, "all", 2)
    runner.catch_up()
    label(ledger, "CHG-2")
    assert asked(base_rates, "all", 2)["changes"] == 1
    with pytest.raises(ViewNotReadyError, match="base_rates is at position 2, not yet at 3"):
        asked(base_rates, "all", 3)
    # What rests on no count is folded from the entries, which are all there.
    assert asked(outcomes, "CHG-2", 3)["label"] == "failure"
    runner.catch_up()
    assert asked(base_rates, "all", 3)["changes"] == 2


def test_nothing_to_check_is_a_failure(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="nothing to check"):
        check(ledger.database, VIEWS)


def test_an_analyst_finds_columns_of_real_types(ledger: Ledger, runner_of_few: Runner) -> None:
    deploy(ledger, 1, change_id="CHG-9")
    runner_of_few.catch_up()
    with ledger.database.read() as connection:
        query = "SELECT service, started_position, started_at FROM view_deployments WHERE change_id = 'CHG-9'"
        service, position, at = connection.execute(sa.text(query)).one()
        incidents = connection.execute(sa.text("SELECT incidents FROM view_deployments")).scalar()
    assert (service, position) == ("api", 2)
    if ledger.database.is_sqlite:
        assert (at, incidents) == ("2026-11-23T12:00:00.000000Z", "[]")
    else:
        assert (at.year, at.tzinfo is not None, incidents) == (2026, True, [])


def test_findings_are_filtered_while_another_rule_makes_them_anew(ledger: Ledger, runner: Runner) -> None:
    deploy(ledger, 1)
    runner.catch_up()
    asked = {"rule": "deployment-without-change"}
    with ledger.database.write() as connection:
        tables.make_here(connection)
        before = list_rows(connection, findings, where=asked)
        by_other_rules = f"{tables.shape_of(findings).rpartition(';')[0]};another-rule 1"
        connection.execute(
            sa.update(tables.states).where(tables.states.c.name == "findings").values(shape=by_other_rules)
        )
    with ledger.database.read() as connection:
        assert list_rows(connection, findings, where=asked).rows == before.rows != []
        assert not read_states(connection)["findings"].is_by(findings)


def test_lists_are_filtered_sorted_and_paged(ledger: Ledger, runner_of_few: Runner) -> None:
    for number in range(5):
        deploy(ledger, number, change_id="CHG-1" if number % 2 else "CHG-2")
    runner_of_few.catch_up()
    with ledger.database.read() as connection:
        found = list_rows(connection, deployments, where={"change_id": "CHG-2"}, sort="-started_position", limit=2)
        rest = list_rows(
            connection, deployments, where={"change_id": "CHG-2"}, sort="-started_position", limit=2, cursor=found.next
        )
        exact = list_rows(connection, deployments, where={"started_at": "2026-11-23T12:00:00.000000Z"})
    assert [r["deployment_id"] for r in found.rows + rest.rows] == ["d-4", "d-2", "d-0"]
    assert (rest.next, len(exact.rows)) == (None, 5)


@pytest.mark.parametrize(
    "asked",
    [
        {"where": {"started_at": "yesterday"}},
        {"where": {"started_position": "1.5"}},
        {"where": {"service": "a\x00"}},
        {"where": {}, "cursor": "!"},
        {"where": {}, "cursor": base64.urlsafe_b64encode(b'["started_at", "2026", "d-1"]').decode()},
        {"where": {}, "sort": "started_at", "cursor": cursor_of(deployments, {}, "started_at", "2026", "d-1")},
        {"where": {}, "sort": "started_at", "cursor": cursor_of(deployments, {}, "started_at", None, "\x00")},
        {"where": {}, "sort": "started_position", "cursor": cursor_of(deployments, {}, "started_position", True, "d")},
    ],
)  # fmt: skip
def test_what_a_column_cannot_hold_is_refused_in_words(
    ledger: Ledger, runner_of_few: Runner, asked: dict[str, Any]
) -> None:
    deploy(ledger, 1)
    runner_of_few.catch_up()
    with ledger.database.read() as connection, pytest.raises(StatementError, match="expected"):
        list_rows(connection, deployments, **asked)


@pytest.mark.parametrize(
    "other",
    [
        {"where": {"service": "shop"}}, {"where": {"service": "pay"}, "sort": "change_id"},
        {"where": {"service": "pay"}, "sort": "-deployment_id"}, {"where": {}}, {"where": {"service__in": "pay"}},
    ],
)  # fmt: skip
def test_a_cursor_is_of_one_list_alone(ledger: Ledger, runner_of_few: Runner, other: dict[str, Any]) -> None:
    for number in range(3):
        deploy(ledger, number, service="pay")
    runner_of_few.catch_up()
    with ledger.database.read() as connection:
        cursor = list_rows(connection, deployments, where={"service": "pay"}, limit=1).next
        assert len(list_rows(connection, deployments, where={"service": "pay"}, cursor=cursor).rows) == 2
        assert list_rows(connection, deployments, where={"service": "pay"}, sort="deployment_id", cursor=cursor).rows
        with pytest.raises(StatementError, match="with the same filters and sort"):
            list_rows(connection, deployments, cursor=cursor, **other)
        with pytest.raises(StatementError, match="an earlier page of this view"):
            list_rows(
                connection, placements, where={}, cursor=list_rows(connection, deployments, where={}, limit=1).next
            )


def test_a_time_is_found_however_it_is_written(ledger: Ledger, runner_of_few: Runner) -> None:
    deploy(ledger, 1)
    runner_of_few.catch_up()
    with ledger.database.read() as connection:
        for text in ("2026-11-23T12:00:00Z", "2026-11-23T13:00:00+01:00"):
            assert len(list_rows(connection, deployments, where={"started_at": text}).rows) == 1


@pytest.mark.parametrize("sort", [None, "-deployment_id", "change_id", "-change_id", "started_at", "-started_position"])
def test_pages_have_every_row_once_whatever_is_written_meanwhile(
    ledger: Ledger, runner_of_few: Runner, sort: str | None
) -> None:
    for number in range(7):
        deploy(ledger, number, **({"change_id": f"CHG-{number % 2}"} if number % 3 else {}))
    runner_of_few.catch_up()

    def page(limit: int, cursor: str | None = None) -> Page:
        with ledger.database.read() as connection:
            return list_rows(connection, deployments, where={}, sort=sort, limit=limit, cursor=cursor)

    wanted = [row["deployment_id"] for row in page(100).rows]
    found, cursor = [], None
    while True:
        some = page(2, cursor)
        found += [row["deployment_id"] for row in some.rows]
        cursor = some.next
        if cursor is None:
            break
        # Some stand before what was shown, some after it.
        for name in ("a", "z"):
            deploy(ledger, 0, deployment_id=f"{name}{len(found)}", change_id=f"CHG-{name}")
        runner_of_few.catch_up()
    assert [name for name in found if name in wanted] == wanted


def test_a_row_as_it_stood_is_folded_from_the_log(ledger: Ledger, runner: Runner) -> None:
    deploy(ledger, 1)
    append(ledger, cloud_event("change.linked", actor="person:ann", change_id="CHG-1", deployment_id="d-1"))
    runner.catch_up()
    store = SqlStore(ledger.database, VIEWS)
    with ledger.database.read() as connection:
        then = row_as_of(connection, store, deployments, "d-1", 2)
        later = row_as_of(
            connection, store, deployments, "d-1", position_as_of(connection, "2100-01-01T00:00:00.000000Z")
        )
    assert (then.position, then.rows[0]["outcome"], then.rows[0]["change_id"]) == (2, None, None)
    assert (later.position, later.rows[0]["change_id"]) == (4, "CHG-1")


# -- folds that change, and folds that raise ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Count:
    """How many deployments a thing has seen."""

    name: str
    count: int = 0


def counting(version: int, *, by: int = 1, breaks_at: int = 0) -> View[Count]:
    """Return a view that counts, and whose fold raises at a position."""
    view = View("counts", version=version, row=Count, kind="service", doc="Deployments of a service.", reads=())

    @view.on(DeploymentStarted, key=lambda event: event.service)
    def started(row: Count, event: DeploymentStarted, entry: EntryInfo) -> Count:
        if entry.position == breaks_at:
            raise ValueError("this fold does not hold")
        return replace(row, count=row.count + by)

    return view


def reading(other: View[Count]) -> View[Count]:
    view = View("readers", version=1, row=Count, kind="environment", doc="Follows another view.", reads=(other,))

    @view.on(DeploymentFinished, key=lambda event: event.environment)
    def finished(row: Count, event: DeploymentFinished, entry: EntryInfo) -> Count:
        found = entry.reads.row(other, event.service or "")
        return replace(row, count=found.count if found else 0)

    return view


def run(ledger: Ledger, *views: View[Any], batch: int = 3) -> int:
    runner = Runner(ledger.database, views, ledger.watcher, batch=batch)
    assert runner.acquire()
    reached = runner.catch_up()
    runner.close()
    return reached


def test_a_fold_that_raises_stops_its_view_and_who_reads_it_and_no_other(ledger: Ledger) -> None:
    broken = counting(1, breaks_at=6)
    for number in range(4):
        deploy(ledger, number)
    run(ledger, broken, reading(broken), placements)
    size = ledger.size()
    assert positions(ledger) == {"counts": (5, 6), "readers": (5, 6), "placements": (size, None)}
    # What was folded before it stands; asked again with the same folds, it is not folded again in vain.
    assert row(ledger, broken, "api")["count"] == 2
    deploy(ledger, 9)
    run(ledger, broken, reading(broken), placements)
    assert positions(ledger)["placements"] == (size + 2, None)
    # Mended under another version, it is folded anew, and with it who reads it.
    mended = counting(2)
    run(ledger, mended, reading(mended), placements)
    assert {at for at, _ in positions(ledger).values()} == {size + 2}
    assert row(ledger, mended, "api")["count"] == row(ledger, reading(mended), "prod")["count"] == 5


def test_another_version_is_filled_beside_the_one_that_is_served(ledger: Ledger) -> None:
    for number in range(6):
        deploy(ledger, number)
    run(ledger, counting(1))
    runner = Runner(ledger.database, (counting(2, by=10),), ledger.watcher, batch=1)
    assert runner.acquire()
    seen, versions = [], []
    while runner.step():
        with ledger.database.read() as connection:
            page = read_row(connection, counting(2), "api")
        seen.append(page.rows[0]["count"])
        versions.append(page.version)
    runner.close()
    # The old rows are served until, in one step, the new ones are.
    assert set(seen) == {6, 60}
    assert seen == sorted(seen)
    assert seen.count(6) > 1
    assert [1 if count == 6 else 2 for count in seen] == versions


def die_before(name: str, runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the runner catch up, and die when a view is about to take over."""
    take_over = SqlStore.take_over

    def dies(store: SqlStore, connection: Any, view: View[Any], generation: int) -> None:
        if view.name == name:
            raise KeyboardInterrupt
        take_over(store, connection, view, generation)

    with monkeypatch.context() as patched:
        patched.setattr(SqlStore, "take_over", dies)
        with pytest.raises(KeyboardInterrupt):
            runner.catch_up()
    runner.close()


def test_a_crash_while_views_take_over_leaves_them_at_one_position(
    ledger: Ledger, runner_of_few: Runner, few: list[View[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        deploy(ledger, number)
    label(ledger, "CHG-1")
    runner_of_few.catch_up()
    ask_for_rebuild(ledger.database, few, [view.name for view in few])
    die_before(few[len(few) // 2].name, runner_of_few, monkeypatch)
    with ledger.database.read() as connection:
        assert len(tables.abandoned(connection)) >= len(few)
    assert {at for at, _ in positions(ledger).values()} == {ledger.size()}
    deploy(ledger, 9)
    run(ledger, *few)
    assert {at for at, _ in positions(ledger).values()} == {ledger.size()}
    assert all(c.is_equal for c in check(ledger.database, few))
    with ledger.database.read() as connection:
        assert tables.abandoned(connection) == []


def test_a_crash_in_the_first_filling_leaves_tables_that_nobody_takes_for_whole(
    ledger: Ledger, runner_of_few: Runner, few: list[View[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        deploy(ledger, number)
    die_before(few[len(few) // 2].name, runner_of_few, monkeypatch)
    assert positions(ledger) == {}
    with ledger.database.read() as connection:
        assert len(tables.abandoned(connection, few)) >= len(few)
    deploy(ledger, 9)
    run(ledger, *few)
    assert all(c.is_equal for c in check(ledger.database, few))
    with ledger.database.read() as connection:
        assert tables.abandoned(connection) == []


def leave(ledger: Ledger, views: Sequence[View[Any]], batches: int) -> None:
    """Fill views for so many batches of four entries, and leave the rest."""
    runner = Runner(ledger.database, views, ledger.watcher, batch=1)
    assert runner.acquire()
    for _ in range(batches):
        assert runner.step()
    runner.close()


def folded_by_who_comes_next(ledger: Ledger, views: Sequence[View[Any]], monkeypatch: pytest.MonkeyPatch) -> int:
    """Let another process bring views to the end; return the first position that it folds."""
    first: list[int] = []
    fold = Folder.fold

    def watched(folder: Folder, entries: Sequence[EntryInfo]) -> None:
        first.extend(entry.position for entry in entries)
        fold(folder, entries)

    with monkeypatch.context() as patched:
        patched.setattr(Folder, "fold", watched)
        run(ledger, *views)
    assert {at for at, _ in positions(ledger).values()} == {ledger.size()}
    assert all(c.is_equal for c in check(ledger.database, views))
    with ledger.database.read() as connection:
        assert tables.abandoned(connection) == []
    return min(first)


@pytest.mark.parametrize("is_first", [True, False], ids=["the first", "another"])
def test_whoever_comes_next_goes_on_with_a_filling(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, is_first: bool
) -> None:
    for number in range(20):
        deploy(ledger, number)
    if not is_first:
        run(ledger, counting(1), reading(counting(1)))
    views = [mended := counting(2), reading(mended)]
    leave(ledger, views, 3)
    assert folded_by_who_comes_next(ledger, views, monkeypatch) == 13
    assert row(ledger, mended, "api")["count"] == 20


def test_a_view_that_stopped_in_a_filling_has_stopped_for_whoever_goes_on(ledger: Ledger) -> None:
    for number in range(20):
        deploy(ledger, number)
    views = [broken := counting(1, breaks_at=4), reading(broken), placements]
    leave(ledger, views, 2)
    run(ledger, *views)
    assert positions(ledger)["counts"] == positions(ledger)["readers"] == (3, 4)
    assert positions(ledger)["placements"] == (ledger.size(), None)


@pytest.mark.parametrize("what", ["another version", "a table that is lost", "a view more"])
def test_a_filling_of_something_else_begins_anew(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    for number in range(20):
        deploy(ledger, number)
    first = counting(1)
    run(ledger, first, reading(first))
    views: list[View[Any]] = [mended := counting(2), reading(mended)]
    leave(ledger, views, 3)
    if what == "another version":
        views = [mended := counting(3), reading(mended)]
    elif what == "a view more":
        views.append(placements)
    else:
        with ledger.database.write() as connection:
            connection.exec_driver_sql("DROP TABLE view_readers__filling")
    assert folded_by_who_comes_next(ledger, views, monkeypatch) == 1


def test_a_long_transaction_of_a_reader_holds_up_a_rebuild_and_nothing_else(
    ledger: Ledger, runner_of_few: Runner, few: list[View[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.engine.runner.AGAIN_S", 0)
    deploy(ledger, 1)
    runner_of_few.catch_up()
    ask_for_rebuild(ledger.database, few, ["deployments"])
    with ledger.database.read() as analyst:
        for view in few:
            analyst.exec_driver_sql(f"SELECT count(*) FROM view_{view.name}")
        for number in (2, 3):
            deploy(ledger, number)
            # Comes back: it does not stand in line for the tables, and nobody behind it.
            runner_of_few.catch_up()
            assert {at for at, _ in positions(ledger).values()} == {ledger.size()}
            assert row(ledger, deployments, f"d-{number}")["service"] == "api"
    runner_of_few.catch_up()
    with ledger.database.read() as connection:
        assert all(is_served(view, read_states(connection)) for view in few)
        assert tables.abandoned(connection) == []
    assert all(c.is_equal for c in check(ledger.database, few))


def test_who_reads_a_view_that_is_filled_anew_waits_for_it(ledger: Ledger) -> None:
    deploy(ledger, 1)
    run(ledger, counting(1), reading(counting(1)))
    size = ledger.size()
    deploy(ledger, 2)
    mended = counting(2, by=10)
    runner = Runner(ledger.database, (mended, reading(mended)), ledger.watcher, batch=1)
    assert runner.acquire()
    runner.step()
    assert positions(ledger)["readers"] == (size, None)
    assert row(ledger, reading(mended), "prod")["count"] == 1
    with ledger.database.read() as connection, pytest.raises(ViewNotReadyError, match="is being built"):
        Stored(connection, SqlStore(ledger.database, (mended,))).require(mended, 1)
    runner.catch_up()
    runner.close()
    assert row(ledger, reading(mended), "prod")["count"] == 20


def test_a_crash_before_a_reader_of_the_new_view_took_over_fills_it_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        deploy(ledger, number)
    run(ledger, counting(1), reading(counting(1)), placements)
    mended = counting(2, by=10)
    views = (mended, reading(mended), placements)
    runner = Runner(ledger.database, views, ledger.watcher, batch=1)
    assert runner.acquire()
    runner.step()
    # What is served goes on; the reader stays behind.
    deploy(ledger, 5)
    die_before("readers", runner, monkeypatch)
    deploy(ledger, 6)
    run(ledger, *views)
    assert {at for at, _ in positions(ledger).values()} == {ledger.size()}
    assert row(ledger, reading(mended), "prod")["count"] == 60
    assert all(c.is_equal for c in check(ledger.database, views))


def test_pages_are_sorted_by_what_is_true_or_false(ledger: Ledger, runner: Runner) -> None:
    for number in range(4):
        deploy(ledger, number)
    append(ledger, cloud_event("change.linked", actor="person:ann", change_id="CHG-1", deployment_id="d-1"))
    runner.catch_up()
    for sort in ("is_open", "-is_open"):
        found, cursor = [], None
        while not found or cursor:
            with ledger.database.read() as connection:
                page = list_rows(connection, findings, where={}, sort=sort, limit=1, cursor=cursor)
            found += [row["is_open"] for row in page.rows]
            cursor = page.next
        assert found == sorted(found, reverse=sort.startswith("-"))
        assert len(found) > 4


def test_a_list_of_a_view_that_has_other_columns_now_is_had_without_filters(ledger: Ledger) -> None:
    deploy(ledger, 1)
    run(ledger, counting(1))
    with ledger.database.write() as connection:
        connection.execute(sa.text("UPDATE view_states SET shape = 'another'"))
    with ledger.database.read() as connection:
        assert len(list_rows(connection, counting(1), where={}).rows) == 1
        with pytest.raises(ViewNotReadyError, match="other columns"):
            list_rows(connection, counting(1), where={"count": "1"})


def test_a_rebuild_that_is_asked_for_is_done_by_whoever_runs_the_views(
    ledger: Ledger, runner_of_few: Runner, few: list[View[Any]]
) -> None:
    deploy(ledger, 1)
    runner_of_few.catch_up()
    with ledger.database.write() as connection:
        connection.execute(sa.text("DELETE FROM view_deployments"))
    assert not all(c.is_equal for c in check(ledger.database, few))
    assert {"identities", "policies"} < set(ask_for_rebuild(ledger.database, few, ["identities"]))
    assert ask_for_rebuild(ledger.database, few, ["deployments"])[0] == "deployments"
    deploy(ledger, 2)
    runner_of_few.catch_up()
    assert all(c.is_equal for c in check(ledger.database, few))


def test_what_is_filled_only_to_be_read_takes_nobodys_place(ledger: Ledger, runner_of_few: Runner) -> None:
    deploy(ledger, 1)
    runner_of_few.catch_up()
    ask_for_rebuild(ledger.database, VIEWS, ["deployments"])
    runner_of_few.catch_up()
    with ledger.database.read() as connection:
        made = {name: state.generation for name, state in read_states(connection).items()}
        assert tables.abandoned(connection) == []
    assert {name for name, generation in made.items() if generation == 2} == {"deployments", "change_timeline"}
    assert len(made) > 10


def test_one_process_runs_the_views_and_the_next_takes_over(ledger: Ledger, runner: Runner) -> None:
    deploy(ledger, 1)
    runner.catch_up()
    database = Database(ledger.database.url.render_as_string(hide_password=False))
    second = Runner(database, VIEWS, ledger.watcher)
    assert not second.acquire()
    deploy(ledger, 2)
    runner.close()
    assert second.acquire()
    assert second.catch_up() == ledger.size()
    second.close()
    database.close()
    assert all(c.is_equal for c in check(ledger.database, VIEWS))


def test_a_crash_between_two_batches_repeats_nothing(ledger: Ledger) -> None:
    for number in range(5):
        deploy(ledger, number)
    view = counting(1)
    run(ledger, view)
    for number in range(5):
        deploy(ledger, number + 5)
    first = Runner(ledger.database, (view,), ledger.watcher, batch=3)
    assert first.acquire()
    first.step()
    # It never says goodbye: the next one begins from what is stored.
    first.close()
    run(ledger, view)
    assert row(ledger, view, "api")["count"] == 10


def test_sqlite_and_postgresql_fold_to_the_same_digests(new_postgres: Callable[[], str], tmp_path: Path) -> None:
    found, now = [], time.time_ns()
    for url in (f"sqlite:///{tmp_path / 'l.db'}", new_postgres()):
        ledger = create_ledger(url, clock=Clock(wall_ns=lambda: now, steady_ns=lambda: 0))
        for number in range(12):
            deploy(ledger, number, change_id=f"CHG-{number % 5}", service=f"ä-{number}".encode().hex())
        run(ledger, *VIEWS)
        found.append({c.name: c.served for c in check(ledger.database, VIEWS)})
        ledger.close()
    assert found[0] == found[1]


def test_an_event_that_no_view_folds_moves_them_all_the_same(ledger: Ledger, runner: Runner) -> None:
    assert ChangeOpened.type not in VIEWS[0].folds
    append(ledger, cloud_event("change.opened"))
    assert runner.catch_up() == ledger.size() == 2
    assert {at for at, _ in positions(ledger).values()} == {2}


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
def test_what_is_withdrawn_at_one_instant_is_withdrawn_together_in_batches_of_any_size(
    ledger: Ledger, batch: int
) -> None:
    for number in range(6):
        label(ledger, f"CHG-{number}")
    labelled = range(2, 8)
    withdrawals = [
        cloud_event("statement.withdrawn", actor="person:ann", position=at, reason="wrong") for at in (2, 4, 4, 5)
    ]
    between = cloud_event("risk.outcome_labelled", actor="person:ann", change_id="CHG-9", label="failure")
    first = ledger.size() + 1
    append(ledger, *withdrawals[:2], between, *withdrawals[2:])
    views = with_inputs(VIEWS, [base_rates])
    run(ledger, *views, batch=batch)
    store = SqlStore(ledger.database, views)
    with ledger.database.read() as connection:
        counted = [
            row_as_of(connection, store, base_rates, "all", at).rows[0]["changes"] for at in range(first, first + 5)
        ]
    # All of them count until the last of the group's withdrawals.
    assert counted == [len(labelled), len(labelled), len(labelled) + 1, len(labelled) + 1, len(labelled) - 3 + 1]
    assert all(checked.is_equal for checked in check(ledger.database, views))


def test_a_thousand_withdrawals_of_one_group_fold_a_row_again_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    folded: list[None] = []
    inner = RowsThen._folded
    monkeypatch.setattr(RowsThen, "_folded", lambda *asked: folded.append(None) or inner(*asked))  # type: ignore[func-returns-value]
    counts = []
    for count in (10, 40):
        for _ in range(count):
            label(ledger, f"CHG-of-{count}")
        run(ledger, *VIEWS)
        folded.clear()
        last = ledger.size()
        append(
            ledger,
            *(
                cloud_event("statement.withdrawn", actor="person:ann", position=at, reason="wrong")
                for at in range(last - count + 1, last + 1)
            ),
        )
        run(ledger, *VIEWS)
        counts.append(len(folded))
    assert counts[1] <= 4 * counts[0] + 8, counts


@pytest.mark.slow
def test_a_row_that_names_more_entries_than_one_statement_takes_is_folded_again_and_as_of(ledger: Ledger) -> None:
    where = {"service": "api", "environment": "prod", "change_id": "CHG-1"}
    started = [
        cloud_event("deployment.started", actor="service:ci", deployment_id=f"d-{number}", **where)
        for number in range(1100)
    ]
    append(ledger, *started)
    append(ledger, cloud_event("statement.withdrawn", actor="service:ci", position=2, reason="wrong"))
    run(ledger, *VIEWS, batch=250)
    assert {failed for _, failed in positions(ledger).values()} == {None}
    assert len(row(ledger, change_tickets, "CHG-1")["deployments"]) == 1099
    with ledger.database.read() as connection:
        then = row_as_of(connection, SqlStore(ledger.database, VIEWS), change_tickets, "CHG-1", 1000).rows[0]
    assert len(then["deployments"]) == 999


class _Gone(Exception):
    """What a driver says when the connection is lost."""


def test_an_outage_during_a_fold_is_tried_again_and_stops_no_view(ledger: Ledger) -> None:
    lost = [True]
    view = View("counts", version=1, row=Count, kind="service", doc="Deployments of a service.", reads=())

    @view.on(DeploymentStarted, key=lambda event: event.service)
    def started(row: Count, event: DeploymentStarted, entry: EntryInfo) -> Count:
        if lost and entry.position > 4:
            lost.clear()
            raise sa.exc.OperationalError("SELECT secret", {}, _Gone("server closed the connection"))
        return replace(row, count=row.count + 1)

    for number in range(4):
        deploy(ledger, number)
    runner = Runner(ledger.database, (view,), ledger.watcher)
    assert runner.acquire()
    with pytest.raises(sa.exc.OperationalError):
        runner.catch_up()
    runner.close()
    run(ledger, view)
    assert positions(ledger) == {"counts": (ledger.size(), None)}
    assert row(ledger, view, "api")["count"] == 4
