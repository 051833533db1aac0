"""Opening what a process of the ledger works with, as its settings name it: the ledger, the signer of checkpoints, the witnesses.

Whoever opens is told in words what is wrong. Not the application (`api.app`), and nothing here knows of HTTP.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from api.outbound.witnesses import WitnessAddress
from api.settings import Settings
from ledger.authority import Authority
from ledger.errors import LostHistoryError, SetupError, SignerStoppedError
from ledger.ledger import Ledger, NoKey
from ledger.log.database import Database
from ledger.published.signer import CheckpointSigner, Memory, check
from ledger.words import number_of
from signing import keys
from signing.errors import KeyFormatError
from signing.notes import format_verifier_key


def open_ledger(settings: Settings, *, lost_history: bool = False) -> Ledger:
    """Open the ledger that the settings name, with the entry key they name.

    Raises LostHistoryError when the signer of this host remembers what the database has not, unless `lost_history` is
    expected: then an operator is mending it.
    """
    database = Database(settings.database, answer_within_s=settings.database_timeout_s)
    # Before the key: who has no ledger yet is to be told so, and not of a missing file.
    database.check_schema()
    ledger = Ledger.open(database, keys.load_signer(settings.entry_key_at))
    if not lost_history:
        try:
            refuse_lost_history(settings, ledger.database, ledger.current_authority)
        except LostHistoryError:
            ledger.close()
            raise
    return ledger


def open_to_read(settings: Settings) -> Ledger:
    """Open the ledger that the settings name without its entry key: nothing can be appended."""
    return Ledger.prepare(Database(settings.database), NoKey())


def refuse_lost_history(settings: Settings, database: Database, authority: Callable[[], Authority]) -> None:
    """Raise LostHistoryError when the signer of this host remembers what the database has not."""
    if settings.signer_memory_path.exists():
        # What stops the signer alone is for it to say.
        with suppress(SignerStoppedError):
            check(Memory(settings.signer_memory_path), database, authority())


def open_signer(settings: Settings, database: Database, authority: Callable[[], Authority]) -> CheckpointSigner | None:
    """Return the signer of checkpoints, or None where this host has no checkpoint key."""
    try:
        key = keys.load_signer(settings.checkpoint_key_at)
    except KeyFormatError:
        if settings.checkpoint_key or Path(settings.checkpoint_key_at).exists():
            raise
        return None
    return CheckpointSigner(database, key, Memory(settings.signer_memory_path), authority)


def open_witnesses(settings: Settings, ledger: Ledger) -> list[WitnessAddress]:
    """Return the configured witnesses. Raises SetupError for one that the ledger does not know: audits could not check its lines."""
    addresses = [WitnessAddress.parse(line) for line in settings.witnesses]
    enrolled = {key.public_key for key in ledger.current_authority().keyring.valid_at("witness", ledger.size() + 1)}
    for address in addresses:
        if address.key.public_key not in enrolled:
            vkey = format_verifier_key(address.key)
            raise SetupError(
                f"the witness {address.key.name} is not enrolled; run: change-ledger keys enrol witness {vkey}"
            )
    if settings.witness_policy.startswith("require:") and int(settings.witness_policy[8:]) > len(addresses):
        there_are = number_of(len(addresses), "witness is", "witnesses are")
        raise SetupError(f"witness_policy is {settings.witness_policy}, and {there_are} configured")
    return addresses
