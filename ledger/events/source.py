"""Sources: what a source itself lists, held against what the ledger has of it."""

from ledger.events.base import Event
from ledger.events.identifiers import Count, Digest, EventId, EventType, Identity, Source, Time, many


class SourceReconciled(Event):
    """A source's own list of what happened in a period was compared with the entries."""

    type = "source.reconciled"
    says = (
        "{actor} reconciled {source} from {period_start} to {period_end}: {missing_count} missing, {extra_count} extra"
    )
    actor: Identity
    source: Source
    period_start: Time
    period_end: Time
    # Which facts the list is of; none named: all that the source states.
    types: tuple[EventType, ...] = many(at_most=16, default=())
    # The source's list: how many, the digest of its ids as a sorted JSON array, and the ids where they are few.
    listed_count: Count
    listed_digest: Digest
    listed: tuple[EventId, ...] = many(at_most=500, default=())
    # Ids that the source lists and the ledger lacks, and the other way round: all of them, or the first.
    missing_count: Count
    missing: tuple[EventId, ...] = many(at_most=200, default=())
    extra_count: Count
    extra: tuple[EventId, ...] = many(at_most=200, default=())
