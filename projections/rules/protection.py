"""Rules of a protected branch, and which of two values of one is the weaker. Over plain values, as a code host has them.

required_approvals   "2" -> "1"                   weaker
admins_enforced      "true" -> "false"            weaker: those who administer pass by everything else
force_pushes         "off" -> "everyone"          weaker: what it says is allowed, and not what is asked
status_checks        "everyone" -> "non_admins"   weaker
"""

from collections.abc import Mapping
from typing import Final

# How much a rule asks, by word.
_ORDER: Final = {"off": 0, "false": 0, "non_admins": 1, "everyone": 2, "true": 2}
# Rules that allow something: the more, the weaker.
ALLOWING: Final = frozenset({"force_pushes", "deletions"})


def weaker(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return in words which rules ask for less than before; of a rule of which nobody says what it was or is, nothing."""
    return [
        f"{name} from {before[name]} to {value}"
        for name, value in sorted(after.items())
        if name in before and _is_weaker(name, before[name], value)
    ]


def _is_weaker(name: str, before: str, after: str) -> bool:
    was, now = _much(before), _much(after)
    if was is None or now is None:
        return False
    return now > was if name in ALLOWING else now < was


def _much(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else _ORDER.get(value)


def weakest(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """Return the rules of before and after together: of each that both have, the value that asks for less."""
    kept = {name: value for name, value in before.items() if name in after and not _is_weaker(name, value, after[name])}
    return {**before, **after, **kept}
