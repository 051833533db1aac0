"""What an audit comes to: the ranges joined in order, held against a pin, as a report with a verdict. As pure as the walk."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ledger.audit.checkpoints import Commitment, Head, revocations
from ledger.audit.walk import MAX_FAULTS, Affected, Fault, Job, Products, RangeResult
from ledger.authority import Authority
from ledger.entry import NO_PREVIOUS
from ledger.published.heads import heads_root
from signing.checkpoint import Checkpoint
from signing.keys import key_id
from signing.merkle import TILE_HEIGHT, TILE_WIDTH, Frontier, node_hash
from signing.timestamps import Certificates


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
    # Of the checkpoints that hold: the last one's size, who signed any, the last cosigned one, and for each revocation
    # of a key the last cosigned one before it.
    checkpoint_size: int = 0
    signed_by: list[str] = field(default_factory=list)
    cosigned_size: int = 0
    anchors: dict[int, int] = field(default_factory=dict)
    # The heads of all refs so far; kept only where the ledger committed to heads, because commitments are made again from them.
    commitments: tuple[Commitment, ...] = ()
    refs: dict[str, tuple[int, int]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    affected: list[Affected] = field(default_factory=list)

    @classmethod
    def of(cls, job: Job) -> "Summary":
        """Return the summary of a walk that has not begun."""
        return cls(anchors=dict.fromkeys(revocations(job.authority), 0), commitments=job.commitments)

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
        for head in part.heads:
            self._hold(head)
        for commitment in self.commitments:
            if commitment.as_of in part.refs_at:
                self._check_commitment(commitment, self.refs | part.refs_at[commitment.as_of])
        self.refs.update(part.refs)
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

    def say_anchored(self) -> list[Affected]:
        """Return the affected entries; of those whose key was revoked it is said whether somebody outside vouched for them before."""
        return [
            item
            if item.revoked_at is None
            else replace(item, anchored=self.anchors.get(item.revoked_at, 0) >= item.position)
            for item in self.affected
        ]

    def _hold(self, head: Head) -> None:
        """Hold what is claimed of the tree at a size against the tree. `self.size` is where the head's range begins."""
        if self.upper.size * TILE_WIDTH != self.size:
            return  # Entries before it are missing, which is reported: no tree can be made of the rest.
        frontier = Frontier(self.size, self.upper.nodes)
        frontier.extend(Frontier(head.size - self.size, head.nodes, start=self.size))
        root = frontier.root()
        for claim in head.claims:
            if claim.root != root:
                detail = f"a checkpoint of size {head.size} has the root {claim.root.hex()}, the entries make it {root.hex()}"
                self.faults.append(Fault(head.size, claim.kind, detail))
                continue
            self.signed_by = sorted({*self.signed_by, *claim.signed_by})
            self.checkpoint_size = max(self.checkpoint_size, head.size if claim.signed_by else 0)
            if claim.witnesses:
                self.anchor(head.size)

    def _check_commitment(self, commitment: Commitment, heads: dict[str, tuple[int, int]]) -> None:
        root = heads_root(heads).hex()
        if (commitment.ref_count, commitment.root) != (len(heads), root):
            detail = (
                f"the heads as of position {commitment.as_of} were committed to as {commitment.ref_count} refs under "
                f"{commitment.root[:16]}…, the entries make them {len(heads)} under {root[:16]}…"
            )
            self.faults.append(Fault(commitment.position, "heads-commitment-wrong", detail))

    def anchor(self, size: int) -> None:
        """Take into account that somebody outside vouches for the first `size` entries."""
        self.cosigned_size = max(self.cosigned_size, size)
        for revoked_at in self.anchors:
            if size < revoked_at:
                self.anchors[revoked_at] = max(self.anchors[revoked_at], size)

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
    # Public keys of the witnesses that are believed; None believes those that the ledger itself names.
    witnesses: frozenset[bytes] | None = None
    # Root certificates of the timestamp authorities that are believed.
    authorities: Certificates | None = None
    # Ids of the entry keys that the checkpoint key let in, and that are accepted.
    recovered: frozenset[str] = frozenset()


