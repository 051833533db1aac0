"""The audit's walk over stored entries: pure, to a result that names every fault. No clock, no I/O, no trust in the writer.

A range of entries is walked by itself (`walk`), so that ranges run in parallel; `Summary.add` joins them in order. Nothing
is remembered per entry: what must match between entries and other tables, or between a back-pointer and what it points to,
is compared by fingerprints (`ledger.audit.fingerprints`).

Long, because the way of one entry through everything that can be wrong with it is read in one piece, from `take` down.
"""

import base64
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ledger.audit.checkpoints import Claim, Commitment, Head, RawCheckpoint, claims_by_size, read_claim
from ledger.audit.fingerprints import PRIME, Fingerprints
from ledger.audit.ranges import RangeResult, Row, beside
from ledger.authority import AUTHORITY_TYPES, ENVELOPE, RECOVERED, Authority, Credential, producer_key_fault
from ledger.clock import from_text
from ledger.entry import ENTRY_PAYLOAD_TYPE, statement_bytes
from ledger.errors import LedgerError
from ledger.events import CATALOGUE, has_refs
from ledger.events.ledger import LedgerToolPublished
from ledger.events.policy import PolicyPublished, says_alone
from ledger.faults import Affected, Kind
from ledger.log.tables import MAX_REFS_PER_ENTRY
from ledger.statement import MAX_SIGNATURES, STATEMENT_PAYLOAD_TYPE
from signing import dsse
from signing.errors import VerificationError
from signing.merkle import TILE_HEIGHT, TILE_WIDTH, Frontier, leaf_hash

_KEYS_BEFORE: Final = [
    "entry",
    "evidence",
    "ledger",
    "position",
    "prev",
    "recorded_at",
    "recorded_by",
    "refs",
]
_ENTRY_KEYS: Final = [*_KEYS_BEFORE, "statement"]
_SIGNED_ENTRY_KEYS: Final = [*_KEYS_BEFORE, "signatures", "statement"]


