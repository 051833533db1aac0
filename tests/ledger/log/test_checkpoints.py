"""Checkpoints as they are kept: reading them back, paging through them, and waiting for enough witnesses."""

import re

import pytest
import sqlalchemy as sa
from ledgers import CHECKPOINT_KEY, ORIGIN, WITNESS, WITNESS_KEY, WITNESSED_AT, append, cloud_event

from ledger.errors import NotFoundError
from ledger.ledger import Ledger
from ledger.log import tables
from ledger.log.checkpoints import (
    StoredCheckpoint,
    last_cosigned,
    last_size,
    read_checkpoint,
    read_checkpoints,
    store_checkpoint,
    store_cosignature,
)
from signing.checkpoint import Checkpoint, check_checkpoint, sign_checkpoint
from signing.keys import SigningKey
from signing.notes import Note, NoteKey
from signing.witness import cosign

KEY = NoteKey(ORIGIN, CHECKPOINT_KEY.public_key)
NAMES = ("witness.test/a", "witness.test/b", "witness.test/c")
KEYS = {name: SigningKey.from_seed(name.encode()[-1:] * 32) for name in NAMES}


def note_of(size: int) -> Note:
    """A store does not ask for the root: any will do."""
    return sign_checkpoint(Checkpoint(ORIGIN, size, size.to_bytes(32)), CHECKPOINT_KEY)


def keep(ledger: Ledger, *sizes: int) -> None:
    with ledger.database.engine.begin() as connection:
        if ledger.database.is_sqlite:
            connection.exec_driver_sql("BEGIN")
        for size in sizes:
            store_checkpoint(connection, note_of(size))


def have_cosigned(ledger: Ledger, size: int, *names: str, at: int = WITNESSED_AT) -> None:
    with ledger.database.engine.begin() as connection:
        for name in names:
            store_cosignature(connection, size, cosign(note_of(size).text, name, KEYS[name], at))


def read(
    ledger: Ledger, size: int | None = None, *, witnesses: tuple[str, ...] = (), at_least: int = 0
) -> StoredCheckpoint:
    with ledger.database.read() as connection:
        return read_checkpoint(connection, size, witnesses=witnesses, at_least=at_least)


def test_what_is_kept_is_read_back_as_it_was(ledger: Ledger) -> None:
    keep(ledger, 3, 7)
    last = read(ledger)
    assert (last.size, last.signed, last.note, last.cosignatures) == (7, note_of(7), note_of(7), ())
    assert check_checkpoint(last.note, [KEY]) == last.checkpoint == Checkpoint(ORIGIN, 7, (7).to_bytes(32))
    assert read(ledger, 3).note == note_of(3)
    with ledger.database.read() as connection:
        assert last_size(connection) == 7


def test_before_the_first_checkpoint_there_is_none_and_a_reader_is_told_so(ledger: Ledger) -> None:
    append(ledger, cloud_event())
    with ledger.database.read() as connection:
        assert last_size(connection) == 0
        assert last_cosigned(connection, WITNESS) == 0
        assert list(read_checkpoints(connection)) == []
    with pytest.raises(NotFoundError, match=r"^no checkpoint was signed yet$"):
        read(ledger)
    keep(ledger, 2)
    with pytest.raises(NotFoundError, match=r"^no checkpoint of size 1 was signed yet$"):
        read(ledger, 1)
    with pytest.raises(NotFoundError, match=r"^no checkpoint was signed and cosigned by 2 witnesses yet$"):
        read(ledger, witnesses=NAMES, at_least=2)
    with pytest.raises(NotFoundError, match=r"^no checkpoint of size 2 was signed and cosigned by 1 witnesses yet$"):
        read(ledger, 2, witnesses=NAMES, at_least=1)


def test_a_second_checkpoint_of_one_size_is_refused_by_the_database(ledger: Ledger) -> None:
    keep(ledger, 2)
    with pytest.raises(sa.exc.DBAPIError, match=r"append-only|unique"):
        keep(ledger, 2)
    assert read(ledger).note == note_of(2)


