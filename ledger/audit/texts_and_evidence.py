"""Texts and evidence in a database, held against what the entries say: of each, what is in it and that it is there."""

import hashlib
import hmac
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ledger.audit import rows as audit_rows
from ledger.audit.ranges import beside
from ledger.audit.reading import page, stream, typed
from ledger.audit.summary import Summary
from ledger.audit.walk import Job
from ledger.authority import EnrolledSource
from ledger.canonical import encode
from ledger.conditions import Match
from ledger.events import CATALOGUE
from ledger.faults import Fault, Kind
from ledger.log import tables
from ledger.log.reading import blob, read_entries
from ledger.log.tables import SECRET
from signing.dsse import envelopes_in, pae
from signing.errors import SigningError, VerificationError
from signing.outside_keys import outside_key


@dataclass(frozen=True)
class Deletions:
    """What the log says was deleted from beside it: elements of the fingerprints, and the same for naming."""

    texts: frozenset[tuple[int, str]]
    evidence: frozenset[tuple[int, str]]


def deletions(connection: Connection) -> Deletions:
    """Read what was erased and removed, as the log says it."""
    texts, evidence = set(), set()
    match = Match(types=("ledger.texts_erased", "ledger.evidence_removed"))
    for stored in read_entries(connection, [match], limit=None):
        data = _statement(stored.entry).get("data", {})
        position, sha256 = data.get("position"), data.get("sha256")
        if sha256 is not None:
            evidence.add((position, sha256))
            continue
        for row in page(connection, position - 1, position) if isinstance(position, int) else ():
            event_class = CATALOGUE.get(_statement(row.entry).get("type", ""))
            if event_class is not None:
                fields = (name for kind, name in beside(orjson.loads(row.entry), event_class) if kind == "text")
                texts |= {(position, name) for name in fields}
    return Deletions(frozenset(texts), frozenset(evidence))


def check_texts(connection: Connection, job: Job, summary: Summary, gone: Deletions) -> None:
    """Every text must be what its entry commits to, and the digest of what was submitted must fit the texts."""
    secrets, t, e, d = job.secrets, typed(tables.texts), tables.entries.c, tables.submitted.c
    secret = connection.execute(sa.select(tables.secrets.c.value).where(tables.secrets.c.name == SECRET)).scalar()
    pepper = blob(secret)
    others = connection.execute(sa.select(sa.func.count()).where(tables.secrets.c.name != SECRET)).scalar()
    if others or hashlib.sha256(pepper).hexdigest() != job.authority.secret_sha256:
        summary.faults.append(
            Fault(1, Kind.SECRET_REPLACED, "the secret beside the log is not what ledger.opened names")
        )
    product = 1
    beside = tables.texts.outerjoin(tables.entries, e.position == t.position).outerjoin(
        tables.submitted, d.position == t.position
    )
    query = sa.select(t.position, t.field, t.salt, t.text, e.entry, d.digest).select_from(beside).order_by(t.position)
    for position, group in groupby(stream(connection, query), key=itemgetter(0)):
        rows = list(group)
        statement = _statement(blob(rows[0][4]))
        data, texts = statement.get("data", {}), {}
        for _, name, salt, text, *_ in rows:
            texts[name] = text
            product = secrets.times(product, secrets.name(name), position)
            if data.get(name) != {"sha256": hashlib.sha256(blob(salt) + text.encode()).hexdigest()}:
                detail = f"the text of {name} is not the one that the entry commits to"
                summary.faults.append(Fault(position, Kind.TEXT_ALTERED, detail))
        content = encode(statement | {"data": data | texts})
        if blob(rows[0][5]) != hmac.digest(pepper, content, "sha256"):
            detail = "the digest of what was submitted does not fit its texts"
            summary.faults.append(Fault(position, Kind.SUBMITTED_WRONG, detail))
    without = sa.select(d.position).where(d.position.not_in(sa.select(tables.texts.c.position)))
    for position in connection.execute(without).scalars():
        summary.faults.append(
            Fault(position, Kind.SUBMITTED_WRONG, "a digest of a submission is kept, and no text of it")
        )
    for position, name in gone.texts:
        product = secrets.times(product, secrets.name(name), position)
    if product != summary.products.texts:
        audit_rows.name_text_faults(connection, summary, gone.texts)


