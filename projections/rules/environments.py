"""Names of environments: which are the same, which pattern fits which, and what tier a name that nobody declared says.

Not what was declared, and no settings: those are `projections.readings.environments`. Nothing else compares such names.

    compared("PROD") == compared("%70rod") == "prod"        letter case and encoding make no other name
    fits("prod-*", "Prod_EU")                               nor does it matter to a pattern what parts the words
    tier_told_by("prod-eu-west-1") == "production"          `prod` is a word of it
    tier_told_by("pre-prod-2")     == "staging"             what is not production is looked for first
    tier_told_by("reproduction")   is None                  no word of it, and it fits no pattern: somebody has to declare it
"""

import re
from functools import lru_cache
from typing import Final, Literal
from unicodedata import normalize
from urllib.parse import unquote_to_bytes

from ledger.events.identifiers import told_anew

Tier = Literal["production", "staging", "testing", "development"]
PRODUCTION: Final[Tier] = "production"

# By pattern, what it says. The stricter of what others guess by name (GitLab's deployment tiers), and the first that fits counts.
_TIERS: Final[dict[str, Tier]] = {
    "non-prod*": "development",
    "nonprod*": "development",
    "pre-prod*": "staging",
    "preprod*": "staging",
    "staging*": "staging",
    "stage*": "staging",
    "uat*": "staging",
    "qa*": "testing",
    "test*": "testing",
    "dev*": "development",
    "preview*": "development",
    "pr-*": "development",
    "review/*": "development",
    "sandbox*": "development",
    "github-pages": "development",
}
NOT_PRODUCTION: Final = tuple(_TIERS)
PRODUCTION_WORDS: Final = ("prod", "production", "live", "prd")
# How many names and patterns are remembered. There are few; who makes up others only computes anew.
_REMEMBERED: Final = 4096
_parting: Final = re.compile(r"[-_. ]+")
_words_in: Final = re.compile(r"[^\W\d_]+").findall


@lru_cache(_REMEMBERED)
def compared(name: str) -> str:
    """Return the identifier under which a name is compared: decoded, in one form of Unicode, without regard to letter case."""
    return told_anew(name, lambda text: normalize("NFC", _called(text)))


@lru_cache(_REMEMBERED)
def fits(pattern: str, name: str) -> bool:
    """Say whether a name fits a pattern, in which * stands for anything. Blanks, dots, hyphens and underscores part words alike.

    No regular expression: a pattern of many * takes time in proportion to its length and the name's.
    """
    first, *others = (_parted(part) for part in pattern.split("*"))
    text = _parted(name)
    if not others:
        return text == first
    *middle, last = others
    if not text.startswith(first) or len(text) < len(first) + len(last) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


@lru_cache(_REMEMBERED)
def tier_told_by(
    name: str, not_production: tuple[str, ...] = NOT_PRODUCTION, production: tuple[str, ...] = PRODUCTION_WORDS
) -> Tier | None:
    """Return what tier a name says by itself; None where it says none.

    `not_production` are patterns of whole names, and go first. `production` are words of names, parted by whatever is no letter;
    one with a * is a pattern of the whole name.
    """
    for pattern in not_production:
        if fits(pattern, name):
            return next((tier for known, tier in _TIERS.items() if fits(known, name)), "development")
    words = _words_in(_called(name))
    told = any(fits(word, name) if "*" in word else _called(word) in words for word in production)
    return PRODUCTION if told else None


def _called(name: str) -> str:
    return normalize("NFC", unquote_to_bytes(name).decode(errors="replace")).casefold()


def _parted(name: str) -> str:
    return _parting.sub("-", _called(name))
