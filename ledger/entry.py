"""Entries: what the ledger witnessed. One entry is one link of the chain and one leaf of the tree.

The bytes are canonical JSON, frozen at the first release (docs/reference/formats.md). They are put together by hand,
because every part is canonical already and `statement` sorts last: its exact bytes are the slice after `"statement":`
up to the final brace.

    leaf = SHA-256(0x00 || entry bytes)
    prev = the leaf of the entry before; 64 zeros at position 1
"""

import base64
from collections.abc import Mapping, Sequence
from functools import lru_cache
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


@lru_cache(maxsize=8)
def _origin_json(origin: str) -> bytes:
    return orjson.dumps(origin)


def make_entry(
    *,
    ledger: str,
    evidence: Sequence[Evidence],
    position: int,
    prev: bytes,
    recorded_at: str,
    recorded_by: bytes,
    refs: Sequence[tuple[str, int, int]],
    statement: bytes,
    signatures: Sequence[dsse.Signature] = (),
) -> bytes:
    """Return the canonical bytes of an entry.

    `prev` is a leaf hash of 32 bytes; `recorded_by` comes from `recorded_by_json`, `statement` is canonical; `refs` are
    (name, how often with this entry, where before or 0), sorted by name; a statement that nobody signed has no `signatures`.
    """
    witnessed = [{"media_type": e.media_type, "sha256": e.sha256.hex(), "size": len(e.body)} for e in evidence]
    signed = [{"keyid": s.keyid, "sig": base64.b64encode(s.sig).decode()} for s in signatures]
    return (
        b'{"entry":1,"evidence":%b,"ledger":%b,"position":%d,"prev":"%b","recorded_at":"%b","recorded_by":%b,"refs":{%b}%b,"statement":%b}'
        % (
            orjson.dumps(witnessed) if witnessed else b"[]",
            _origin_json(ledger),
            position,
            prev.hex().encode(),
            recorded_at.encode(),
            recorded_by,
            # Names of refs are ASCII without quotes.
            ",".join([f'"{name}":[{count},{before}]' for name, count, before in refs]).encode(),
            b',"signatures":' + orjson.dumps(signed) if signed else b"",
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
