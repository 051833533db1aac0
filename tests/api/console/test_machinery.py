"""Pages of views by machinery: whatever a row model holds has a place, a look, and no power over the page."""

import dataclasses
import typing
from types import SimpleNamespace
from typing import Any

import pytest
from browsing import read_page

from api.console.columns import SHOWN, Column, columns_of, facets_of, label_of, shown
from api.console.templating import rendered
from api.console.words import about, address
from ledger.events import CATALOGUE
from projections import VIEWS
from projections.engine.filters import filterable
from projections.engine.serving import Page
from projections.engine.view import Moment, Number, View
from projections.judging.findings import findings
from projections.readings.changes.tickets import change_tickets
from projections.readings.delivery.deployments import deployments

HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> \u202egnp.exe {{7*7}} ../%2e data:text/html,x \u200b"
    + "x" * 200
)
STANDING = {
    "size": 9,
    "views": {"position": 9, "behind": 0, "lag_s": 0, "stopped": {}, "unbuilt": []},
    "checkpoints": {
        "published_size": 5,
        "timestamped_size": 4,
        "witnesses": [{"name": HOSTILE, "cosigned_size": 3, "problem": HOSTILE}],
    },
    "is_of_one": False,
}
# What every page is given.
AROUND = {"position": 9, "standing": STANDING, "form_token": "0", "nonce": "0", "live": ""}


def visit(path: str) -> Any:
    token = SimpleNamespace(roles={"auditor"})
    caller = SimpleNamespace(principal=HOSTILE, credential="token:1", token=token)
    return SimpleNamespace(path=path, query={}, caller=caller)


def example(annotation: Any) -> Any:
    """Return a value of an annotation as JSON holds it: hostile wherever a text is free."""
    if annotation == Moment:
        return "2026-11-23T12:00:00.000000Z"
    if annotation == Number:
        return "0.5"
    if dataclasses.is_dataclass(annotation):
        return row_of(typing.cast(type[Any], annotation))
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple:
        return [example(inside[0])] * 2
    if origin is typing.Literal:
        return inside[0]
    if origin is not None:
        return example(next(part for part in inside if part is not type(None)))
    return {str: HOSTILE, int: 1234, bool: True, object: HOSTILE, Any: HOSTILE}[annotation]


