"""Powers: who may say what gives leave, power or acquittal, and whose grants count. One judge of statements; the types are in `holders`.

Not what follows from a statement: whoever folds or judges it asks here whether it counts. A statement is recorded in any case.

A statement counts when (a) its credential may speak for its actor (S12, `voices`), and (b) the actor had the power. Power begins
with the operators. A policy may name a role for a type (`role-for`); then whoever holds it has the power, too: by a grant that was
in force and on record before the statement, and that counts itself, because whoever gave it had the power to.

    12  ledger.credential_issued   person:olga, operator               the root
    13  access.granted             olga gives oscar `granter`          counts: an operator's
    14  access.granted             oscar gives bob `release-approver`  counts, if the policy has role-for access.granted granter
    15  access.granted             bob gives bob `granter`             does not count: nobody gives themselves power
    16  access.granted             oscar gives olga `granter`          does not count: each would hold it by the other

A grant is judged by grants before it: the recursion ends by position. Longer than other files because who may speak and what grants
give are asked of each other.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal

from ledger.conditions import AFTER_ALL
from ledger.events import OPERATOR_AREAS, ref
from ledger.events.access import AccessGranted, AccessRevoked
from projections.engine.answers import kept
from projections.engine.view import Moment, Reads, View
from projections.readings.people.credentials import credentials
from projections.readings.people.grants import Grant, Span, access_grants
from projections.readings.people.holders import HOLDERS
from projections.readings.people.identities import (
    identities,
    key_of,
    known_logins,
    logins_of,
    person_of,
    spellings_of,
)
from projections.readings.people.policies import in_force, policies
from projections.readings.people.settings import Words
from projections.readings.people.sources import principals_sources
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Holder, Spoken, has_root_power, is_own_key, is_vouched, voice_fault
from projections.rules.environments import compared
from projections.rules.leave import Instant, instants

ROLE_FOR: Final = Words(
    "role-for",
    "a role whose holders may say what counts only from who has the power",
    applies_to="type of event",
    is_several=True,
    nothing="operators, any human, or whoever speaks for themselves, by the type",
)

# Whoever asks about power reads these.
READ_BY_POWERS: Final[tuple[View[Any], ...]] = (credentials, principals_sources, identities, access_grants, policies)


# -- of a statement ------------------------------------------------------------------------------------------------------


def fault_of_speaker(reads: Reads, event_type: str, said: Spoken, environment: str | None = None) -> str:
    """Say why a statement of a type does not count because of who made it, or "": `S12: …` or `without power: …`.

    A role that is held in one environment gives power there. Raises KeyError for a type that gives nothing.
    """
    return _fault(reads, event_type, said, environment, AFTER_ALL)


def can_never_count(reads: Reads, event_type: str, said: Spoken) -> bool:
    """Say whether a statement counts neither now nor whatever is recorded later: spoken for another, kept for operators alone, or for
    a role of which the speaker had no grant on record.

    Of a grant that was there nothing is said: what is told of it later may make it count, or not.
    """
    return _Judge(reads).can_never_count(event_type, said)


@kept
def rests_on_grants(reads: Reads, event_type: str, said: Spoken) -> bool:
    """Say whether the power to make a statement, where there is any, was somebody's by a role."""
    return not has_root_power(reads, event_type, said) and any(
        _roles_for(reads, event_type, instant.at) for instant in _instants(reads, said)
    )


def _instants(reads: Reads, said: Spoken) -> tuple[Instant, ...]:
    """Return when power has to be there: what is reported late is no better for its date than what is said when it is recorded."""
    return instants(said, clocks_of(reads, said.at))


def _roles_for(reads: Reads, event_type: str, time: Moment) -> tuple[str, ...]:
    # No policy says who may change it, or who somebody is: these come from operators alone, as at the doors.
    if event_type.partition(".")[0] in OPERATOR_AREAS:
        return ()
    return in_force(reads, time).words(ROLE_FOR, event_type)


def persons_behind(reads: Reads, said: Spoken) -> set[str]:
    """Return who made a statement, as persons: the actor, and whose credential said so unless that is an authority for the actor.

    Two names through one credential are one person: whoever speaks in another name has said it themselves.
    """
    found = {person_of(reads, said.speaker)}
    if not is_own_key(said) and not is_vouched(reads, said):
        found.add(person_of(reads, said.principal))
    return found


def names_behind(reads: Reads, said: Spoken) -> tuple[str, ...]:
    """Return by which names whoever did what a statement tells is known: the actor, and a human whose credential said so, unless that is an
    authority for the actor. A machine that reports what people do has done nothing itself.
    """
    if said.speaker == said.principal or is_own_key(said) or is_vouched(reads, said):
        return (said.speaker,)
    return (said.speaker, said.principal) if kind_of(reads, said.principal) == "human" else (said.speaker,)


# -- of a grant ----------------------------------------------------------------------------------------------------------


def fault_of_grant(reads: Reads, span: Span) -> str:
    """Say why a grant gives nothing, or "": because of who gave it."""
    return _Judge(reads).fault_of(span)


