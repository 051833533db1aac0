"""Ledgers as the program of 2026-11-28 (commit f174009) wrote them, kept in `tests/vectors/ledgers`: they hold for ever.

    every-type   every event type: all fields, each word of an enumeration, only what is required; signed statements, erased
                 texts, removed evidence, ended keys, a restored backup, checkpoints with cosignatures; and a small year
    odd-times    what that program admitted and could not fold: lower-case letters, offsets at the ends of the calendar, the
                 years 1, 999 and 9999. Its views stopped there, so no digests of rows are kept

They are never written anew by a later program. To see that they are what this script made, copy it into a checkout of that
commit and run it there with another directory:

    python tests/tools/old_ledgers.py DIRECTORY

Keys, clock and randomness are fixed, so the roots are the same whenever it is run.
"""

import hashlib
import itertools
import json
import lzma
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "tools"), str(ROOT / "scripts")]

from year import SOURCE, Year, stamp  # noqa: E402

from ledger.canonical import encode  # noqa: E402
from ledger.clock import Clock  # noqa: E402
from ledger.conditions import Match  # noqa: E402
from ledger.events import CATALOGUE, RESERVED_AREAS, Event, example  # noqa: E402
from ledger.ledger import Ledger  # noqa: E402
from ledger.log.checkpoints import read_checkpoint, store_checkpoint, store_cosignature  # noqa: E402
from ledger.log.database import Database  # noqa: E402
from ledger.log.reading import read_entries, read_entry, read_size  # noqa: E402
from ledger.log.recorder import Recorded, Refused, Submission  # noqa: E402
from ledger.log.tree import inclusion_proof, tree_of  # noqa: E402
from ledger.published.export import export  # noqa: E402
from ledger.statement import STATEMENT_PAYLOAD_TYPE, ErasableText, Evidence  # noqa: E402
from ledger.stewardship.clock import correct_clock, mark_time  # noqa: E402
from ledger.stewardship.commitments import commit_heads, record_timestamp  # noqa: E402
from ledger.stewardship.credentials import enrol_source, issue_token, retire_source, revoke_token  # noqa: E402
from ledger.stewardship.keys import enrol_key, retire_key, revoke_key  # noqa: E402
from ledger.stewardship.recovery import record_restoration  # noqa: E402
from ledger.stewardship.removal import erase_texts, remove_evidence  # noqa: E402
from projections import VIEWS  # noqa: E402
from projections.engine.folding import Folder  # noqa: E402
from projections.engine.log import SqlLog  # noqa: E402
from projections.engine.store import MemoryStore, digest_of  # noqa: E402
from projections.engine.view import EntryInfo  # noqa: E402
from signing import dsse  # noqa: E402
from signing.checkpoint import Checkpoint, sign_checkpoint  # noqa: E402
from signing.keys import SigningKey  # noqa: E402
from signing.notes import NoteKey, format_verifier_key  # noqa: E402
from signing.witness import cosign  # noqa: E402

OPERATOR: Final = "person:olga"
ORIGIN: Final = "old.example.com/ledger"
WITNESS: Final = "old-witness.example.com"
# After the year that is told before.
NOW: Final = datetime(2027, 2, 1, tzinfo=UTC)


def key(name: str) -> SigningKey:
    """Return a key that was made for these ledgers and signs nothing else."""
    return SigningKey.from_seed(hashlib.sha256(b"old ledgers of tests/vectors: " + name.encode()).digest())


