"""Exports for tests: one with everything in it, its audit, the ways to break it, and a log that is somebody else's."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import rfc8785
from ledgers import (
    CHECKPOINT_KEY,
    ENTRY_KEY,
    ORIGIN,
    admit,
    append,
    cloud_event,
    create_ledger,
    enrol_witness,
    keep_checkpoint,
    possession,
)
from textbook_tree import textbook_root

from ledger.audit.log_files import Directory
from ledger.audit.of_files import audit_files
from ledger.audit.report import Pin, Report
from ledger.canonical import encode
from ledger.entry import ENTRY_PAYLOAD_TYPE
from ledger.errors import SetupError
from ledger.ledger import Ledger
from ledger.log.reading import read_entry
from ledger.log.recorder import Outcome, Recorded, Submission
from ledger.published.export import export
from ledger.statement import STATEMENT_PAYLOAD_TYPE, Evidence
from ledger.stewardship.commitments import commit_heads
from ledger.stewardship.keys import enrol_key
from ledger.stewardship.removal import erase_texts, remove_evidence
from signing import dsse
from signing.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from signing.keys import SigningKey, VerifyingKey
from signing.merkle import leaf_hash
from signing.notes import Note, NoteKey
from signing.tiles import (
    ENTRIES,
    SIGNATURES,
    Tile,
    beside,
    format_bundle,
    format_signatures,
    parse_bundle,
    tiles_of,
)

LOG_KEY = NoteKey(ORIGIN, CHECKPOINT_KEY.public_key)
PRODUCER_KEY = SigningKey.from_seed(b"p" * 32)
STRANGERS_KEY = SigningKey.from_seed(b"x" * 32)
BY_KEY = Pin(checkpoint_key=CHECKPOINT_KEY.public_key)


def paths(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.rglob("*")) if path.is_file())


def contents(root: Path) -> dict[str, bytes]:
    """Return what every file below a directory holds, by its name there."""
    return {str(path.relative_to(root)): path.read_bytes() for path in paths(root)}


def put(root: Path, files: dict[str, bytes]) -> Path:
    """Make a directory hold these files."""
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def position_of(outcome: Outcome) -> int:
    assert isinstance(outcome, Recorded)
    return outcome.receipts[0].position


def witness(ledger: Ledger, *bodies: bytes) -> int:
    """Append an event with these pieces of evidence; return its position."""
    evidence = tuple(Evidence.of(body, "text/plain") for body in bodies)
    statement = ledger.admission.admit(cloud_event(), evidence=evidence)
    return position_of(ledger.append(Submission((statement,), ledger.local_caller())))


def signed_by_producer(ledger: Ledger) -> int:
    """Append an event that its producer signed; return its position."""
    event = cloud_event() | {"ledger": ORIGIN}
    enrol_key(
        ledger,
        PRODUCER_KEY.public_key,
        role="producer",
        name="service:payments-ci",
        sources=["https://ci.example.com/*"],
        possession=possession(PRODUCER_KEY, "producer"),
        actor="service:local-operator",
    )
    payload = rfc8785.dumps(event)
    signature = dsse.Signature(PRODUCER_KEY.key_id, dsse.sign(PRODUCER_KEY, STATEMENT_PAYLOAD_TYPE, payload))
    statement = ledger.admission.admit_signed(payload, (signature,))
    return position_of(ledger.append(Submission((statement,), ledger.local_caller())))


def grow(ledger: Ledger, size: int, **data: str) -> None:
    """Append plain events until there are `size` entries; keyword arguments go into their data."""
    caller = ledger.local_caller()
    while (missing := size - ledger.size()) > 0:
        ledger.append_group(
            [Submission((admit(ledger, cloud_event(**data)),), caller) for _ in range(min(1000, missing))]
        )


@dataclass(frozen=True)
class Made:
    """An export whose ledger is gone, and what somebody outside knows of it."""

    files: Path
    genesis: bytes
    receipts: list[tuple[int, bytes]]
    checkpoints: list[Checkpoint]

    @property
    def pin(self) -> Pin:
        return Pin(genesis=self.genesis)

    def copy(self, target: Path) -> Path:
        return Path(shutil.copytree(self.files, target))

    def audit(self, files: Path, **more: Any) -> Report:
        return audit_files(Directory(files), pin=self.pin, workers=1, **more)

    def refuses(self, files: Path, **more: Any) -> bool:
        """Say whether an audit finds faults, or nothing that it could check."""
        try:
            return self.audit(files, **more).verdict == "faults"
        except SetupError:
            return True


def make_export(directory: Path) -> Made:
    """Export a ledger with everything, at two checkpoints, in two steps; the second is cosigned. Then delete the database."""
    ledger = create_ledger(f"sqlite:///{directory / 'ledger.db'}")
    enrol_witness(ledger)
    opened = append(ledger, *[cloud_event("change.opened", title=f"Change {number}") for number in range(3)])
    witness(ledger, b"one report", b"one more report")
    removed = witness(ledger, b"another report")
    signed_by_producer(ledger)
    grow(ledger, 259)
    append(ledger, cloud_event("change.opened", title="A later change", description="in the second bundle"))
    notes = [keep_checkpoint(ledger)]
    export(ledger.database, directory / "files")
    erase_texts(ledger, position_of(opened[0]), actor="person:dpo", reason="gdpr-17")
    digest = hashlib.sha256(b"another report").digest()
    remove_evidence(ledger, removed, digest, actor="person:op", reason="retention")
    commit_heads(ledger)
    grow(ledger, 300)
    notes.append(keep_checkpoint(ledger, cosigned=True))
    export(ledger.database, directory / "files")
    with ledger.database.read() as connection:
        receipts = [(at, read_entry(connection, at).leaf_hash) for at in (1, 100, 300)]
    ledger.close()
    for path in directory.glob("ledger.db*"):
        path.unlink()
    return Made(directory / "files", receipts[0][1], receipts, [parse_checkpoint(note.text) for note in notes])


def hashes_of(tile: Tile, leaves: list[bytes]) -> bytes:
    """Return what a tile holds by the definition of tlog-tiles: MTH(D[(n * 256 + i) * 256**l : (n * 256 + i + 1) * 256**l])."""
    below = 256 ** int(tile.level)
    places = range(tile.first, tile.first + tile.width)
    return b"".join(textbook_root(leaves[place * below : (place + 1) * below]) for place in places)


# -- breaking it -----------------------------------------------------------------------------------------------------


def places_of(size: int, most: int) -> list[int]:
    """Return all places of a file, or `most` of them over its length: the first, the last, some that follow one another."""
    if size <= most:
        return list(range(size))
    return sorted({*range(4), *range(size - 4, size), *(number * size // most for number in range(most))})


@contextmanager
def changed(path: Path, data: bytes) -> Iterator[None]:
    """A file holds something else for a while."""
    before = path.read_bytes()
    path.write_bytes(data)
    try:
        yield
    finally:
        path.write_bytes(before)


@contextmanager
def verified_once(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Verify each (key, signature, message) once only: hundreds of audits of nearly the same entries take seconds."""
    check, good = VerifyingKey.check, set[tuple[bytes, bytes, bytes]]()

    def checked(self: VerifyingKey, signature: bytes, message: bytes) -> None:
        if (known := (self.public_key, signature, message)) not in good:
            check(self, signature, message)
            good.add(known)

    with patch.context() as context:
        context.setattr(VerifyingKey, "check", checked)
        yield


