"""The door of files: who posts one says what it cannot, and what it may not tell anybody is kept nowhere."""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from ledgers import append, cloud_event, create_ledger, keep_checkpoint
from servers import Server, check_problem

from api.desk.submitting import Answer
from api.desk.taking import Body, take_at_once
from api.intake import FILES
from api.intake.context import KNOWN
from api.intake.formats import HIDDEN, UNMAPPED, Format
from api.intake.translation import UnreadableError
from ledger.canonical import encode
from ledger.errors import ConflictError, StatementError
from ledger.ledger import Ledger
from ledger.log import tables
from ledger.log.reading import read_entries, read_entry
from ledger.published.export import export

JUNIT = FILES["junit"]
REPORT = b'<testsuite name="s"><testcase name="a"/><system-out>s3cret</system-out></testsuite>'
SAID = {"run": "4711", "shard": "1/2"}


def take(ledger: Ledger, content: bytes = REPORT, known: Format = JUNIT, **said: str) -> Answer:
    """Take in a file, by whoever works on the database itself."""
    caller = ledger.local_caller()
    return take_at_once(ledger, Body(known, {}, content, lambda _: caller, known.context(SAID | said)))


def statement(ledger: Ledger, answer: Answer, number: int = 0) -> Mapping[str, Any]:
    with ledger.database.read() as connection:
        return read_entry(connection, answer.document["receipts"][number]["position"]).statement


def test_the_same_file_is_one_set_of_facts_in_one_context_and_another_in_another(ledger: Ledger) -> None:
    first = take(ledger)
    again = take(ledger)
    assert (first.status, again.status, again.document) == (201, 200, first.document)
    other = take(ledger, shard="2/2")
    assert other.status == 201
    assert other.document["receipts"] != first.document["receipts"]
    # The order in which it is said means nothing.
    assert take(ledger, **dict(reversed(SAID.items()))).document == first.document


def test_the_id_is_the_digest_of_what_was_said_and_of_the_file(sqlite_ledger: Ledger) -> None:
    said = statement(sqlite_ledger, take(sqlite_ledger))
    context = encode({"format": "junit", "run": "4711", "shard": "1/2"})
    assert said["id"] == f"{hashlib.sha256(context + REPORT).hexdigest()}/0"
    assert said["filesha256"] == hashlib.sha256(REPORT).hexdigest()
    assert (said["redactor"], said["source"]) == ("junit-1", "/intake/junit")


def test_when_it_happened_is_said_by_somebody_or_is_when_it_came_in_and_the_entry_says_which(
    sqlite_ledger: Ledger,
) -> None:
    unsaid = statement(sqlite_ledger, take(sqlite_ledger))
    with sqlite_ledger.database.read() as connection:
        [entry] = list(read_entries(connection, after=1))
    assert (unsaid["timefrom"], unsaid["time"] <= entry.document["recorded_at"]) == ("receipt", True)
    assert "started_at" not in unsaid["data"]
    told = statement(sqlite_ledger, take(sqlite_ledger, time="2026-03-02T10:00:00+01:00"))
    assert (told["timefrom"], told["time"]) == ("context", "2026-03-02T09:00:00.000000Z")


def test_what_a_redactor_cannot_read_is_not_kept_and_its_digest_is(sqlite_ledger: Ledger) -> None:
    cut_off = REPORT[:-5]
    for _ in range(2):
        with pytest.raises(UnreadableError, match=r"no JUnit XML that can be read: not-xml\..* kept at position 2"):
            take(sqlite_ledger, cut_off)
    with sqlite_ledger.database.read() as connection:
        [entry] = read_entries(connection, after=1)
    assert entry.type == "intake.unmapped"
    assert entry.statement["data"]["reason"] == "not-xml"
    assert entry.statement["data"]["body_sha256"] == hashlib.sha256(cut_off).hexdigest()
    assert entry.document.get("evidence", []) == []


def test_a_file_that_two_bring_at_once_is_one_fact_and_no_conflict(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Answer] = []

    def now() -> int:
        # Whoever asked for the time first is overtaken before they append.
        monkeypatch.undo()
        told.append(take(ledger))
        return ledger.clock.now_us() + 1_000_000

    monkeypatch.setattr(ledger.clock, "now_us", now)
    assert take(ledger) == Answer(200, told[0].document)
    with ledger.database.read() as connection:
        assert [entry.type for entry in read_entries(connection, after=1)] == ["test.shard_finished"]


def test_another_content_under_the_id_of_a_file_is_a_conflict_that_is_told(sqlite_ledger: Ledger) -> None:
    known = Body(JUNIT, {}, REPORT, lambda _: sqlite_ledger.local_caller(), JUNIT.context(SAID))
    forged = cloud_event(id=f"{known.identity}/0") | {"source": "/intake/junit"}
    append(sqlite_ledger, forged)
    with pytest.raises(ConflictError, match="another content"):
        take(sqlite_ledger)
    with sqlite_ledger.database.read() as connection:
        assert [entry.type for entry in read_entries(connection, after=2)] == ["intake.conflicted"]


