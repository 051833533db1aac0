"""Authentications that failed: counted in memory, told once a minute in one line, and kept once an hour as an entry.

Counted by the credential that was shown, where it is one that the ledger knows (revoked, expired), and by the network
(/24 or /48) it came from. Whoever tries from everywhere takes no more memory for it: over MAX_KEPT the smallest counts
become a part of the rest.
"""

from collections import Counter
from typing import Any, Final

from ledger.clock import to_text
from ledger.words import number_of

MAX_KEPT: Final = 10_000
# So many are named in an entry, and so few in a line.
NAMED: Final = 50
NAMED_IN_A_LINE: Final = 3


class Failures:
    """What failed since `since_us` (microseconds, as the ledger's clock counts). Used from the event loop alone."""

    def __init__(self, since_us: int) -> None:
        self._since_us = since_us
        self._counts: Counter[tuple[str, str]] = Counter()
        self._total = 0
        self._minute: Counter[tuple[str, str]] = Counter()
        self._told = 0

    def count(self, credential: str | None, network: str) -> None:
        """Take one into account. `credential` is the id of a known one, or None."""
        key = (credential or "", network)
        self._total += 1
        for counts in (self._counts, self._minute):
            counts[key] += 1
            if len(counts) > MAX_KEPT:
                for small, _ in counts.most_common()[MAX_KEPT // 2 :]:
                    del counts[small]

    def line(self) -> str | None:
        """Return what is to be told of the time since the last line, or None."""
        if (number := self._total - self._told) == 0:
            return None
        named = ", ".join(
            f"{count} from {network}{f' with {credential}' if credential else ''}"
            for (credential, network), count in self._minute.most_common(NAMED_IN_A_LINE)
        )
        self._told = self._total
        more = len(self._minute) - NAMED_IN_A_LINE
        self._minute.clear()
        others = f", and {number_of(more, 'more sender')}" if more > 0 else ""
        return f"authentications failed: {number}; {named}{others}"

    def entry(self) -> dict[str, Any] | None:
        """Return the data of `ledger.authentication_failures`, or None where nothing failed."""
        if not self._total:
            return None
        largest = self._counts.most_common(NAMED)
        return {
            "since": to_text(self._since_us),
            "total": self._total,
            "largest": [
                ({"credential": credential} if credential else {}) | {"network": network, "count": count}
                for (credential, network), count in largest
            ],
            "others": self._total - sum(count for _, count in largest),
        }

    def kept(self, entry: dict[str, Any], now_us: int) -> None:
        """Begin anew after an entry was recorded; what failed while it was written stays."""
        for item in entry["largest"]:
            key = (item.get("credential", ""), item["network"])
            self._counts[key] -= item["count"]
            if self._counts[key] <= 0:
                del self._counts[key]
        if len(entry["largest"]) == NAMED:
            # The rest was counted as `others`.
            self._counts.clear()
        self._total -= entry["total"]
        self._told -= entry["total"]
        self._since_us = now_us
