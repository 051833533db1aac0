"""Signed envelopes: whose keys are enrolled, what follows of a signature, and that nobody but the door says so."""

import base64
import hashlib
import json
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from api.desk.stewardship import By, SourceRequest, enrol_source, retire_source, sources
from api.desk.submitting import Answer
from api.desk.taking import Body, take_at_once
from api.intake import FILES
from api.intake.translation import ForgedError
from ledger.audit.of_database import audit_database
from ledger.errors import ForbiddenError, StatementError
from ledger.faults import Kind
from ledger.ledger import Ledger
from ledger.log import tables
from ledger.log.reading import StoredEntry, read_entry
from signing.dsse import pae
from signing.errors import KeyFormatError
from signing.outside_keys import OutsideKey

IN_TOTO = FILES["in-toto"]
TYPE = "application/vnd.in-toto+json"
BUILDER, VERIFIER = "https://builders.example.com/hosted", "https://verifier.example.com/v1"
KEYS: dict[str, Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey] = {
    "ed25519": Ed25519PrivateKey.from_private_bytes(bytes(range(7, 39))),
    "ecdsa-p256": generate_private_key(SECP256R1()),
    "ecdsa-p384": generate_private_key(SECP384R1()),
    "rsa": rsa.generate_private_key(65537, 2048),
}
each_kind = pytest.mark.parametrize("kind", KEYS)
BY = By("person:olga")


def spki(kind: str) -> bytes:
    return (
        KEYS[kind]
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def signature(kind: str, payload: bytes) -> dict[str, str]:
    key, message = KEYS[kind], pae(TYPE, payload)
    if isinstance(key, Ed25519PrivateKey):
        made = key.sign(message)
    elif isinstance(key, RSAPrivateKey):
        made = key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    else:
        made = key.sign(message, ECDSA(hashes.SHA256() if kind == "ecdsa-p256" else hashes.SHA384()))
    return {"keyid": hashlib.sha256(spki(kind)).hexdigest(), "sig": base64.b64encode(made).decode()}


def verified(verdict: str = "PASSED", verifier: str = VERIFIER) -> bytes:
    return json.dumps({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "_", "digest": {"sha256": "a" * 64}}],
        "predicateType": "https://slsa.dev/verification_summary/v1",
        "predicate": {"verifier": {"id": verifier}, "verificationResult": verdict, "verifiedLevels": ["SLSA_BUILD_LEVEL_3"]},
    }).encode()  # fmt: skip


def envelope(payload: bytes, *signatures: dict[str, str]) -> bytes:
    return json.dumps(
        {"payloadType": TYPE, "payload": base64.b64encode(payload).decode(), "signatures": signatures}
    ).encode()


def enrol(ledger: Ledger, kind: str = "ed25519", source: str = VERIFIER, **more: Any) -> None:
    wanted = {"source": source, "door": "in-toto", "principal": "service:verifier"} | more
    keys = [base64.b64encode(spki(kind)).decode()]
    enrol_source(ledger, BY, SourceRequest.model_validate({"envelope_keys": keys} | wanted))


def take(ledger: Ledger, content: bytes, **said: str) -> Answer:
    caller = ledger.local_caller()
    return take_at_once(ledger, Body(IN_TOTO, {}, content, lambda _: caller, IN_TOTO.context(said)))


def entry(ledger: Ledger, answer: Answer, number: int = 0) -> StoredEntry:
    with ledger.database.read() as connection:
        return read_entry(connection, answer.document["receipts"][number]["position"])


@each_kind
def test_what_an_enrolled_key_signed_is_its_owners_word_whoever_brings_it(sqlite_ledger: Ledger, kind: str) -> None:
    enrol(sqlite_ledger, kind)
    payload = verified()
    stored = entry(sqlite_ledger, take(sqlite_ledger, envelope(payload, signature(kind, payload))))
    by, data = stored.document["recorded_by"], stored.statement["data"]
    assert (by["principal"], by["trust"], by["credential"].split(":")[0]) == ("service:verifier", "signed", "envelope")
    assert (data["signature"], data["checked_by"]) == ("checked", hashlib.sha256(spki(kind)).hexdigest())
    assert stored.statement["source"] == VERIFIER
    assert audit_database(sqlite_ledger.database, workers=1).faults == ()
    [told] = [one for one in sources(sqlite_ledger.current_authority()) if one["door"] == "in-toto"]
    assert told["envelope_keys"] == [{"key_id": data["checked_by"], "kind": kind}]


