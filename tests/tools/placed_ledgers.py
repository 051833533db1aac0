"""A ledger whose database is elsewhere: what a server's directory holds besides it."""

from pathlib import Path

from ledgers import CHECKPOINT_KEY, ENTRY_KEY, create_ledger

from ledger.published.signer import Memory
from ledger.stewardship.credentials import issue_token
from signing import keys


def make_ledger_at(directory: Path, url: str) -> dict[str, str]:
    """Make a ledger with the test keys in the database of a URL; return the token `all`."""
    ledger = create_ledger(url)
    keys.save(ENTRY_KEY, directory / "keys" / "entry.pem")
    keys.save(CHECKPOINT_KEY, directory / "keys" / "checkpoint.pem")
    Memory(directory / "signer" / "checkpoint").begin(ledger.origin, CHECKPOINT_KEY)
    roles = ["reporter", "auditor", "operator"]
    _, token, _ = issue_token(ledger, actor="person:tester", principal="service:all", kind="service", roles=roles)
    ledger.close()
    return {"all": token}
