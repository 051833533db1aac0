"""Environments: of which tier each was declared, under which names, by whom and when; and by which function names are compared.

Not what a name says by itself: that is `projections.rules.environments`. Whoever compares two names, or asks for production, asks here:

    is_production(reads, "prod-eu-west-1", at)          declared as production, or its name says so
    same_environment(reads, "Live", "prod", at)         one name, or one the alias of the other
    names_for(reads, policy, "prod-eu", at)             what a policy may call it, the closest first: prod-eu, prod-*, production

A name is judged at a time: by the last declaration that counted by then, else by the lists of the policy in force, else, as nobody
knows, as production. The first declaration of a name that nobody knew judges what was done there before it as well, but not what
was done by whoever declares; any other declaration counts for later acts only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from ledger.clock import from_text, to_text
from ledger.conditions import Match
from ledger.events.environment import EnvironmentDeclared
from projections.engine.answers import kept
from projections.engine.reads import Look
from projections.engine.view import EntryInfo, Moment, Reads, View, replace
from projections.readings.people.credentials import credentials
from projections.readings.people.grants import access_grants
from projections.readings.people.identities import are_same, identities
from projections.readings.people.policies import WHOLE, InForce, in_force, in_force_now, policies
from projections.readings.people.powers import READ_BY_POWERS, can_never_count, fault_of_speaker
from projections.readings.people.settings import ANY, Words
from projections.readings.people.sources import principals_sources
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, in_time, spoken
from projections.rules.environments import (
    NOT_PRODUCTION,
    PRODUCTION,
    PRODUCTION_WORDS,
    Tier,
    compared,
    fits,
    tier_told_by,
)

R = TypeVar("R")

NOT_PRODUCTION_NAMES: Final = Words(
    "not-production-names",
    "a pattern of names of environments that are not production; these are looked for first",
    is_several=True,
    default=NOT_PRODUCTION,
)
PRODUCTION_NAMES: Final = Words(
    "production-names",
    "a word that names of production have, or with * a pattern of them",
    is_several=True,
    default=PRODUCTION_WORDS,
)


@dataclass(frozen=True)
class Declaration:
    """What was said of a name: that it is an environment of a tier, or an alias of one."""

    of: str
    tier: Tier
    aliases: tuple[str, ...]
    regions: tuple[str, ...]
    said: Spoken


@dataclass(frozen=True)
class Environment:
    """One name that was declared, as names are compared; `tier` and what follows are of its last declaration.

    Whether a declaration counts, is judged by whoever asks; what can never count is not among them.
    """

    name: str
    # Another name where this one is an alias.
    alias_of: str | None = None
    tier: Tier | None = None
    aliases: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    declared_by: str | None = None
    declared_at: Moment | None = None
    declarations: tuple[Declaration, ...] = ()


# These entries name an environment in any spelling, so no ref finds them all. There are few of them.
DECLARATIONS: Final = (Match((EnvironmentDeclared.type,)),)


def _for_all(reads: Reads, name: str) -> object:
    """What was said of a name, by whoever has the power to: where anything is."""
    return _counting(reads, name)


environments = View(
    "environments",
    version=4,
    row=Environment,
    kind="environment",
    entries_of=lambda key, row: DECLARATIONS,
    indexes=("tier",),
    reads=READ_BY_POWERS,
    is_carried=False,
    holds_for_all=_for_all,
    doc="Environments that were declared: of which tier, under which names, in which regions, and by whom.",
)


def _declared_names(event: EnvironmentDeclared) -> list[str]:
    return [compared(name) for name in (event.environment, *event.aliases)]


@environments.on(EnvironmentDeclared, key=_declared_names)
def declared(row: Environment, event: EnvironmentDeclared, entry: EntryInfo) -> Environment | None:
    # Each has all that was done there judged again, as one of a freeze has.
    if can_never_count(entry.reads, event.type, spoken(entry, event.actor)):
        return row if row.declarations else None
    of, *aliases = _declared_names(event)
    said = Declaration(of, _tier(event.tier), tuple(aliases), event.regions, spoken(entry, event.actor))
    return replace(
        row,
        alias_of=of if of != row.name else None,
        tier=said.tier,
        aliases=said.aliases,
        regions=said.regions,
        declared_by=event.actor,
        declared_at=said.said.at,
        declarations=(*row.declarations, said),
    )


def _tier(text: str) -> Tier:
    tiers: dict[str, Tier] = {tier: tier for tier in ("production", "staging", "testing", "development")}
    return tiers[text]


# -- asking --------------------------------------------------------------------------------------------------------------

# Whoever asks reads these.
READ_BY_ASKING: Final[tuple[View[Any], ...]] = (
    environments,
    policies,
    identities,
    credentials,
    principals_sources,
    access_grants,
)


def tier_of(reads: Reads, name: str | None, at: Moment, *, by: str | None = None) -> Tier:
    """Return the tier of an environment for whoever acts there at a time: `by`, who may be nobody in particular.

    One that nobody knows, or that nobody named, is production.
    """
    return _known_tier(reads, name, at, by) or PRODUCTION


def is_production(reads: Reads, name: str | None, at: Moment, *, by: str | None = None) -> bool:
    """Say whether an environment is production for whoever acts there at a time: see `tier_of`."""
    return tier_of(reads, name, at, by=by) == PRODUCTION


def is_known(look: Look, name: str) -> bool:
    """Say whether anything tells by now what an environment is for: a declaration, or its name by the lists of the policy."""
    return bool(_counting(look, compared(name))) or _told(in_force_now(look), name) is not None


@kept
def canonical(reads: Reads, name: str, at: Moment) -> str:
    """Return under which name all names of one environment compare at a time: that of which it is an alias, or its own."""
    key = compared(name)
    said = _holding(reads, key, at)
    if said is None or said.of == key:
        return key
    # An alias is one as long as what it stands for says so.
    of = _holding(reads, said.of, at)
    return said.of if of is not None and of.of == said.of and key in of.aliases else key


def same_environment(reads: Reads, one: str | None, other: str | None, at: Moment) -> bool:
    """Say whether two names mean one environment at a time. Where either is missing, they do not."""
    if one is None or other is None:
        return False
    return compared(one) == compared(other) or canonical(reads, one, at) == canonical(reads, other, at)


def is_meant(reads: Reads, scope: str | None, name: str | None, at: Moment) -> bool:
    """Say whether what holds for one environment, or for all where it names none, holds in another."""
    return scope is None or same_environment(reads, scope, name, at)


def regions_of(reads: Reads, name: str, at: Moment) -> tuple[str, ...]:
    """Return the regions that an environment was declared to lie in; none where nobody said any."""
    said = _holding(reads, canonical(reads, name, at), at)
    return said.regions if said is not None else ()


@kept
def names_for(reads: Reads, policy: InForce, name: str | None, at: Moment) -> tuple[str, ...]:
    """Return for whom a policy's settings may hold in an environment, the closest first: by a name, a pattern, its tier."""
    if name is None:
        return ()
    names = names_of(reads, name, at)
    told = [whom for whom in dict.fromkeys(setting.applies_to for setting in policy.settings) if whom != ANY]
    by_name = [whom for whom in told if compared(whom) in names]
    if len(by_name) > 1:
        # Which of them comes first is a matter of all settings.
        policy.note(WHOLE)
    by_pattern = [whom for whom in told if "*" in whom and any(fits(whom, one) for one in names)]
    by_pattern.sort(key=lambda whom: (-len(whom), whom))
    return (*by_name, *by_pattern, tier_of(reads, name, at))