def is_for_oneself(reads: Reads, span: Span) -> str:
    """Say in words that somebody gave a grant to themselves, or each holds their power by the other; else ""."""
    return _Judge(reads).circle(span)


@kept
def granted_to(reads: Reads, identity: str, time: Moment, before: int | None = None) -> tuple[Span, ...]:
    """Return what somebody holds at a time, under any login: by grants that count, recorded before a position, if one is said."""
    judge = _Judge(reads)
    return tuple(span for span in judge.held(identity, time, before) if not judge.fault_of(span))


def revocations_of(reads: Reads, grant: Grant) -> list[Spoken]:
    """Return the revocations of a grant that count."""
    judge = _Judge(reads)
    return [said for said in grant.revocations if not judge.fault(AccessRevoked.type, said, grant.environment)]


def spans_at(reads: Reads, grant: Grant, time: Moment) -> list[Span]:
    """Return what a grant said that was in force at a time, whether it gives anything or not."""
    judge = _Judge(reads)
    return [span for span in grant.spans if judge.is_in_force(grant, span, time)]


# -- what somebody is ----------------------------------------------------------------------------------------------------


def kind_of(reads: Reads, identity: str, said: Spoken | None = None) -> Literal["human", "service"] | None:
    """Return what somebody is, under any login: by their credentials, by grants that count, by a link to a person that counts, or by
    an authority that reports them.

    `said` is a statement of theirs, which tells by whom it was reported; then only what was on record before it is asked. A service is
    never a human, and a name that begins with `person:` makes nobody one.
    """
    return _Judge(reads).kind(identity, said)


@kept
def _fault(reads: Reads, event_type: str, said: Spoken, environment: str | None, known: int) -> str:
    return _Judge(reads, known).fault_anew(event_type, said, environment)


@kept
def _fault_of_grant(reads: Reads, span: Span, known: int) -> str:
    judge = _Judge(reads, known)
    return judge.fault(AccessGranted.type, span.said, span.environment) or judge.circle(span)


@kept
def _is_without(reads: Reads, span: Span, person: str, known: int) -> bool:
    return _Judge(reads, known).is_without_anew(span, person)


@kept
def _kind(reads: Reads, identity: str, said: Spoken | None, known: int) -> Literal["human", "service"] | None:
    return _Judge(reads, known).kind_anew(identity, said)