def row_of(cls: type[Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return {field.name: example(hints[field.name]) for field in dataclasses.fields(cls)}


def flat(columns: tuple[Column, ...]) -> list[Column]:
    return [one for column in columns for one in (column, *flat(column.parts))]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_view_has_a_list_and_a_row_that_show_hostile_text_as_text(view: View[Any]) -> None:
    row = row_of(view.row)
    rows = [row, dict.fromkeys(row) | {view.key: "empty"} | {c.name: [] for c in columns_of(view) if c.is_list}]
    columns = shown(view, rows)
    assert columns[0].name == view.key or view.key in {column.name for column in columns}
    common = {"visit": visit(address("views", view.name)), **AROUND, "live": f"/console/{HOSTILE}"}
    text = rendered(
        "list.html", **common, title=view.name, view=view, found=Page(1, 9, rows, "next", 2), columns=columns,
        there_are=99, is_wide=False, facets=list(facets_of(view)), where={view.key: HOSTILE}, query={view.key: HOSTILE},
        sort=view.key, base=address("views", view.name), beside_base=address("views", view.name), is_listing=False,
    )  # fmt: skip
    assert HOSTILE in read_page(text).text
    text = rendered(
        "row.html", **common, title=view.name, view=view, key=HOSTILE, answer={"position": 9, "row": row, "skipped": [3]},
        columns=columns_of(view), as_of=HOSTILE, known_at=HOSTILE,
    )  # fmt: skip
    assert HOSTILE in read_page(text).text


@pytest.mark.parametrize("held", [None, []])
def test_today_shows_what_there_is_where_views_do_not_answer(held: Any) -> None:
    parts = ("waiting", "overdue", "access", "papers", "worst", "frozen", "coming", "going")
    counts = None if held is None else {"high": 0, "medium": 0, "low": 0}
    common = {"visit": visit("/console/"), **AROUND, "title": "Today"}
    text = rendered("today.html", **common, now="2026", counts=counts, **dict.fromkeys(parts, held))
    assert ("This is not there yet" in read_page(text).text) == (held is None)
    assert ("Nothing that was recorded breaks a rule" in text) == (held == [])


def test_today_shows_what_else_there_is_where_one_thing_cannot_be_shown() -> None:
    parts = ("waiting", "overdue", "access", "papers", "worst", "frozen", "coming")
    row = row_of(deployments.read_row)
    going = [row | {"deployment_id": "first", "started_at": {"a": 1}}, row | {"deployment_id": "second"}]
    common = {"visit": visit("/console/"), **AROUND, "title": "Today"}
    text = rendered("today.html", **common, now="2026", counts=None, going=going, **dict.fromkeys(parts, ()))
    cannot_be_shown(text, address("views", "deployments.json", "first"))
    assert ("going-second" in text, "going-first" in text) == (True, False)


def test_rows_of_an_earlier_version_are_shown_without_what_they_lack() -> None:
    row = row_of(change_tickets.row)
    lacks = row | {"approvals": [dict(list(one.items())[:2]) for one in row["approvals"]]}
    for name in ("risk_band", "waits_for", "unlet"):
        lacks.pop(name, None)
    assert lacks.keys() != row.keys()
    common = {"visit": visit(address("changes")), "title": "Changes"} | AROUND
    columns = shown(change_tickets, [lacks])
    assert "risk_band" not in {column.name for column in columns}
    path = address("views", change_tickets.name)
    text = rendered(
        "list.html", **common, view=change_tickets, found=Page(1, 9, [lacks]), columns=list(columns_of(change_tickets)),
        there_are=9, is_wide=True, facets=[], where={}, query={}, sort="", base=path, beside_base=path, is_listing=False,
    )  # fmt: skip
    assert read_page(text).tags
    answer = {"position": 9, "row": lacks}
    text = rendered(
        "row.html", **common, view=change_tickets, key="k", answer=answer, columns=columns_of(change_tickets), as_of="",
        known_at="",
    )  # fmt: skip
    assert read_page(text).tags


def cannot_be_shown(text: str, place: str) -> None:
    """Check that a page says of one row alone that it cannot be shown, and where it can be read."""
    assert read_page(text).text.count("This row cannot be shown here") == 1
    assert f'cannot be shown here. <a href="{place}">Read it as JSON</a>' in text


@pytest.mark.parametrize(("view", "time"), [(change_tickets, "opened_at"), (findings, "first_seen_at")])
def test_a_row_that_cannot_be_shown_says_so_and_hides_no_other(
    view: View[Any], time: str, caplog: pytest.LogCaptureFixture
) -> None:
    row = row_of(view.read_row)
    rows = [row | {view.key: "first"}, row | {view.key: "second", time: {"a": 1}}, row | {view.key: "third"}]
    path = address("views", view.name)
    for _ in range(2):
        text = rendered(
            "findings.html" if view is findings else "list.html", visit=visit(path), **AROUND, title="", view=view,
            found=Page(1, 9, rows), columns=list(columns_of(view)), there_are=9, is_wide=True, facets=[], where={},
            query={}, sort="", base=path, beside_base=path, is_listing=False, rules={}, counts={}, names={}, owners={}, ages=[], chart=None,
            as_of="", owner="", looked_at=9,
        )  # fmt: skip
        cannot_be_shown(text, f"{path}.json/second")
        assert 'id="row-first"' in text
        assert 'id="row-third"' in text
    # A page that is looked at again says it again, and the log does not; nor does it hold what the row holds.
    [told] = caplog.messages
    assert told == f"a row of the console cannot be shown: TypeError at {path}.json/second"


def test_an_entry_that_cannot_be_shown_hides_no_other() -> None:
    statement = {"type": "a.b", "time": "2026-11-23T12:00:00.000000Z"}
    entry = {"refs": [], "recorded_by": {"principal": "person:a"}, "recorded_at": "2026", "statement": statement}
    items = [{"position": at, "says": says, "entry": entry} for at, says in ((2, "said"), (3, 7), (4, "said"))]
    text = rendered(
        "entries.html", visit=visit("/console/entries"), **AROUND, title="Entries", items=items, types=[], size=9,
        asked=dict.fromkeys(("type", "ref", "since", "until"), ""), is_latest_first=True, earlier=None, later=None,
    )  # fmt: skip
    cannot_be_shown(text, "/console/entries/3.json")
    assert {"entry-2", "entry-4"} == {f"entry-{at}" for at in range(9) if f'id="entry-{at}"' in text}


@pytest.mark.parametrize("alone", [True, False, None])
def test_every_page_says_where_one_person_works_alone(alone: bool | None) -> None:
    around = AROUND | {"visit": visit("/console/"), "standing": STANDING | {"is_of_one": alone}}
    text = rendered("layout.html", **around, title="Anything")
    assert ("One person works here alone" in read_page(text).text) is (alone is True)


def test_a_list_shows_few_columns_and_has_all_that_can_be_asked_by() -> None:
    for view in VIEWS:
        assert len(shown(view, [row_of(view.row)])) <= SHOWN
        assert {facet.column.name for facet in facets_of(view)} <= set(filterable(view))


def test_what_names_a_thing_leads_to_it() -> None:
    kinds = {kind for event in CATALOGUE.values() for kind, _, _ in event.ref_fields}
    named = {column.names for view in VIEWS for column in flat(columns_of(view)) if column.kind == "ref"}
    assert {"change", "deployment", "service", "environment", "incident"} <= named <= kinds
    assert about("service", "a/b c") == "/console/about/service%3Aa%2Fb%20c"


def test_a_column_is_called_as_people_call_it() -> None:
    assert [label_of(n) for n in ("change_id", "is_open", "recovery_time_s", "due_at", "says")] == [
        "change", "open", "recovery time", "due", "says",
    ]  # fmt: skip
