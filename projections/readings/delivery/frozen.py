"""Whether a freeze holds what is done, or planned, and who let it through: asked of the freezes, by what was on record then.

    declared Monday to Friday 09:00, lifted Tuesday 10:00, declared again Tuesday 12:00
    Tuesday 11:00   nothing holds: it was lifted, and that was on record
    Tuesday 13:00   it holds: declared again
    declared Wednesday, shorter, as of Monday    what was done on Tuesday at 13:00 was done in the freeze all the same

A freeze that nobody knew when they acted accuses them by its last declaration, if that covers the act; and so does one that is
declared again as of before the act. Whose declarations, lifts and overrides count is asked here, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ledger.events import Event
from ledger.events.freeze import FreezeDeclared, FreezeLifted, FreezeOverrideGranted
from projections.engine.view import LATEST, Moment, Reads
from projections.readings.delivery.freezes import ALL, Freeze, Override, freeze_calendar, freezes
from projections.readings.environments.selected import is_selected
from projections.readings.environments.terms import Terms
from projections.readings.people.identities import person_of
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken
from projections.rules.calendar import Span, Times, covering, hull, overlapping, upcoming
from projections.rules.leave import Clocks, Instant, was_there
from projections.rules.recurrence import NotComputableError


@dataclass(frozen=True, slots=True)
class Place:
    """Where and of what type something is done. What is not known of it is held by every freeze."""

    environment: str
    service: str | None
    change_type: str | None
    # Of its change's scope, where that names any.
    tenants: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()

    def is_meant(self, reads: Reads, terms: Terms, at: Moment) -> bool:
        """Say whether a declaration means it at a time."""
        if self.change_type in terms.exempt_types:
            return False
        return is_selected(reads, terms, self.environment, self.service, at, self.tenants, self.regions)


@dataclass(frozen=True, slots=True)
class Held:
    """A freeze that holds something by one of its declarations; or may, where `unknown` says why nobody can tell."""

    freeze: Freeze
    terms: Terms
    # Whether it was declared afterwards.
    is_later: bool
    until: Moment
    unknown: str = ""


def freezes_at(reads: Reads, place: Place, instant: Instant) -> Iterator[Held]:
    """Yield the freezes that hold something when it is done, in the order of their first declaration. `reads` is of that time."""
    clocks: Clocks | None = None
    for row in _meeting(reads, instant.at, instant.at):
        clocks = clocks or clocks_of(reads, instant.at)
        if (held := _held(reads, row, place, instant, clocks)) is not None:
            yield held


def freezes_between(reads: Reads, place: Place, plan: Times) -> Iterator[tuple[Held, Span]]:
    """Yield the freezes that hold something planned, as they stand now, and when: the last time of the plan that lies in each.

    Where both recur, the first time of the plan alone is looked at.
    """
    begin, end = hull(plan)
    for row in _meeting(reads, begin, end):
        terms = _standing(reads, row)
        if terms is None or not place.is_meant(reads, terms, begin):
            continue
        frozen = terms.times
        first = Span(plan.begin, plan.end)
        try:
            when = overlapping(plan, frozen.begin, frozen.end) if frozen.rule is None else first
            span = overlapping(frozen, when.begin, when.end) if when is not None else None
        except NotComputableError as error:
            yield Held(row, terms, False, LATEST, str(error)), first
        else:
            if when is not None and span is not None:
                yield Held(row, terms, False, span.end), when


def next_freeze(reads: Reads, place: Place, at: Moment, until: Moment) -> Moment | None:
    """Return when the next freeze that holds something begins, or began where one holds at that time; None where none does until then.

    Of freezes as they stand now. Raises NotComputableError where nobody can tell.
    """
    begins = []
    for row in _meeting(reads, at, until):
        terms = _standing(reads, row)
        if terms is not None and place.is_meant(reads, terms, at):
            span = covering(terms.times, at) or upcoming(terms.times, at)
            begins += [span.begin] if span is not None and span.begin <= until else []
    return min(begins, default=None)


def override_for(
    reads: Reads, freeze: Freeze, change_id: str | None, authors: tuple[str, ...], instant: Instant
) -> Override | None:
    """Return the override that lets a change through a freeze when something is done; S9: one's own does not."""
    clocks = clocks_of(reads, instant.at)
    for override in freeze.overrides if change_id is not None else ():
        if override.change_id != change_id or instant.at > override.expires_at:
            continue
        counts = was_there(override.said, instant, clocks) and _counts(reads, FreezeOverrideGranted, override.said)
        if counts and not is_ones_own(reads, override, authors):
            return override
    return None


def is_ones_own(reads: Reads, override: Override, authors: tuple[str, ...]) -> bool:
    """S9: say whether an override was granted by who asked for it, or by an author of the change; under whichever login."""
    granter = person_of(reads, override.said.actor or override.said.principal)
    return any(person_of(reads, who) == granter for who in (override.requester, *authors))


def _meeting(reads: Reads, begin: Moment, end: Moment) -> Iterator[Freeze]:
    calendar = reads.row(freeze_calendar, ALL)
    for span in calendar.spans if calendar is not None else ():
        if span.begin <= end and begin <= span.until:
            row = reads.row(freezes, span.freeze_id)
            if row is not None:
                yield row


def _held(reads: Reads, row: Freeze, place: Place, instant: Instant, clocks: Clocks) -> Held | None:
    counting = _counting(reads, row)
    known = [terms for terms in counting if was_there(terms.said, instant, clocks)]
    standing = known[-1:] if known and not _was_lifted(reads, row, known[-1], instant, clocks) else []
    # What is declared later excuses nothing, and its last word accuses: of a freeze that nobody knew, or as of before the act.
    later = [t for t in counting[-1:] if t not in known and (not known or t.said.at <= instant.at)]
    for terms in (*standing, *later):
        if not place.is_meant(reads, terms, instant.at):
            continue
        is_later = terms in later
        try:
            span = covering(terms.times, instant.at)
        except NotComputableError as error:
            return Held(row, terms, is_later, LATEST, str(error))
        if span is not None:
            return Held(row, terms, is_later, span.end)
    return None


def _standing(reads: Reads, row: Freeze) -> Terms | None:
    """Return the last declaration that counts, as it stands now; None where it was lifted since."""
    terms = _counting(reads, row)
    if not terms or any(
        lift.said.position > terms[-1].said.position and _counts(reads, FreezeLifted, lift.said) for lift in row.lifts
    ):
        return None
    return terms[-1]


def _was_lifted(reads: Reads, row: Freeze, terms: Terms, instant: Instant, clocks: Clocks) -> bool:
    return any(
        lift.said.position > terms.said.position
        and was_there(lift.said, instant, clocks)
        and _counts(reads, FreezeLifted, lift.said)
        for lift in row.lifts
    )


def _counting(reads: Reads, row: Freeze) -> list[Terms]:
    """Return the declarations that count: by whoever has the power to."""
    return [terms for terms in row.terms if _counts(reads, FreezeDeclared, terms.said)]


def _counts(reads: Reads, event: type[Event], said: Spoken) -> bool:
    return not fault_of_speaker(reads, event.type, said)
