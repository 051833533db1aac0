"""The audit of files of several ranges: parallel, interrupted, in flat memory."""

import tracemalloc
from pathlib import Path

import pytest
from exports import Made, grow
from ledgers import ORIGIN, append, cloud_event, create_ledger, keep_checkpoint

from ledger.audit.log_files import Directory
from ledger.audit.of_files import audit_files
from ledger.audit.ranges import RANGE
from ledger.errors import SetupError
from ledger.log.reading import read_entry
from ledger.published.export import export
from ledger.stewardship.commitments import commit_heads
from signing.checkpoint import Checkpoint, parse_checkpoint

LENGTHS = (17_000, 33_000)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> list[Made]:
    """Exports of one ledger, of two ranges and of four, each with a rest."""
    directory = tmp_path_factory.mktemp("long")
    made, ledger = [], create_ledger(f"sqlite:///{directory / 'ledger.db'}")
    append(ledger, cloud_event("change.opened", title="A text"))
    grow(ledger, 5000, deployment_id="one")
    commit_heads(ledger)
    for length in LENGTHS:
        grow(ledger, length, deployment_id="one")
        note = keep_checkpoint(ledger)
        export(ledger.database, directory / str(length))
        with ledger.database.read() as connection:
            genesis = read_entry(connection, 1).leaf_hash
        made.append(Made(directory / str(length), genesis, [(1, genesis)], [parse_checkpoint(note.text)]))
    ledger.close()
    return made


class Watched(Directory):
    """A directory that remembers which bundles were walked."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.walked: list[str] = []

    def read(self, path: str) -> bytes:
        if path.startswith("tile/signatures/"):  # These only the walk reads.
            self.walked.append(path)
        return super().read(path)


def test_ranges_audited_in_parallel_make_the_same_report(long: list[Made]) -> None:
    files = Directory(long[1].files)
    one, two = (audit_files(files, pin=long[1].pin, workers=n, signatures=False) for n in (1, 2))
    assert one == two
    assert (one.faults, one.size, one.checkpoint_size) == ((), 33_000, 33_000)


@pytest.mark.slow
def test_ranges_with_their_signatures_audited_in_parallel_are_sound(long: list[Made]) -> None:
    files = Directory(long[1].files)
    one, two = (audit_files(files, pin=long[1].pin, workers=n) for n in (1, 2))
    assert one == two
    assert one.verdict == "sound"


def test_faults_in_any_range_are_found_in_parallel_too(long: list[Made]) -> None:
    wrong = [Checkpoint(ORIGIN, size, bytes(32)) for size in (RANGE, RANGE + 1, 3 * RANGE - 1, 32_900)]
    bundle = long[1].files / "tile/entries/070"
    before = bundle.read_bytes()
    bundle.write_bytes(before.replace(b'"success"', b'"failure"', 1))
    try:
        reports = [audit_files(Directory(long[1].files), workers=n, signatures=False, given=wrong[:2]) for n in (1, 2)]
    finally:
        bundle.write_bytes(before)
    assert reports[0] == reports[1]
    found = {(fault.position, fault.kind) for fault in reports[0].faults}
    assert {(RANGE, "checkpoint-contradicted"), (RANGE + 1, "checkpoint-contradicted")} <= found
    assert (70 * 256 + 1, "entry-altered") in found


def test_an_interrupted_audit_goes_on_where_it_was_and_walks_nothing_again(long: list[Made], tmp_path: Path) -> None:
    state, reached = tmp_path / "state", list[int]()

    def stop(done: int, size: int) -> None:
        reached.append(done)
        if len(reached) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audit_files(Directory(long[1].files), workers=1, signatures=False, state=state, on_progress=stop)
    assert reached == [RANGE, 2 * RANGE, 3 * RANGE]
    # The range at which it was stopped was not kept yet.
    files = Watched(long[1].files)
    report = audit_files(files, workers=1, signatures=False, state=state)
    assert files.walked[0] == f"tile/signatures/{2 * RANGE // 256:03d}"
    assert len(files.walked) == -(-33_000 // 256) - 2 * RANGE // 256
    assert not state.exists()
    assert report == audit_files(Directory(long[1].files), workers=1, signatures=False)


def test_the_state_of_another_audit_or_a_broken_one_is_refused(long: list[Made], tmp_path: Path) -> None:
    state = tmp_path / "state"

    def stop(done: int, size: int) -> None:
        if done > RANGE:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audit_files(Directory(long[0].files), workers=1, signatures=False, state=state, on_progress=stop)
    with pytest.raises(SetupError, match="state of another audit"):
        audit_files(Directory(long[0].files), workers=1, state=state)
    state.write_text(state.read_text()[:-10])
    with pytest.raises(SetupError, match="cannot be read as the state of an audit"):
        audit_files(Directory(long[0].files), workers=1, signatures=False, state=state)


@pytest.mark.slow
def test_a_ledger_twice_as_long_takes_no_more_memory(long: list[Made]) -> None:
    peaks = []
    for made in long:
        tracemalloc.start()
        try:
            audit_files(Directory(made.files), workers=1, signatures=False)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_an_audit_does_not_go_on_from_one_that_was_held_against_something_else(
    long: list[Made], tmp_path: Path
) -> None:
    def stop(done: int, size: int) -> None:
        if done > 8192:
            raise KeyboardInterrupt

    files, state = Directory(long[1].files), tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        audit_files(files, workers=1, signatures=False, state=state, on_progress=stop)
    held = Checkpoint(ORIGIN, 5000, b"\1" * 32)
    with pytest.raises(SetupError, match="the state of another audit"):
        audit_files(files, workers=1, signatures=False, state=state, given=[held])
