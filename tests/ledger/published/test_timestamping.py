"""The entry of a timestamped checkpoint: recorded with its evidence, checked from the evidence alone."""

import copy
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from authority import Authority
from ledgers import CHECKPOINT_KEY, ORIGIN, append, cloud_event, keep_checkpoint

from ledger.audit.of_database import audit_database
from ledger.audit.report import Pin
from ledger.audit.timestamps import read_timestamps
from ledger.ledger import Ledger
from ledger.log.beside import read_evidence
from ledger.log.checkpoints import StoredCheckpoint, read_checkpoint, store_checkpoint
from ledger.log.reading import read_entry
from ledger.published.timestamps import check, message_of
from ledger.stewardship.commitments import record_timestamp
from signing.checkpoint import Checkpoint, sign_checkpoint
from signing.errors import VerificationError
from signing.keys import SigningKey
from signing.timestamps import Certificates, check_response, make_request, read_certificates
from signing.witness import cosign

URL = "https://tsa.test/tsr"
Document = dict[str, Any]
Bodies = dict[str, bytes]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def roots(authority: Authority) -> Certificates:
    return read_certificates(authority.root)


def signed(size: int = 1, origin: str = "ledger.test/one", root: bytes = b"r" * 32) -> StoredCheckpoint:
    note = sign_checkpoint(Checkpoint(origin, size, root), CHECKPOINT_KEY)
    line = cosign(note.text, "witness.test/w", SigningKey.from_seed(b"w" * 32), 1_795_435_200)
    return StoredCheckpoint(size, note, (line,))


def timestamped(
    ledger: Ledger, authority: Authority, stored: StoredCheckpoint, response: bytes | None = None, **more: Any
) -> tuple[Document, Bodies]:
    """Record a timestamp over a checkpoint; return the entry and its evidence as they were stored."""
    message = message_of(stored)
    response = response or authority.answer(make_request(message))
    if "timestamp" not in more:
        more["timestamp"] = check_response(response, message, read_certificates(authority.root))
    position = record_timestamp(ledger, stored, response, authority=URL, actor="person:alice", **more).position
    with ledger.database.read() as connection:
        document = read_entry(connection, position).document
        digests = [item["sha256"] for item in document["evidence"]]
        return document, {name: read_evidence(connection, position, bytes.fromhex(name)) for name in digests}


@pytest.fixture
def kept(sqlite_ledger: Ledger, authority: Authority) -> tuple[Document, Bodies]:
    return timestamped(sqlite_ledger, authority, signed())


def test_a_timestamp_is_recorded_with_the_published_note_and_the_response_as_evidence(ledger, authority, roots):
    append(ledger, cloud_event())
    with ledger.database.engine.begin() as connection:
        store_checkpoint(connection, signed(2).signed)
    with ledger.database.read() as connection:
        stored = read_checkpoint(connection)
    response = authority.answer(make_request(message_of(stored)))
    time = check_response(response, message_of(stored), roots)
    document, bodies = timestamped(ledger, authority, stored, response, by="token:9f2c41d07b3e")
    statement = document["statement"]
    assert statement["type"] == "ledger.timestamped"
    assert statement["data"] == {
        "actor": "person:alice",
        "requested_by": "token:9f2c41d07b3e",
        "size": 2,
        "root": (b"r" * 32).hex(),
        "authority": URL,
        "timestamp": f"{time:%Y-%m-%dT%H:%M:%SZ}",
    }
    assert list(bodies.values()) == [str(stored.note).encode(), response]
    assert [item["media_type"] for item in document["evidence"]] == ["text/plain", "application/timestamp-reply"]
    assert check(document, bodies, roots) == time


def test_a_ledger_with_a_timestamp_passes_its_audit(sqlite_ledger, authority, roots):
    note = keep_checkpoint(sqlite_ledger)
    timestamped(sqlite_ledger, authority, StoredCheckpoint(1, note))
    pin = Pin(ORIGIN, authorities=roots)
    report = audit_database(sqlite_ledger.database, pin=pin, workers=1)
    assert (report.faults, report.notes, report.anchored_size) == ((), (), 1)


def test_without_a_certificate_a_timestamp_anchors_nothing_and_the_report_says_so(sqlite_ledger, authority):
    timestamped(sqlite_ledger, authority, StoredCheckpoint(1, keep_checkpoint(sqlite_ledger)))
    report = audit_database(sqlite_ledger.database, workers=1)
    assert (report.faults, report.anchored_size) == ((), 0)
    assert "1 timestamp was not checked" in report.notes[0]


def test_a_timestamp_over_a_tree_that_the_entries_do_not_make_is_a_fault(sqlite_ledger, authority):
    timestamped(sqlite_ledger, authority, signed())
    [fault] = audit_database(sqlite_ledger.database, workers=1).faults
    assert (fault.position, fault.kind) == (1, "timestamp-wrong")


def test_the_cosignatures_are_under_the_timestamp(kept):
    note = next(iter(kept[1].values()))
    assert b"\n\xe2\x80\x94 witness.test/w " in note


def test_a_time_of_another_zone_is_recorded_in_utc(sqlite_ledger, authority, roots):
    stored = signed()
    response = authority.answer(make_request(message_of(stored)))
    time = check_response(response, message_of(stored), roots)
    elsewhere = time.astimezone(timezone(timedelta(hours=5, minutes=30)))
    document, bodies = timestamped(sqlite_ledger, authority, stored, response, timestamp=elsewhere)
    assert document["statement"]["data"]["timestamp"] == f"{time:%Y-%m-%dT%H:%M:%SZ}"
    assert check(document, bodies, roots) == time