def rewrite(
    files: Path,
    edit: Callable[[int, dict[str, Any]], None] = lambda position, document: None,
    *,
    entry_key: SigningKey | None = ENTRY_KEY,
    checkpoint_key: SigningKey | None = CHECKPOINT_KEY,
) -> None:
    """Edit documents of an export and make everything fit again: links, leaves, tiles, signatures and a single checkpoint.

    Without an entry key the old signatures stay; without a checkpoint key nobody signs the checkpoint.
    """
    head = parse_checkpoint((files / "checkpoint").read_text().partition("\n\n")[0] + "\n")
    entries, leaves, signatures, prev = list[bytes](), list[bytes](), list[tuple[int, bytes]](), bytes(32)
    level0 = [tile for tile in tiles_of(head.size) if tile.level == 0]
    for tile in level0:
        bundle = beside(tile, ENTRIES)
        for entry in parse_bundle(bundle, (files / bundle.path).read_bytes()):
            document = orjson.loads(entry)
            edit(len(entries) + 1, document)
            document["prev"] = prev.hex()
            entries.append(encode(document))
            prev = leaf_hash(entries[-1])
            leaves.append(prev)
            key = entry_key or ENTRY_KEY
            signatures.append((0, key.sign(dsse.pae(ENTRY_PAYLOAD_TYPE, entries[-1]))))
    rows: dict[str, bytes] = {}
    for tile in tiles_of(head.size):
        at = slice(tile.first, tile.first + tile.width)
        rows[tile.path] = hashes_of(tile, leaves)
        if tile.level == 0:
            rows[beside(tile, ENTRIES).path] = format_bundle(entries[at])
            tile = beside(tile, SIGNATURES)
            rows[tile.path] = format_signatures(signatures[at]) if entry_key else (files / tile.path).read_bytes()
    root = textbook_root(leaves)
    signed = sign_checkpoint(Checkpoint(head.origin, head.size, root), checkpoint_key or CHECKPOINT_KEY)
    note = str(signed) if checkpoint_key else f"{signed.text}\n"
    shutil.rmtree(files / "tile")
    shutil.rmtree(files / "checkpoints")
    put(files, rows | {"checkpoint": note.encode()})
    put(files, {f"checkpoints/{head.size}": note.encode(), "checkpoints/index": f"{head.size}\n".encode()})