def test_pages_have_every_checkpoint_once_in_order(ledger: Ledger) -> None:
    sizes = list(range(2, 2 + 3 * 1003, 3))
    keep(ledger, *sizes)
    have_cosigned(ledger, sizes[499], *NAMES)
    have_cosigned(ledger, sizes[500], NAMES[0])
    with ledger.database.read() as connection:
        everything = list(read_checkpoints(connection))
        assert [stored.size for stored in everything] == sizes
        assert [stored.note.text for stored in everything] == [note_of(size).text for size in sizes]
        # At the seam of two pages, each has its own cosignatures.
        assert {stored.size: len(stored.cosignatures) for stored in everything if stored.cosignatures} == {
            sizes[499]: 3,
            sizes[500]: 1,
        }
        for limit in (0, 1, 499, 500, 501, 1000, 1003, 2000):
            assert [s.size for s in read_checkpoints(connection, limit=limit)] == sizes[:limit], limit
        for after in (0, 1, 2, 3, sizes[499], sizes[-2], sizes[-1], 2**62):
            found = [s.size for s in read_checkpoints(connection, after=after, limit=700)]
            assert found == [size for size in sizes if size > after][:700], after


def test_cosignatures_stand_beneath_the_line_of_the_log_in_the_order_of_their_names(ledger: Ledger) -> None:
    keep(ledger, 5)
    have_cosigned(ledger, 5, *reversed(NAMES))
    stored = read(ledger)
    assert [line.name for line in stored.note.lines] == [ORIGIN, *NAMES]
    assert re.findall("(?m)^— ([^ ]+) ", str(stored.note)) == [ORIGIN, *NAMES]
    assert stored.signed == note_of(5)
    assert check_checkpoint(stored.note, [KEY]).size == 5


def test_the_first_cosignature_of_a_witness_stays(ledger: Ledger) -> None:
    keep(ledger, 5, 6)
    have_cosigned(ledger, 5, NAMES[0])
    have_cosigned(ledger, 5, NAMES[0], at=WITNESSED_AT + 60)
    assert read(ledger, 5).cosignatures == (cosign(note_of(5).text, NAMES[0], KEYS[NAMES[0]], WITNESSED_AT),)
    have_cosigned(ledger, 6, NAMES[0], at=WITNESSED_AT + 60)
    with ledger.database.read() as connection:
        assert [last_cosigned(connection, name) for name in NAMES] == [6, 0, 0]
        rows = connection.execute(sa.select(sa.func.count()).select_from(tables.cosignatures))
        assert rows.scalar_one() == 2


def test_a_policy_gives_the_last_checkpoint_that_enough_of_its_witnesses_cosigned(ledger: Ledger) -> None:
    a, b, c = NAMES
    keep(ledger, 2, 4, 6, 8, 10)
    have_cosigned(ledger, 2, a, b, c)
    have_cosigned(ledger, 4, a, b)
    have_cosigned(ledger, 6, b, c)
    have_cosigned(ledger, 8, c)
    expected: list[tuple[tuple[str, ...], int, int]] = [
        ((), 0, 10),
        (NAMES, 0, 10),
        (NAMES, 1, 8),
        (NAMES, 2, 6),
        (NAMES, 3, 2),
        ((a, b), 1, 6),
        ((a, b), 2, 4),
        ((a,), 1, 4),
        ((a, c), 2, 2),
        ((c,), 1, 8),
    ]
    for witnesses, at_least, size in expected:
        assert read(ledger, witnesses=witnesses, at_least=at_least).size == size, (witnesses, at_least)
    for witnesses, at_least in ((NAMES, 4), ((a, b), 3), ((), 1), (("witness.test/d",), 1)):
        with pytest.raises(NotFoundError, match=f"cosigned by {at_least} witnesses yet"):
            read(ledger, witnesses=witnesses, at_least=at_least)
    # A witness that the policy does not name does not count, and its line is given out all the same.
    assert [line.name for line in read(ledger, witnesses=(a,), at_least=1).cosignatures] == [a, b]


def test_the_checkpoint_of_a_size_that_a_policy_asks_for_is_found_where_it_has_enough_cosignatures(
    ledger: Ledger,
) -> None:
    keep(ledger, 2, 4)
    have_cosigned(ledger, 2, *NAMES)
    have_cosigned(ledger, 4, *NAMES)
    assert read(ledger, 4, witnesses=NAMES, at_least=3).size == 4
    assert read(ledger, 2, witnesses=NAMES, at_least=3).size == 2


def test_a_key_of_another_name_makes_another_line(ledger: Ledger) -> None:
    keep(ledger, 3)
    with ledger.database.engine.begin() as connection:
        store_cosignature(connection, 3, cosign(note_of(3).text, WITNESS, WITNESS_KEY, WITNESSED_AT))
    have_cosigned(ledger, 3, NAMES[0])
    assert {line.name for line in read(ledger).cosignatures} == {WITNESS, NAMES[0]}