class Old:
    """A ledger whose clock, keys and randomness are fixed."""

    def __init__(self, path: Path, begins: datetime) -> None:
        self.now_ns = round(begins.timestamp() * 1e9)
        self._draws, self._ids = itertools.count(), itertools.count(1)
        self.ledger = Ledger.create(
            Database(f"sqlite:///{path}"),
            origin=ORIGIN,
            entry_key=key("entry"),
            checkpoint_key=key("checkpoint").public_key,
            clock=Clock(wall_ns=lambda: self.now_ns, steady_ns=lambda: self.now_ns),
            random=self._random,
        )
        self.caller = self.ledger.local_caller()
        enrol_source(
            self.ledger,
            f"{SOURCE}*",
            door="events",
            principal=self.caller.principal,
            actor=OPERATOR,
            authority_for=["person:*"],
        )

    def _random(self, size: int) -> bytes:
        return hashlib.shake_128(b"old %d" % next(self._draws)).digest(size)

    def event(self, event_type: str, data: dict[str, Any], time: str = "", **more: Any) -> dict[str, Any]:
        made = {"specversion": "1.0", "id": f"old-{next(self._ids)}", "source": SOURCE, "type": event_type}
        return made | {"time": time or stamp(datetime.fromtimestamp(self.now_ns / 1e9, UTC)), "data": data} | more

    def say(self, event_type: str, data: dict[str, Any], time: str = "", **more: Any) -> int:
        """Append one statement, or one of the ledger's own; return its position. Three minutes pass before."""
        self.now_ns += 180 * 10**9
        if CATALOGUE[event_type].area() in RESERVED_AREAS:
            return self.ledger.state(event_type, data).position
        return self.submit(self.ledger.admission.admit(self.event(event_type, data, time, **more)))

    def submit(self, statement: Any) -> int:
        outcome = self.ledger.append(Submission((statement,), self.caller))
        if not isinstance(outcome, Recorded):
            raise SystemExit(f"{statement.type}: {outcome}")
        return outcome.receipts[-1].position

    def sign(self, *, cosigned: bool = False) -> None:
        """Keep a checkpoint of all that there is."""
        with self.ledger.database.engine.begin() as connection:
            size = read_size(connection)
            origin = self.ledger.current_authority().origin_at(size)
            note = sign_checkpoint(Checkpoint(origin, size, tree_of(connection, size).root()), key("checkpoint"))
            store_checkpoint(connection, note)
            if cosigned:
                store_cosignature(connection, size, cosign(note.text, WITNESS, key("witness"), self.now_ns // 10**9))


def worded(cls: type[Event]) -> Iterator[dict[str, Any]]:
    """Yield data of a class: with all fields, with each word of each enumeration, and with what is required alone."""
    whole = example(cls) | {"links": [1, "sha256:" + "7" * 64]}
    yield whole
    for field, part in cls.model_json_schema()["properties"].items():
        for option in (part, *part.get("anyOf", [])):
            for word in option.get("enum", [])[1:]:
                yield whole | {field: word}
    yield {field: value for field, value in whole.items() if cls.model_fields[field].is_required()}


def tell_a_year(old: Old) -> None:
    for told in Year(seed=11, services=6, changes=20, planted=1):
        old.now_ns = max(old.now_ns, round(told.recorded_at.timestamp() * 1e9))
        if not told.type.startswith("ledger."):
            old.submit(old.ledger.admission.admit(old.event(told.type, told.data, stamp(told.time))))


def tell_every_type(old: Old) -> None:
    for event_type, cls in CATALOGUE.items():
        if cls.area() == "ledger" or event_type == "intake.conflicted":
            continue
        for data in worded(cls):
            position = {"position": read_size_of(old) - 1} if event_type == "statement.withdrawn" else {}
            old.say(event_type, data | position, subject="old", traceparent="00-7", flag=True, count=7)


def read_size_of(old: Old) -> int:
    return old.ledger.size()


def tell_of_the_ledger(old: Old) -> None:
    """Everything that the ledger states about itself."""
    ledger = old.ledger
    act: dict[str, Any] = {"actor": OPERATOR, "by": "token:0123456789ab"}
    for role in ("entry", "checkpoint", "witness"):
        enrol_key(ledger, key(f"{role} 2").public_key, role=role, name=f"{role}-2", **act)
    enrol_key(ledger, key("witness").public_key, role="witness", name=WITNESS, **act)
    enrol_key(ledger, key("producer").public_key, role="producer", name="service:ci", sources=[f"{SOURCE}*"], **act)
    # The public key of RFC 8032's first test, which was this program's own example.
    published = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    enrol_key(ledger, bytes.fromhex(published), role="entry", name="an-example", **act)
    signed(old)
    retire_key(ledger, key("entry 2").key_id, role="entry", **act)
    revoke_key(
        ledger, key("checkpoint 2").key_id, role="checkpoint", from_position=ledger.size() + 1, reason="lost", **act
    )
    credential, _, _ = issue_token(ledger, 
        principal="person:alice", kind="human", roles=["reporter", "analyst"], areas=["change"],
        sources=[f"{SOURCE}*"], expires_at="2027-03-01T00:00:00Z", **act,
    )  # fmt: skip
    revoke_token(ledger, credential, reason="left", from_position=ledger.size() + 1, **act)
    for door in ("github", "cdevents"):
        enrol_source(
            ledger,
            f"https://{door}.example.com/old",
            door=door,
            principal="service:ci",
            must_sign=True,
            by_secret=door == "github",
            **act,
        )
        retire_source(ledger, f"https://{door}.example.com/old", door=door, **act)
    conflict(old)
    body, gone = Evidence.of(b'{"kept":true}', "application/json"), Evidence.of(b"removed", "text/plain")
    data = example(CATALOGUE["change.opened"])
    at = old.submit(ledger.admission.admit(old.event("change.opened", data), evidence=(body, gone)))
    remove_evidence(ledger, at, gone.sha256, reason="retention", **act)
    erase_texts(ledger, at, reason="asked-for", **act)
    commit_heads(ledger, actor=OPERATOR)
    old.sign(cosigned=True)
    with ledger.database.read() as connection:
        stored = read_checkpoint(connection)
    record_timestamp(
        ledger, stored, b"no authority said this", authority="https://tsa.example.com", timestamp=NOW, **act
    )
    old.now_ns += 3700 * 10**9
    mark_time(ledger, 3600)
    old.now_ns -= 600 * 10**9
    correct_clock(ledger, reason="it-was-ahead", **act)
    lost = Checkpoint(ORIGIN, ledger.size() + 7, hashlib.sha256(b"lost").digest())
    record_restoration(ledger, lost, reason="disk-lost", **act)
    old.sign()
    commit_heads(ledger)
    old.sign(cosigned=True)


def signed(old: Old) -> None:
    """A statement that a producer signed, with its texts beside it."""
    data = example(CATALOGUE["change.opened"])
    fields = CATALOGUE["change.opened"].erasable_fields
    texts = tuple(ErasableText(name, b"\x5a" * 32, f"Signed {name}") for name in fields)
    for text in texts:
        data[text.field] = {"sha256": hashlib.sha256(text.salt + text.text.encode()).hexdigest()}
    payload = encode(old.event("change.opened", data, ledger=ORIGIN))
    signature = dsse.Signature(key("producer").key_id, dsse.sign(key("producer"), STATEMENT_PAYLOAD_TYPE, payload))
    old.submit(old.ledger.admission.admit_signed(payload, (signature,), texts))


def conflict(old: Old) -> None:
    """Another content under a (source, id) that is recorded: refused, and `intake.conflicted` says so."""
    said = old.event("deployment.finished", example(CATALOGUE["deployment.finished"]))
    old.submit(old.ledger.admission.admit(said))
    other = said | {"data": said["data"] | {"deployment_id": "another"}}
    outcome = old.ledger.append(Submission((old.ledger.admission.admit(other),), old.caller))
    if not isinstance(outcome, Refused):
        raise SystemExit(f"expected a conflict, found {outcome}")


ODD_ENVELOPES: Final = (
    "0001-01-01T00:00:00Z",
    "0001-01-02t00:00:00.5+14:00",
    "0001-01-01T00:00:00.000000001-12:00",
    "0050-01-01T00:00:00Z",
    "0999-12-31t23:59:59.999999999z",
    "1000-01-01T00:00:00+00:00",
    "2026-11-23t12:00:00z",
    "2026-11-23T12:00:00.1+14:00",
    "2026-11-23t12:00:00-12:00",
)
ODD_FIELDS: Final = (
    "0001-01-01T00:00:00Z",
    "0050-01-01T00:00:00Z",
    "0999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59.999999Z",
)


def tell_odd_times(old: Old) -> None:
    odd = itertools.cycle(itertools.product(ODD_FIELDS, ODD_ENVELOPES))
    for event_type, cls in CATALOGUE.items():
        if cls.area() in RESERVED_AREAS or event_type == "statement.withdrawn":
            continue
        for data in worded(cls):
            field, envelope = next(odd)
            old.say(event_type, retimed(data, field), envelope)
    old.say("statement.withdrawn", {"actor": OPERATOR, "position": 9, "reason": "odd"}, ODD_ENVELOPES[1])
    commit_heads(old.ledger)
    old.sign()


def retimed(value: Any, time: str) -> Any:
    """Return data whose fields of a time all have another."""
    if isinstance(value, dict):
        return {name: retimed(part, time) for name, part in value.items()}
    if isinstance(value, list):
        return [retimed(part, time) for part in value]
    return time if value == "2026-11-23T12:00:00Z" else value


def tell_everything(old: Old) -> None:
    tell_a_year(old)
    old.sign()
    old.now_ns = max(old.now_ns, round(NOW.timestamp() * 1e9))
    tell_every_type(old)
    tell_of_the_ledger(old)


LEDGERS: Final[dict[str, tuple[datetime, Callable[[Old], None]]]] = {
    "every-type": (datetime(2026, 1, 1, tzinfo=UTC), tell_everything),
    "odd-times": (NOW, tell_odd_times),
}


def folded(database: Database) -> tuple[dict[str, str], dict[str, str]]:
    """Fold all views in memory; return their digests, and what stopped those that did not come to the end."""
    memory = MemoryStore()
    with database.read() as connection:
        folder = Folder(VIEWS, memory, SqlLog(connection))
        folder.fold([EntryInfo(entry.document) for entry in read_entries(connection, limit=None)])
        for view in VIEWS:
            memory.save(view, folder.rows.touched.get(view.name, {}), folder.rows.counted.get(view.name, {}))
    failures = {name: f"position {failure.position}: {failure.reason}" for name, failure in folder.failures.items()}
    return {view.name: digest_of(memory, view) for view in VIEWS if view.name not in failures}, failures


def exported(database: Database) -> dict[str, str]:
    """Return the digest of every file of an export."""
    with tempfile.TemporaryDirectory() as directory:
        export(database, Path(directory))
        files = sorted(path for path in Path(directory).rglob("*") if path.is_file())
        return {str(f.relative_to(directory)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def positions(connection: Any, size: int) -> str:
    """Return the digest of what the log answers to every ref: its positions, and the proof that the last one is included."""
    hashed = hashlib.sha256()
    refs = {ref for entry in read_entries(connection, limit=None) for ref in entry.document["refs"]}
    for ref in sorted(refs):
        found = [entry.position for entry in read_entries(connection, [Match(refs=(ref,))], limit=None)]
        proof = inclusion_proof(connection, found[-1], size)
        hashed.update(encode([ref, found, [node.hex() for node in proof]]))
    return hashed.hexdigest()


def make(name: str, target: Path) -> None:
    """Write `NAME.db.xz`, the database, and `NAME.json`, what is to be found in it."""
    begins, tell = LEDGERS[name]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "ledger.db"
        old = Old(path, begins)
        tell(old)
        database = old.ledger.database
        digests, failures = folded(database)
        for view, failure in failures.items():
            print(f"{name}: {view} stopped at {failure}")
        with database.read() as connection:
            size = read_size(connection)
            expected = {
                "vkey": format_verifier_key(NoteKey(ORIGIN, key("checkpoint").public_key)),
                "genesis": read_entry(connection, 1).leaf_hash.hex(),
                "size": size,
                "root": tree_of(connection, size).root().hex(),
                "types": sorted({entry.statement["type"] for entry in read_entries(connection, limit=None)}),
                "export": exported(database),
                "views": {
                    view.name: {"version": view.version, "digest": digests[view.name]} for view in VIEWS if not failures
                },
                "positions": positions(connection, size),
            }
        old.ledger.close()
        target.mkdir(parents=True, exist_ok=True)
        (target / f"{name}.db.xz").write_bytes(lzma.compress(path.read_bytes(), preset=9))
        (target / f"{name}.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")
        print(f"{name}: {size} entries, root {expected['root']}")


if __name__ == "__main__":
    for ledger_name in LEDGERS:
        make(ledger_name, Path(sys.argv[1]))