def check_pin(pin: Pin | None, authority: Authority, genesis: bytes, summary: Summary) -> tuple[bool, list[Fault]]:
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
    # A public key can be copied into a forged genesis: it anchors by what it has signed.
    signed = pin.checkpoint_key is not None and key_id(pin.checkpoint_key) in summary.signed_by
    return (pin.genesis is not None or signed) and not faults, faults


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
    affected: tuple[Affected, ...] = ()
    notes: tuple[str, ...] = ()
    # Whether all entries were walked, so that the tree and the way from the genesis were checked too.
    whole: bool = True
    # What a pin names beside the genesis: the first checkpoint key, raw.
    checkpoint_key: bytes = b""
    # How far the ledger's own checkpoints reach, and how far those that somebody outside vouches for.
    checkpoint_size: int = 0
    anchored_size: int = 0
    # Whether the auditor named the witnesses that count.
    witnesses_pinned: bool = False
    # Ids of the entry keys that the checkpoint key let in (`ledger.key_recovered`), and of those that the pin has not accepted.
    recovered: tuple[str, ...] = ()
    unaccepted: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        if self.faults:
            return "faults"
        anchored = self.pinned and not self.unaccepted
        return "sound" if anchored and self.signatures and self.whole else "consistent"

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
            "checkpoint_size": self.checkpoint_size,
            "anchored_size": self.anchored_size,
            "witnesses_pinned": self.witnesses_pinned,
            "recovered": list(self.recovered),
            "unaccepted": list(self.unaccepted),
            "signatures_checked": self.signatures,
            "faults": [asdict(fault) for fault in self.faults],
            "affected": [asdict(fault) for fault in self.affected],
            "notes": list(self.notes),
        }


def expected_nodes(summary: Summary) -> Sequence[tuple[int, int, bytes]]:
    """Return the tree nodes that must be stored, in order."""
    return [(height, index, node) for (height, index), node in sorted(summary.nodes.items())]


def beyond_the_end(given: Sequence[Checkpoint], summary: Summary) -> list[Fault]:
    """Return the checkpoints that somebody holds of sizes that this ledger does not reach any more: its tail is gone."""
    return [
        Fault(
            summary.size,
            "checkpoint-contradicted",
            f"a checkpoint of size {held.size} was signed, and the ledger ends at {summary.size}",
        )
        for held in given
        if held.size > summary.size
    ]


def make_report(
    summary: Summary,
    authority: Authority,
    *,
    pin: Pin | None,
    genesis: bytes,
    signatures: bool,
    notes: Sequence[str],
    whole: bool = True,
) -> Report:
    """Return the report of a walk that has ended, held against the pin."""
    pinned, pin_faults = check_pin(pin, authority, genesis, summary)
    unaccepted = [item for item in authority.recoveries if pin is None or item[1] not in pin.recovered]
    told = [
        f"position {position}: the checkpoint key let the entry key {identifier} in, and no pin accepts that: ask the operator why"
        for position, identifier in unaccepted
    ]
    if (before := authority.predecessor) is not None:
        told.append(
            f"this ledger goes on from {before.get('origin')}, whose last checkpoint had size {before.get('size')} and root "
            f"{before.get('root')}"
        )
    return Report(
        origin=authority.origin,
        size=summary.size,
        entries=summary.entries,
        root=summary.root(),
        genesis=genesis,
        last_leaf=summary.last_leaf,
        pinned=pinned,
        signatures=signatures,
        faults=tuple(sorted({*summary.faults, *pin_faults})),
        affected=tuple(sorted(set(summary.say_anchored()), key=lambda item: (item.position, item.kind, item.detail))),
        notes=(*notes, *told),
        whole=whole,
        checkpoint_key=next((key.public_key for key in authority.keyring.numbered("checkpoint")), b""),
        checkpoint_size=summary.checkpoint_size,
        anchored_size=summary.cosigned_size,
        witnesses_pinned=pin is not None and pin.witnesses is not None,
        recovered=tuple(identifier for _, identifier in authority.recoveries),
        unaccepted=tuple(identifier for _, identifier in unaccepted),
    )