def test_signed_once_more_or_wrapped_otherwise_it_is_the_same(sqlite_ledger: Ledger) -> None:
    enrol(sqlite_ledger, "ecdsa-p256")
    payload = verified()
    first = take(sqlite_ledger, envelope(payload, signature("ecdsa-p256", payload)))
    other = json.dumps({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "dsseEnvelope": json.loads(envelope(payload, signature("ecdsa-p256", payload) | {"keyid": ""})),
    }).encode()  # fmt: skip
    again = take(sqlite_ledger, other)
    assert (first.status, again.status, again.document) == (201, 200, first.document)


def test_a_signature_that_is_not_by_the_key_it_names_is_refused_and_kept(sqlite_ledger: Ledger) -> None:
    enrol(sqlite_ledger)
    forged = envelope(verified("PASSED"), signature("ed25519", verified("FAILED")))
    with pytest.raises(ForgedError, match=r"names the key [0-9a-f]{16}… of .* kept at position 3, and states nothing"):
        take(sqlite_ledger, forged)
    with sqlite_ledger.database.read() as connection:
        assert read_entry(connection, 3).statement["data"]["reason"] == "signature-does-not-verify"


def test_a_key_says_nothing_for_others_and_what_must_be_signed_is_refused_without(sqlite_ledger: Ledger) -> None:
    enrol(sqlite_ledger, must_sign=True)
    others = verified(verifier="https://other.example.com")
    with pytest.raises(ForbiddenError, match="enrolled for https://verifier"):
        take(sqlite_ledger, envelope(others, signature("ed25519", others)))
    payload = verified()
    for unsigned in (payload, envelope(payload, signature("ecdsa-p256", payload))):
        with pytest.raises(ForbiddenError, match="must sign what it says"):
            take(sqlite_ledger, unsigned)
    assert take(sqlite_ledger, envelope(payload, signature("ed25519", payload))).status == 201


def test_what_no_enrolled_key_signed_is_said_by_whoever_posts_it(sqlite_ledger: Ledger) -> None:
    enrol(sqlite_ledger)
    payload = verified()
    stored = entry(
        sqlite_ledger, take(sqlite_ledger, envelope(payload, signature("ecdsa-p256", payload)), commit="a" * 40)
    )
    assert stored.statement["data"]["signature"] == "not_checked"
    assert stored.document["recorded_by"]["principal"] == sqlite_ledger.local_caller().principal


def test_of_what_is_signed_nothing_is_taken_from_beside_it(sqlite_ledger: Ledger) -> None:
    enrol(sqlite_ledger)
    payload = verified()
    for said in ({"service": "payments-api"}, {"time": "2026-03-02T09:00:00Z"}):
        with pytest.raises(StatementError, match=f"leave out {next(iter(said))}"):
            take(sqlite_ledger, envelope(payload, signature("ed25519", payload)), **said)


def test_statements_of_several_signers_go_in_files_of_their_own(sqlite_ledger: Ledger) -> None:
    enrol(sqlite_ledger)
    payload = verified()
    two = envelope(payload, signature("ed25519", payload)) + b"\n" + envelope(payload, signature("ecdsa-p256", payload))
    with pytest.raises(StatementError, match="files of their own"):
        take(sqlite_ledger, two)


def test_a_retired_key_checks_nothing_any_more(sqlite_ledger: Ledger) -> None:
    enrol(sqlite_ledger)
    payload = verified()
    signed = envelope(payload, signature("ed25519", payload))
    assert entry(sqlite_ledger, take(sqlite_ledger, signed)).statement["data"]["signature"] == "checked"
    retire_source(sqlite_ledger, BY, VERIFIER, "in-toto")
    assert entry(sqlite_ledger, take(sqlite_ledger, signed)).statement["data"]["signature"] == "not_checked"
    assert audit_database(sqlite_ledger.database, workers=1).faults == ()


