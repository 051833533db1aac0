"""States of infrastructure, by environment and workspace: what was attested of each, and what was found there.

Not whether what was found is what was attested: that is judged. Facts stand in the order of their own times.

    prod    iac.applied 09:00 left sha256:2c26…, serial 7    attested
            state.observed 10:00 sha256:2c26…, serial 7      observed
            baseline.published 12:00 sha256:9f86…, serial 3  attested, and the serial counts from there on
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from ledger.conditions import Match
from ledger.events import Event
from ledger.events.baseline import BaselinePublished
from ledger.events.iac import PlanApplied
from ledger.events.state import StateEvent, StateObserved
from projections.engine.view import EntryInfo, Reads, View, replace
from projections.readings.environments.environments import under_all_names
from projections.readings.people.voices import Spoken, by_whom, in_time, spoken
from projections.rules.environments import compared
from projections.rules.keeping import kept
from projections.rules.leave import FOR_EVER

_TELLING: Final = (PlanApplied.type, StateObserved.type, BaselinePublished.type)
# The workspace of whoever has only one, as the tools call it.
DEFAULT: Final = "default"
# So many attested and observed states are kept: the last ones.
KEPT: Final = 12


@dataclass(frozen=True)
class Seen:
    """One statement about a state: what it is, how often it was written, and who said so."""

    kind: Literal["applied", "baseline", "observed"]
    digest: str
    serial: int | None
    lineage: str | None
    said: Spoken


@dataclass(frozen=True)
class State:
    """One state: what it was found to be last, and what was attested of it. The key is `environment#workspace`."""

    state: str
    environment: str | None = None
    workspace: str = DEFAULT
    digest: str | None = None
    serial: int | None = None
    attested: tuple[Seen, ...] = ()
    observed: tuple[Seen, ...] = ()
    # What was written most often of all.
    highest: Seen | None = None


def key_of(environment: str, workspace: str | None) -> str:
    """Return under which key a state stands."""
    return f"{compared(environment)}#{workspace or DEFAULT}"


states = View(
    "iac_states",
    version=2,
    row=State,
    kind="state",
    # Entries write an environment in any spelling.
    entries_of=lambda key, row: (Match(_TELLING),),
    indexes=("environment", "workspace", "digest"),
    doc="States of infrastructure, by environment and workspace: what was attested of each, and what was found there.",
)


def _key(event: StateEvent | PlanApplied) -> str | None:
    return key_of(event.environment, event.workspace) if event.state_digest is not None else None


@states.on(PlanApplied, StateObserved, BaselinePublished, key=_key)
def told(row: State, event: Event, entry: EntryInfo) -> State:
    if not isinstance(event, StateEvent | PlanApplied) or event.state_digest is None or event.environment is None:
        return row
    kind: Literal["applied", "baseline", "observed"] = (
        "applied"
        if isinstance(event, PlanApplied)
        else "baseline"
        if isinstance(event, BaselinePublished)
        else "observed"
    )
    seen = Seen(kind, event.state_digest, event.serial, event.lineage, spoken(entry, event.actor))
    row = replace(row, environment=row.environment or event.environment, workspace=event.workspace or DEFAULT)
    if kind == "baseline":
        return replace(row, attested=_with(row.attested, seen))
    if seen.serial is not None and (row.highest is None or seen.serial > (row.highest.serial or 0)):
        row = replace(row, highest=seen)
    if kind == "applied":
        return replace(row, attested=_with(row.attested, seen))
    observed = _with(row.observed, seen)
    return replace(row, observed=observed, digest=observed[-1].digest, serial=observed[-1].serial)


def _with(known: tuple[Seen, ...], seen: Seen) -> tuple[Seen, ...]:
    return kept(_in_order((*known, seen)), seen, by_whom, KEPT)


def _in_order(told: Iterable[Seen]) -> tuple[Seen, ...]:
    return tuple(sorted(told, key=in_time))


def state_of(reads: Reads, environment: str, workspace: str | None) -> State | None:
    """Return what there is of a state under all names of its environment, under the first of them; None where there is nothing."""
    rows = under_all_names(reads, states, environment, FOR_EVER, lambda name: key_of(name, workspace))
    if len(rows) < 2:
        return rows[0] if rows else None
    first = rows[0]
    observed = _in_order(one for row in rows for one in row.observed)
    return State(
        first.state,
        first.environment,
        first.workspace,
        attested=_in_order(one for row in rows for one in row.attested),
        observed=observed,
        highest=max(
            (row.highest for row in rows if row.highest is not None),
            key=lambda one: (one.serial or 0, -one.said.position),
            default=None,
        ),
    )
