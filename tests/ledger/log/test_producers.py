"""Producers' signatures inside the ledger: keys by position, what audit finds, and the greatest entry that there can be."""

import base64
from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from ledgers import ENTRY_KEY, ORIGIN, append, cloud_event, enrol_witness, keep_checkpoint, possession

from ledger.audit.of_database import audit_database
from ledger.audit.report import Pin, Report
from ledger.authority import Caller
from ledger.canonical import MAX_INTEGER
from ledger.entry import make_entry, recorded_by_json, statement_bytes
from ledger.errors import ForbiddenError, KeyNotValidError, LedgerError, NotFoundError, StatementError
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.log.reading import read_entry
from ledger.log.recorder import Recorded, Refused, Submission
from ledger.statement import MAX_STATEMENT_BYTES, STATEMENT_PAYLOAD_TYPE, Statement
from ledger.stewardship.credentials import enrol_source, issue_token
from ledger.stewardship.keys import enrol_key, retire_key, revoke_key
from signing import dsse
from signing.keys import SigningKey
from signing.merkle import leaf_hash

SOURCE = "https://ci.example.com/payments"
KEYS = [SigningKey.from_seed(bytes([number]) * 32) for number in range(1, 5)]
KEY, OTHER = KEYS[:2]
BY = "person:operator"


def enrol(ledger: Ledger, key: SigningKey, *sources: str) -> int:
    wanted = list(sources or [SOURCE])
    return enrol_key(
        ledger,
        key.public_key,
        role="producer",
        name="service:ci",
        sources=wanted,
        possession=possession(key, "producer"),
        actor=BY,
    ).position


def said(**more: Any) -> dict[str, Any]:
    return cloud_event() | {"ledger": ORIGIN} | more


def signed(ledger: Ledger, *keys: SigningKey, event: dict[str, Any] | None = None) -> Statement:
    """Return a statement as the door admits it: checked when it came, and not since."""
    payload = rfc8785.dumps(event or said())
    signatures = tuple(dsse.Signature(key.key_id, dsse.sign(key, STATEMENT_PAYLOAD_TYPE, payload)) for key in keys)
    return ledger.admission.admit_signed(payload, signatures)


def submission(ledger: Ledger, statement: Statement, permitted_at: int | None = None) -> Submission:
    """Return the submission of a signed statement by somebody with a token, as the door makes it."""
    known = next(iter(ledger.authority.credentials.values()), None)
    if known is None:
        issue_token(ledger, actor=BY, principal="service:ci", kind="service", roles=["reporter"])
        return submission(ledger, statement)
    return Submission((statement,), Caller(known.id, known.principal, "signed", known), None, permitted_at)


def record(ledger: Ledger, *keys: SigningKey) -> int:
    statement = signed(ledger, *keys)
    ledger.authority.check_signatures(statement)
    [outcome] = ledger.append_group([submission(ledger, statement)])
    assert isinstance(outcome, Recorded), outcome
    return outcome.receipts[0].position


def audit(ledger: Ledger) -> Report:
    with ledger.database.read() as connection:
        pin = Pin(genesis=leaf_hash(read_entry(connection, 1).entry))
    return audit_database(ledger.database, pin=pin, workers=1)


# -- keys by position --------------------------------------------------------------------------------------------------


def test_a_key_signs_from_the_position_after_its_enrolment_to_that_of_its_retirement(ledger: Ledger) -> None:
    with pytest.raises(ForbiddenError, match="keys enrol producer"):
        ledger.authority.check_signatures(signed(ledger, KEY))
    enrol(ledger, KEY)
    record(ledger, KEY)
    retire_key(ledger, KEY.key_id, role="producer", actor=BY)
    with pytest.raises(ForbiddenError, match="key-not-valid"):
        ledger.authority.check_signatures(signed(ledger, KEY))


@pytest.mark.parametrize("end", ["retire", "revoke"])
def test_a_key_that_ended_between_the_door_and_the_lock_signs_nothing(ledger: Ledger, end: str) -> None:
    enrol(ledger, KEY)
    record(ledger, KEY)
    statement, permitted_at = signed(ledger, KEY), ledger.authority.position
    ledger.authority.check_signatures(statement)
    if end == "retire":
        retire_key(ledger, KEY.key_id, role="producer", actor=BY)
    else:
        revoke_key(ledger, KEY.key_id, role="producer", from_position=2, reason="leaked", actor=BY)
    before = ledger.size()
    [outcome] = ledger.append_group([submission(ledger, statement, permitted_at)])
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, ForbiddenError)
    assert ledger.size() == before


def test_a_key_is_rotated_with_an_overlap_and_all_of_it_is_sound(ledger: Ledger) -> None:
    enrol(ledger, KEY)
    record(ledger, KEY)
    enrol(ledger, OTHER)
    for keys in ((KEY,), (OTHER,), (KEY, OTHER)):
        record(ledger, *keys)
    retire_key(ledger, KEY.key_id, role="producer", actor=BY)
    record(ledger, OTHER)
    report = audit(ledger)
    assert (report.verdict, report.faults, report.affected) == ("sound", (), ())


# -- revoked backwards -------------------------------------------------------------------------------------------------


def test_a_key_revoked_backwards_lists_what_it_signed_and_what_of_it_was_anchored(ledger: Ledger) -> None:
    enrol_witness(ledger)
    enrol(ledger, KEY)
    enrol(ledger, OTHER)
    trusted, first = record(ledger, KEY), record(ledger, KEY)
    keep_checkpoint(ledger, cosigned=True)
    record(ledger, OTHER)
    both = record(ledger, OTHER, KEY)
    revoked = revoke_key(ledger, KEY.key_id, role="producer", from_position=first, reason="leaked", actor=BY).position
    record(ledger, OTHER)
    keep_checkpoint(ledger, cosigned=True)
    report = audit(ledger)
    assert (report.verdict, report.faults) == ("sound", ())
    found = [(item.position, item.kind, item.revoked_at, item.anchored) for item in report.affected]
    assert found == [(first, "key-revoked", revoked, True), (both, "key-revoked", revoked, False)]
    assert trusted < first


