"""What somebody decides of findings, as the data of an event: one way for pages and the command line. Not who may, nor when it counts."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

# As many findings as one event names.
AT_ONCE: Final = 500


def disposal(
    actor: str, rule: str, found: Iterable[Mapping[str, Any]], *, disposition: str, reason: str, until: str | None
) -> dict[str, Any]:
    """Return the data of `finding.disposed` about findings of one rule, each with its `subject` and what it `said`, as a digest."""
    named = [{"subject": one["subject"], "said": one["said"]} for one in found]
    data = {"actor": actor, "disposition": disposition, "rule": rule, "findings": named, "reason": reason}
    return data | ({"until": until} if until else {})
