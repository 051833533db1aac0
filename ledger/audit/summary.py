"""The ranges of an audit, joined in order from position 1 on. Held against nothing yet: that is the report. As pure as the walk.

Saved between two ranges (`ledger.audit.progress`), and so made of what JSON can hold, or says how it is held.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from ledger.audit.checkpoints import Commitment, Head, revocations
from ledger.audit.fingerprints import Products
from ledger.audit.ranges import RangeResult
from ledger.audit.walk import Job
from ledger.entry import NO_PREVIOUS
from ledger.faults import MAX_FAULTS, Affected, Fault, Kind
from ledger.published.heads import heads_root
from ledger.words import number_of
from signing.checkpoint import Checkpoint
from signing.merkle import TILE_HEIGHT, TILE_WIDTH, Frontier, node_hash


class _KeptAs:
    """Says how a field is kept: as a value of another type, from which it is made again."""

    def __init__(self, kept: Any, take: Callable[[Any], Any], make: Callable[[Any], Any]) -> None:
        self._kept, self._take, self._make = kept, take, make

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        kept = handler.generate_schema(self._kept)
        how = core_schema.plain_serializer_function_ser_schema(self._take, return_schema=kept)
        return core_schema.no_info_after_validator_function(self._make, kept, serialization=how)


_AS_PARTS: Final = _KeptAs(tuple[int, list[bytes]], lambda upper: (upper.size, upper.nodes), lambda of: Frontier(*of))
_AS_ROWS: Final = _KeptAs(
    list[tuple[int, int, bytes]],
    lambda nodes: [(*at, node) for at, node in nodes.items()],
    lambda rows: {(height, index): node for height, index, node in rows},
)


@dataclass
class Summary:
    """The ranges joined so far, from position 1 on."""

    size: int = 0
    entries: int = 0
    last_leaf: bytes = NO_PREVIOUS
    last_computed: bytes = NO_PREVIOUS
    last_recorded_at: int = 0
    # Over tiles: one leaf for every 256 entries.
    upper: Annotated[Frontier, _AS_PARTS] = field(default_factory=Frontier)
    rest: list[bytes] = field(default_factory=list)
    rest_size: int = 0
    nodes: Annotated[dict[tuple[int, int], bytes], _AS_ROWS] = field(default_factory=dict)
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
    # Where a policy was published by which one person works here alone.
    alone: list[int] = field(default_factory=list)
    # Which programs were published: position, name, version and SHA-256 of each.
    tools: list[tuple[int, str, str, str]] = field(default_factory=list)
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
                        Kind.LINK_BROKEN,
                        f"prev is {part.first_prev.hex()[:16]}…, expected {self.last_leaf.hex()[:16]}…",
                    )
                )
            if part.first_prev and part.first_recorded_at < self.last_recorded_at and not part.first_corrects_clock:
                self.faults.append(Fault(part.start, Kind.CLOCK_BACKWARDS, "recorded before the entry before it"))
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
        self.alone += part.alone[: max(0, MAX_FAULTS - len(self.alone))]
        self.tools += part.tools[: max(0, MAX_FAULTS - len(self.tools))]
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
                f"the heads as of position {commitment.as_of} were committed to as {number_of(commitment.ref_count, 'ref')} under "
                f"{commitment.root[:16]}…, the entries make them {len(heads)} under {root[:16]}…"
            )
            self.faults.append(Fault(commitment.position, Kind.HEADS_COMMITMENT_WRONG, detail))

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


def expected_nodes(summary: Summary) -> Sequence[tuple[int, int, bytes]]:
    """Return the tree nodes that must be stored, in order."""
    return [(height, index, node) for (height, index), node in sorted(summary.nodes.items())]


def beyond_the_end(given: Sequence[Checkpoint], summary: Summary) -> list[Fault]:
    """Return the checkpoints that somebody holds of sizes that this ledger does not reach any more: its tail is gone."""
    return [
        Fault(
            summary.size,
            Kind.CHECKPOINT_CONTRADICTED,
            f"a checkpoint of size {held.size} was signed, and the ledger ends at {summary.size}",
        )
        for held in given
        if held.size > summary.size
    ]
