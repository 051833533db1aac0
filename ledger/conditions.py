"""Append conditions in our own words, so that gates need not import eventsourcing.

A condition says: append only if, after position `after`, no entry matches any of `none_of`. That is the Dynamic
Consistency Boundary: a decision names what it was based on, and is refused when that has moved.

    41  approval.granted     change:CHG-7            a gate reads the approvals of CHG-7 up to 41, and allows the change
    42  approval.withdrawn   change:CHG-7            somebody withdraws one meanwhile
        gate.decided, after 41, none of {types: approval.granted, approval.withdrawn; refs: change:CHG-7}
                                                     refused, because of 42: the gate asks again
    43  approval.granted     change:CHG-8            would not have been in the way

Not how a condition is looked up (`ledger.log.conditions`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ledger.canonical import MAX_INTEGER
from ledger.errors import StatementError

# After every position.
AFTER_ALL: Final = 2**62
# Of types and refs: no entry has a longer one.
MAX_NAME: Final = 160
_is_name = re.compile(rf"[!-~]{{1,{MAX_NAME}}}").fullmatch


@dataclass(frozen=True, slots=True)
class Match:
    """Entries of one of `types` (any, when empty) that carry all of `refs`."""

    types: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()

    def fits(self, event_type: str, refs: tuple[str, ...]) -> bool:
        return (not self.types or event_type in self.types) and all(ref in refs for ref in self.refs)


@dataclass(frozen=True, slots=True)
class Condition:
    """No entry after `after` may match any of `none_of`. Without any match named, every entry counts.

    Whoever looked at the log before the lock (`Recorder.look_back`) notes what it found: no entry up to `looked_up_to` matches,
    or the one of `broken_by` does. `look_again` looks once more, under the lock: then nothing comes between a look and the entry.
    """

    none_of: tuple[Match, ...] = ()
    after: int = 0
    looked_up_to: int = 0
    broken_by: tuple[Match, int] | None = None
    look_again: "Callable[[], Condition] | None" = None

    def matches(self) -> tuple[Match, ...]:
        return self.none_of or (Match(),)


def parse_condition(document: Any) -> Condition:
    """Read `{"after": 41, "none_of": [{"types": ["approval.granted"], "refs": ["change:CHG-7"]}]}`."""
    if not isinstance(document, dict) or not document.keys() <= {"after", "none_of"}:
        raise StatementError(
            'expected expect to be {"after": position, "none_of": [{"types": […], "refs": […]}]}', "/expect"
        )
    after, items = document.get("after", 0), document.get("none_of", [])
    if type(after) is not int or not 0 <= after <= MAX_INTEGER:
        raise StatementError(f"expected after to be a position, found {after!r}"[:120], "/expect/after")
    if not isinstance(items, list) or len(items) > 32:
        raise StatementError("expected none_of to be an array of at most 32", "/expect/none_of")
    matches = []
    for index, item in enumerate(items):
        place = f"/expect/none_of/{index}"
        if not isinstance(item, dict) or not item.keys() <= {"types", "refs"}:
            raise StatementError("expected an object of types and refs", place)
        parts = []
        for name in ("types", "refs"):
            values = item.get(name, [])
            if (
                not isinstance(values, list)
                or len(values) > 64
                or not all(isinstance(v, str) and _is_name(v) for v in values)
            ):
                raise StatementError(
                    f"expected an array of at most 64 strings, each of 1 to {MAX_NAME} printable ASCII characters without blanks",
                    f"{place}/{name}",
                )
            parts.append(tuple(values))
        matches.append(Match(types=parts[0], refs=parts[1]))
    return Condition(tuple(matches), after)
