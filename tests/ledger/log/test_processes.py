"""Several processes on one database: who appends interleaves safely, who reads misses nothing, and who lost history stops.

Kills of the server under load are in `test_crash`.
"""

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from ledgers import ENTRY_KEY, append, cloud_event, create_ledger, enrol_entry_key, submission
from postgres import private_server
from programs import script

from ledger.audit.of_database import audit_database
from ledger.audit.report import Pin, Report
from ledger.authority import Caller
from ledger.clock import Clock
from ledger.conditions import Condition, Match
from ledger.errors import (
    ClockError,
    ConditionFailedError,
    KeyNotValidError,
    LostHistoryError,
    UnauthenticatedError,
)
from ledger.ledger import Ledger
from ledger.log import tables
from ledger.log.database import Database
from ledger.log.following import Subscription
from ledger.log.reading import StoredEntry
from ledger.log.recorder import Outcome, Recorded, Refused, Repeated
from ledger.stewardship.clock import correct_clock
from ledger.stewardship.credentials import issue_token, revoke_token
from ledger.stewardship.keys import retire_key
from signing.keys import SigningKey

SECOND_KEY = SigningKey.from_seed(b"s" * 32)
MINUTE_NS = 60_000_000_000

# Appends groups of as many events as each line of its input says, and answers with their receipts.
APPENDER = """
import json, sys
from ledgers import ENTRY_KEY, append, cloud_event
from ledger.log.database import Database
from ledger.ledger import Ledger

url, name = sys.argv[1:]
ledger = Ledger.open(Database(url), ENTRY_KEY)
print("ready", flush=True)
number = 0
for line in sys.stdin:
    events = []
    for _ in range(int(line)):
        number += 1
        kind = "change.opened" if number % 4 == 0 else "deployment.finished"
        events.append(cloud_event(kind, id=f"{name}-{number}", change_id=f"CHG-{number % 5}"))
    outcomes = append(ledger, *events)
    print(json.dumps([outcome.receipts[0].to_json() for outcome in outcomes]), flush=True)
ledger.close()
"""


