"""P4, P5, P7 and P11: the audit of a grown ledger, from its database and from files, its speed and memory; and its proofs."""

import json
import os
import statistics
import struct
import subprocess
import time
from pathlib import Path

from benchmarks.measure import Row, beside, limit, take_turns, timed
from benchmarks.places import ORIGIN, Keys
from benchmarks.serving import python
from benchmarks.verifying import records, verify_files
from ledger.audit.log_files import Directory
from ledger.audit.of_database import audit_database
from ledger.audit.of_files import audit_files
from ledger.entry import ENTRY_PAYLOAD_TYPE, NO_PREVIOUS, prev_of
from ledger.log.checkpoints import last_size, store_checkpoint
from ledger.log.database import Database
from ledger.log.reading import read_entries, read_size
from ledger.log.tree import inclusion_proof, tree_of
from ledger.published.export import export
from signing.checkpoint import Checkpoint, sign_checkpoint
from signing.merkle import Frontier, leaf_hash

PAGE = 2000
FLAT = 1.1


def measure(place: str, url: str, keys: Keys, directory: Path, *, rounds: int) -> list[Row]:
    """Return the lines of P4, P5 and P7 for a ledger that is not being appended to."""
    cores = os.cpu_count() or 1
    database = Database(url)
    paths = _write_files(database, directory, cores)
    root = b""

    def audit(signatures: bool, workers: int) -> int:
        nonlocal root
        report = audit_database(database, signatures=signatures, workers=workers)
        if report.faults:
            raise RuntimeError(f"expected a sound ledger, found {report.faults[:3]}")
        root = report.root
        return report.entries

    files = Directory(_export(database, keys, directory / f"export-{place}"))

    def audit_export(_: int) -> int:
        report = audit_files(files, workers=cores)
        if report.faults:
            raise RuntimeError(f"expected a sound export, found {report.faults[:3]}")
        return report.entries

    payload_type = ENTRY_PAYLOAD_TYPE.encode()
    rates = take_turns(
        {
            "tree": timed(lambda _: _chain_and_tree(paths)[0]),
            "database": timed(lambda _: audit(False, 1)),
            "audit": timed(lambda _: audit(True, cores)),
            "export": timed(audit_export),
            "bare Ed25519": timed(lambda _: verify_files(paths, keys.entry.public_key, payload_type, cores)),
        },
        rounds,
        warm_up=False,
    )
    count, tree_root = _chain_and_tree(paths)
    proofs = _proofs(database, count)
    database.close()
    for path in paths:
        Path(path).unlink()
    if tree_root != root:
        raise RuntimeError("expected the tree from files to be the one that the audit found")
    unit = "entries/s/core"
    return [
        limit("P4", f"chain and tree from files, {count:,} entries", rates.median("tree"), unit, at_least=350_000),
        limit("P4", f"audit without signatures, {place}", rates.median("database"), unit, at_least=120_000),
        beside(
            "P5",
            f"audit with signatures, {place}, {cores} cores",
            rates,
            "audit",
            "bare Ed25519",
            at_least=0.87,
            note="both start their processes on the clock",
        ),
        beside(
            "P5",
            f"audit of an export of {place}, {cores} cores",
            rates,
            "export",
            "bare Ed25519",
            at_least=0.87,
            note="all files, every signature",
        ),
        limit("P7", f"inclusion proof, {place}, {count:,} entries", proofs, "ms", at_most=1, note="median of 200"),
    ]


def _export(database: Database, keys: Keys, target: Path) -> Path:
    """Sign the whole tree, if that was not done, and export it."""
    with database.engine.begin() as connection:
        size = read_size(connection)
        if last_size(connection) < size:
            root = tree_of(connection, size).root()
            store_checkpoint(connection, sign_checkpoint(Checkpoint(ORIGIN, size, root), keys.checkpoint))
    export(database, target)
    return target


def _proofs(database: Database, size: int) -> float:
    """Return the milliseconds of an inclusion proof of an entry anywhere."""
    with database.read() as connection:
        seconds = []
        for number in range(200):
            start = time.perf_counter()
            inclusion_proof(connection, 1 + number * (size - 1) // 199, size)
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds) * 1000


def memory(place: str, urls: dict[int, str]) -> Row:
    """Return the line of P11: `urls` are two ledgers by size, the second four times the first."""
    found = {}
    for size, url in urls.items():
        done = subprocess.run(
            python("-m", "benchmarks.children", "memory", url), capture_output=True, text=True, check=True
        )
        found[size] = json.loads(done.stdout)
    (small, of_small), (large, of_large) = found.items()
    what = f"memory of an audit, {place}, {large:,} entries"
    if not of_small["own_kib"]:
        return Row("P11", what, 0, "MiB", note="this system does not say (no /proc)")
    before, after = of_small["own_kib"] / 1024, of_large["own_kib"] / 1024
    ratio = after / before
    resident = [found[size]["resident_kib"] / 1024 for size in found]
    note = f"with mapped files {resident[0]:.0f} -> {resident[1]:.0f} MiB"
    return Row(
        "P11",
        what,
        after,
        "MiB",
        f"at {small:,} entries",
        before,
        ratio,
        f"≤ {FLAT:g}",
        ratio <= FLAT,
        note,
    )


def _chain_and_tree(paths: list[str]) -> tuple[int, bytes]:
    frontier, prev = Frontier(), NO_PREVIOUS
    for path in paths:
        for _, entry in records(Path(path).read_bytes()):
            if prev_of(entry) != prev:
                raise RuntimeError(f"expected every entry to link to the one before it: {entry[:200]!r}")
            prev = leaf_hash(entry)
            frontier.append(prev)
    return frontier.size, frontier.root()


def _write_files(database: Database, directory: Path, parts: int) -> list[str]:
    """Write all entries into `parts` files of about the same number of entries, in order."""
    paths = []
    with database.read() as connection:
        size = read_size(connection)
        for part in range(parts):
            paths.append(str(directory / f"entries-{part}"))
            after, end = size * part // parts, size * (part + 1) // parts
            with Path(paths[-1]).open("wb") as file:
                for page in range(after, end, PAGE):
                    for stored in read_entries(connection, after=page, up_to=min(page + PAGE, end), limit=None):
                        file.write(struct.pack(">I", len(stored.entry)) + stored.signature + stored.entry)
    return paths
