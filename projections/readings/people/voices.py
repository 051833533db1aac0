"""Voices: who said something, whether the credential may speak for the actor that it names (S12), and where power begins.

Not who holds power by a grant: that is `powers`, which begins here. Power has one root, the operators. It is held by an operator's
credential, by the ledger's own key, and by a source that an operator enrolled with the very type of event among its `types`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeVar

from ledger.authority import LEDGER_PRINCIPAL, source_matches
from ledger.conditions import AFTER_ALL
from projections.engine.view import EntryInfo, Moment, Reads
from projections.readings.people.credentials import credentials
from projections.readings.people.sources import sources_of
from projections.rules import duties
from projections.rules.leave import happened

# By whom a statement of a type counts, where no policy says otherwise: an operator, a human, or whoever speaks for themselves.
Holder = Literal["operator", "human", "anybody"]
# The credential of whoever works on the ledger itself, with its key in hand.
_OWN_KEY: Final = "key:"


@dataclass(frozen=True)
class Spoken:
    """One statement, as far as it matters who made it. `at` is when it counts as done: not after it was recorded."""

    actor: str | None
    principal: str
    credential: str
    source: str
    at: Moment
    recorded_at: Moment
    position: int

    def __hash__(self) -> int:
        # What is on record differs by its position.
        return self.position

    @property
    def speaker(self) -> str:
        """Who says it: the actor that it names, else whose credential it is."""
        return self.actor or self.principal


def spoken(entry: EntryInfo, actor: str | None) -> Spoken:
    """Return who said what an entry holds, as the actor that it names."""
    return Spoken(
        actor,
        entry.by["principal"],
        entry.by["credential"],
        entry.source,
        happened(entry.time, entry.recorded_at),
        entry.recorded_at,
        entry.position,
    )


class Said(Protocol):
    @property
    def said(self) -> Spoken: ...


S = TypeVar("S", bound=Said)


def in_one_alone(before: Iterable[S], after: Iterable[S]) -> list[S]:
    """Return what only one of two lists of statements holds."""
    some, others = ({one.said.position: one for one in held} for held in (before, after))
    return [
        one
        for held, other in ((some, others), (others, some))
        for position, one in held.items()
        if position not in other
    ]


def when(said: Spoken) -> tuple[Moment, int]:
    """Return where a statement comes among others: by its time, and of one time by its position."""
    return said.at, said.position


def in_time(one: Said) -> tuple[Moment, int]:
    """Return where something comes among what else was said."""
    return when(one.said)


def by_whom(one: Said) -> str:
    """Return by whose credential something was said."""
    return one.said.principal


def not_yet_said(principal: str, at: Moment, credential: str = "") -> Spoken:
    """Return a statement that somebody might make in their own name, after all that is on record, to ask whether it would count."""
    return Spoken(principal, principal, credential, "", at, at, AFTER_ALL)


def is_own_key(said: Spoken) -> bool:
    """Say whether the ledger itself said it: whoever did holds its key."""
    return said.credential.startswith(_OWN_KEY) and said.principal == LEDGER_PRINCIPAL


def voice_fault(reads: Reads, said: Spoken, holder: Holder) -> str:
    """Say why the credential may not speak for the actor (S12), or "".

    The ledger's own key speaks for everybody; for a human's judgement of others' work it has to be enrolled, as any source has.
    """
    if is_own_key(said) and holder != "human":
        return ""
    known = reads.row(credentials, said.credential)
    if known is not None and known.distrusted_from is not None and known.distrusted_from <= said.position:
        return f"{said.credential} is not believed from position {known.distrusted_from} on"
    if said.speaker == said.principal:
        return ""
    return duties.s12_approver_spoke(said.speaker, said.principal, said.source, authority_of(reads, said)) or ""


def authority_of(reads: Reads, said: Spoken) -> list[tuple[str, tuple[str, ...]]]:
    """Return the sources of a statement's principal as they were enrolled then, each with the identities that it may speak for."""
    return sources_of(reads, said.principal, said.position)


def is_vouched(reads: Reads, said: Spoken) -> bool:
    """Say whether an authority for the actor reported the statement: another than the actor, enrolled for them."""
    return said.speaker != said.principal and any(
        source_matches(pattern, said.source) and any(source_matches(known, said.speaker) for known in spoken_for)
        for pattern, spoken_for in authority_of(reads, said)
    )


def has_root_power(reads: Reads, event_type: str, said: Spoken) -> bool:
    """Say whether a statement counts by itself: an operator's, the ledger's own, or of a source enrolled for this very type."""
    if is_own_key(said):
        return True
    known = reads.row(credentials, said.credential)
    if known is not None and "operator" in known.roles and known.position < said.position:
        return True
    return any(
        source_matches(pattern, said.source)
        for pattern, _ in sources_of(reads, said.principal, said.position, event_type)
    )