class Appender:
    """Another process that appends when it is told to."""

    def __init__(self, url: str, name: str) -> None:
        self._process = subprocess.Popen(
            script(APPENDER, url, name),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._asked = 0

    def ready(self) -> None:
        assert self._read() == "ready\n"

    def ask(self, *sizes: int) -> None:
        """Order groups without waiting for them."""
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{size}\n" for size in sizes))
        self._process.stdin.flush()
        self._asked += len(sizes)

    def answers(self) -> list[dict[str, Any]]:
        """Return the receipts of everything ordered since the last time."""
        asked, self._asked = self._asked, 0
        return [receipt for _ in range(asked) for receipt in json.loads(self._read())]

    def append(self, *sizes: int) -> list[dict[str, Any]]:
        self.ask(*sizes)
        return self.answers()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        status = self._process.wait(600)
        if self._process.stdout is not None:
            self._process.stdout.close()
        assert status == 0

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def appenders(url: str, *names: str) -> Iterator[list[Appender]]:
    with ExitStack() as stack:
        made = []
        for name in names:
            made.append(Appender(url, name))
            stack.callback(made[-1].close)
        for appender in made:
            appender.ready()
        yield made


def url_of(ledger: Ledger) -> str:
    return ledger.database.url.render_as_string(hide_password=False)


def open_again(ledger: Ledger, key: SigningKey = ENTRY_KEY, **more: Any) -> Ledger:
    """Open the same ledger as another process would: by its own connections."""
    return Ledger.open(Database(url_of(ledger)), key, **more)


def stored(ledger: Ledger) -> list[StoredEntry]:
    with ledger.database.engine.connect() as connection:
        e = tables.entries.c
        query = sa.select(e.position, e.key_number, e.leaf_hash, e.signature, e.entry).order_by(e.position)
        return [StoredEntry(p, k, bytes(h), bytes(s), bytes(b)) for p, k, h, s, b in connection.execute(query)]


def audit(ledger: Ledger) -> Report:
    return audit_database(ledger.database, pin=Pin(genesis=stored(ledger)[0].leaf_hash), workers=1)


def assert_sound(ledger: Ledger) -> None:
    report = audit(ledger)
    assert (report.verdict, report.faults) == ("sound", ())


def position_of(outcome: Outcome) -> int:
    assert isinstance(outcome, Recorded), outcome
    return outcome.receipts[0].position


# -- appending ----------------------------------------------------------------------------------------------------------


def test_processes_that_take_turns_link_to_each_others_entries(ledger: Ledger) -> None:
    with appenders(url_of(ledger), "a", "b") as (first, second):
        receipts = [receipt for _ in range(8) for one in (first, second) for receipt in one.append(3)]
    assert [receipt["position"] for receipt in receipts] == list(range(2, 50))
    assert_sound(ledger)


def test_processes_that_append_at_once_leave_no_gap_and_give_no_position_twice(ledger: Ledger) -> None:
    sizes = [1, 5, 2, 30, 1, 1, 9] * 6
    with appenders(url_of(ledger), "a", "b", "c") as all_three:
        for appender in all_three:
            appender.ask(*sizes)
        own = append(ledger, *[cloud_event() for _ in range(20)])
        receipts = [receipt for appender in all_three for receipt in appender.answers()]
    positions = [receipt["position"] for receipt in receipts] + [position_of(outcome) for outcome in own]
    assert sorted(positions) == list(range(2, 2 + 3 * sum(sizes) + 20))
    by_position = {entry.position: entry for entry in stored(ledger)}
    assert all(by_position[r["position"]].leaf_hash.hex() == r["entry_hash"] for r in receipts)
    assert_sound(ledger)


def test_the_same_events_sent_to_two_processes_are_recorded_once(ledger: Ledger) -> None:
    other = open_again(ledger)
    events = [cloud_event(id=f"both-{number}") for number in range(200)]

    def send(to: Ledger) -> list[Outcome]:
        return [outcome for event in events for outcome in append(to, event)]

    with ThreadPoolExecutor(2) as pool:
        here, there = pool.map(send, (ledger, other))
    for one, another in zip(here, there, strict=True):
        assert {type(one), type(another)} == {Recorded, Repeated}
        assert one.receipts == another.receipts
    assert ledger.size() == 201
    other.close()
    assert_sound(ledger)


def test_a_condition_sees_what_another_process_appended(ledger: Ledger) -> None:
    other = open_again(ledger)
    known = ledger.size()
    [theirs] = append(other, cloud_event(change_id="CHG-1"))
    condition = Condition((Match(refs=("change:CHG-1",)),), known)
    refused = ledger.append(submission(ledger, cloud_event(change_id="CHG-1"), condition=condition))
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, ConditionFailedError)
    assert refused.error.position == position_of(theirs)
    other.close()


CREATOR = """
import sys
import sqlalchemy as sa
from ledgers import create_ledger
from ledger.errors import LedgerError

print("ready", flush=True)
sys.stdin.readline()
try:
    create_ledger(sys.argv[1]).close()
except (LedgerError, sa.exc.DBAPIError) as error:
    print("refused", type(error).__name__, str(error)[:200])
else:
    print("created")
"""


def test_of_two_processes_that_open_one_database_at_once_only_one_makes_the_ledger(database_url: str) -> None:
    with ExitStack() as stack:
        command = script(CREATOR, database_url)
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        both = [stack.enter_context(subprocess.Popen(command, **pipes)) for _ in range(2)]
        for process in both:
            assert process.stdout.readline() == "ready\n"
        for process in both:
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [process.communicate(timeout=600)[0] for process in both]
    assert [line.split()[0] for line in sorted(said)] == ["created", "refused"], said
    ledger = Ledger.open(Database(database_url), ENTRY_KEY)
    assert ledger.size() == 1
    assert isinstance(append(ledger, cloud_event())[0], Recorded)
    assert_sound(ledger)
    ledger.close()


# -- reading ------------------------------------------------------------------------------------------------------------


