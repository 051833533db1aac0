"""Entries: what the ledger witnessed. One entry is one link of the chain and one leaf of the tree.

The bytes are canonical JSON, frozen at the first release (docs/reference/formats.md). They are put together by hand,
because every part is canonical already and `statement` sorts last: its exact bytes are the slice after `"statement":`
up to the final brace.

    leaf = SHA-256(0x00 || entry bytes)
    prev = the leaf of the entry before; 64 zeros at position 1
"""

import base64
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from ledger.statement import Evidence
from signing import dsse
from signing.merkle import HASH_SIZE

ENTRY_PAYLOAD_TYPE: Final = "application/vnd.change-ledger.entry.v1+json"
FORMAT_VERSION: Final = 1
MAX_ENTRY_BYTES: Final = 65_535
NO_PREVIOUS: Final = bytes(HASH_SIZE)
_STATEMENT_MARK: Final = b',"statement":'


class Receipt(NamedTuple):
    """What a caller is given for an entry: enough to recognise it, and to hold the ledger to it."""

    position: int
    entry_hash: bytes
    signature: bytes
    key_id: str
    recorded_at: str
    source: str
    id: str

    def to_json(self) -> dict[str, Any]:
        return {
            "position": self.position,
            "entry_hash": self.entry_hash.hex(),
            "signature": base64.b64encode(self.signature).decode(),
            "key_id": self.key_id,
            "recorded_at": self.recorded_at,
            "source": self.source,
            "id": self.id,
        }


def recorded_by_json(*, credential: str, principal: str, trust: str, claims: Mapping[str, str] | None = None) -> bytes:
    """Return who recorded an entry, as it carries it. `claims` of a verified token sort first, by their names."""
    stated = {"claims": dict(sorted(claims.items()))} if claims is not None else {}
    return orjson.dumps({**stated, "credential": credential, "principal": principal, "trust": trust})


def signatures_json(signatures: tuple[dsse.Signature, ...]) -> bytes:
    """Return a producer's signatures as an entry carries them; nothing when it did not sign."""
    if not signatures:
        return b""
    return orjson.dumps([{"keyid": s.keyid, "sig": base64.b64encode(s.sig).decode()} for s in signatures])


def evidence_json(evidence: tuple[Evidence, ...]) -> bytes:
    if not evidence:
        return b"[]"
    return orjson.dumps([{"media_type": e.media_type, "sha256": e.sha256.hex(), "size": len(e.body)} for e in evidence])


def make_entry(
    *,
    ledger: bytes,
    evidence: bytes,
    position: int,
    prev: bytes,
    recorded_at: bytes,
    recorded_by: bytes,
    refs: bytes,
    statement: bytes,
    signatures: bytes = b"",
) -> bytes:
    """Return the canonical bytes of an entry from canonical parts. `ledger` and `recorded_at` come with their quotes."""
    return (
        b'{"entry":1,"evidence":%b,"ledger":%b,"position":%d,"prev":"%b","recorded_at":%b,"recorded_by":%b,"refs":%b%b,"statement":%b}'
        % (
            evidence,
            ledger,
            position,
            prev.hex().encode(),
            recorded_at,
            recorded_by,
            refs,
            b',"signatures":' + signatures if signatures else b"",
            statement,
        )
    )


def statement_bytes(entry: bytes) -> bytes:
    """Return the exact bytes of the statement inside an entry: nothing is parsed, nothing is serialised again."""
    # No part before it can hold the mark: keys and refs have no quotes, and every string of a canonical entry
    # escapes its own.
    start = entry.index(_STATEMENT_MARK) + len(_STATEMENT_MARK)
    return entry[start:-1]


def prev_of(entry: bytes) -> bytes | None:
    """Return the `prev` hash that stands in an entry's bytes, or None when there is none."""
    start = entry.find(b',"prev":"')
    try:
        return bytes.fromhex(entry[start + 9 : start + 73].decode()) if start > 0 else None
    except ValueError:
        return None
