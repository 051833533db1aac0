"""What an audit comes to: the ranges joined in order, held against a pin, as a report with a verdict. As pure as the walk."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ledger.audit import MAX_FAULTS, Fault, Products, RangeResult
from ledger.credentials import Authority
from ledger.entry import NO_PREVIOUS
from signing.merkle import TILE_HEIGHT, Frontier, node_hash


@dataclass
class Summary:
    """The ranges joined so far, from position 1 on."""

    size: int = 0
    entries: int = 0
    last_leaf: bytes = NO_PREVIOUS
    last_computed: bytes = NO_PREVIOUS
    last_recorded_at: int = 0
    upper: Frontier = field(default_factory=Frontier)  # over tiles: one leaf for every 256 entries
    rest: list[bytes] = field(default_factory=list)
    rest_size: int = 0
    nodes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    products: Products = field(default_factory=Products)
    type_ids: dict[str, int] = field(default_factory=dict)
    source_ids: dict[str, int] = field(default_factory=dict)
    authority: list[int] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    affected: list[Fault] = field(default_factory=list)

    def add(self, part: RangeResult) -> None:
        """Join the range that follows. Its first entry is held against the last one so far."""
        if part.start != self.size + 1:
            raise ValueError(f"expected the range from position {self.size + 1}, found {part.start}")
        if part.found:
            if part.first_prev and part.first_prev not in (self.last_leaf, self.last_computed):
                self.faults.append(
                    Fault(
                        part.start,
                        "link-broken",
                        f"prev is {part.first_prev.hex()[:16]}…, expected {self.last_leaf.hex()[:16]}…",
                    )
                )
            if part.first_prev and part.first_recorded_at < self.last_recorded_at and not part.first_corrects_clock:
                self.faults.append(Fault(part.start, "clock-backwards", "recorded before the entry before it"))
            self.last_leaf, self.last_computed = part.last_leaf, part.last_computed
            self.last_recorded_at = part.last_recorded_at
        for node in part.tiles:
            self.nodes[TILE_HEIGHT, self.upper.size] = node
            self.upper.append(
                node, lambda height, index, upper: self.nodes.__setitem__((height + TILE_HEIGHT, index), upper)
            )
        self.rest, self.rest_size = part.rest, part.rest_size
        self.products.join(part.products)
        for name, position in part.type_ids.items():
            self.type_ids.setdefault(name, position)
        for name, position in part.source_ids.items():
            self.source_ids.setdefault(name, position)
        self.authority += part.authority
        self.faults += part.faults[: max(0, MAX_FAULTS - len(self.faults))]
        self.affected += part.affected[: max(0, MAX_FAULTS - len(self.affected))]
        self.size += part.count
        self.entries += part.found

    def frontier(self) -> bytes:
        """Return the frontier of the whole tree, as the head row keeps it."""
        return b"".join([*self.upper.nodes, *self.rest])

    def root(self) -> bytes:
        nodes = [*self.upper.nodes, *self.rest]
        if not nodes:
            return Frontier().root()
        root = nodes[-1]
        for node in reversed(nodes[:-1]):
            root = node_hash(node, root)
        return root


@dataclass(frozen=True)
class Pin:
    """The anchor from outside the data: without it nobody can say that this ledger is *the* ledger."""

    origin: str | None = None
    genesis: bytes | None = None
    checkpoint_key: bytes | None = None


def check_pin(pin: Pin | None, authority: Authority, genesis: bytes) -> tuple[bool, list[Fault]]:
    """Return whether the ledger is anchored by `pin`, and what in it contradicts the pin."""
    if pin is None:
        return False, []
    faults = []
    if pin.origin is not None and pin.origin != authority.origin:
        faults.append(
            Fault(1, "not-pinned-origin", f"the pin says {pin.origin!r}, the ledger calls itself {authority.origin!r}")
        )
    if pin.genesis is not None and pin.genesis != genesis:
        faults.append(
            Fault(1, "not-pinned-genesis", f"the pin says {pin.genesis.hex()}, position 1 hashes to {genesis.hex()}")
        )
    if pin.checkpoint_key is not None:
        keys = [record.public_key for record in authority.keyring.numbered("checkpoint")]
        if pin.checkpoint_key not in keys:
            faults.append(Fault(1, "not-pinned-key", "the pinned checkpoint key is not one of this ledger's"))
    # A public checkpoint key can be copied into a forged genesis: only the genesis hash anchors, until
    # checkpoints are signed by that key.
    return pin.genesis is not None and not faults, faults


@dataclass(frozen=True)
class Report:
    """What an audit found. `verdict`: sound, faults, or consistent (no faults, but nothing from outside to hold it against)."""

    origin: str
    size: int
    entries: int
    root: bytes
    genesis: bytes
    last_leaf: bytes
    pinned: bool
    signatures: bool
    faults: tuple[Fault, ...]
    # Entries that are what they were, recorded by a credential that was later found to have leaked before them.
    affected: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    # Whether all entries were walked, so that the tree and the way from the genesis were checked too.
    whole: bool = True
    # What a pin names beside the genesis: the first checkpoint key, raw.
    checkpoint_key: bytes = b""

    @property
    def verdict(self) -> str:
        return "faults" if self.faults else "sound" if self.pinned and self.signatures and self.whole else "consistent"

    @property
    def exit_status(self) -> int:
        """0 sound under a pin, 1 faults, 3 consistent but not pinned (2, could not check, is the caller's)."""
        return {"sound": 0, "faults": 1, "consistent": 3}[self.verdict]

    def to_json(self) -> dict[str, Any]:
        return {
            "origin": self.origin,
            "verdict": self.verdict,
            "size": self.size,
            "entries": self.entries,
            "root": self.root.hex() if self.whole else None,
            "genesis": self.genesis.hex(),
            "last_entry_hash": self.last_leaf.hex(),
            "pinned": self.pinned,
            "signatures_checked": self.signatures,
            "faults": [asdict(fault) for fault in self.faults],
            "affected": [asdict(fault) for fault in self.affected],
            "notes": list(self.notes),
        }


def expected_nodes(summary: Summary) -> Sequence[tuple[int, int, bytes]]:
    """Return the tree nodes that must be stored, in order."""
    return [(height, index, node) for (height, index), node in sorted(summary.nodes.items())]