class Reader:
    """A subscription that is read in a thread, so that a test never waits for ever."""

    def __init__(self, ledger: Ledger, *matches: Match, after: int = 0) -> None:
        self._subscription = Subscription(ledger.database, ledger.watcher, matches, after=after)
        self._pool = ThreadPoolExecutor(1)

    def take(self, count: int) -> list[int]:
        """Return the positions of the next entries, waiting for those that are not there yet."""
        taken = self._pool.submit(lambda: [next(self._subscription).position for _ in range(count)])
        return taken.result(600)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self._subscription.stop()
        self._pool.shutdown()


def test_a_subscriber_sees_what_another_process_appends_in_order_without_gap_or_repeat(ledger: Ledger) -> None:
    with appenders(url_of(ledger), "a", "b") as (first, second), Reader(ledger) as reader:
        assert reader.take(1) == [1]
        for turn in range(5):
            # They append while it reads.
            start = 2 + 40 * turn
            first.ask(1, 10, 9)
            second.ask(20)
            assert reader.take(40) == list(range(start, start + 40))
        first.answers()
        second.answers()


def test_a_subscriber_goes_on_where_it_was(ledger: Ledger) -> None:
    with appenders(url_of(ledger), "a") as (other,):
        other.append(700)
        read: list[int] = []
        for size in (1, 250, 400, 60):
            # Each one a new subscription, as after a restart; in between the ledger grows.
            with Reader(ledger, after=read[-1] if read else 0) as reader:
                read += reader.take(size)
            other.append(20)
    assert read == list(range(1, 712))


def test_a_subscriber_to_a_ref_is_not_held_up_by_what_does_not_match(ledger: Ledger) -> None:
    with appenders(url_of(ledger), "a") as (other,), Reader(ledger, Match(refs=("change:CHG-3",))) as reader:
        receipts = other.append(*[50] * 4)
        wanted = [r["position"] for r in receipts if int(r["id"].split("-")[1]) % 5 == 3]
        assert reader.take(len(wanted)) == wanted
        # Nothing more matches; then something does.
        other.append(2)
        later = other.append(3)
        assert reader.take(1) == [later[0]["position"]]


# -- tokens and keys ------------------------------------------------------------------------------------------------------


def by_token(ledger: Ledger, caller: Caller, permitted_at: int) -> Outcome:
    """Append one event as a door does that has asked for permission as of `permitted_at`."""
    outcome: Outcome = ledger.append(submission(ledger, cloud_event(), caller=caller, permitted_at=permitted_at))
    return outcome


def issue(ledger: Ledger) -> tuple[str, str]:
    credential, token, _ = issue_token(
        ledger, actor="person:root", principal="service:ci", kind="service", roles=["reporter"]
    )
    return credential, token


def test_a_token_issued_by_one_process_is_known_to_another_that_runs(ledger: Ledger) -> None:
    other = open_again(ledger)
    credential, token = issue(ledger)
    held = other.current_authority().authenticate(token, other.clock.now_us())
    assert held.id == credential
    assert isinstance(by_token(other, Caller(held.id, held.principal, "token", held), -1), Recorded)
    other.close()
    assert_sound(ledger)


def test_a_token_revoked_by_one_process_is_refused_by_another_that_had_permitted_it(ledger: Ledger) -> None:
    credential, token = issue(ledger)
    other = open_again(ledger)
    held = other.authority.authenticate(token, other.clock.now_us())
    caller, permitted_at = Caller(held.id, held.principal, "token", held), other.authority.position
    assert isinstance(by_token(other, caller, permitted_at), Recorded)
    revoke_token(ledger, credential, actor="person:root", reason="leaked")
    before = ledger.size()
    refused = by_token(other, caller, permitted_at)
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, UnauthenticatedError)
    assert ledger.size() == before
    with pytest.raises(UnauthenticatedError):
        other.authority.authenticate(token, other.clock.now_us())
    other.close()
    assert_sound(ledger)


