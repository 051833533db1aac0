"""Known ledgers: the pins of this user, one a line, as ssh keeps known hosts.

<origin> <hash of the entry at position 1> <checkpoint key as a note verifier key>
"""

import os
from pathlib import Path

from ledger.audit_report import Pin
from ledger.errors import SetupError
from signing.notes import NoteKey, format_verifier_key, parse_verifier_key


def read(path: Path, origin: str) -> Pin | None:
    """Return the pin of a ledger, or None when this user does not know it. Raises SetupError for a line that cannot be read."""
    if not path.exists():
        return None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        parts = line.split()
        if not parts or parts[0].startswith("#") or parts[0] != origin:
            continue
        try:
            _, genesis, verifier_key = parts
            return Pin(origin, bytes.fromhex(genesis), parse_verifier_key(verifier_key).public_key)
        except ValueError as error:
            raise SetupError(
                f"{path}:{number} is not a pin: expected <origin> <genesis hash> <verifier key> ({error})"
            ) from error
    return None


def write(path: Path, origin: str, genesis: bytes, checkpoint_key: bytes) -> None:
    """Add a pin. An origin that is pinned to something else already is refused: that is what pins are for."""
    known = read(path, origin)
    if known is not None:
        if known.genesis != genesis:
            pinned = known.genesis.hex()[:16] if known.genesis else ""
            raise SetupError(
                f"{path} pins {origin} to another ledger ({pinned}…). Either this is not the ledger you know, or you "
                "made it anew: then remove that line"
            )
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a") as file:
        file.write(f"{origin} {genesis.hex()} {format_verifier_key(NoteKey(origin, checkpoint_key))}\n")
