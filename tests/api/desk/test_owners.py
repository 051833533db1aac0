"""Whose findings are: by the row that each is about, its change, or whoever did it; and of what nobody is named, nobody's."""

from pathlib import Path

from pages_in_process import Pages

from api.desk.owners import owners_of
from api.desk.views import list_of
from projections.judging.findings import findings
from projections.readings.changes.tickets import change_tickets
from projections.readings.delivery.deployments import deployments


def test_a_finding_is_of_who_stands_by_what_it_is_about(tmp_path: Path, shared: Path) -> None:
    ledger = Pages(tmp_path, shared).ledger
    rows = list_of(ledger, findings, {}, limit=1000).rows
    owners = owners_of(ledger, rows)
    changes = {row["change_id"]: row for row in list_of(ledger, change_tickets, {}, limit=1000).rows}
    known = {row["deployment_id"]: row for row in list_of(ledger, deployments, {}, limit=1000).rows}
    told = set()
    for row in rows:
        owner, subject = owners.get(row["finding_id"]), findings.rules[row["rule"]].subject
        if subject is change_tickets and owner is not None:
            assert owner == (changes[row["subject"]]["author"], "author")
            told.add("change")
        elif subject is deployments and owner is not None:
            deployment = known[row["subject"]]
            author = changes.get(deployment["change_id"], {}).get("author")
            expected = (
                (author, f"author of {deployment['change_id']}")
                if author
                else (deployment["deployed_by"], "deployed it")
            )
            assert owner == expected
            told.add(expected[1].partition(" ")[0])
    assert told == {"change", "author", "deployed"}
    assert len(owners) > len(rows) / 2
    assert any(row["finding_id"] not in owners for row in rows)
