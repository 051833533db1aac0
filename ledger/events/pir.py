"""Post-implementation reviews: what a change turned out to be."""

from typing import ClassVar, Literal

from ledger.events.base import Event
from ledger.events.identifiers import (
    ChangeId,
    Decimal,
    Erasable,
    Flag,
    Identity,
    IncidentId,
    Label,
    Part,
    PirId,
    Time,
    many,
)


class PirEvent(Event):
    """A fact about one post-implementation review."""

    refs: ClassVar[tuple[str, ...]] = ("pir_id", "change_id")
    actor: Identity
    pir_id: PirId
    change_id: ChangeId


class PirOpened(PirEvent):
    """A post-implementation review was asked for."""

    type = "pir.opened"
    says = "{actor} opened review {pir_id} of {change_id}, due {due_at}"
    due_at: Time
    mandatory: Flag


class Action(Part):
    """Something to be done because of a review."""

    name: Label
    owner: Identity
    due_at: Time


class PirCompleted(PirEvent):
    """A post-implementation review reached its outcome."""

    type = "pir.completed"
    says = "{actor} completed review {pir_id} of {change_id}: {outcome}"
    refs = ("pir_id", "change_id", "caused_incidents")
    outcome: Literal["successful", "successful_with_issues", "unsuccessful", "backed_out"]
    rolled_back: Flag
    caused_incidents: tuple[IncidentId, ...] = many(default=())
    predicted_score: Decimal | None = None
    actions: tuple[Action, ...] = many(default=())
    lessons: Erasable | None = None
