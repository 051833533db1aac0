"""Where and when something holds: parts that freezes, windows and scopes share.

Shapes alone. What tier a name has, which patterns it fits, and which times a rule makes, is for the rules of `projections`.
"""

from ledger.events.identifiers import (
    Environment,
    NamePattern,
    Part,
    RecurrenceRule,
    Region,
    Service,
    Tenant,
    Tier,
    Time,
    TimeZone,
    many,
)


class Selector(Part):
    """Which environments and services are meant.

    An environment is meant by its name, by a pattern or by its tier, whichever fits; of tenants, regions and services one must
    fit where any is named.
    """

    environments: tuple[Environment, ...] = many(at_most=16, default=())
    patterns: tuple[NamePattern, ...] = many(at_most=16, default=())
    tiers: tuple[Tier, ...] = many(at_most=4, default=())
    tenants: tuple[Tenant, ...] = many(at_most=16, default=())
    regions: tuple[Region, ...] = many(at_most=16, default=())
    services: tuple[Service, ...] = many(default=())


class Recurrence(Part):
    """Again by a rule, from the beginning and end that stand beside it on: both at the same hours of the clock in `time_zone`.

    Without a zone the hours are UTC. A time that begins at one of `except_at` is left out (EXDATE).
    """

    time_zone: TimeZone | None = None
    recurs: RecurrenceRule | None = None
    except_at: tuple[Time, ...] = many(at_most=64, default=())
