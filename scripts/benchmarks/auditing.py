"""P4, P5, P7 and P11: the audit of a grown ledger, from its database and from files, its speed and memory; and its proofs."""

import hashlib
import json
import os
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from benchmarks.measure import Rates, Row, beside, take_turns, timed
from benchmarks.places import ORIGIN, Keys
from benchmarks.serving import python
from benchmarks.verifying import records, verify_files
from ledger.audit.log_files import Directory
from ledger.audit.of_any_log import audit_opaque
from ledger.audit.of_database import audit_database
from ledger.audit.of_files import audit_files
from ledger.audit.report import Report
from ledger.entry import ENTRY_PAYLOAD_TYPE
from ledger.log.checkpoints import last_size, store_checkpoint
from ledger.log.database import Database
from ledger.log.reading import read_entries, read_size
from ledger.log.tree import inclusion_proof, tree_of
from ledger.published.export import export
from signing.checkpoint import Checkpoint, sign_checkpoint
from signing.notes import NoteKey

PAGE = 2000
PROOFS = 200
PROOF_ROUNDS = 5
FLAT = 1.1


def measure(place: str, url: str, keys: Keys, directory: Path, *, rounds: int) -> list[Row]:
    """Return the lines of P4 and P5 for a ledger that is not being appended to."""
    cores = os.cpu_count() or 1
    database = Database(url)
    paths = _write_files(database, directory, cores)
    files = Directory(_export(database, keys, directory / f"export-{place}"))
    count, tree_root = _bare_tree(paths)

    def check(report: Report) -> int:
        if report.faults or report.root != tree_root:
            raise RuntimeError(f"expected a sound ledger of the root {tree_root.hex()}, found {report.faults[:3]}")
        return report.entries

    def audit(signatures: bool, workers: int) -> int:
        return check(audit_database(database, signatures=signatures, workers=workers))

    def hash_log(_: int) -> int:
        report = audit_opaque(files, [NoteKey(ORIGIN, keys.checkpoint.public_key)])
        if report.root != tree_root:
            raise RuntimeError("expected the files to have the tree of the database")
        return count

    payload_type = ENTRY_PAYLOAD_TYPE.encode()
    one_core = take_turns(
        {
            "files": timed(hash_log, time.thread_time),
            "bare leaf and node hashing": timed(lambda _: _bare_tree(paths)[0], time.thread_time),
            "database": timed(lambda _: audit(False, 1), time.thread_time),
            "bare reading, parsing, hashing": timed(lambda _: _bare_reading(database), time.thread_time),
        },
        max(rounds, 3),
        warm_up=False,
    )
    rates = take_turns(
        {
            "audit": timed(lambda _: audit(True, cores)),
            "export": timed(lambda _: check(audit_files(files, workers=cores))),
            "bare Ed25519": timed(lambda _: verify_files(paths, keys.entry.public_key, payload_type, cores)),
        },
        rounds,
        warm_up=False,
    )
    database.close()
    for path in paths:
        Path(path).unlink()
    what = f"audit without signatures, {place}, {count:,} entries"
    by_cpu = "entries a second of one core's time"
    rows = [
        beside(
            "P4",
            f"chain, tree and checkpoint of an export, {place}, {count:,} entries",
            one_core,
            "files",
            "bare leaf and node hashing",
            at_least=0.6,
            note=by_cpu,
        ),
        beside("P4", what, one_core, "database", "bare reading, parsing, hashing", at_least=0.5, note=by_cpu),
    ]
    for name, of in (("audit", place), ("export", f"an export of {place}")):
        what = f"audit with signatures, {of}, {count:,} entries, {cores} cores"
        note = "both start their processes on the clock"
        rows.append(beside("P5", what, rates, name, "bare Ed25519", at_least=0.85, note=note))
    return rows


def proofs(place: str, urls: Mapping[int, str]) -> list[Row]:
    """Return the lines of P7: inclusion proofs in ledgers by size, the smallest first, beside reading the same hashes by the driver."""
    rates = Rates()
    for size, url in urls.items():
        database = Database(url)
        with database.read() as connection:
            asked = [1 + number * (size - 1) // (PROOFS - 1) for number in range(PROOFS)]
            said: list[str] = []
            listener = partial(_note_statement, said)
            sa.event.listen(connection, "before_cursor_execute", listener)
            for position in asked:
                inclusion_proof(connection, position, size)
            sa.event.remove(connection, "before_cursor_execute", listener)
            rates.rounds |= take_turns(
                {
                    f"at {size:,}": timed(partial(_prove, connection, asked, size), time.thread_time),
                    f"the same reads at {size:,}": timed(partial(_say, connection, said), time.thread_time),
                },
                PROOF_ROUNDS,
            ).rounds
        database.close()
    rows = []
    smallest = next(iter(urls))
    for size in urls:
        what = f"inclusion proof, {place}, {size:,} entries"
        ours = f"at {size:,}"
        rows.append(beside("P7", what, rates, ours, f"the same reads at {size:,}", at_least=1 / 3, unit="proofs/CPU s"))
        if size > smallest:
            rows.append(beside("P7", what, rates, ours, f"at {smallest:,}", at_least=1 / 1.5, unit="proofs/CPU s"))
    return rows


def _prove(connection: sa.Connection, asked: Sequence[int], size: int, _: int) -> int:
    for position in asked:
        inclusion_proof(connection, position, size)
    return len(asked)


def _say(connection: sa.Connection, said: Sequence[str], _: int) -> int:
    cursor = connection.connection.cursor()
    for statement in said:
        cursor.execute(statement)
        cursor.fetchall()
    cursor.close()
    return PROOFS


def _note_statement(said: list[str], _connection: object, _cursor: object, statement: str, *_: object) -> None:
    said.append(statement)


def _export(database: Database, keys: Keys, target: Path) -> Path:
    """Sign the whole tree, if that was not done, and export it."""
    with database.engine.begin() as connection:
        size = read_size(connection)
        if last_size(connection) < size:
            root = tree_of(connection, size).root()
            store_checkpoint(connection, sign_checkpoint(Checkpoint(ORIGIN, size, root), keys.checkpoint))
    export(database, target)
    return target


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
        less_is_better=True,
    )


def _bare_tree(paths: list[str]) -> tuple[int, bytes]:
    """Hash every leaf and every node, and nothing else. Returns how many leaves there are, and the root of RFC 6962."""
    sha256 = hashlib.sha256
    level = [sha256(b"\x00" + entry).digest() for path in paths for _, entry in records(Path(path).read_bytes())]
    count = len(level)
    while len(level) > 1:
        # The last of an odd number goes up as it is.
        rest = level[len(level) & ~1 :]
        level = [sha256(b"\x01" + level[n] + level[n + 1]).digest() for n in range(0, len(level) - 1, 2)] + rest
    return count, level[0]


def _bare_reading(database: Database) -> int:
    """Read every entry by the driver, parse it by `orjson`, and hash it: what no audit of the database comes under."""
    count = 0
    with database.read() as connection:
        driver: Any = connection.connection.dbapi_connection
        cursor = driver.cursor() if database.is_sqlite else driver.cursor(name="bare")
        cursor.execute("SELECT position, key_number, leaf_hash, signature, entry FROM entries ORDER BY position")
        while page := cursor.fetchmany(PAGE):
            for *_, entry in page:
                orjson.loads(entry)
                hashlib.sha256(b"\x00" + entry).digest()
            count += len(page)
        cursor.close()
    return count


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
