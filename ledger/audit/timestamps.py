"""What an audit makes of timestamps: the checkpoints that an authority outside vouched for, and whether it really did.

Without the certificates of an authority that the auditor trusts, a timestamp is only a claim about the tree like any other.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import orjson

from ledger.audit.checkpoints import Claim
from ledger.faults import Fault, Kind
from ledger.published.export import is_digest
from ledger.published.timestamps import check
from ledger.words import number_of
from signing.errors import VerificationError
from signing.timestamps import Certificates


@dataclass
class Timestamps:
    """The claims that timestamps make, what is wrong with them, and what could not be checked."""

    claims: list[Claim] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_timestamps(
    entries: Iterable[tuple[int, bytes]], body: Callable[[int, str], bytes | None], roots: Certificates | None
) -> Timestamps:
    """Return what the `ledger.timestamped` entries claim. `body(position, digest)` returns their evidence as far as it is kept."""
    found = Timestamps()
    unchecked = 0
    for position, entry in entries:
        try:
            document = orjson.loads(entry)
            data, digests = document["statement"]["data"], [item["sha256"] for item in document["evidence"]]
            size, root = int(data["size"]), bytes.fromhex(data["root"])
        except (ValueError, KeyError, TypeError):
            continue  # Reported by the walk.
        # Whoever forges an entry chooses what stands there for a digest.
        bodies = {
            digest: kept
            for digest in digests
            if is_digest(str(digest)) and (kept := body(position, digest)) is not None
        }
        vouched = 0
        if roots is None or len(bodies) < len(digests):
            unchecked += 1
        else:
            try:
                check(document, bodies, roots)
                vouched = 1
            except VerificationError as error:
                found.faults.append(Fault(position, Kind.TIMESTAMP_WRONG, str(error)[:300]))
        found.claims.append(Claim(size, root, Kind.TIMESTAMP_WRONG, (), vouched))
    if unchecked:
        found.notes.append(
            f"{number_of(unchecked, 'timestamp was', 'timestamps were')} not checked: give the certificates of an authority "
            "that you trust (--certificate), and let their evidence be there"
        )
    return found
