"""Versions, and what constraints of Terraform and OpenTofu admit: over plain texts, by `packaging`, which knows how such ranges meet.

The syntax is Terraform's: parts with a comma between them, each a version with `=`, `!=`, `>`, `>=`, `<`, `<=`, `~>`, or nothing for `=`.
`~> 1.2` is from 1.2 up to but not including 2, `~> 1.2.3` up to 1.3. What `~> 1` means differs between programs, so nobody knows it here.

    is_within("~> 1.2", ">= 1.0, < 2.0")     True: whichever version is chosen, it is in the range
    is_within(">= 1.0", "< 2.0")             False: it may be one that is not
    is_within("~> 1", "< 2.0")               None: nobody knows

No constraint at all admits every version. What is after a `+` is no part of a version. A version is semantic with three numbers.
"""

import re
from functools import lru_cache
from typing import Final

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

_PART: Final = re.compile(
    r"\s*(=|!=|>=|<=|~>|>|<)?\s*v?([0-9]+(?:\.[0-9]+){0,3})(-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?\s*"
)
_SEMANTIC: Final = re.compile(
    r"v?((?:0|[1-9][0-9]{0,17})(?:\.(?:0|[1-9][0-9]{0,17})){2})(-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
)
# Others are told apart in no way that two programs agree on.
_PRERELEASE: Final = re.compile(r"-(?:alpha|beta|rc|pre|dev)[.-]?[0-9]*")


def version_of(text: str | None) -> Version | None:
    """Return a semantic version, with or without a `v`; None for what is not a version, or is a prerelease that nobody can place."""
    found = _SEMANTIC.fullmatch(text or "")
    return _version(found[1], found[2]) if found is not None else None


def _version(numbers: str, prerelease: str | None) -> Version | None:
    if prerelease is not None and _PRERELEASE.fullmatch(prerelease.lower()) is None:
        return None
    try:
        return Version(numbers + (prerelease or ""))
    except InvalidVersion:
        return None


@lru_cache(maxsize=1024)
def range_of(constraint: str | None) -> SpecifierSet | None:
    """Return the versions that a constraint admits; None for one that cannot be read, or that admits none."""
    if not constraint:
        return SpecifierSet()
    parts = []
    for part in constraint.split(","):
        found = _PART.fullmatch(part)
        if found is None or (version := _version(found[2], found[3])) is None:
            return None
        sign = {None: "==", "=": "==", "~>": "~="}.get(found[1], found[1])
        if sign == "~=" and len(version.release) < 2:
            return None
        parts.append(f"{sign}{version}")
    made = SpecifierSet(",".join(parts))
    return None if made.is_unsatisfiable() else made


def is_within(constraint: str | None, allowed: str | None) -> bool | None:
    """Say whether every version that a constraint admits is in a range; None where nobody knows."""
    admitted, whole = range_of(constraint), range_of(allowed)
    return None if admitted is None or whole is None else admitted.is_subset(whole)


def may_meet(constraint: str | None, other: str | None) -> bool | None:
    """Say whether a version is admitted by two constraints; None where nobody knows."""
    one, two = range_of(constraint), range_of(other)
    return None if one is None or two is None else not one.is_disjoint(two)


def is_step_apart(older: str | None, newer: str | None) -> bool:
    """Say whether two constraints admit no version in common, and the newer one begins at a higher major number; before 1.0 a minor one."""
    if may_meet(older, newer) is not False:
        return False
    low, high = _lowest(older or ""), _lowest(newer or "")
    return low is not None and high is not None and _series(high) > _series(low)


def _lowest(constraint: str) -> Version | None:
    """Return where the versions that a constraint admits begin; None where it does not say."""
    found = [part for part in map(_PART.fullmatch, constraint.split(",")) if part is not None]
    lows = [_version(part[2], part[3]) for part in found if part[1] in (None, "=", ">", ">=", "~>")]
    return max((low for low in lows if low is not None), default=None)


def is_major_step(older: str, newer: str) -> bool | None:
    """Say whether from one version to another the major number rises: before 1.0 the minor one. None for what is no semantic version."""
    one, two = version_of(older), version_of(newer)
    return None if one is None or two is None else _series(two) > _series(one)


def _series(version: Version) -> tuple[int, int]:
    return (version.major, version.minor if version.major == 0 else 0)
