"""Who may do what, folded from the log's own entries, each of them checked before it counts.

Not what these entries mean (`ledger.authority`).
"""

from collections.abc import Callable

from sqlalchemy.engine import Connection

from ledger.authority import AUTHORITY_TYPES, RECOVERED, Authority
from ledger.conditions import Match
from ledger.entry import ENTRY_PAYLOAD_TYPE
from ledger.errors import LedgerStoppedError
from ledger.log.database import Database
from ledger.log.reading import read_entries
from signing import dsse
from signing.errors import SigningError, VerificationError
from signing.keys import VerifyingKey
from signing.merkle import leaf_hash


def authority_of(database: Database) -> Callable[[], Authority]:
    """Return a function that tells who may do what as of now. It needs no entry key: it reads, and appends nothing."""
    authority = Authority()

    def current() -> Authority:
        with database.read() as connection:
            catch_up(connection, authority)
        return authority

    return current


def catch_up(connection: Connection, authority: Authority) -> None:
    """Fold the authority entries after `authority.position`, each one checked: its hash, and a signature by a key valid before it."""
    match = Match(types=tuple(sorted(AUTHORITY_TYPES)))
    for stored in read_entries(connection, [match], after=authority.position, limit=None):
        statement = stored.statement
        # The first key vouches for itself; one that was recovered does too, by leave of the checkpoint key.
        itself = stored.position == 1 or statement["type"] == RECOVERED
        try:
            if itself:
                authority.fold(stored.position, statement["type"], statement["data"])
            if itself and statement["data"].get("last_entry", stored.document["prev"]) != stored.document["prev"]:
                raise VerificationError("the checkpoint key let it in after another entry")
            key = authority.keyring.numbered("entry")[stored.key_number]
            if leaf_hash(stored.entry) != stored.leaf_hash or key.fault_at(stored.position):
                raise LedgerStoppedError(f"the entry at position {stored.position} is not what its hash and key say")
            VerifyingKey(key.public_key).check(stored.signature, dsse.pae(ENTRY_PAYLOAD_TYPE, stored.entry))
        except (SigningError, IndexError) as error:
            raise LedgerStoppedError(
                f"the entry at position {stored.position} decides who may do what, and does not verify ({error}); "
                "run: change-ledger verify"
            ) from error
        if not itself:
            authority.fold(stored.position, statement["type"], statement["data"])
