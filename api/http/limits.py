"""Rates: how many requests a minute a credential may make, and a network of addresses; and how many bytes a day somebody may append.
How many at once is for `api.http.shares`.

A minute's worth, or a day's, may come at once; after that they come evenly (the generic cell rate algorithm: one number is kept for
each key, the time at which all that was taken will have been made up for).
"""

import math
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from ledger.events.identifiers import CredentialId

PERIOD_S: Final = 60.0
DAY_S: Final = 86_400.0
MAX_KEYS: Final = 10_000
PerMinute = Annotated[int, Field(ge=1, le=1_000_000_000)]
AtOnce = Annotated[int, Field(ge=1, le=100_000)]


class Limits(BaseModel):
    """What known callers may take. 200 a second, and 500 from a network, leave room for the busiest pipelines.

    A withdrawal folds the rows of its statement again, from their first entry: one a second keeps every view up, whatever is taken
    back. Those of one batch take effect together, and are one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    credential_per_minute: PerMinute = 12_000
    address_per_minute: PerMinute = 30_000
    withdrawals_per_minute: PerMinute = 60
    # What is appended stays, also where it is withdrawn or counts for nothing: one credential cannot fill the disk before somebody looks.
    credential_bytes_per_day: Annotated[int, Field(ge=1, le=2**50)] = 4 * 2**30
    # What is worked on at the same time: a fifth of the threads, and half of the connections to the database. Of strangers, a network's.
    credential_at_once: AtOnce = 8
    address_at_once: AtOnce = 8
    # Long questions of all credentials together: half of the connections to the database, too.
    long_at_once: AtOnce = 8
    # As many again may wait, and more: a fifth of the connections that a server holds.
    waiting: Annotated[int, Field(ge=0, le=100_000)] = 100
    # Batches are bounded by what the writer holds (`max_waiting`).
    exempt_batches: bool = True
    # Such as the token of an import.
    exempt_credentials: tuple[CredentialId, ...] = ()

    def exempts(self, credential: str | None, *, is_batch: bool = False) -> bool:
        """Say whether a request by a credential is refused by no rate and by no share."""
        return credential is not None and (credential in self.exempt_credentials or (is_batch and self.exempt_batches))


class Rate:
    """One rate for many keys."""

    def __init__(self, number: int, period_s: float = PERIOD_S) -> None:
        self._period_s = period_s
        self._interval = period_s / number
        self._made_up_at: dict[str, float] = {}

    def take(self, key: str, now: float, count: int = 1) -> int:
        """Take some, and return 0; or take none, and return after how many seconds there are so many again.

        More than there are in all, whoever took nothing yet may take as all there are.
        """
        at = max(self._made_up_at.get(key, now), now)
        taken = min(count * self._interval, self._period_s)
        if (too_early := at + taken - now - self._period_s) > 1e-9:
            return math.ceil(too_early)
        if len(self._made_up_at) >= MAX_KEYS and key not in self._made_up_at:
            self._forget(now)
        self._made_up_at[key] = at + taken
        return 0

    def _forget(self, now: float) -> None:
        """Forget whoever took nothing lately, and those that took least."""
        kept = sorted((at, key) for key, at in self._made_up_at.items() if at > now)[-MAX_KEYS // 2 :]
        self._made_up_at = {key: at for at, key in kept}
