"""What the ledger says of itself, whoever asks: origin, head, keys, versions."""

from collections.abc import Mapping
from typing import Any

from api.desk.policies import works_alone
from api.desk.stewardship import keys_of
from ledger.entry import FORMAT_VERSION
from ledger.ledger import Ledger
from ledger.log.reading import read_entry, read_size
from signing.merkle import leaf_hash
from signing.notes import format_verifier_key


def about_ledger(ledger: Ledger, checkpoints: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is needed to pin a ledger, and how long it is; with how its checkpoints are, as whoever publishes them tells."""
    authority = ledger.current_authority()
    with ledger.database.read() as connection:
        size = read_size(connection)
        genesis, last = read_entry(connection, 1), read_entry(connection, size)
    return {
        "origin": ledger.origin,
        "format_version": FORMAT_VERSION,
        "genesis_hash": leaf_hash(genesis.entry).hex(),
        "size": size,
        "last_entry_hash": last.leaf_hash.hex(),
        "last_recorded_at": last.document["recorded_at"],
        "verifier_keys": [format_verifier_key(key) for key in authority.checkpoint_keys(size + 1)],
        "checkpoints": checkpoints,
        "entry_keys": keys_of(authority, ["entry"]),
        "is_of_one": works_alone(ledger.database, ledger.clock.now_us()),
    }