def is_called(reads: Reads, name: str, whom: str, at: Moment) -> bool:
    """Say whether an environment is meant by what somebody named: a name, a pattern of names, or a tier."""
    names = names_of(reads, name, at)
    is_named = compared(whom) in names or ("*" in whom and any(fits(whom, one) for one in names))
    return is_named or tier_of(reads, name, at) == whom


@kept
def names_of(reads: Reads, name: str, at: Moment) -> tuple[str, ...]:
    """Return all names that an environment goes by at a time, as names are compared; that of which the others are aliases first."""
    key = canonical(reads, name, at)
    said = _holding(reads, key, at)
    return tuple(dict.fromkeys((key, compared(name), *(said.aliases if said is not None else ()))))


def under_all_names(reads: Reads, view: View[R], name: str, at: Moment, key_of: Callable[[str], str | None]) -> list[R]:
    """Return the rows that a view, whose keys hold a name, has of an environment under all names that it goes by at a time.

    The first stands for all of them: it is that of its own name, where there is one.
    """
    keys = (key_of(called) for called in names_of(reads, name, at))
    found = (reads.row(view, key) for key in keys if key is not None)
    return [row for row in found if row is not None]


@kept
def _known_tier(reads: Reads, name: str | None, at: Moment, by: str | None) -> Tier | None:
    if name is None:
        return None
    key = canonical(reads, name, at)
    said = _holding(reads, key, at)
    if said is not None:
        return said.tier
    told = _told(in_force(reads, at), key)
    if told is None and (later := _said_later(reads, key)) is not None and _is_other(reads, later.said, by):
        return later.tier
    return told


def _told(policy: InForce, name: str) -> Tier | None:
    return tier_told_by(name, policy.words(NOT_PRODUCTION_NAMES), policy.words(PRODUCTION_NAMES))


@kept
def _counting(reads: Reads, key: str) -> tuple[Declaration, ...]:
    """Return the declarations of a name that count: by whoever has the power to declare."""
    row = reads.row(environments, key)
    if row is None:
        return ()
    return tuple(d for d in row.declarations if not fault_of_speaker(reads, EnvironmentDeclared.type, d.said))


def _holding(reads: Reads, key: str, at: Moment) -> Declaration | None:
    """Return the last declaration of a name that was true by a time, and on record within the lag."""
    counting = _counting(reads, key)
    if not counting:
        return None
    by = to_text(from_text(at) + clocks_of(reads, at).lag_s * 1_000_000)
    found = [said for said in counting if said.said.at <= at and said.said.recorded_at <= by]
    return max(found, key=in_time, default=None)


def _said_later(reads: Reads, key: str) -> Declaration | None:
    """Return what was first said of a name, which nobody knew before."""
    return min(_counting(reads, key), key=lambda said: said.said.position, default=None)


def _is_other(reads: Reads, said: Spoken, by: str | None) -> bool:
    """Say whether who spoke is not who acted, under whichever login."""
    return by is None or not any(are_same(reads, by, who) for who in {said.actor or said.principal, said.principal})
