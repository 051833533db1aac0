"""Known ledgers: the pins of this user, one a line, as ssh keeps known hosts.

<origin> <hash of the entry at position 1> <checkpoint key as a note verifier key> [<id of a recovered entry key> …]
"""

import re
from collections.abc import Sequence
from pathlib import Path

from ledger.audit.report import Pin
from ledger.errors import SetupError
from ledger.published.durable import read_configured, write_durably
from signing.notes import NoteKey, format_verifier_key, parse_verifier_key


def read(path: Path, origin: str) -> Pin | None:
    """Return the pin of a ledger, or None when this user does not know it. Raises SetupError for a line that cannot be read."""
    for number, line in enumerate((read_configured(path) or "").splitlines(), 1):
        parts = line.split()
        if not parts or parts[0].startswith("#") or parts[0] != origin:
            continue
        try:
            _, genesis, verifier_key, *recovered = parts
            if not all(re.fullmatch("[0-9a-f]{64}", identifier) for identifier in recovered):
                raise ValueError("after the verifier key come key ids of 64 hex digits")
            key = parse_verifier_key(verifier_key).public_key
            return Pin(origin, bytes.fromhex(genesis), key, recovered=frozenset(recovered))
        except ValueError as error:
            raise SetupError(
                f"{path}:{number} is not a pin: expected <origin> <genesis hash> <verifier key> [<key id> …] ({error})"
            ) from error
    return None


def write(path: Path, origin: str, genesis: bytes, checkpoint_key: bytes, recovered: Sequence[str] = ()) -> None:
    """Add a pin, or accept the recovered entry keys in the one that is there. An origin that is pinned to something else already
    is refused: that is what pins are for.
    """
    known = read(path, origin)
    if known is not None:
        if known.genesis != genesis:
            pinned = known.genesis.hex()[:16] if known.genesis else ""
            raise SetupError(
                f"{path} pins {origin} to another ledger ({pinned}…). Either this is not the ledger you know, or you "
                "made it anew: then remove that line"
            )
        if accepted := [identifier for identifier in recovered if identifier not in known.recovered]:
            _accept(path, origin, accepted)
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    words = (origin, genesis.hex(), format_verifier_key(NoteKey(origin, checkpoint_key)), *recovered)
    before = (read_configured(path) or "").splitlines()
    # Whole or not at all: half a line would spoil the next pin, too.
    write_durably(path, "".join(f"{line}\n" for line in (*before, " ".join(words))).encode())


def _accept(path: Path, origin: str, identifiers: Sequence[str]) -> None:
    """Add key ids to the line of a pin, and leave all others as they are."""
    lines = (read_configured(path) or "").splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines) if line.split()[:1] == [origin])
    lines[number] = " ".join((*lines[number].split(), *identifiers)) + "\n"
    write_durably(path, "".join(lines).encode())
