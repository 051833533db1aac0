"""P1: entries appended in this process, beside the same bytes and the same SQL through the bare driver.

What is timed begins with the bytes that a pipeline posted and ends with the receipts: strict parsing, admission, permission, links, refs,
hashes, signatures, and a commit that is on the disk.

    bare driver   the statements that the ledger sent, recorded in another run, sent again by sqlite3 or psycopg alone: nothing computed
    bare parts    the same, and orjson, Ed25519 and SHA-256 over the same bytes, one after another in one thread: nothing overlaps
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

import orjson

from benchmarks import peers
from benchmarks.events import groups
from benchmarks.measure import Contender, Row, beside, take_turns, timed
from benchmarks.places import Keys, Place, PostgresPlace, SqlitePlace, create, reporter
from benchmarks.recording import Recording
from ledger.authority import Caller
from ledger.canonical import parse
from ledger.entry import ENTRY_PAYLOAD_TYPE
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.log.reading import read_entries
from ledger.log.recorder import Outcome, Recorded, Submission
from ledger.log.writer import Writer
from signing import dsse

# Rounds of about a twentieth of a second on SQLite; a commit on PostgreSQL costs several times as much.
GROUPS_PER_ROUND = {
    ("SQLite", 1): 60,
    ("SQLite", 10): 40,
    ("SQLite", 100): 10,
    ("PostgreSQL", 1): 20,
    ("PostgreSQL", 10): 16,
    ("PostgreSQL", 100): 8,
}
BARS = {100: 0.85, 10: 0.65}
AIM_DCB = 0.7


def submissions(ledger: Ledger, caller: Caller, group: Sequence[bytes]) -> list[Submission]:
    """Do what the HTTP door does with a body."""
    permitted_at, now = ledger.authority.position, ledger.clock.now_us()
    made = []
    for body in group:
        statement = ledger.admission.admit(parse(body))
        ledger.authority.permit(caller, statement, now)
        made.append(Submission((statement,), caller, None, permitted_at))
    return made


def append(ledger: Ledger, caller: Caller, group: Sequence[bytes]) -> int:
    """Append one group in the calling thread and return its size."""
    outcomes = ledger.append_group(submissions(ledger, caller, group))
    refused = next((outcome for outcome in outcomes if not isinstance(outcome, Recorded)), None)
    if refused is not None:
        raise RuntimeError(f"expected every event to be recorded, found {refused}")
    return len(outcomes)


def append_through_writer(ledger: Ledger, caller: Caller, writer: Writer, block: Iterable[Sequence[bytes]]) -> int:
    """Append groups through the writer: one is admitted while the one before it is written."""
    before: Any = None
    count = 0
    for group in block:
        future = writer.submit(submissions(ledger, caller, group))
        if before is not None:
            before.result()
        before = future
        count += len(group)
    if before is not None:
        before.result()
    return count


def in_groups_of(
    size: int, append_group: Callable[[list[Submission]], list[Outcome]]
) -> Callable[[list[Submission]], list[Outcome]]:
    """Undo what the writer joined: on a quick machine it would make larger groups of those that it was given, and win by that."""

    def append_all(waiting: list[Submission]) -> list[Outcome]:
        parts = [waiting[start : start + size] for start in range(0, len(waiting), size)]
        return [outcome for part in parts for outcome in append_group(part)]

    return append_all


def measure(place: Place, keys: Keys, *, sizes: Sequence[int], rounds: int) -> list[Row]:
    """Return the lines of P1 for one kind of database."""
    base = "append-base"
    create(place.new(base), keys)
    rows: list[Row] = []
    for size in sizes:
        rows += _measure_size(place, keys, base, size, rounds)
    return rows


def _measure_size(place: Place, keys: Keys, base: str, size: int, rounds: int) -> list[Row]:
    per_round = GROUPS_PER_ROUND[place.name, size]
    work = list(islice(groups(size), per_round * (rounds + 1)))
    recording, entries = _record(place.copy(base, f"recorded-{size}"), keys, work)

    def block(number: int) -> list[list[bytes]]:
        return work[number * per_round : (number + 1) * per_round]

    ledgers = [Ledger.open(Database(place.copy(base, f"{name}-{size}")), keys.entry) for name in ("ours", "writer")]
    direct, written = ledgers
    caller, writer = reporter(direct), Writer(in_groups_of(size, written.append_group))
    driver, parts = (_replayer(place, recording, base, f"{name}-{size}") for name in ("driver", "parts"))
    count = per_round * size

    def say(replay: Callable[[int], int], number: int) -> int:
        for group in range(number * per_round, (number + 1) * per_round):
            replay(group)
        return count

    def compute(number: int) -> int:
        for group in block(number):
            for body in group:
                orjson.loads(body)
        for entry in entries[number * count : (number + 1) * count]:
            hashlib.sha256(entry).digest()
            keys.entry.sign(dsse.pae(ENTRY_PAYLOAD_TYPE, entry))
        return count

    contenders: dict[str, Contender] = {
        "append_group": timed(lambda n: sum(append(direct, caller, group) for group in block(n))),
        "writer": timed(lambda n: append_through_writer(written, caller, writer, block(n))),
        "bare driver": timed(lambda n: say(driver, n)),
        "bare parts": timed(lambda n: say(parts, n) and compute(n)),
    }
    others, missing = _peers(place, entries, size, per_round)
    rates = take_turns(contenders | others, rounds)
    writer.close()
    found, expected = {ledger.size() for ledger in ledgers}, {len(entries) + 2}
    for ledger in ledgers:
        ledger.close()
    if found != expected:
        raise RuntimeError(f"expected ledgers of {expected} entries, found {found}")

    # Whoever wants a group durable soonest uses whichever of the two is quicker; servers have the writer in any case.
    ours = max(("append_group", "writer"), key=rates.median)
    what = f"append, {place.name}, groups of {size}"
    note = f"append_group {rates.median('append_group'):,.0f}, writer {rates.median('writer'):,.0f}"
    statements = len(recording.groups[-1])
    rows = [
        beside("P1", what, rates, ours, "bare driver", note=f"{note}; {statements} statements a group"),
        beside("P1", what, rates, ours, "bare parts", at_least=BARS.get(size)),
    ]
    for name in others:
        rows.append(beside("P1", what, rates, ours, name, aim=AIM_DCB if "DCB" in name and size == 100 else None))
    return rows + [Row("P1", what, rates.median(ours), "entries/s", name, note=why) for name, why in missing.items()]


def _record(url: str, keys: Keys, work: Sequence[Sequence[bytes]]) -> tuple[Recording, list[bytes]]:
    """Append all groups once, listening; return what was said and the entries that were made."""
    recording, database = Recording(), Database(url)
    recording.listen(database)
    ledger = Ledger.open(database, keys.entry)
    try:
        caller = reporter(ledger)
        for number, group in enumerate(work):
            made = submissions(ledger, caller, group)
            if number == 0:
                # Opening the connection that writes is no part of an append.
                ledger.recorder.append_group([])
                recording.begin()
            ledger.append_group(made)
            recording.end_group()
        with database.read() as connection:
            entries = [stored.entry for stored in read_entries(connection, after=2, limit=None)]
    finally:
        ledger.close()
    return recording, entries


def _replayer(place: Place, recording: Recording, base: str, name: str) -> Callable[[int], int]:
    place.copy(base, name)
    if isinstance(place, PostgresPlace):
        return recording.replay_postgres(place.plain_url(name))
    assert isinstance(place, SqlitePlace)
    return recording.replay_sqlite(str(place.path(name)))


def _peers(
    place: Place, entries: Sequence[bytes], size: int, per_round: int
) -> tuple[dict[str, Contender], dict[str, str]]:
    """Return the peers that can be measured here, and why the others cannot."""
    found: dict[str, Contender] = {}
    missing: dict[str, str] = {}
    for name, make in peers.of(place, size).items():
        try:
            peer = make()
        except peers.NotHereError as error:
            missing[name] = str(error)
            continue
        found[name] = timed(_in_groups(peer, entries, size, per_round))
    return found, missing


def _in_groups(peer: peers.Peer, entries: Sequence[bytes], size: int, per_round: int) -> Callable[[int], int]:
    prepared = [peer.prepare(entries[start : start + size]) for start in range(0, len(entries), size)]

    def work(number: int) -> int:
        for group in prepared[number * per_round : (number + 1) * per_round]:
            peer.append(group)
        return per_round * size

    return work
