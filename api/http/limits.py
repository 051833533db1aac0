"""Rates: how many requests a minute a credential may make, and a network of addresses.

A minute's worth may come at once; after that they come evenly (the generic cell rate algorithm: one number is kept for
each key, the time at which all that was taken will have been made up for).
"""

import math
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from ledger.events.identifiers import CredentialId

PERIOD_S: Final = 60.0
MAX_KEYS: Final = 10_000
PerMinute = Annotated[int, Field(ge=1, le=1_000_000_000)]


class Limits(BaseModel):
    """What known callers may take. 200 a second, and 500 from a network, leave room for the busiest pipelines.

    A withdrawal folds the rows of its statement again, from their first entry: one a second keeps every view up, whatever is taken
    back. Those of one batch take effect together, and are one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    credential_per_minute: PerMinute = 12_000
    address_per_minute: PerMinute = 30_000
    withdrawals_per_minute: PerMinute = 60
    # Batches are bounded by what the writer holds (`max_waiting`).
    exempt_batches: bool = True
    # Such as the token of an import.
    exempt_credentials: tuple[CredentialId, ...] = ()


class Rate:
    """One rate for many keys."""

    def __init__(self, per_minute: int) -> None:
        self._interval = PERIOD_S / per_minute
        self._made_up_at: dict[str, float] = {}

    def take(self, key: str, now: float) -> int:
        """Take one, and return 0; or take none, and return after how many seconds there is one again."""
        at = self._made_up_at.get(key, now)
        if (too_early := at + self._interval - now - PERIOD_S) > 1e-9:
            return math.ceil(too_early)
        if len(self._made_up_at) >= MAX_KEYS and key not in self._made_up_at:
            self._forget(now)
        self._made_up_at[key] = max(at, now) + self._interval
        return 0

    def _forget(self, now: float) -> None:
        """Forget whoever took nothing lately, and those that took least."""
        kept = sorted((at, key) for key, at in self._made_up_at.items() if at > now)[-MAX_KEYS // 2 :]
        self._made_up_at = {key: at for at, key in kept}