class _Walk:
    """The state of walking one range."""

    def __init__(
        self,
        start: int,
        count: int,
        authority: Authority,
        secrets: Fingerprints,
        check_signatures: bool,
    ) -> None:
        self.result = RangeResult(start, count)
        self.check_signatures = check_signatures
        self.authority = authority
        self.secrets = secrets
        self.keys = authority.keyring.numbered("entry")
        self.frontier = Frontier(start=start - 1)
        self.prev: tuple[bytes, bytes] | None = None
        self.recorded_at = 0
        # Entries of one group share their time: it is parsed once.
        self.recorded_text, self.recorded_us = "", 0
        # ref -> [encoded name, ordinal, position] of its latest entry in this range
        self.refs: dict[str, list[int]] = {}
        # Who recorded what by a token, as often as it was found to be right: all but the place and the time of it.
        self.recorders: dict[tuple[str, str, str, str, str, bool, int], Credential] = {}
        self.type_names: dict[str, int] = {}
        self.source_names: dict[str, int] = {}

    def take(self, row: Row) -> None:
        result = self.result
        leaf = leaf_hash(row.entry)
        if leaf != row.leaf_hash:
            result.fault(
                row.position,
                Kind.ENTRY_ALTERED,
                f"the stored bytes hash to {leaf.hex()[:16]}…, the recorded leaf is {row.leaf_hash.hex()[:16]}…",
            )
        self.frontier.append(leaf, self._keep_tile)
        try:
            document = orjson.loads(row.entry)
            canonical = orjson.dumps(document, option=orjson.OPT_SORT_KEYS) == row.entry
            self._take_document(row, document, canonical)
        except (ValueError, KeyError, TypeError, AttributeError, LedgerError) as error:
            result.fault(
                row.position,
                Kind.ENTRY_MALFORMED,
                f"the stored bytes are not an entry: {type(error).__name__} {error}"[:200],
            )
        if self.check_signatures:
            self._check_signature(row)
        # Where the two differ, the fault was named here; the next entry is not to blame for pointing to either.
        self.prev = (row.leaf_hash, leaf)

    def _keep_tile(self, height: int, _index: int, node: bytes) -> None:
        if height == TILE_HEIGHT:
            self.result.tiles.append(node)

    def _take_document(self, row: Row, document: dict[str, Any], canonical: bool) -> None:
        result, position = self.result, row.position
        signed = "signatures" in document
        if not canonical or list(document) != (_SIGNED_ENTRY_KEYS if signed else _ENTRY_KEYS) or document["entry"] != 1:
            result.fault(position, Kind.ENTRY_MALFORMED, "the bytes are not the canonical JSON of a version 1 entry")
        statement = document["statement"]
        event_type, source = statement["type"], statement["source"]
        if not isinstance(document["evidence"], list):
            raise TypeError("the evidence of an entry is an array")
        if not (isinstance(event_type, str) and isinstance(source, str) and isinstance(statement["id"], str)):
            raise TypeError("type, source and id of a statement are strings")
        if document["position"] != position:
            result.fault(position, Kind.POSITION_WRONG, f"the entry says it stands at position {document['position']}")
        if document["ledger"] != self.authority.origin:
            result.fault(
                position,
                Kind.FOREIGN_ENTRY,
                f"the entry belongs to the ledger {document['ledger']!r}, not {self.authority.origin!r}",
            )
        self._check_link(row, document, event_type)
        event_class = CATALOGUE.get(event_type)
        if event_class is None:
            result.fault(position, Kind.TYPE_UNKNOWN, f"the catalogue has no event type {event_type!r}")
        elif not has_refs(event_class, statement["data"], document["refs"]):
            result.fault(
                position, Kind.REFS_WRONG, "the refs are not those that the catalogue derives from the statement"
            )
        if row.type_name is not None and row.type_name != event_type:
            result.fault(position, Kind.COLUMN_TYPE, f"the column says {row.type_name}, the entry {event_type}")
        if event_type in AUTHORITY_TYPES:
            result.authority.append(position)
            if (wrong := self.authority.faults.get(position)) is not None:
                result.fault(position, *wrong)
            if event_type == RECOVERED and statement["data"]["last_entry"] != document["prev"]:
                result.fault(
                    position, Kind.RECOVERY_WRONG, "the checkpoint key let it in after another entry than this one"
                )
        if event_type == PolicyPublished.type and says_alone(statement["data"]):
            result.alone.append(position)
        if event_type == LedgerToolPublished.type:
            name, version, sha256 = (str(statement["data"].get(part, "")) for part in ("tool", "version", "sha256"))
            result.tools.append((position, name, version, sha256))
        self._check_recorder(row, document["recorded_by"], event_type, source, signed=signed, canonical=canonical)
        if signed:
            self._take_signatures(row, document["signatures"], source)
        elif self.authority.sources and self._had_to_sign(document, source, position):
            result.fault(
                position, Kind.UNSIGNED, f"the source {source} must sign its statements, and this one is not signed"
            )
        self._take_refs(position, event_type, document["refs"])
        self._take_beside(position, document, event_class, statement)

    def _check_recorder(
        self, row: Row, recorded_by: dict[str, Any], event_type: str, source: str, *, signed: bool, canonical: bool
    ) -> None:
        result, position, credential = self.result, row.position, recorded_by["credential"]
        shape = (credential, recorded_by["principal"], recorded_by["trust"], event_type, source, signed, row.key_number)
        token = self.recorders.get(shape) if canonical and len(recorded_by) == 3 else None
        if token is not None:
            # All that does not depend on where and when an entry stands was found right for an entry before it.
            fault = token.fault_at(position, self.recorded_at)
        else:
            fault = self.authority.recorded_by_fault(
                recorded_by,
                key=self.keys[row.key_number].key_id if 0 <= row.key_number < len(self.keys) else "",
                position=position,
                recorded_at_us=self.recorded_at,
                event_type=event_type,
                source=source,
                signed=signed,
            )
            if fault is None and recorded_by["trust"] == "token":
                self.recorders[shape] = self.authority.credentials[credential]
        if fault is not None:
            result.fault(position, fault, f"recorded_by is {orjson.dumps(recorded_by).decode()}")
        if self.authority.distrusted(credential, position):
            result.affected.append(
                Affected(position, Kind.CREDENTIAL_DISTRUSTED, f"recorded by {credential}, which was revoked")
            )

    def _had_to_sign(self, document: dict[str, Any], source: str, position: int) -> bool:
        # What the ledger or its local operator states is signed by the ledger itself.
        # Of what came in an envelope, the envelope was.
        is_vouched = document["recorded_by"]["credential"].startswith(("key:", ENVELOPE))
        return self.authority.must_sign(source, position) and not is_vouched

    def _take_signatures(self, row: Row, signatures: Any, source: str) -> None:
        """Check what a producer signed: by which of its keys, and whether they might sign for the source at this position."""
        result, position, keyring = self.result, row.position, self.authority.keyring
        if not isinstance(signatures, list) or not 0 < len(signatures) <= MAX_SIGNATURES:
            result.fault(position, Kind.ENTRY_MALFORMED, f"expected 1 to {MAX_SIGNATURES} producer signatures")
            return
        message = dsse.pae(STATEMENT_PAYLOAD_TYPE, statement_bytes(row.entry)) if self.check_signatures else b""
        for item in signatures:
            try:
                record = keyring.find("producer", item["keyid"])
                if message:
                    keyring.verifying_key(record).check(base64.b64decode(item["sig"], validate=True), message)
            except (VerificationError, ValueError) as error:
                result.fault(position, Kind.PRODUCER_SIGNATURE_WRONG, str(error))
                continue
            if (fault := producer_key_fault(record, position, source)) is not None:
                result.fault(position, fault, f"the producer's key {record.key_id[:16]}… may not sign this statement")
            if record.distrusted_at(position):
                detail = f"signed by the producer's key {record.key_id[:16]}…, which was revoked"
                result.affected.append(Affected(position, Kind.KEY_REVOKED, detail, record.revoked_at))

    def _check_link(self, row: Row, document: dict[str, Any], event_type: str) -> None:
        result, position = self.result, row.position
        prev = bytes.fromhex(document["prev"])
        if document["recorded_at"] != self.recorded_text:
            self.recorded_text = document["recorded_at"]
            self.recorded_us = from_text(self.recorded_text)
        recorded_at = self.recorded_us
        if position == result.start:
            result.first_prev, result.first_recorded_at = prev, recorded_at
            result.first_corrects_clock = event_type == "ledger.clock_corrected"
        elif self.prev is not None:
            if prev not in self.prev:
                result.fault(
                    position,
                    Kind.LINK_BROKEN,
                    f"prev is {prev.hex()[:16]}…, the entry before has {self.prev[0].hex()[:16]}…",
                )
            if recorded_at < self.recorded_at and event_type != "ledger.clock_corrected":
                result.fault(
                    position, Kind.CLOCK_BACKWARDS, f"recorded at {document['recorded_at']}, before the entry before it"
                )
        self.recorded_at = recorded_at

    def _take_refs(self, position: int, event_type: str, refs: dict[str, list[int]]) -> None:
        secrets, products, known = self.secrets, self.result.products, self.refs
        x, a, b = secrets.x, secrets.a, secrets.b
        type_name = self.type_names.get(event_type)
        if type_name is None:
            type_name = self.type_names[event_type] = secrets.name(event_type)
            self.result.type_ids[event_type] = position
        product = products.entry_refs
        for number, (ref, (ordinal, before)) in enumerate(refs.items()):
            if type(ordinal) is not int or type(before) is not int:
                raise TypeError("a back-pointer is a pair of integers")
            latest = known.get(ref)
            if latest is None:
                name = secrets.name(ref)
                known[ref] = [name, ordinal, position]
                # The first of this ref in this range: what it points to lies in an earlier range, or nowhere.
                if ordinal > 1:
                    products.pointed_to = products.pointed_to * (x + name + (ordinal - 1) * a + before * b) % PRIME
                elif before != 0 or ordinal != 1:
                    self.result.fault(
                        position, Kind.BACK_POINTER_WRONG, f"{ref} is counted {ordinal} after position {before}"
                    )
                if ordinal == 1:
                    products.ref_ids = secrets.times(products.ref_ids, name, position * MAX_REFS_PER_ENTRY + number)
            else:
                name = latest[0]
                if latest[1] + 1 != ordinal or latest[2] != before:
                    self.result.fault(
                        position,
                        Kind.BACK_POINTER_WRONG,
                        f"{ref} is {[ordinal, before]}, expected {[latest[1] + 1, latest[2]]}",
                    )
                latest[1], latest[2] = ordinal, position
            if before >= position:
                self.result.fault(position, Kind.BACK_POINTER_WRONG, f"{ref} points forward to {before}")
            product = product * (x + name + position * a + type_name * b) % PRIME
        products.entry_refs = product

    def _take_beside(
        self, position: int, document: dict[str, Any], event_class: Any, statement: dict[str, Any]
    ) -> None:
        result, secrets, products = self.result, self.secrets, self.result.products
        source = statement["source"]
        if source not in self.source_names:
            self.source_names[source] = 0
            result.source_ids[source] = position
        products.statements = secrets.times(products.statements, secrets.name(f"{source} {statement['id']}"), position)
        # Most entries have nothing beside them.
        if not document["evidence"] and (event_class is None or not event_class.erasable_fields):
            return
        for kind, value in beside(document, event_class):
            if kind == "text":
                products.texts = secrets.times(products.texts, secrets.name(value), position)
            else:
                products.evidence = secrets.times(products.evidence, secrets.name(value), position)

    def _check_signature(self, row: Row) -> None:
        if not 0 <= row.key_number < len(self.keys):
            self.result.fault(
                row.position, Kind.KEY_UNKNOWN, f"signed by key number {row.key_number}, of {len(self.keys)} enrolled"
            )
            return
        key = self.keys[row.key_number]
        try:
            self.authority.keyring.verifying_key(key).check(row.signature, dsse.pae(ENTRY_PAYLOAD_TYPE, row.entry))
        except VerificationError as error:
            self.result.fault(row.position, Kind.SIGNATURE_WRONG, str(error))
            return
        if (fault := key.fault_at(row.position)) is not None:
            self.result.fault(row.position, Kind(fault), f"key {key.key_id[:16]}… may not sign position {row.position}")
        elif key.distrusted_at(row.position):
            detail = f"signed by the entry key {key.key_id[:16]}…, which was revoked"
            self.result.affected.append(Affected(row.position, Kind.KEY_REVOKED, detail, key.revoked_at))

    def heads_of_refs(self) -> dict[str, tuple[int, int]]:
        return {ref: (ordinal, position) for ref, (_, ordinal, position) in self.refs.items()}

    def finish(self) -> RangeResult:
        result, secrets, products = self.result, self.secrets, self.result.products
        for name, ordinal, position in self.refs.values():
            products.pointed_from = secrets.times(products.pointed_from, name, ordinal, position)
        result.last_leaf, result.last_computed = self.prev or (b"", b"")
        result.last_recorded_at = self.recorded_at
        result.rest_size = self.frontier.size % TILE_WIDTH
        result.rest = self.frontier.nodes[len(self.frontier.nodes) - result.rest_size.bit_count() :]
        return result