def test_a_token_revoked_in_a_group_is_refused_to_those_behind_it_in_the_group(ledger: Ledger) -> None:
    credential, token = issue(ledger)
    held = ledger.authority.authenticate(token, ledger.clock.now_us())
    caller, permitted_at = Caller(held.id, held.principal, "token", held), ledger.authority.position
    revoked = ledger.ledger_statement(
        "ledger.credential_revoked", {"actor": "person:root", "credential": credential, "reason": "leaked"}
    )
    before, middle, after = ledger.append_group(
        [
            submission(ledger, cloud_event(), caller=caller, permitted_at=permitted_at),
            submission(ledger, caller=ledger.own_caller())._replace(statements=(revoked,)),
            submission(ledger, cloud_event(), caller=caller, permitted_at=permitted_at),
        ]
    )
    assert (type(before), type(middle), type(after)) == (Recorded, Recorded, Refused)
    assert_sound(ledger)


def test_two_processes_with_two_keys_append_side_by_side(ledger: Ledger) -> None:
    enrol_entry_key(ledger, SECOND_KEY, "second")
    other = open_again(ledger, SECOND_KEY)
    for _ in range(5):
        append(ledger, cloud_event())
        append(other, cloud_event())
    assert {entry.key_number for entry in stored(ledger)} == {0, 1}
    other.close()
    assert_sound(ledger)


def test_a_recorder_whose_key_was_retired_by_another_process_does_not_append(ledger: Ledger) -> None:
    enrol_entry_key(ledger, SECOND_KEY, "second")
    other = open_again(ledger, SECOND_KEY)
    append(ledger, cloud_event())
    retire_key(other, ENTRY_KEY.key_id, role="entry", actor="person:root")
    before = ledger.size()
    for _ in range(2):
        with pytest.raises(KeyNotValidError, match="not valid for position"):
            append(ledger, cloud_event())
    assert_opens_nothing(ledger, ENTRY_KEY)
    assert ledger.size() == before
    assert isinstance(append(other, cloud_event())[0], Recorded)
    assert_sound(other)
    other.close()


def test_a_key_that_is_not_enrolled_opens_nothing(ledger: Ledger) -> None:
    assert_opens_nothing(ledger, SECOND_KEY)


def assert_opens_nothing(ledger: Ledger, key: SigningKey) -> None:
    database = Database(url_of(ledger))
    with pytest.raises(KeyNotValidError):
        Ledger.open(database, key)
    database.close()


def test_the_last_key_cannot_be_retired(ledger: Ledger) -> None:
    with pytest.raises(KeyNotValidError, match="the only valid entry key"):
        retire_key(ledger, ENTRY_KEY.key_id, role="entry", actor="person:root")
    assert isinstance(append(ledger, cloud_event())[0], Recorded)


# -- lost history -----------------------------------------------------------------------------------------------------


def append_until_answered(ledger: Ledger) -> list[Outcome]:
    """Append once more when the connection turns out to be gone: the next attempt makes a new one."""
    try:
        return append(ledger, cloud_event())
    except sa.exc.DBAPIError:
        return append(ledger, cloud_event())


@pytest.mark.postgres
def test_a_postgresql_that_lost_acknowledged_entries_is_noticed() -> None:
    with private_server() as server:
        url = server.url.replace("postgresql://", "postgresql+psycopg://")
        create_ledger(url).close()
        server.stop()
        copy = server.directory / "copy"
        subprocess.run(["cp", "-a", server.data, copy], check=True)
        server.start()
        ledger = Ledger.open(Database(url), ENTRY_KEY)
        append(ledger, *[cloud_event() for _ in range(5)])
        assert ledger.size() == 6
        server.stop()
        shutil.rmtree(server.data)
        copy.rename(server.data)
        server.start()
        with pytest.raises(LostHistoryError, match="acknowledged position 6"):
            append_until_answered(ledger)
        # It does not recover by itself: an operator must look.
        with pytest.raises(LostHistoryError):
            append(ledger, cloud_event())
        assert ledger.recorder.stopped is not None
        assert ledger.size() == 1
        ledger.close()


