"""The audit of anybody's C2SP log: checkpoint, tree, and the hash of every entry. What entries mean is not looked at."""

from collections.abc import Callable, Sequence

from ledger.audit.log_files import Files, FilesSource, check_upper, read_head, refuse_another_format
from ledger.audit.report import Report
from ledger.audit.summary import Summary
from ledger.faults import Fault, Kind
from ledger.published.durable import said
from signing import tiles
from signing.checkpoint import check_checkpoint
from signing.errors import VerificationError
from signing.merkle import EMPTY_ROOT, TILE_HEIGHT, Frontier, leaf_hash
from signing.notes import NoteKey


def audit_opaque(
    files: Files, keys: Sequence[NoteKey], on_progress: Callable[[int, int], None] = lambda done, size: None
) -> Report:
    """Audit any C2SP log whose leaves are the hashes of its entries: checkpoint, tree and every entry's hash.

    What the entries mean is not looked at. Without keys the checkpoint's signature is not checked, and the verdict says so.
    """
    note, head = read_head(files)
    refuse_another_format(files, head)
    faults: list[Fault] = []
    pinned = False
    if keys:
        try:
            check_checkpoint(note, keys)
            pinned = True
        except VerificationError as error:
            faults.append(Fault(head.size, Kind.CHECKPOINT_WRONG, str(error)))
    source = FilesSource(files, head.size, {})
    frontier, nodes, last, genesis = Frontier(), dict[tuple[int, int], bytes](), b"", b""

    def keep(height: int, index: int, node: bytes) -> None:
        if height % TILE_HEIGHT == 0:  # What the tiles above hold; the nodes between would be as many as the entries.
            nodes[height, index] = node

    for tile in source.tiles_of(1, head.size):
        try:
            entries = source.bundle(tile)
            hashes = tiles.split_hashes(tile, files.read(tile.path))
        except (OSError, VerificationError) as error:
            faults.append(Fault(tile.first + 1, Kind.TILE_WRONG, said(error)[:300]))
            continue
        for position, (entry, stored) in enumerate(zip(entries, hashes, strict=True), tile.first + 1):
            last = leaf_hash(entry)
            genesis = genesis or last
            if last != stored:
                faults.append(
                    Fault(
                        position, Kind.ENTRY_ALTERED, f"the entry hashes to {last.hex()}, the tile has {stored.hex()}"
                    )
                )
            frontier.append(last, keep)
        on_progress(tile.first + tile.width, head.size)
    summary = Summary(size=head.size, nodes=nodes)
    faults += check_upper(files, summary)
    root = frontier.root() if frontier.size == head.size else EMPTY_ROOT
    if root != head.root:
        faults.append(
            Fault(head.size, Kind.CHECKPOINT_WRONG, f"it has the root {head.root.hex()}, the entries make {root.hex()}")
        )
    return Report(
        origin=head.origin,
        size=head.size,
        entries=frontier.size,
        root=root,
        genesis=genesis,
        last_leaf=last,
        pinned=pinned,
        signatures=True,
        faults=tuple(sorted(set(faults))),
        notes=("entries are opaque: only their hashes, the tree and the checkpoint were checked",),
        checkpoint_size=head.size if pinned else 0,
    )