@pytest.mark.parametrize("known", FILES.values(), ids=FILES)
def test_a_secret_of_a_file_is_in_no_table_and_in_no_export(known: Format, tmp_path: Path) -> None:
    ledger, secret = create_ledger(f"sqlite:///{tmp_path / 'ledger.db'}"), HIDDEN.encode()
    caller, holding = ledger.local_caller(), [sample for sample in known.samples if secret in sample.content]
    for sample in holding:
        # As it is, and as nobody can read it.
        for content in (sample.content, b"\xff\xfe" + sample.content):
            with contextlib.suppress(UnreadableError):
                take_at_once(ledger, Body(known, {}, content, lambda _: caller, known.context(sample.context)))
    with ledger.database.read() as connection:
        types = [entry.type for entry in read_entries(connection, after=1)]
    assert types == [name for sample in holding for name in (*sample.becomes, UNMAPPED)]
    keep_checkpoint(ledger)
    export(ledger.database, tmp_path / "export")
    with ledger.database.read() as connection:
        rows = [row for table in tables.metadata.sorted_tables for row in connection.execute(sa.select(table))]
    assert rows
    assert [row for row in rows if secret in repr(tuple(row)).encode()] == []
    ledger.close()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.is_relative_to(tmp_path / "export") for path in files)
    assert [path for path in files if secret in path.read_bytes()] == []


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ({"run": ""}, "/run"),
        ({"shard": "3/2"}, "/shard"),
        ({"shard": "0/2"}, "/shard"),
        ({"commit": "main"}, "/commit"),
        ({"attempt": "0"}, "/attempt"),
        ({"time": "yesterday"}, "/time"),
        ({"source": "a b"}, "/source"),
        ({"mood": "good"}, "/mood"),
    ],
)
def test_what_cannot_be_said_of_a_file_is_refused_with_its_place(said: dict[str, str], place: str) -> None:
    with pytest.raises(StatementError) as refused:
        JUNIT.context(SAID | said)
    assert refused.value.place == place


def test_what_may_be_said_has_an_example_that_may_be_said() -> None:
    for name, known in KNOWN.items():
        takes = next(known for known in FILES.values() if name in (*known.asks, "source", "time"))
        examples = {need: KNOWN[need].example for need in takes.needs}
        assert takes.context(examples | {name: known.example}).said[name]


def test_many_statements_of_one_file_are_appended_together(sqlite_ledger: Ledger) -> None:
    cases = "".join(f'<testcase classname="tests.test_it" name="test_number_{number}"/>' for number in range(2500))
    content = f'<testsuite name="s">{cases}</testsuite>'.encode()
    first = take(sqlite_ledger, content)
    positions = [receipt["position"] for receipt in first.document["receipts"]]
    assert positions == list(range(positions[0], positions[0] + len(positions)))
    assert len(positions) > 2
    with sqlite_ledger.database.read() as connection:
        entries = [read_entry(connection, position) for position in positions]
    assert len({entry.document["recorded_at"] for entry in entries}) == 1
    assert [entry.statement["id"].rpartition("/")[2] for entry in entries] == [str(n) for n in range(len(entries))]
    assert [len(entry.document.get("evidence", [])) for entry in entries] == [1] + [0] * (len(entries) - 1)
    assert take(sqlite_ledger, content) == Answer(200, first.document)


# -- over a socket -----------------------------------------------------------------------------------------------------


def test_a_file_is_posted_as_it_is_with_what_it_cannot_say_in_the_url(server: Server) -> None:
    more = {"to": "/v1/intake/junit", "by": "reporter", "kind": "application/xml"}
    answer = server.post(REPORT, params=SAID, **more)
    assert answer.status_code == 201, answer.text
    [receipt] = answer.json()["receipts"]
    entry = server.get(f"/v1/events/{receipt['position']}").json()["entry"]
    assert entry["statement"]["data"]["run_id"] == "4711"
    assert server.post(REPORT, params=SAID, **more).json() == answer.json()
    check_problem(server.post(REPORT, **more), 422, "/run")
    check_problem(server.post(REPORT, params=SAID | {"mood": "good"}, **more), 422, "/mood")
    check_problem(server.post(b"x" * 8_388_609, params=SAID, **more), 413)
    # Longer than what is parsed where all requests are answered.
    long = REPORT.replace(b"s3cret", b"s3cret" * 20_000)
    assert server.post(long, params=SAID, **more).status_code == 201
    export = json.dumps(server.entries()).encode()
    assert b"s3cret" not in export