# -- doors that lie ----------------------------------------------------------------------------------------------------


def forged(statement: Statement) -> Statement:
    sig = bytes([statement.signatures[0].sig[0] ^ 1]) + statement.signatures[0].sig[1:]
    return statement._replace(signatures=(dsse.Signature(KEY.key_id, sig),))


LIES: dict[str, tuple[Callable[[Statement], Statement], str]] = {
    "a wrong signature": (forged, "producer-signature-wrong"),
    "a signature over another statement": (
        lambda statement: statement._replace(body=statement.body.replace(b"success", b"failure")),
        "producer-signature-wrong",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_a_lying_door_let_in_is_found_by_the_audit(ledger: Ledger, lie: str) -> None:
    # The lock judges keys, not signatures: those are the door's to check, and the audit's.
    enrol(ledger, KEY)
    record(ledger, KEY)
    alter, kind = LIES[lie]
    [outcome] = ledger.append_group([submission(ledger, alter(signed(ledger, KEY)))])
    assert isinstance(outcome, Recorded)
    report = audit(ledger)
    assert (kind, outcome.receipts[0].position) in [(fault.kind, fault.position) for fault in report.faults]


def test_an_unsigned_statement_of_a_source_that_must_sign_is_refused_under_the_lock_too(ledger: Ledger) -> None:
    statement, permitted_at = ledger.admission.admit(cloud_event()), ledger.authority.position
    _, token, _ = issue_token(ledger, actor=BY, principal="service:ci", kind="service", roles=["reporter"])
    credential = ledger.authority.authenticate(token, ledger.clock.now_us())
    enrol_source(ledger, SOURCE, door="events", principal="service:ci", must_sign=True, actor=BY)
    caller = Caller(credential.id, credential.principal, "token", credential)
    [outcome] = ledger.append_group([Submission((statement,), caller, None, permitted_at)])
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, ForbiddenError)


# -- entry keys --------------------------------------------------------------------------------------------------------


def test_of_two_entry_keys_that_are_ended_at_once_one_stays(sqlite_ledger: Ledger) -> None:
    for number in range(6):
        second = SigningKey.from_seed(bytes([200 + number]) * 32)
        enrol_key(
            sqlite_ledger,
            second.public_key,
            role="entry",
            name="host-b",
            possession=possession(second, "entry"),
            actor=BY,
        )
        together = Barrier(2)

        def end(key: SigningKey, together: Barrier = together) -> None:
            together.wait()
            try:
                retire_key(sqlite_ledger, key.key_id, role="entry", actor=BY)
            except LedgerError:
                return

        threads = [Thread(target=end, args=(key,)) for key in (second, ENTRY_KEY)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        valid = sqlite_ledger.current_authority().keyring.valid_at("entry", sqlite_ledger.size() + 1)
        assert len(valid) == 1
        if valid[0].key_id != ENTRY_KEY.key_id:
            # This process has no key any more; whoever has the other one goes on.
            other = Ledger.open(Database(sqlite_ledger.database.url.render_as_string()), second)
            append(other, cloud_event())
            other.close()
            return


def test_keys_that_cannot_be_ended_are_refused(sqlite_ledger: Ledger) -> None:
    with pytest.raises(KeyNotValidError, match="only valid entry key"):
        revoke_key(sqlite_ledger, ENTRY_KEY.key_id, role="entry", from_position=1, reason="x", actor=BY)
    with pytest.raises(NotFoundError):
        retire_key(sqlite_ledger, KEY.key_id, role="producer", actor=BY)
    enrol(sqlite_ledger, KEY)
    last = sqlite_ledger.size()
    with pytest.raises(StatementError, match="not the future"):
        revoke_key(sqlite_ledger, KEY.key_id, role="producer", from_position=last + 2, reason="x", actor=BY)
    revoke_key(sqlite_ledger, KEY.key_id, role="producer", from_position=last + 1, reason="x", actor=BY)
    assert audit(sqlite_ledger).verdict == "sound"


# -- the greatest ------------------------------------------------------------------------------------------------------


@given(
    st.integers(MAX_STATEMENT_BYTES - 40, MAX_STATEMENT_BYTES),
    st.integers(2**52, MAX_INTEGER),
    st.lists(st.binary(min_size=64, max_size=64), min_size=4, max_size=4),
)
def test_a_statement_of_the_greatest_size_with_four_signatures_fits_an_entry_at_every_position(
    size: int, position: int, sigs: list[bytes]
) -> None:
    body = b'{"a":"' + b"x" * (size - 8) + b'"}'
    signatures = tuple(dsse.Signature(key.key_id, sig) for key, sig in zip(KEYS, sigs, strict=True))
    refs = [(f"r{number:02}:".ljust(160, "x"), position, position - 1) for number in range(64)]
    entry = make_entry(
        ledger="o" * 160,
        evidence=(),
        position=position,
        prev=b"\xff" * 32,
        recorded_at="9999-12-31T23:59:59.999999Z",
        recorded_by=recorded_by_json(credential="t:".ljust(80, "x"), principal="p:".ljust(120, "x"), trust="signed"),
        refs=refs,
        statement=body,
        signatures=signatures,
    )
    assert len(entry) <= 65_535
    assert statement_bytes(entry) == body
    assert base64.b64encode(sigs[3]) in entry