def test_envelopes_that_are_kept_whole_are_checked_again_by_an_audit(sqlite_ledger: Ledger) -> None:
    enrol(sqlite_ledger, keeps_envelopes=True)
    payload = verified()
    answer = take(sqlite_ledger, envelope(payload, signature("ed25519", payload)))
    position = answer.document["receipts"][0]["position"]
    report = audit_database(sqlite_ledger.database, workers=1)
    assert report.faults == ()
    assert any("1 file of envelopes" in note for note in report.notes)
    # Somebody with the database puts another envelope in its place, signature and all.
    forged = envelope(verified("FAILED"), signature("ed25519", payload))
    with sqlite_ledger.database.engine.begin() as connection:
        for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        e = tables.evidence.c
        kept = entry(sqlite_ledger, answer).document["evidence"][1]["sha256"]
        connection.execute(
            sa.update(tables.evidence)
            .where(e.position == position, e.sha256 == bytes.fromhex(kept))
            .values(body=forged)
        )
    kinds = {fault.kind for fault in audit_database(sqlite_ledger.database, workers=1).faults}
    assert Kind.PRODUCER_SIGNATURE_WRONG in kinds
    # Nor does what is no envelope, or no entry, end the audit before it has told.
    with sqlite_ledger.database.engine.begin() as connection:
        connection.execute(sa.update(tables.evidence).where(e.position == position).values(body=b"[" * 200_000))
    kinds = {fault.kind for fault in audit_database(sqlite_ledger.database, workers=1).faults}
    assert Kind.PRODUCER_SIGNATURE_WRONG in kinds
    with sqlite_ledger.database.engine.begin() as connection:
        connection.execute(sa.update(tables.entries).where(tables.entries.c.position == position).values(entry=b"[]"))
    assert Kind.ENTRY_ALTERED in {fault.kind for fault in audit_database(sqlite_ledger.database, workers=1).faults}


def test_a_key_of_another_kind_is_refused_and_keys_are_enrolled_where_envelopes_come_in(sqlite_ledger: Ledger) -> None:
    wanted = {"source": VERIFIER, "door": "in-toto", "principal": "service:verifier"}
    others = (
        generate_private_key(SECP521R1()),
        rsa.generate_private_key(65537, 1024),
        rsa.generate_private_key(3, 2048),
    )
    ders = [
        key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        for key in others
    ]
    for key in (*(base64.b64encode(der).decode() for der in ders), "AAAAAAAA"):
        with pytest.raises(KeyFormatError, match=r"P-384|DER"):
            enrol_source(sqlite_ledger, BY, SourceRequest.model_validate(wanted | {"envelope_keys": [key]}))
    with pytest.raises(StatementError, match="a door of files in signed envelopes"):
        enrol(sqlite_ledger, door="junit")
    with pytest.raises(StatementError, match="envelope_keys beside it"):
        enrol_source(sqlite_ledger, BY, SourceRequest.model_validate(wanted | {"keeps_envelopes": True}))


def test_a_key_whose_checks_take_long_is_refused(sqlite_ledger: Ledger) -> None:
    """An exponent as long as the modulus: a hundred times the time of a check."""
    n = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    key = rsa.RSAPublicNumbers(n - 2, n).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(KeyFormatError, match="found RSA of 2048 bits with an exponent of 2048 bits"):
        OutsideKey(der)


def test_a_file_of_more_signatures_than_can_be_tried_is_refused(sqlite_ledger: Ledger) -> None:
    others = [generate_private_key(SECP256R1()).public_key() for _ in range(7)]
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    ders = [spki("rsa"), *(key.public_bytes(*form) for key in others)]
    enrol(sqlite_ledger, envelope_keys=[base64.b64encode(der).decode() for der in ders])
    payload = verified()
    signed = envelope(payload, *[signature("rsa", payload) | {"keyid": ""}] * 8)
    lines = b"\n".join([signed] * 65)
    with pytest.raises(
        StatementError, match=r"at most 512 signatures, as 8 keys are enrolled that may .*; found 520: post"
    ):
        take(sqlite_ledger, lines)
    assert take(sqlite_ledger, b"\n".join([signed] * 2)).status == 201
