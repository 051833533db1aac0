"""An audit under a pin: of flags, or of what this user knows; and what else an auditor holds, receipts and checkpoints.

Not the commands (`api.cli.verifying`, `api.cli.auditing`), nor the walk over the entries (`ledger.audit`).
"""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from api.cli import pins
from api.cli.common import Where
from api.cli.progress import bar
from api.cli.terminal import echo
from ledger.audit.of_database import audit_database
from ledger.audit.reading import fold_authority
from ledger.audit.report import Pin, Report
from ledger.errors import SetupError
from ledger.log.database import Database
from ledger.published.durable import read_bounded
from signing.checkpoint import Checkpoint, check_checkpoint, parse_checkpoint
from signing.notes import parse_note, parse_verifier_key
from signing.timestamps import read_certificates


def verify_database(
    place: Where,
    database: Database,
    *,
    genesis: str | None,
    vkey: str | None,
    recovered: list[str] | None = None,
    witnesses: list[str] | None = None,
    certificate: Path | None = None,
    as_lines: bool = False,
    **wanted: Any,
) -> Report:
    """Audit a database under the pin of the flags, or else of what this user knows, with progress for people or in lines."""
    database.check_schema()
    pin = pin_of_flags(genesis, vkey)
    if pin is None:
        with database.read() as connection:
            authority, _ = fold_authority(connection)
        pin = pins.read(place.settings.known_ledgers_path, authority.origin)
    pin = with_recovered(with_outsiders(pin, witnesses, certificate), recovered)
    if as_lines:
        return audit_database(
            database,
            pin=pin,
            on_progress=lambda done, size: echo(json.dumps({"checked": done, "size": size})),
            **wanted,
        )
    with bar() as tell:
        return audit_database(
            database,
            pin=pin,
            on_progress=tell,
            **wanted,
        )


def read_receipts(path: Path) -> list[tuple[int, bytes]]:
    """Read receipts as the API answered them: one, a batch's, or one a line."""
    try:
        found = [json.loads(line) for line in read_bounded(path).decode().splitlines() if line.strip()]
        receipts = [receipt for item in found for receipt in item.get("receipts", [item])]
        return [(int(receipt["position"]), bytes.fromhex(receipt["entry_hash"])) for receipt in receipts]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SetupError(f"{path} holds no receipts: expected JSON with position and entry_hash ({error})") from error


def read_given(paths: list[Path], vkey: str | None) -> list[Checkpoint]:
    """Read checkpoints that somebody holds; when a key is pinned, each must be signed by it."""
    keys = [parse_verifier_key(vkey)] if vkey else []
    notes = [parse_note(read_bounded(path)) for path in paths]
    return [check_checkpoint(note, keys) if keys else parse_checkpoint(note.text) for note in notes]


def with_outsiders(pin: Pin | None, witnesses: list[str] | None, certificate: Path | None) -> Pin | None:
    """Return a pin that believes just these witnesses (verifier keys) and timestamp authorities (root certificates in PEM)."""
    if witnesses:
        keys = frozenset(parse_verifier_key(line).public_key for line in witnesses)
        pin = replace(pin or Pin(), witnesses=keys)
    if certificate is not None:
        pin = replace(pin or Pin(), authorities=read_certificates(read_bounded(certificate)))
    return pin


def with_recovered(pin: Pin | None, recovered: list[str] | None) -> Pin | None:
    """Return a pin that accepts these recovered entry keys too."""
    for identifier in recovered or ():
        if not re.fullmatch("[0-9a-f]{64}", identifier):
            raise SetupError(f"--recovered is a key id of 64 lower-case hex digits, found {identifier[:80]!r}")
        pin = replace(pin or Pin(), recovered=(pin or Pin()).recovered | {identifier})
    return pin


def pin_of_flags(genesis: str | None, vkey: str | None) -> Pin | None:
    """Return what the flags pin, None when they pin nothing."""
    if genesis is None and vkey is None:
        return None
    key = parse_verifier_key(vkey) if vkey else None
    if genesis is not None and not re.fullmatch("[0-9a-f]{64}", genesis):
        raise SetupError(f"--genesis is 64 lower-case hex digits, found {genesis[:80]!r}")
    name, public_key = (key.name.partition("#")[0], key.public_key) if key else (None, None)
    return Pin(name, bytes.fromhex(genesis) if genesis else None, public_key)
