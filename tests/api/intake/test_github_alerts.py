"""GitHub's alerts about secrets: what each says of which secret, and what is no fact about one."""

import json
from typing import Any
from urllib.parse import quote, unquote

import bodies
import pytest
import sqlalchemy as sa

from api.desk.taking import Body, take_at_once
from api.intake import github
from api.intake.translation import ContradictionError, ForeignError, Mapped, Unmapped
from ledger.ledger import Ledger
from ledger.log import tables
from ledger.log.reading import read_entries

KIND = "secret_scanning_alert"
CREATED, MOVED, RESOLVED = "2026-02-03T09:00:00Z", "2026-02-04T09:00:00Z", "2026-02-03T10:00:00Z"


def alert(action: str = "created", number: Any = 7, **more: Any) -> dict[str, Any]:
    """A webhook about an alert; keyword arguments go into its `alert`."""
    made = {
        "number": number, "secret_type": "aws_access_key_id", "created_at": CREATED, "updated_at": MOVED, "resolution": None,
        "resolved_at": None, "resolved_by": None, "html_url": "https://github.com/acme/payments-api/security/7",
    }  # fmt: skip
    repository = {"id": 7001, "full_name": "acme/payments-api"}
    return {"action": action, "alert": made | more, "repository": repository, "sender": bodies.user(501)}


def translated(body: dict[str, Any], kind: str = KIND) -> Any:
    return github.translate({"x-github-event": kind}, bodies.encoded(body))


def resolved(resolution: str, **more: Any) -> dict[str, Any]:
    done = {"resolved_at": RESOLVED, "resolved_by": bodies.user(502), "resolution": resolution}
    return alert("resolved", **done | more)


# What happened to an alert, the body, the type and time of what it says, and of its data what matters.
ALERTS: list[tuple[str, dict[str, Any], str, str, dict[str, Any]]] = [
    ("found", alert(), "secret.detected", CREATED, {"rule": "aws_access_key_id", "repository": "acme/payments-api"}),
    ("found, and is not open again", alert(), "secret.detected", CREATED, {"again": False}),
    ("open again", alert("reopened"), "secret.detected", MOVED, {"again": True}),
    ("open again, nobody says when", alert("reopened", updated_at=None), "secret.detected", "", {"again": True}),
    ("revoked", resolved("revoked"), "secret.rotated", RESOLVED, {"actor": "github:502"}),
    ("revoked, nobody says by whom", resolved("revoked", resolved_by=None), "secret.rotated", RESOLVED, {"actor": "github:501"}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "becomes", "time", "data"), [pytest.param(*row[1:], id=row[0]) for row in ALERTS])
def test_an_alert_says_what_happened_to_a_secret(
    body: dict[str, Any], becomes: str, time: str, data: dict[str, Any]
) -> None:
    found = translated(body)
    assert isinstance(found, Mapped)
    [fact] = found.facts
    assert (fact.type, fact.time, {name: fact.data[name] for name in data}) == (becomes, time, data)


def test_what_is_said_of_one_alert_is_of_one_secret() -> None:
    def named(body: dict[str, Any]) -> str:
        found = translated(body)
        assert isinstance(found, Mapped)
        return str(found.facts[0].data["secret"])

    assert len({named(body) for _, body, *_ in ALERTS}) == 1
    elsewhere = alert()
    elsewhere["repository"]["id"] = 7002
    assert len({named(alert()), named(alert(number=8)), named(elsewhere)}) == 3


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        *((resolved(name), "action-resolved") for name in ("false_positive", "wont_fix", "used_in_tests", "pattern_deleted")),
        (alert("publicly_leaked"), "action-publicly_leaked"),
        (alert("validated", validity="inactive"), "action-validated"),
        (resolved("revoked", resolved_at=None), "field/resolved_at"),
        (alert(number="7"), "field/number"),
        (alert(number=True), "field/number"),
    ],
)  # fmt: skip
def test_whether_a_secret_is_one_is_not_for_an_alert_to_say(body: dict[str, Any], reason: str) -> None:
    assert translated(body) == Unmapped(KIND, reason, "https://github.com/acme/payments-api")


def test_an_alert_under_another_name_contradicts_it_and_other_alerts_do_not() -> None:
    with pytest.raises(ContradictionError, match="the body is a secret_scanning_alert"):
        translated(alert(), "code_scanning_alert")
    other = alert()
    del other["alert"]["secret_type"]
    assert translated(other, "dependabot_alert") == Unmapped(
        "dependabot_alert", "kind-not-mapped", "https://github.com/acme/payments-api"
    )


def test_an_alert_that_says_its_secret_is_kept_without_it() -> None:
    assert github.FORMAT.redactor is not None
    cut = github.FORMAT.redactor.cut
    said, unsaid = bodies.encoded(alert(secret="s3cret")), bodies.encoded(alert())
    assert cut(unsaid) == unsaid
    assert json.loads(cut(said)) == json.loads(unsaid)
    form = cut(b"payload=" + quote(said).encode())
    assert (form.startswith(b"payload="), b"s3cret" in form) == (True, False)
    assert json.loads(unquote(form.decode().removeprefix("payload="))) == json.loads(unsaid)
    # What cannot be read is not kept: it may say it.
    for odd in (said[:-3], said.replace(b'{"action"', b'{"action": 1, "action"')):
        with pytest.raises(ForeignError):
            cut(odd)
    other = bodies.encoded(bodies.review(body="s3cret"))
    assert cut(other) == other


def test_a_secret_of_an_alert_is_in_no_entry_and_no_evidence(sqlite_ledger: Ledger) -> None:
    caller = sqlite_ledger.local_caller()
    said = bodies.encoded(alert(secret="s3cret"))
    for body in (said, said[:-3], bodies.encoded(resolved("wont_fix", secret="s3cret"))):
        take_at_once(sqlite_ledger, Body(github.FORMAT, {"x-github-event": KIND}, body, lambda _: caller))
    with sqlite_ledger.database.read() as connection:
        rows = [row for table in tables.metadata.sorted_tables for row in connection.execute(sa.select(table))]
        told, *others = list(read_entries(connection, after=1))
    assert [row for row in rows if b"s3cret" in repr(tuple(row)).encode()] == []
    assert (told.type, told.statement["redactor"]) == ("secret.detected", "github-1")
    assert [(entry.type, len(entry.document.get("evidence", []))) for entry in others] == [
        ("intake.unmapped", 0),
        ("intake.unmapped", 1),
    ]
