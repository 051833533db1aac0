"""Secrets that were found: where and since when each is known, and whether it was rotated since.

A secret is closed by a rotation that came after it was found, by both clocks, and by nothing else: what is deleted from a file was
read there before. Found again it is the same secret, and closed still, unless it is said to be open again.

    found 10:00, rotated 09:00        open: what was rotated then was another one, or nobody knew yet
    found 10:00, rotated 11:00        closed
    found 10:00 by the scanner, a pipeline says at 11:00 that it was rotated
                                      open: a machine closes what it found itself, or what it is enrolled for
    found 11:30 by the scanner, though the pipeline had found it, and said that it was rotated, before
                                      open: each who found it says that it is rotated, or somebody who may for all
    found again 12:00                 closed; where only its place names it, it may be another one: see `state_of`
    found 12:00, open `again`         open, until it is rotated after that

What the row says of itself counts rotations as they counted when they were said (decision 41); whoever judges asks `state_of` again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ledger.events.secret import SecretDetected, SecretRotated
from projections.engine.view import LATEST, EntryInfo, Moment, Reads, View, replace
from projections.readings.people.powers import READ_BY_POWERS, fault_of_speaker
from projections.readings.people.replacing import may_end
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, spoken, when
from projections.rules.keeping import kept
from projections.rules.leave import Clocks, Instant, replaces, was_there

# Of the rotations of one secret, and of the times that it was open, the last ones are kept.
KEPT: Final = 64
# In so many services, and repositories, a secret is kept apart; one that was found in more blocks all of them.
PLACES: Final = 48
# Under this name stands what is open in several.
SEVERAL: Final = "*"


@dataclass(frozen=True)
class Secret:
    """One secret. `opened` is since when it is open, or was; while it is, `open_in_service` and `open_in_repository` say where: in one,
    or in `*` several.
    """

    secret: str
    tool: str | None = None
    rule: str | None = None
    repository: str | None = None
    service: str | None = None
    environment: str | None = None
    path: str | None = None
    line: int | None = None
    introduced_by: str | None = None
    # Whether only its place names it.
    by_place: bool = False
    is_open: bool = False
    open_in_service: str | None = None
    open_in_repository: str | None = None
    # Everywhere that it was found: the same one may be in several, and whoever told of it first need not have known the right one.
    services: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    # Who found it: the first word of each.
    finders: tuple[Spoken, ...] = ()
    opened: Spoken | None = None
    # Since when it was open, each time.
    openings: tuple[Spoken, ...] = ()
    # When it was found last.
    last: Spoken | None = None
    rotations: tuple[Spoken, ...] = ()


def _touched(before: Secret | None, after: Secret | None) -> tuple[Moment, Moment]:
    """A secret is a matter of the time since it was found first."""
    return min((said.at for row in (before, after) if row is not None for said in row.openings), default=""), LATEST


secrets = View(
    "secrets",
    version=5,
    row=Secret,
    kind="secret",
    about={"service": lambda row: row.services, "repository": lambda row: row.repositories},
    touches=_touched,
    reads=READ_BY_POWERS,
    indexes=("service", "repository", "is_open", "open_in_service", "open_in_repository"),
    doc="Secrets that were found where they may be read: by which tool and where, since when, and whether each was rotated after that.",
)


@secrets.on(SecretDetected, key=lambda event: event.secret)
def detected(row: Secret, event: SecretDetected, entry: EntryInfo) -> Secret:
    said = spoken(entry, event.actor)
    is_open_again = row.opened is not None and event.again and said.at > row.opened.at
    known = replace(
        row,
        # Where it was found first stands as whoever said so first has it.
        tool=row.tool or event.tool,
        rule=row.rule or event.rule,
        repository=row.repository or event.repository,
        service=row.service or event.service,
        services=_with(row.services, event.service),
        repositories=_with(row.repositories, event.repository),
        environment=row.environment or event.environment,
        path=row.path or event.path,
        line=row.line if row.line is not None else event.line,
        introduced_by=row.introduced_by or event.introduced_by,
        by_place=row.by_place or event.by_place,
        finders=_found_by(row.finders, said),
        opened=said if row.opened is None or is_open_again else row.opened,
        openings=_known((*row.openings, said), said) if row.opened is None or is_open_again else row.openings,
        last=said if row.last is None or said.at > row.last.at else row.last,
    )
    return _as_it_stands(known, entry.reads)


@secrets.on(SecretRotated, key=lambda event: event.secret)
def rotated(row: Secret, event: SecretRotated, entry: EntryInfo) -> Secret:
    said = spoken(entry, event.actor)
    return _as_it_stands(replace(row, rotations=_known((*row.rotations, said), said)), entry.reads)


def _known(told: tuple[Spoken, ...], said: Spoken) -> tuple[Spoken, ...]:
    return kept(told, said, lambda one: one.principal, KEPT)


def _found_by(finders: tuple[Spoken, ...], said: Spoken) -> tuple[Spoken, ...]:
    is_known = any(one.principal == said.principal for one in finders)
    return finders if is_known else _known((*finders, said), said)


def _with(places: tuple[str, ...], place: str | None) -> tuple[str, ...]:
    is_known = place is None or place in places or len(places) == PLACES
    return places if is_known else (*places, place or "")


def is_in(places: tuple[str, ...], place: str) -> bool:
    """Say whether a secret was found in a service or repository, or in so many that it may have been."""
    return place in places or len(places) == PLACES


def _as_it_stands(row: Secret, reads: Reads) -> Secret:
    is_open = row.opened is not None and state_of(reads, row).closed is None
    return replace(
        row,
        is_open=is_open,
        open_in_service=_where(row.services) if is_open else None,
        open_in_repository=_where(row.repositories) if is_open else None,
    )


def _where(places: tuple[str, ...]) -> str | None:
    return SEVERAL if len(places) > 1 else next(iter(places), None)


# -- asking --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class State:
    """How a secret stands: which rotation closed it, if one did, the last that came too early to, and the last by who may not close it.

    `again` is when it was found after all rotations, where only its place names it: then it may be another one.
    """

    closed: Spoken | None = None
    too_early: Spoken | None = None
    by_who_may_not: Spoken | None = None
    again: Spoken | None = None


def state_of(reads: Reads, row: Secret) -> State:
    """Return how a secret stands, by the rotations that count as is known now."""
    if row.opened is None or row.last is None:
        return State()
    clocks = clocks_of(reads, row.opened.at)
    told = [said for said in row.rotations if not fault_of_speaker(reads, SecretRotated.type, said)]
    after = [said for said in told if replaces(said, row.opened, clocks)]
    closed = _closed_by(reads, row.finders, after)
    if closed is None:
        return State(too_early=_last([said for said in told if said not in after]), by_who_may_not=_last(after))
    is_again = row.by_place and all(replaces(row.last, said, clocks) for said in after)
    return State(closed=closed, again=row.last if is_again else None)


def open_at(reads: Reads, row: Secret, instant: Instant, clocks: Clocks) -> Spoken | None:
    """Return since when a secret was open when something was done, as was on record then; None where it was not, or nobody knew.

    That it was rotated counts within the lag; that it was found, only where whoever acted could have known.
    """
    there = [said for said in row.openings if max(said.at, said.recorded_at) <= instant.at]
    last = max(there, key=when, default=None)
    if last is None:
        return None
    finders = [one for one in row.finders if one.recorded_at <= instant.at]
    told = [
        said
        for said in row.rotations
        if replaces(said, last, clocks)
        and was_there(said, instant, clocks)
        and not fault_of_speaker(reads, SecretRotated.type, said)
    ]
    return last if _closed_by(reads, finders, told) is None else None


def _closed_by(reads: Reads, finders: Iterable[Spoken], told: Iterable[Spoken]) -> Spoken | None:
    """Return the rotation by which a secret is closed for each who found it: by themselves, or by who may end what they had told. Whoever
    found it first closes nothing that others find.
    """
    closing: list[Spoken] = []
    for finder in finders:
        own = [said for said in told if may_end(reads, SecretRotated.type, said, finder)]
        if not own:
            return None
        closing.append(min(own, key=when))
    return max(closing, key=when, default=None)


def _last(told: list[Spoken]) -> Spoken | None:
    return told[-1] if told else None