class _Judge:
    """Questions about power, with the revocations that were on record at a position. What was found out once is kept."""

    def __init__(self, reads: Reads, known: int = AFTER_ALL) -> None:
        self._reads = reads
        self._known = known

    def fault(self, event_type: str, said: Spoken, environment: str | None = None) -> str:
        return _fault(self._reads, event_type, said, environment, self._known)

    def fault_anew(self, event_type: str, said: Spoken, environment: str | None) -> str:
        holder = HOLDERS[event_type]
        if fault := voice_fault(self._reads, said, holder):
            return f"S12: {fault}"
        faults = (
            self._fault_at(instant.at, holder, event_type, said, environment)
            for instant in _instants(self._reads, said)
        )
        return next((fault for fault in faults if fault), "")

    def _fault_at(self, time: Moment, holder: Holder, event_type: str, said: Spoken, environment: str | None) -> str:
        roles = _roles_for(self._reads, event_type, time)
        if not roles:
            if holder == "operator" and not has_root_power(self._reads, event_type, said):
                return f"without power: {said.speaker} is no operator, and no policy names a role for {event_type}"
            if holder == "human" and self.kind(said.speaker, said) != "human":
                return f"without power: {said.speaker} is not known to be a human"
            return ""
        if has_root_power(self._reads, event_type, said) or any(self._supports(said, time, roles, environment)):
            return ""
        return f"without power: {said.speaker} held no grant of {' or '.join(roles)} that counts"

    def can_never_count(self, event_type: str, said: Spoken) -> bool:
        holder = HOLDERS[event_type]
        if voice_fault(self._reads, said, holder):
            return True
        return (
            holder == "operator"
            and not has_root_power(self._reads, event_type, said)
            and not all(
                self._had_any(said, _roles_for(self._reads, event_type, instant.at))
                for instant in _instants(self._reads, said)
            )
        )

    def _had_any(self, said: Spoken, roles: tuple[str, ...]) -> bool:
        """Say whether a grant of a role to the speaker was on record, whatever became of it. One that comes later gives no power then."""
        logins = known_logins(self._reads, said.speaker, said.position) if roles else frozenset()
        return any(
            span.role in roles and span.said.position < said.position and key_of(span.principal) in logins
            for grant in self._grants_to(logins)
            for span in grant.spans
        )

    # -- grants -------------------------------------------------------------------------------------------------

    def fault_of(self, span: Span) -> str:
        return _fault_of_grant(self._reads, span, self._known)

    def circle(self, span: Span) -> str:
        holder = person_of(self._reads, span.principal)
        if person_of(self._reads, span.said.speaker) == holder:
            return f"{span.said.speaker} gave {span.role} to themselves"
        if self.fault(AccessGranted.type, span.said, span.environment) or _is_without(
            self._reads, span, holder, self._known
        ):
            return ""
        return f"{span.said.speaker} and {span.principal} hold their power by each other"

    def is_without_anew(self, span: Span, person: str) -> bool:
        """Say whether the power to give a grant comes from the root by others than one person."""
        if has_root_power(self._reads, AccessGranted.type, span.said):
            return True
        roles = _roles_for(self._reads, AccessGranted.type, span.said.at)
        return any(
            person_of(self._reads, support.said.speaker) != person
            and _is_without(self._reads, support, person, self._known)
            for support in self._supports(span.said, span.said.at, roles, span.environment)
        )

    def _supports(self, said: Spoken, time: Moment, roles: tuple[str, ...], environment: str | None) -> Iterator[Span]:
        """Yield the grants by which whoever said something held one of some roles at a time, as was on record when they said it."""
        for span in self.held(said.speaker, time, said.position):
            # No alias is asked for here: whether a declaration of one counts, is itself a question of power.
            is_there = span.environment is None or (
                environment is not None and compared(span.environment) == compared(environment)
            )
            if span.role in roles and is_there and not self.fault_of(span):
                yield span

    def held(self, identity: str, time: Moment, before: int | None = None) -> Iterator[Span]:
        """Yield what was granted to somebody, under logins that are known to be theirs, and in force at a time; counting or not."""
        logins = known_logins(self._reads, identity, before or AFTER_ALL)
        for grant in self._grants_to(logins):
            for span in grant.spans:
                is_theirs = key_of(span.principal) in logins and (before is None or span.said.position < before)
                if is_theirs and self.is_in_force(grant, span, time, before):
                    yield span

    def _grants_to(self, logins: frozenset[str]) -> list[Grant]:
        found = {}
        for login in spellings_of(self._reads, logins):
            for grant in self._reads.named(access_grants, AccessGranted, ref("identity", login)):
                found[grant.grant_id] = grant
        return [found[grant_id] for grant_id in sorted(found)]

    def is_in_force(self, grant: Grant, span: Span, time: Moment, before: int | None = None) -> bool:
        """Say whether a grant was in force at a time: begun, not over, not taken away, and not given anew in other words."""
        if span.said.at > time or (span.expires_at is not None and span.expires_at <= time):
            return False
        if any(
            # It accuses whenever it was recorded. One that was given in between is over by the new grant.
            said.at <= time and span.said.position < said.position < self._known and self._counts(said, span)
            for said in grant.revocations
        ):
            return False
        return not any(
            span.said.position < other.said.position < (before or AFTER_ALL)
            and other.said.at <= time
            and not self.fault_of(other)
            for other in grant.spans
        )

    def _counts(self, revocation: Spoken, span: Span) -> bool:
        # Judged by what was on record before it: two who took each other's power away are judged in order.
        return not _fault(self._reads, AccessRevoked.type, revocation, span.environment, revocation.position)

    # -- kinds --------------------------------------------------------------------------------------------------

    def kind(self, identity: str, said: Spoken | None) -> Literal["human", "service"] | None:
        return _kind(self._reads, identity, said, self._known)

    def kind_anew(self, identity: str, said: Spoken | None) -> Literal["human", "service"] | None:
        before = said.position if said is not None else AFTER_ALL
        logins = known_logins(self._reads, identity, before)
        # What makes somebody a service accuses: by links that do not count, too.
        everywhere = logins_of(self._reads, identity)
        if any(_is_named_as_a_service(login) for login in everywhere):
            return "service"
        kinds = {kind for login in logins for kind in self._kinds_by_credential(login, before)}
        kinds |= {
            span.principal_kind
            for grant in self._grants_to(logins)
            for span in grant.spans
            if span.said.position < before and key_of(span.principal) in logins and not self.fault_of(span)
        }
        if "service" in kinds:
            return "service"
        # Whoever has the power to link says by a link to a person that the others are that person's.
        is_linked = len(logins) > 1 and any(login.startswith("person:") for login in logins)
        if "human" in kinds or is_linked or (said is not None and self._is_human_by(said)):
            return "human"
        return None

    def _kinds_by_credential(self, login: str, before: int) -> Iterator[str]:
        for name in (login, f"{login.partition(':')[0]}:*"):
            row = self._reads.row(identities, name)
            for credential in row.credentials if row is not None else ():
                known = self._reads.row(credentials, credential)
                if known is not None and known.kind is not None and known.position < before:
                    yield known.kind

    def _is_human_by(self, said: Spoken) -> bool:
        if is_vouched(self._reads, said):
            return True
        # A credential that no entry issued: no door lets one in, and an audit finds it. Then the name is all that there is.
        is_unknown = bool(said.credential) and self._reads.row(credentials, said.credential) is None
        return is_unknown and said.speaker == said.principal and said.principal.startswith("person:")


def _is_named_as_a_service(login: str) -> bool:
    kind = login.partition(":")[0]
    return kind == "service" or kind.endswith("-bot")