@pytest.mark.postgres
def test_a_postgresql_that_lost_entries_and_took_others_is_noticed() -> None:
    with private_server() as server:
        url = server.url.replace("postgresql://", "postgresql+psycopg://")
        create_ledger(url).close()
        server.stop()
        subprocess.run(["cp", "-a", server.data, server.directory / "copy"], check=True)
        server.start()
        ledger = Ledger.open(Database(url), ENTRY_KEY)
        append(ledger, cloud_event())
        server.stop()
        shutil.rmtree(server.data)
        (server.directory / "copy").rename(server.data)
        server.start()
        # Somebody else goes on with what is left, past the position that was lost.
        other = Ledger.open(Database(url), ENTRY_KEY)
        append(other, *[cloud_event() for _ in range(3)])
        other.close()
        with pytest.raises(LostHistoryError, match="acknowledged position 2"):
            append_until_answered(ledger)
        ledger.close()


@pytest.mark.postgres
def test_a_postgresql_that_crashed_and_recovered_goes_on_where_it_was() -> None:
    with private_server() as server:
        ledger = create_ledger(server.url.replace("postgresql://", "postgresql+psycopg://"))
        for _ in range(3):
            receipts = [outcome.receipts[0] for outcome in append(ledger, *[cloud_event() for _ in range(20)])]
            server.stop("QUIT")
            server.start()
            assert isinstance(append_until_answered(ledger)[0], Recorded)
            by_position = {entry.position: entry for entry in stored(ledger)}
            assert all(by_position[receipt.position].leaf_hash == receipt.entry_hash for receipt in receipts)
        assert ledger.size() == 64
        assert_sound(ledger)
        ledger.close()


def restore(backup: Path, path: Path) -> None:
    """Bring the older content back into the file by SQLite itself, as `.restore` does."""
    with sqlite3.connect(backup) as source, sqlite3.connect(path) as target:
        source.backup(target)
    source.close()
    target.close()


def replace(backup: Path, path: Path) -> None:
    """Put the older file in the place of the newer one, as `mv` does. The journal belongs to the newer one."""
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    backup.replace(path)


@pytest.mark.parametrize("how", [restore, replace])
def test_a_sqlite_file_that_an_older_one_took_the_place_of_is_noticed(
    sqlite_ledger: Ledger, tmp_path: Path, how: Callable[[Path, Path], None]
) -> None:
    append(sqlite_ledger, cloud_event())
    backup, path = tmp_path / "older.db", Path(str(sqlite_ledger.database.url.database))
    sqlite_ledger.database.backup(backup)
    append(sqlite_ledger, *[cloud_event() for _ in range(5)])
    how(backup, path)
    for _ in range(2):
        with pytest.raises(LostHistoryError):
            append(sqlite_ledger, cloud_event())
    assert sqlite_ledger.recorder.stopped is not None
    left = Database(str(path))
    with left.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.max(tables.entries.c.position))).scalar() == 2
    left.close()


# -- the clock ---------------------------------------------------------------------------------------------------------


@dataclass
class Clockwork:
    """A wall clock and a steady one, moved by hand."""

    wall: int = 1_795_435_200_000_000_000
    steady: int = 5_000_000_000

    def clock(self) -> Clock:
        return Clock(wall_ns=lambda: self.wall, steady_ns=lambda: self.steady)

    def pass_by(self, nanoseconds: int) -> None:
        self.wall += nanoseconds
        self.steady += nanoseconds


@pytest.fixture
def clockwork() -> Clockwork:
    return Clockwork()


@pytest.fixture
def clocked(database_url: str, clockwork: Clockwork) -> Iterator[Ledger]:
    made = create_ledger(database_url, clock=clockwork.clock())
    yield made
    made.close()


def recorded_at(ledger: Ledger) -> list[str]:
    return [entry.document["recorded_at"] for entry in stored(ledger)]


def test_time_that_passes_on_both_clocks_is_no_jump(clocked: Ledger, clockwork: Clockwork) -> None:
    for _ in range(3):
        clockwork.pass_by(3 * 24 * 60 * MINUTE_NS)
        append(clocked, cloud_event())
    assert recorded_at(clocked)[-1] == "2026-12-02T12:00:00.000000Z"
    assert_sound(clocked)


