"""Filters of lists: they leave the rows that Python would leave, on both databases, and refuse what is no question."""

import contextlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from ledgers import append, cloud_event, create_ledger
from postgres import new_databases

from ledger.errors import StatementError
from ledger.ledger import Ledger
from projections import VIEWS
from projections.engine.filters import filters_of, parameter_of
from projections.engine.runner import Runner
from projections.engine.serving import list_rows
from projections.engine.view import View
from projections.judging.findings import findings
from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.triggers import rollback_triggers

# Equal ones that are written otherwise, ones that differ in the eighteenth place, and ones that sort otherwise as texts.
NUMBERS = ("0.5", "0.50", "9", "10", "-2", "-10", "100000000000000000.000000000000000001", "100000000000000000")
WINDOWS = (0, 5, 40, 300, 40, 9007199254740991, 7, 8)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A ledger on SQLite and on PostgreSQL, and its views. It is only read: all questions are asked of one."""
    with contextlib.ExitStack() as ends:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('filters') / 'ledger.db'}"
        else:
            url = ends.enter_context(new_databases(request.getfixturevalue("postgres_url")))()
        ledger = ends.enter_context(contextlib.closing(create_ledger(url)))
        tell(ledger)
        yield ledger


def tell(ledger: Ledger) -> None:
    events = [
        cloud_event(
            "rollback.trigger_defined",
            trigger_id=f"T-{number}", version="1", service=f"s-{number % 3}", metric="errors", comparator="gt",
            threshold=threshold, window_s=window, min_samples=1, mode="manual" if number % 2 else "automatic",
            **({"environment": "prod"} if number % 2 else {}),
        )
        for number, (threshold, window) in enumerate(zip(NUMBERS, WINDOWS, strict=True))
    ]  # fmt: skip
    events += [
        cloud_event(
            "deployment.started", actor="service:ci", deployment_id=f"d-{day}", service="api", environment="prod"
        )
        | {"time": f"2026-03-0{day}T12:00:00+02:00"}
        for day in (1, 2, 3)
    ]
    append(ledger, *events)
    runner = Runner(ledger.database, VIEWS, ledger.watcher)
    assert runner.acquire()
    runner.catch_up()
    runner.close()


def asked(ledger: Ledger, view: View[Any], sort: str | None = None, **where: str) -> list[str]:
    with ledger.database.read() as connection:
        page = list_rows(connection, view, where=where, sort=sort, total=True)
    assert page.total == len(page.rows)
    return [row[view.key] for row in page.rows]


def test_numbers_are_compared_as_numbers(told: Ledger) -> None:
    for asked_for, holds in (
        ("", lambda a, b: a == b),
        ("__gte", lambda a, b: a >= b),
        ("__gt", lambda a, b: a > b),
        ("__lte", lambda a, b: a <= b),
        ("__lt", lambda a, b: a < b),
    ):
        for limit in (*NUMBERS, "0", "9.5", "007"):
            wanted = [f"T-{n}" for n, text in enumerate(NUMBERS) if holds(Decimal(text), Decimal(limit))]
            assert asked(told, rollback_triggers, **{f"threshold{asked_for}": limit}) == wanted, (asked_for, limit)


def test_numbers_are_sorted_and_paged_as_numbers(told: Ledger) -> None:
    keys = [f"T-{n}" for n in range(len(NUMBERS))]
    order = sorted(keys, key=lambda key: (Decimal(NUMBERS[int(key[2:])]), key))
    assert asked(told, rollback_triggers, sort="threshold") == order
    found, cursor = [], None
    while True:
        with told.database.read() as connection:
            page = list_rows(connection, rollback_triggers, where={}, sort="-threshold", limit=3, cursor=cursor)
        found += [row["trigger_id"] for row in page.rows]
        if (cursor := page.next) is None:
            break
    # Of equal ones, the smaller key first, in either direction.
    assert found == sorted(keys, key=lambda key: (-Decimal(NUMBERS[int(key[2:])]), key))


def test_lists_ranges_and_what_is_missing(told: Ledger) -> None:
    assert asked(told, rollback_triggers, trigger_id__in="T-3,T-1,T-9") == ["T-1", "T-3"]
    assert asked(told, rollback_triggers, window_s__in="40,7") == ["T-2", "T-4", "T-6"]
    assert asked(told, rollback_triggers, threshold__in="0.500,10.0") == ["T-0", "T-1", "T-3"]
    assert asked(told, rollback_triggers, mode__in="manual") == ["T-1", "T-3", "T-5", "T-7"]
    assert asked(told, rollback_triggers, environment__null="true") == ["T-0", "T-2", "T-4", "T-6"]
    assert asked(told, rollback_triggers, environment__null="false", service__in="s-0,s-1") == ["T-1", "T-3", "T-7"]
    assert asked(told, rollback_triggers, window_s__gte="7", window_s__lt="40") == ["T-6", "T-7"]
    assert asked(told, rollback_triggers, trigger_id__gt="T-5", trigger_id__lte="T-7") == ["T-6", "T-7"]


def test_times_are_compared_as_times_whatever_their_offset(told: Ledger) -> None:
    assert asked(told, deployments, started_at="2026-03-02T10:00:00Z") == ["d-2"]
    assert asked(told, deployments, started_at__gte="2026-03-02T10:00:00z") == ["d-2", "d-3"]
    assert asked(told, deployments, started_at__gt="2026-03-02T05:00:00-05:00") == ["d-3"]
    assert asked(told, deployments, started_at__lt="2026-03-02T10:00:00.000001Z") == ["d-1", "d-2"]
    assert asked(told, deployments, started_at__gte="0001-01-01T00:00:00Z", started_at__lt="9999-12-31T00:00:00Z") == [
        "d-1", "d-2", "d-3"
    ]  # fmt: skip
    assert asked(told, deployments, finished_at__null="false") == []


REFUSED = {
    "started_at": ("2026-11-28", "2026-11-28T00:00:00", "x", "", "0001-01-01T00:00:00+14:00", "²", "9999-12-31T23:59:59-14:00"),
    "started_at__gte": ("2026-02-30T00:00:00Z",),
    "started_position": ("x", "1.5", "²", "１", " 1", "1_0", "9" * 17, "", "+1", "\x00"),
    "started_position__in": ("1,", ",", "1,x", ",".join(["1"] * 101)),
    "outcome": ("succes", "", "SUCCESS", "success,failure", "\x00"),
    "outcome__in": ("success,exploded", ""),
    "outcome__null": ("yes", "1", "True", ""),
    "service": ("\x00", "a" * 2001),
    "service__in": ("a,\x00",),
    "colour": ("red",),
    "outcome__gte": ("success",),
    "incidents": ("INC-1",),
}  # fmt: skip


NO_NUMBERS = ("1e5", "1e999999999", "NaN", "Infinity", "0x1", "1.", ".5", "--1", "9" * 31, "1" + "0" * 400, "１", "")


def test_what_a_column_cannot_hold_is_refused_and_the_parameter_named(told: Ledger) -> None:
    cases = [(deployments, name, value) for name, values in REFUSED.items() for value in values]
    cases += [(rollback_triggers, f"threshold{more}", value) for more in ("", "__lt", "__in") for value in NO_NUMBERS]
    for view, name, value in cases:
        with pytest.raises(StatementError) as refused:
            asked(told, view, **{name: value})
        assert refused.value.place == f"/{name}", value


def test_a_word_that_is_not_one_of_those_listed_is_refused_with_all_of_them(told: Ledger) -> None:
    with pytest.raises(StatementError, match="one of success, failure, error, cancelled, superseded"):
        asked(told, deployments, outcome="overdue")
    with pytest.raises(StatementError, match="deployed-in-freeze"):
        asked(told, findings, rule="deployed-in-freez")


def test_a_range_that_holds_nothing_is_refused(told: Ledger) -> None:
    for where in (
        {"started_at__gte": "2026-03-02T00:00:00Z", "started_at__lt": "2026-03-01T00:00:00Z"},
        {"started_at__gte": "2026-03-02T00:00:00Z", "started_at__lt": "2026-03-02T00:00:00Z"},
        {"started_position__gt": "10", "started_position__lte": "9"},
        {"service__gt": "b", "service__lt": "a"},
    ):
        with pytest.raises(StatementError, match="no value is between"):
            asked(told, deployments, **where)


def test_every_filter_of_every_view_is_answered_for_the_example_in_its_description(
    told: Ledger, request: pytest.FixtureRequest
) -> None:
    # Filters are made by the kind of a column: of some views, or of all.
    for view in VIEWS if request.config.getoption("--all") else VIEWS[::4]:
        for name in filters_of(view):
            described = parameter_of(view, name)
            example = described.get("example", next(iter(described["schema"].get("enum", ())), "true"))
            asked(told, view, **{name: str(example)})