def walk(
    rows: Iterable[Row],
    *,
    start: int,
    count: int,
    authority: Authority,
    secrets: Fingerprints,
    check_signatures: bool = True,
    checkpoints: Iterable[RawCheckpoint] = (),
    given: Iterable[Claim] = (),
    commitments: Collection[int] = (),
    trusted_witnesses: Collection[bytes] | None = None,
) -> RangeResult:
    """Audit the entries from `start` to `start + count − 1`. `start − 1` must be a multiple of the width of a tile.

    `authority` is folded from all authority entries; validity is by position, so it serves every range. `checkpoints` are
    those kept for sizes in the range, `given` what the auditor brought along, `commitments` the positions as of which heads
    were committed to.
    """
    state = _Walk(start, count, authority, secrets, check_signatures)
    claims = claims_by_size(given, start, count)
    for raw in checkpoints:
        for item in read_claim(raw, authority, trusted_witnesses):
            if isinstance(item, Claim):
                claims.setdefault(raw.size, []).append(item)
            else:
                state.result.fault(raw.size, *item)
    expected = start
    for row in rows:
        if row.position != expected:
            if row.position > expected:
                state.result.fault(expected, Kind.MISSING, f"positions {expected} to {row.position - 1} are not there")
            state.prev = None if row.position > expected else state.prev
            expected = row.position
        state.take(row)
        state.result.found += 1
        if expected in claims and state.frontier.size == expected - start + 1:
            state.result.heads.append(Head(expected, tuple(state.frontier.nodes), tuple(claims[expected])))
        if expected in commitments:
            state.result.refs_at[expected] = state.heads_of_refs()
        expected += 1
    if commitments:
        state.result.refs = state.heads_of_refs()
    if expected < start + count:
        state.result.fault(expected, Kind.MISSING, f"positions {expected} to {start + count - 1} are not there")
    return state.finish()


@dataclass(frozen=True)
class Job:
    """What every range of one audit is walked with."""

    authority: Authority
    secrets: Fingerprints
    signatures: bool
    given: tuple[Claim, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    # Public keys of the witnesses that the auditor believes; None believes those that the ledger names.
    trusted_witnesses: frozenset[bytes] | None = None

    def walk(
        self, rows: Iterable[Row], start: int, count: int, checkpoints: Iterable[RawCheckpoint] = ()
    ) -> RangeResult:
        return walk(
            rows,
            start=start,
            count=count,
            authority=self.authority,
            secrets=self.secrets,
            check_signatures=self.signatures,
            checkpoints=checkpoints,
            given=self.given,
            commitments={commitment.as_of for commitment in self.commitments},
            trusted_witnesses=self.trusted_witnesses,
        )