# -- what the check refuses ------------------------------------------------------------------------------------------


def check_refused(words: str, document: Any, bodies: Bodies, roots: Certificates) -> None:
    with pytest.raises(VerificationError, match=words):
        check(document, bodies, roots)


def changed(document: Document, change: Callable[[Document], object]) -> Document:
    found = copy.deepcopy(document)
    change(found)
    return found


def test_evidence_that_is_missing_is_refused(kept, roots):
    document, bodies = kept
    for name in bodies:
        check_refused(f"{name} is not kept", document, {k: v for k, v in bodies.items() if k != name}, roots)


def test_evidence_with_other_bytes_is_refused(kept, roots):
    document, bodies = kept
    for name, body in bodies.items():
        check_refused("expected evidence with the digest", document, bodies | {name: body + b"\n"}, roots)


def test_an_entry_about_another_checkpoint_than_its_note_is_refused(kept, roots):
    document, bodies = kept
    for name, value in (("size", 7), ("root", "00" * 32)):
        other = changed(document, lambda d, name=name, value=value: d["statement"]["data"].update({name: value}))
        check_refused("expected a checkpoint of size", other, bodies, roots)


def test_an_entry_that_says_another_time_than_its_token_is_refused(sqlite_ledger, authority, roots):
    wrong = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    document, bodies = timestamped(sqlite_ledger, authority, signed(), timestamp=wrong)
    check_refused("the entry says 2026-01-02T03:04:05Z, the timestamp 20", document, bodies, roots)


def test_a_token_over_another_checkpoint_is_refused(sqlite_ledger, authority, roots):
    other = authority.answer(make_request(message_of(signed(2))))
    document, bodies = timestamped(sqlite_ledger, authority, signed(), other, timestamp=datetime.now(UTC))
    check_refused("the timestamp is over other bytes", document, bodies, roots)


def test_a_checkpoint_of_another_ledger_is_refused(sqlite_ledger, authority, roots):
    document, bodies = timestamped(sqlite_ledger, authority, signed(origin="ledger.test/other"))
    check_refused(
        "expected a checkpoint of 'ledger.test/one', found one of 'ledger.test/other'", document, bodies, roots
    )


def test_a_token_that_cannot_be_read_is_refused(sqlite_ledger, authority, roots):
    document, bodies = timestamped(sqlite_ledger, authority, signed(), b"<html>", timestamp=datetime.now(UTC))
    check_refused("the timestamp does not verify", document, bodies, roots)


def test_a_note_that_cannot_be_read_is_refused(kept, roots):
    document, bodies = kept
    (_, response) = bodies.values()
    for note in (b"", b"\xff", b"no note\n"):
        digest = hashlib.sha256(note).hexdigest()
        other = changed(document, lambda d, digest=digest: d["evidence"][0].update(sha256=digest))
        check_refused("expected a", other, {digest: note, document["evidence"][1]["sha256"]: response}, roots)


def test_another_root_is_refused_and_so_is_none(kept, tmp_path):
    other = Authority(tmp_path)
    check_refused("self-signed certificate in certificate chain", *kept, read_certificates(other.root))
    check_refused("expected at least one", *kept, ())


def test_an_entry_of_another_shape_is_refused(kept, roots):
    document, bodies = kept
    check_refused("with evidence of", changed(document, lambda d: d["evidence"].pop()), bodies, roots)
    check_refused("with evidence of", changed(document, lambda d: d["evidence"].reverse()), bodies, roots)
    check_refused(
        "with evidence of", changed(document, lambda d: d["evidence"].append(d["evidence"][0])), bodies, roots
    )
    check_refused("with evidence of", changed(document, lambda d: d.update(evidence=[])), bodies, roots)
    check_refused(
        "with evidence of", changed(document, lambda d: d["statement"].update(type="gate.decided")), bodies, roots
    )
    for name in ("statement", "evidence", "ledger"):
        check_refused("not an entry of", {k: v for k, v in document.items() if k != name}, bodies, roots)
    for name in ("size", "root", "timestamp"):
        missing = changed(document, lambda d, name=name: d["statement"]["data"].pop(name))
        check_refused("not an entry of", missing, bodies, roots)
    for value in (None, 7, "text", [None], [["media_type"]]):
        check_refused("not an entry of|with evidence of", document | {"evidence": value}, bodies, roots)
        check_refused("not an entry of", document | {"statement": value}, bodies, roots)
    check_refused("not an entry of", None, bodies, roots)
    size = changed(document, lambda d: d["statement"]["data"].update(size="one"))
    check_refused("not an entry of", size, bodies, roots)


@pytest.mark.parametrize("digest", ["../../../etc/passwd", "zz", "", 7, None, "A" * 64])
def test_what_is_no_digest_is_looked_up_nowhere(kept, roots, digest):
    document = copy.deepcopy(kept[0])
    for item in document["evidence"]:
        item["sha256"] = digest
    asked = []
    found = read_timestamps([(7, json.dumps(document).encode())], lambda position, name: asked.append(name), roots)
    assert asked == []
    assert "1 timestamp was not checked" in found.notes[0]
