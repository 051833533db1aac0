"""Ranges: the rows that are walked together, and what is found in them. Made by `ledger.audit.walk`, joined by `ledger.audit.summary`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ledger.audit.checkpoints import Head
from ledger.audit.fingerprints import Products
from ledger.events import Event
from ledger.faults import MAX_FAULTS, Affected, Fault, Kind
from signing.merkle import TILE_WIDTH

# Ranges start at multiples of a tile, so that their subtrees join.
RANGE: Final = 32 * TILE_WIDTH


def whole_tiles(size: int) -> int:
    """Return the position at which the last full tile ends: nothing joins a tile that two ranges have begun."""
    return size // TILE_WIDTH * TILE_WIDTH


class Row(NamedTuple):
    """One stored entry. The columns beside the bytes are None where they are not at hand."""

    position: int
    key_number: int
    leaf_hash: bytes
    signature: bytes
    entry: bytes
    type_name: str | None = None


@dataclass
class RangeResult:
    """What was found in the entries from `start` on, `count` of them expected."""

    start: int
    count: int
    found: int = 0
    first_prev: bytes = b""
    first_recorded_at: int = 0
    first_corrects_clock: bool = False
    last_leaf: bytes = b""
    last_computed: bytes = b""
    last_recorded_at: int = 0
    tiles: list[bytes] = field(default_factory=list)  # nodes at the height of a tile
    rest: list[bytes] = field(default_factory=list)  # frontier of the last, unfinished tile
    rest_size: int = 0
    products: Products = field(default_factory=Products)
    type_ids: dict[str, int] = field(default_factory=dict)
    source_ids: dict[str, int] = field(default_factory=dict)
    authority: list[int] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)
    # Where commitments are to be made again: (count, last position) by ref at the end of the range, and as of each of them.
    refs: dict[str, tuple[int, int]] = field(default_factory=dict)
    refs_at: dict[int, dict[str, tuple[int, int]]] = field(default_factory=dict)
    # Where a policy was published by which one person works here alone.
    alone: list[int] = field(default_factory=list)
    # Which programs were published: position, name, version and SHA-256 of each.
    tools: list[tuple[int, str, str, str]] = field(default_factory=list)
    affected: list[Affected] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, position: int, kind: Kind, detail: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(position, kind, detail))


def beside(document: dict[str, Any], event_class: type[Event] | None) -> Iterator[tuple[str, str]]:
    """Yield what an entry says lies beside the log: ("text", field) and ("evidence", digest)."""
    if event_class is not None and event_class.erasable_fields:
        data = document["statement"]["data"]
        for name in event_class.erasable_fields:
            if isinstance(data.get(name), dict):
                yield "text", name
    for item in document["evidence"]:
        yield "evidence", item["sha256"]
