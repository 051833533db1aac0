"""Lifetimes of environments: when each was created, let live longer and torn down, by whom, and until when it was to live.

Not what an environment is for: that is `environments`. A row keeps what was said of one name; what an environment's lives were is
asked, over all its names and by what counts:

    created 1 March, until 8 March          the first life
    extended 7 March to 15 March            as somebody else than whoever asked said
    created 9 March, until 1 June           it is there already: nothing begins anew
    deleted 14 March, created 20 March      the second life
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ledger.conditions import Match
from ledger.events import Event
from ledger.events.environment import EnvironmentCreated, EnvironmentDeleted, EnvironmentTtlExtended
from projections.engine.view import LATEST, EntryInfo, Moment, Reads, View, moment, replace
from projections.readings.environments.environments import names_of
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.replacing import has_power
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, in_one_alone, in_time, spoken
from projections.rules.environments import compared
from projections.rules.leave import FOR_EVER, Instant, comes_before, is_reported_late, replaces, was_there


@dataclass(frozen=True)
class Creation:
    """An environment was said to have been set up, whose it is, and until when it is to live."""

    said: Spoken
    expires_at: Moment | None = None
    owner: str | None = None


@dataclass(frozen=True)
class Extension:
    """An environment was let live longer, as somebody had asked."""

    said: Spoken
    requester: str
    expires_at: Moment


@dataclass(frozen=True)
class Teardown:
    """An environment was said to be there no more."""

    said: Spoken


@dataclass(frozen=True)
class Lifetime:
    """What was said of one name, as names are compared. The columns before the lists are of what was recorded last."""

    name: str
    is_there: bool = False
    created_at: Moment | None = None
    created_by: str | None = None
    # As said; the policy may say less.
    expires_at: Moment | None = None
    owner: str | None = None
    team: str | None = None
    cost_center: str | None = None
    deleted_at: Moment | None = None
    creations: tuple[Creation, ...] = ()
    extensions: tuple[Extension, ...] = ()
    teardowns: tuple[Teardown, ...] = ()


# These entries name an environment in any spelling, so no ref finds them all.
_LIVES: Final = (Match((EnvironmentCreated.type, EnvironmentTtlExtended.type, EnvironmentDeleted.type)),)


def _touched(before: Lifetime | None, after: Lifetime | None) -> tuple[Moment, Moment]:
    """What is said of an end is a matter of the time since. That something was set up is one of before, too: as what came late."""
    old, new = (row or Lifetime("") for row in (before, after))
    ends: list[Teardown | Extension] = [
        *in_one_alone(old.teardowns, new.teardowns),
        *in_one_alone(old.extensions, new.extensions),
    ]
    return min((one.said.at for one in ends), default="") if old.creations == new.creations else "", LATEST


environment_lifetimes = View(
    "environment_lifetimes",
    version=1,
    touches=_touched,
    row=Lifetime,
    kind="environment",
    entries_of=lambda key, row: _LIVES,
    indexes=("is_there", "owner", "team", "cost_center"),
    doc="Lifetimes of environments: created, let live longer, and torn down when and by whom; whose each is, and until when.",
)


@environment_lifetimes.on(EnvironmentCreated, key=lambda event: compared(event.environment))
def created(row: Lifetime, event: EnvironmentCreated, entry: EntryInfo) -> Lifetime:
    said = spoken(entry, event.actor)
    expires_at = moment(event.expires_at) if event.expires_at is not None else None
    return replace(
        row,
        is_there=True,
        created_at=said.at,
        created_by=said.speaker,
        expires_at=expires_at,
        owner=event.owner or row.owner,
        team=event.team or row.team,
        cost_center=event.cost_center or row.cost_center,
        deleted_at=None,
        creations=(*row.creations, Creation(said, expires_at, event.owner)),
    )


@environment_lifetimes.on(EnvironmentTtlExtended, key=lambda event: compared(event.environment))
def extended(row: Lifetime, event: EnvironmentTtlExtended, entry: EntryInfo) -> Lifetime:
    extension = Extension(spoken(entry, event.actor), event.requester, moment(event.expires_at))
    return replace(row, expires_at=extension.expires_at, extensions=(*row.extensions, extension))


@environment_lifetimes.on(EnvironmentDeleted, key=lambda event: compared(event.environment))
def deleted(row: Lifetime, event: EnvironmentDeleted, entry: EntryInfo) -> Lifetime:
    said = spoken(entry, event.actor)
    return replace(row, is_there=False, deleted_at=said.at, teardowns=(*row.teardowns, Teardown(said)))


# -- asking --------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Life:
    """One life of an environment: from its creation on, until it was torn down. `again` said that it begins while it went on.

    Its terms are of the creation that was recorded first.
    """

    creation: Creation
    extensions: list[Extension] = field(default_factory=list)
    again: list[Creation] = field(default_factory=list)
    teardown: Teardown | None = None


def lives_of(reads: Reads, name: str) -> list[Life]:
    """Return the lives of an environment under all its names, in the order of the times at which they began.

    A teardown that is reported late ends a life when it is recorded, unless whoever tells has the power to: what was said of it before
    was said of what was there.
    """
    lives: list[Life] = []
    for told in sorted(_told(reads, name, FOR_EVER), key=lambda told: (_counts_at(reads, told), told.said.position)):
        last = lives[-1] if lives and lives[-1].teardown is None else None
        if isinstance(told, Creation):
            if last is None:
                lives.append(Life(told))
            elif told.said.position < last.creation.said.position:
                # Whoever dates a creation back makes no other terms of it.
                last.again.append(last.creation)
                last.creation = told
            else:
                last.again.append(told)
        elif last is not None and isinstance(told, Extension):
            last.extensions.append(told)
        elif last is not None and isinstance(told, Teardown):
            last.teardown = told
    return lives


def _counts_at(reads: Reads, told: Creation | Extension | Teardown) -> Moment:
    said = told.said
    is_late = isinstance(told, Teardown) and is_reported_late(said, clocks_of(reads, said.at))
    return said.recorded_at if is_late and not has_power(reads, EnvironmentDeleted.type, said) else said.at


def is_gone(reads: Reads, name: str, known: Spoken) -> bool:
    """Say whether an environment was torn down with what somebody had said is there, and not set up again.

    Whoever had said that tells, or had set the environment up before, or has the power: nobody else takes it back by tearing down.
    """
    lives = lives_of(reads, name)
    if not lives or lives[-1].teardown is None:
        return False
    begun = lives[-1].creation.said
    theirs = {known.principal, begun.principal} if begun.position < known.position else {known.principal}
    return any(
        isinstance(told, Teardown)
        and (begun.at, begun.position) < (told.said.at, told.said.position)
        and known.at <= told.said.at
        and (told.said.principal in theirs or has_power(reads, EnvironmentDeleted.type, told.said))
        for told in _told(reads, name, FOR_EVER)
    )


def torn_down(reads: Reads, name: str, instant: Instant) -> Teardown | None:
    """Return what says that an environment is there no more when something is done in it; None where nothing does.

    That it was set up again counts when it was on record by then; a teardown counts whenever it is recorded.
    """
    clocks = clocks_of(reads, instant.at)
    told = list(_told(reads, name, instant.at))
    ends = [one for one in told if isinstance(one, Teardown) and comes_before(one.said, instant, clocks)]
    last = max(ends, key=in_time, default=None)
    if last is None or any(
        isinstance(one, Creation) and was_there(one.said, instant, clocks) and replaces(one.said, last.said, clocks)
        for one in told
    ):
        return None
    return last


def _told(reads: Reads, name: str, at: Moment) -> Iterator[Creation | Extension | Teardown]:
    """Yield what was said of an environment under all the names that it goes by at a time, as far as it counts."""
    for called in names_of(reads, name, at):
        row = reads.row(environment_lifetimes, called)
        if row is None:
            continue
        yield from (one for one in row.creations if _counts(reads, EnvironmentCreated, one.said, called))
        yield from (one for one in row.extensions if _counts(reads, EnvironmentTtlExtended, one.said, called))
        yield from (one for one in row.teardowns if _counts(reads, EnvironmentDeleted, one.said, called))


def _counts(reads: Reads, event: type[Event], said: Spoken, environment: str) -> bool:
    return not fault_of_speaker(reads, event.type, said, environment)