def _statement(entry: bytes) -> dict[str, Any]:
    """Return the statement of an entry, empty when it cannot be read: the walk has reported that."""
    try:
        statement: dict[str, Any] = orjson.loads(entry)["statement"]
        return statement if isinstance(statement["data"], dict) else {}
    except (ValueError, KeyError, TypeError):
        return {}


def check_evidence(connection: Connection, job: Job, summary: Summary, gone: Deletions) -> None:
    """Every piece of evidence must be what its digest says, and there must be those that entries witness and no other."""
    secrets, v = job.secrets, typed(tables.evidence)
    rows = 1
    for position, sha256, body in stream(connection, sa.select(v.position, v.sha256, v.body)):
        rows = secrets.times(rows, secrets.name(blob(sha256).hex()), position)
        if hashlib.sha256(blob(body)).digest() != blob(sha256):
            summary.faults.append(
                Fault(
                    position,
                    Kind.EVIDENCE_ALTERED,
                    f"the bytes kept as {blob(sha256).hex()[:16]}… hash to something else",
                )
            )
    for position, digest in gone.evidence:
        rows = secrets.times(rows, secrets.name(digest), position)
    if rows != summary.products.evidence:
        audit_rows.name_evidence_faults(connection, summary, gone.evidence)


def check_envelopes(connection: Connection, job: Job, summary: Summary) -> int:
    """Check again the signatures of envelopes that are kept whole, by the keys that were enrolled then. Returns how many envelopes."""
    signers = {source.credential: source for source in job.authority.sources if source.keeps_envelopes}
    v, checked = typed(tables.evidence), 0
    match = Match(types=("attestation.received",))
    for stored in read_entries(connection, [match], limit=None) if signers else ():
        try:
            document = orjson.loads(stored.entry)
            signer = signers.get(document["recorded_by"]["credential"])
            kept = [bytes.fromhex(item["sha256"]) for item in document["evidence"]]
            data = document["statement"]["data"]
            attestation, checked_by = str(data["attestation"]), str(data.get("checked_by", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # Reported by the walk.
        if signer is None or len(kept) < 2:
            continue
        query = sa.select(v.body).where(v.position == stored.position, v.sha256 == kept[1])
        body = connection.execute(query).scalar()
        if body is None:
            continue
        checked += 1
        if (fault := _envelope_fault(blob(body), attestation, checked_by, signer)) is not None:
            summary.faults.append(Fault(stored.position, Kind.PRODUCER_SIGNATURE_WRONG, fault))
    return checked


def _envelope_fault(body: bytes, attestation: str, checked_by: str, signer: EnrolledSource) -> str | None:
    """Say why what is kept does not bear out that a statement was signed by the key that an entry names, or None."""
    try:
        keys = {key.key_id: key for key in map(outside_key, signer.envelope_keys)}
    except SigningError as error:
        return f"{signer.source} was enrolled with what is no key: {error}"
    if (key := keys.get(checked_by)) is None:
        return f"{signer.source} is not enrolled with the key that is said to have signed this"
    try:
        found = [
            one for one in envelopes_in(body) if attestation == f"sha256:{hashlib.sha256(one.payload).hexdigest()}"
        ]
    except VerificationError as error:
        return f"the envelope that is kept cannot be read: {error}"
    for envelope in found:
        message = pae(envelope.payload_type, envelope.payload)
        for signature in envelope.signatures:
            try:
                key.check(signature.sig, message)
            except VerificationError:
                continue
            return None
    return f"the envelope that is kept is not signed by the key {key.key_id[:16]}…, or is of another statement"
