"""The signer of checkpoints: one process at a time, with a memory outside the database.

Two checkpoints of one log of which neither is a prefix of the other prove that it lies. A database alone cannot keep
its signer from that: restore an old backup, and it has forgotten what was signed. So the last checkpoint is kept in a
file of the signer's own, as the signed note that it is:

    take the lock -> read the head -> prove it consistent with the memory -> sign -> write the memory -> store -> publish

The memory is durable before the signature leaves this module. A memory that is missing, that is ahead of the database,
or that the database contradicts stops the signer; only an operator's command goes on (`take_over`, `restore`).
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from sqlalchemy.engine import Connection

from ledger.authority import Authority
from ledger.errors import LostHistoryError, NotFoundError, SetupError, SignerStoppedError
from ledger.log.checkpoints import last_size, store_checkpoint
from ledger.log.database import Database, Lock
from ledger.log.reading import read_size
from ledger.log.tree import consistency_proof, tree_of
from ledger.published.durable import write_durably
from signing.checkpoint import Checkpoint, check_checkpoint, sign_checkpoint
from signing.errors import SigningError, VerificationError
from signing.keys import Signer
from signing.merkle import EMPTY_ROOT, check_consistency
from signing.notes import Note, NoteKey, parse_note

LOCK_NAME: Final = "signer"
TAKE_OVER: Final = "give it the last published checkpoint: change-ledger signer take-over FILE"


class Memory:
    """The file that remembers the last checkpoint. Outside the database, and not in its backups."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Note | None:
        """Return the note that is remembered, None when there is no file. Raises SignerStoppedError when it cannot be read."""
        try:
            return parse_note(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, VerificationError) as error:
            raise SignerStoppedError(f"the signer's memory {self.path} cannot be read: {error}; {TAKE_OVER}") from error

    def write(self, note: Note) -> None:
        """Replace what is remembered, durably: when this returns, a power failure does not bring the old one back."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_durably(self.path, str(note).encode())

    def begin(self, origin: str, signer: Signer) -> None:
        """Make the memory of a ledger that does not exist yet. Raises SetupError when one of that name, or another, was signed for here."""
        known = self.read()
        if known is not None and known.text != Checkpoint(origin, 0, EMPTY_ROOT).text:
            said = known.text.split("\n")
            raise SetupError(
                f"{self.path} remembers a checkpoint of {said[0]} of size {said[1]}: a ledger was made here before. "
                "Choose another directory, or remove that file if the ledger is gone"
            )
        self.write(sign_checkpoint(Checkpoint(origin, 0, EMPTY_ROOT), signer))


def check(memory: Memory, database: Database, authority: Authority) -> Checkpoint:
    """Return the remembered checkpoint after holding the database against it.

    Raises LostHistoryError when the database is behind the memory or contradicts it, SignerStoppedError when the memory
    is missing, unreadable, another ledger's or behind what was published.
    """
    note = memory.read()
    if note is None:
        raise SignerStoppedError(
            f"the signer has no memory at {memory.path}, and the ledger is not empty: without it nobody knows what "
            f"was signed before. If this host takes over from another, {TAKE_OVER}"
        )
    remembered = hold(note, database, authority)
    with database.read() as connection:
        published = last_size(connection)
    # What an earlier incarnation published is another log's.
    if published > remembered.size and authority.origin_at(published) == remembered.origin:
        raise SignerStoppedError(
            f"the signer remembers size {remembered.size}, and a checkpoint of size {published} is in the database: another "
            f"host signed meanwhile. To sign here again, {TAKE_OVER}"
        )
    return remembered


def hold(note: Note, database: Database, authority: Authority) -> Checkpoint:
    """Return the checkpoint of a note after holding the database against it. Raises as `check` does."""
    remembered = verified(note, authority)
    with database.read() as connection:
        size = read_size(connection)
        if size < remembered.size:
            raise LostHistoryError(
                f"the database ends at position {size}, and a checkpoint of size {remembered.size} was signed: its tail was "
                "cut off, or an old backup was restored. Find the lost entries (docs/howto/respond-to-a-broken-chain.md); "
                "if the backup was restored on purpose: change-ledger signer restore --reason WHY"
            )
        if root_of(connection, remembered.size) != remembered.root:
            raise LostHistoryError(
                f"the first {remembered.size} entries are not those of the checkpoint that was signed over them "
                f"(root {remembered.root.hex()}): history was rewritten. See docs/howto/respond-to-a-broken-chain.md"
            )
    if remembered.origin != authority.checkpoint_origin:
        raise SignerStoppedError(
            f"the memory is of {remembered.origin}, and this ledger is now {authority.checkpoint_origin}: finish its "
            "restoration with change-ledger signer restore --reason WHY"
        )
    return remembered


def root_of(connection: Connection, size: int) -> bytes:
    """Return the root of the first `size` entries. Raises LostHistoryError when the stored tree is not whole."""
    try:
        return tree_of(connection, size).root()
    except (NotFoundError, VerificationError) as error:
        raise LostHistoryError(f"the tree of the first {size} entries is not whole: {error}") from error


def verified(note: Note, authority: Authority) -> Checkpoint:
    """Return the checkpoint of a note that one of the ledger's keys signed.

    Raises LostHistoryError when the database does not know the incarnation that signed it, else SignerStoppedError.
    """
    try:
        # Judged by every key that ever was this ledger's: a key may have been retired since.
        return check_checkpoint(note, authority.checkpoint_keys())
    except VerificationError as error:
        if (later := later_incarnation(note, authority)) is not None:
            raise LostHistoryError(
                f"a checkpoint of {later} was signed, and the database knows nothing of its restoration: a backup from "
                "before it was restored. Put back one that was made after it"
            ) from error
        raise SignerStoppedError(f"not a checkpoint of this ledger: {error}; {TAKE_OVER}") from error


def later_incarnation(note: Note, authority: Authority) -> str | None:
    """Return the name of the incarnation of this ledger that signed a note and is not in the database, or None."""
    origin = note.text.partition("\n")[0]
    if origin.startswith(f"{authority.origin}#") and origin not in authority.checkpoint_origins:
        with suppress(SigningError):
            check_checkpoint(note, [NoteKey(origin, k.public_key) for k in authority.keyring.numbered("checkpoint")])
            return origin
    return None


class CheckpointSigner:
    """Signs the checkpoints of one ledger with one key. `authority` gives who may do what as of now."""

    def __init__(self, database: Database, signer: Signer, memory: Memory, authority: Callable[[], Authority]) -> None:
        self.memory = memory
        self._database = database
        self._signer = signer
        self._authority = authority
        self._lock: Lock | None = None

    def check(self) -> Checkpoint:
        """Return the remembered checkpoint after holding the database against it, as `check` of this module does."""
        return check(self.memory, self._database, self._authority())

    def acquire(self) -> bool:
        """Take the lock that lets one process sign, and return whether this one has it."""
        if self._lock is not None and not self._lock.is_held():
            self.release()
        if self._lock is None:
            self._lock = self._database.try_lock(LOCK_NAME)
        return self._lock is not None

    def sign_once(self) -> None:
        """Sign what is new, if no other process signs: for commands, where no server does."""
        if self.acquire():
            try:
                self.sign()
            finally:
                self.release()

    def release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def sign(self) -> Note | None:
        """Sign the head as it is now, if there is something new. Returns the note once it is remembered and stored.

        Raises as `check` does, and SignerStoppedError when this process does not hold the lock or its key is not valid.
        """
        if self._lock is None or not self._lock.is_held():
            raise SignerStoppedError("another process signs checkpoints: this one does not hold the lock")
        remembered = self.check()
        self._store(remembered)
        with self._database.read() as connection:
            size = read_size(connection)
            if size == remembered.size:
                return None
            root = root_of(connection, size)
            proof = consistency_proof(connection, remembered.size, size)
        check_consistency(old_size=remembered.size, new_size=size, old_root=remembered.root, new_root=root, proof=proof)
        # After the head was read: a key change up to there is in force for this checkpoint.
        authority = self._authority()
        try:
            key = authority.keyring.find("checkpoint", self._signer.key_id)
        except VerificationError as error:
            raise SignerStoppedError(f"{error}; enrol it: change-ledger keys enrol checkpoint …") from error
        if (fault := key.fault_at(size)) is not None:
            raise SignerStoppedError(f"the checkpoint key {key.key_id[:16]}… may not sign size {size}: {fault}")
        note = sign_checkpoint(Checkpoint(authority.origin_at(size), size, root), self._signer)
        # Dies here: nothing was signed, as far as anybody knows.
        self.memory.write(note)
        # Dies here: it is remembered and nobody has it; the next run stores it first.
        with self._database.write() as connection:
            store_checkpoint(connection, note)
        # Dies here: it is published; the next run finds nothing new.
        return note

    def _store(self, remembered: Checkpoint) -> None:
        """Store what is remembered, where a crash came between the memory and the database."""
        note = self.memory.read()
        if note is not None and remembered.size:
            with self._database.read() as connection:
                if last_size(connection) >= remembered.size:
                    return
            # Durable first, again: whoever wrote it may have failed before it was.
            self.memory.write(note)
            with self._database.write() as connection:
                store_checkpoint(connection, note)

    # -- what only an operator may do ----------------------------------------------------------------------------

    def take_over(self, note: Note) -> Checkpoint:
        """Remember a published checkpoint, so that this host signs from it on.

        Raises SignerStoppedError when it is not this ledger's, or older than what is known here; LostHistoryError when the
        database is behind it or contradicts it. Then the memory stays as it was.
        """
        checkpoint = hold(note, self._database, self._authority())
        known = self._remembered_size()
        with self._database.read() as connection:
            known = max(known, last_size(connection))
        if checkpoint.size < known:
            raise SignerStoppedError(
                f"expected the last checkpoint that was published, of size {known}; found one of size {checkpoint.size}"
            )
        names = {(key.name, key.id) for key in self._authority().checkpoint_keys()}
        # Without what witnesses signed beneath it: that is kept by itself.
        self.memory.write(Note(note.text, tuple(line for line in note.lines if (line.name, line.key_id) in names)))
        return checkpoint

    def _remembered_size(self) -> int:
        """Return the size that the memory holds, 0 when there is none or it cannot be read: that is what is being mended."""
        authority = self._authority()
        try:
            note = self.memory.read()
            known = verified(note, authority) if note is not None else None
        except SignerStoppedError:
            return 0
        # An earlier incarnation is another log.
        return known.size if known is not None and known.origin == authority.checkpoint_origin else 0

    def lost(self) -> Checkpoint:
        """Return the remembered checkpoint that the database has lost. Raises SetupError when it has lost none."""
        note = self.memory.read()
        if note is None:
            raise SetupError(
                f"the signer has no memory at {self.memory.path}: what was lost is not known. First {TAKE_OVER}"
            )
        try:
            self.check()
        except LostHistoryError:
            return verified(note, self._authority())
        except SignerStoppedError as stopped:
            raise SetupError(f"nothing was lost, but the signer stands: {stopped}") from stopped
        raise SetupError("nothing was lost: the database holds all that was signed")

    def begin_again(self) -> None:
        """Make the memory of a new incarnation, whose `ledger.restored` is in the ledger: it has signed nothing yet."""
        self.memory.write(sign_checkpoint(Checkpoint(self._authority().checkpoint_origin, 0, EMPTY_ROOT), self._signer))

    def must_begin_again(self) -> bool:
        """Say whether a restoration was recorded, and a crash came before the memory of the new incarnation was written."""
        note, authority = self.memory.read(), self._authority()
        origin = note.text.partition("\n")[0] if note is not None else ""
        return origin in authority.checkpoint_origins[:-1]