# -- somebody else's log -----------------------------------------------------------------------------------------------

# The test data of Tessera (github.com/transparency-dev/tessera): leaves, key and checkpoint as published.
THEIR_LEAVES = b"one two three four five six seven eit nain ten ileven twelf threeten fourten fivten".split()
THEIR_VKEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
THEIR_CHECKPOINT = """\
example.com/log/testdata
15
rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=

\u2014 example.com/log/testdata M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74ewI=
"""
THEIR_PROOF_OF_THREE = f"""\
c2sp.org/tlog-proof@v1
index 2
9xWrP6pdBx5uKsS7mU1b9zWUPcw3mdoNCF55gM+5M2o=
T1X2GdkhUjV3iyufF9b0kVsWFxIU0VI4EpNml2Teci4=
g0ZoeYWtIV8Q8i+4CmgqPnBvH2il107lyCgTQsyB7H4=
5jLpqTgjsBDSEX6SgZiRnbTMdTuRd8bQ5tSsAOxe0Ks=

{THEIR_CHECKPOINT}"""


def their_log(root: Path) -> Path:
    """Lay the published log out as tlog-tiles says."""
    return put(
        root,
        {
            "checkpoint": THEIR_CHECKPOINT.encode(),
            "tile/0/000.p/15": b"".join(hashlib.sha256(b"\0" + leaf).digest() for leaf in THEIR_LEAVES),
            "tile/entries/000.p/15": b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in THEIR_LEAVES),
        },
    )


def opaque_log(root: Path, entries: list[bytes], key: SigningKey, origin: str = "log.test/opaque") -> Path:
    """Lay a log of these entries out as tlog-tiles says, with level 1, and sign it."""
    leaves = [hashlib.sha256(b"\0" + entry).digest() for entry in entries]
    files: dict[str, bytes] = {}
    for tile in tiles_of(len(entries)):
        files[tile.path] = hashes_of(tile, leaves)
        if tile.level == 0:
            bundle = format_bundle(entries[tile.first : tile.first + tile.width])
            files[f"tile/entries/{tile.path.removeprefix('tile/0/')}"] = bundle
    note: Note = sign_checkpoint(Checkpoint(origin, len(entries), textbook_root(leaves)), key)
    return put(root, files | {"checkpoint": str(note).encode()})
