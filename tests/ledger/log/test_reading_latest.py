"""The latest entries of a type with a ref: the same, whichever of the two is looked up first."""

from typing import Any

import pytest
from ledgers import append, cloud_event

from ledger.conditions import Match
from ledger.ledger import Ledger
from ledger.log import reading


@pytest.mark.parametrize("frequent", [0, 1000], ids=["by type", "by ref"])
@pytest.mark.parametrize(
    ("types", "refs"),
    [
        (("deployment.finished",), ("environment:prod",)),
        (("deployment.finished", "change.opened"), ("environment:prod",)),
        (("deployment.finished",), ("environment:prod", "service:service-1")),
        (("freeze.declared",), ("environment:prod",)),
        (("deployment.finished",), ("environment:nowhere",)),
        ((), ("environment:prod",)),
        (("change.opened",), ()),
    ],
)
def test_the_latest_are_found_by_type_and_by_ref_alike(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, frequent: int, types: Any, refs: Any
) -> None:
    monkeypatch.setattr(reading, "FREQUENT", frequent)
    for number in range(12):
        kind = "change.opened" if number % 4 == 0 else "deployment.finished"
        more = {} if number % 4 == 0 else {"service": f"service-{number % 3}"}
        append(ledger, cloud_event(kind, environment="staging" if number % 5 == 0 else "prod", **more))
    match = Match(types, refs)
    with ledger.database.read() as connection:
        entries = [e for e in reading.read_entries(connection, limit=None) if match.fits(e.type, e.refs)]
        for up_to, limit in ((ledger.size(), None), (ledger.size() - 3, None), (ledger.size(), 2)):
            wanted = [e.position for e in reversed(entries) if e.position <= up_to][:limit]
            found = reading.read_latest(connection, match, up_to=up_to, limit=limit)
            assert [e.position for e in found] == wanted