@pytest.mark.parametrize("minutes", [525_600, 2, -2, -1_000])
def test_a_wall_clock_that_jumps_stops_the_appends(clocked: Ledger, clockwork: Clockwork, minutes: int) -> None:
    append(clocked, cloud_event())
    clockwork.wall += minutes * MINUTE_NS
    for _ in range(2):
        with pytest.raises(ClockError):
            append(clocked, cloud_event())
    assert clocked.size() == 2
    # Set right again, it goes on.
    clockwork.wall -= minutes * MINUTE_NS
    assert isinstance(append(clocked, cloud_event())[0], Recorded)
    assert_sound(clocked)


@pytest.mark.parametrize("seconds", [50, -50])
def test_a_wall_clock_that_is_set_by_less_than_a_minute_goes_on_and_never_back(
    clocked: Ledger, clockwork: Clockwork, seconds: int
) -> None:
    append(clocked, cloud_event())
    clockwork.wall += seconds * 1_000_000_000
    append(clocked, cloud_event())
    assert recorded_at(clocked) == sorted(recorded_at(clocked))
    assert_sound(clocked)


@pytest.mark.parametrize("minutes", [60, -60])
def test_a_corrected_clock_goes_on_and_the_audit_accepts_it(
    clocked: Ledger, clockwork: Clockwork, minutes: int
) -> None:
    append(clocked, cloud_event())
    clockwork.wall += minutes * MINUTE_NS
    with pytest.raises(ClockError):
        append(clocked, cloud_event())
    receipt = correct_clock(clocked, actor="person:root", reason="ntp")
    assert receipt.recorded_at == ("2026-11-23T13:00:00.000000Z" if minutes > 0 else "2026-11-23T11:00:00.000000Z")
    assert isinstance(append(clocked, cloud_event())[0], Recorded)
    assert recorded_at(clocked)[-1] == receipt.recorded_at
    assert_sound(clocked)


def test_entries_from_the_future_stop_a_process_that_starts_and_a_correction_lets_it_go_on(
    clocked: Ledger, clockwork: Clockwork
) -> None:
    clockwork.pass_by(525_600 * MINUTE_NS)
    append(clocked, cloud_event())
    right = Clockwork()
    restarted = open_again(clocked, clock=right.clock())
    with pytest.raises(ClockError, match="ahead of the wall clock"):
        append(restarted, cloud_event())
    correct_clock(restarted, actor="person:root", reason="ntp")
    assert isinstance(append(restarted, cloud_event())[0], Recorded)
    assert recorded_at(clocked)[-1] == "2026-11-23T12:00:00.000000Z"
    restarted.close()
    assert_sound(clocked)


def test_a_clock_goes_back_in_a_correction_only_even_when_others_are_in_its_group(
    clocked: Ledger, clockwork: Clockwork
) -> None:
    append(clocked, cloud_event())
    clockwork.wall -= 60 * MINUTE_NS
    data = {"actor": "person:root", "previous": "2026-11-23T12:00:00Z", "reason": "ntp"}
    correction = submission(clocked, caller=clocked.own_caller())._replace(
        statements=(clocked.ledger_statement("ledger.clock_corrected", data),)
    )
    # What stands before the correction is judged by the clock that is not corrected yet.
    with pytest.raises(ClockError):
        clocked.append_group([submission(clocked, cloud_event()), correction])
    outcomes = clocked.append_group([correction, submission(clocked, cloud_event())])
    assert [type(outcome) for outcome in outcomes] == [Recorded, Recorded]
    assert clocked.size() == 4
    assert_sound(clocked)


class Backwards(Clock):
    """A clock that does not keep the rule."""

    def next_recorded_at(self, head_us: int, *, correcting: bool = False, apart: bool = False) -> int:
        return head_us - 1


def test_a_clock_that_went_back_without_a_correction_is_reported(ledger: Ledger) -> None:
    broken = open_again(ledger, clock=Backwards())
    [outcome] = append(broken, cloud_event())
    assert [(f.position, f.kind) for f in audit(ledger).faults] == [(position_of(outcome), "clock-backwards")]
    broken.close()
