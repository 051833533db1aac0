"""Post-implementation reviews: due, done, and what was predicted against what came.

`due_at` is judged by whoever asks: no entry says that it passed.
"""

from dataclasses import dataclass
from typing import Final, Literal

from ledger.events.pir import PirCompleted, PirOpened
from projections.engine.view import EntryInfo, Moment, Number, View, later, moment, replace
from projections.readings.risk.assessments import risk_assessments
from projections.readings.risk.calibrations import predictions
from projections.readings.risk.outcomes import outcomes

# For whoever imports a review that was due long ago, to say that it was done.
GRACE_HOURS: Final = 24


@dataclass(frozen=True)
class Action:
    """Something to be done because of a review."""

    name: str
    owner: str
    due_at: Moment


@dataclass(frozen=True)
class Judged:
    """A model version whose prediction of this change was held against the outcome."""

    version_id: str
    probability: Number
    failed: bool


@dataclass(frozen=True)
class Review:
    """One review. `predicted_score` is the ledger's own; `claimed_score` is what the reviewer wrote."""

    pir_id: str
    change_id: str | None = None
    state: Literal["open", "done"] = "open"
    mandatory: bool = False
    opened_by: str | None = None
    opened_at: Moment | None = None
    due_at: Moment | None = None
    # When it is found that it is not done: when it was due, or a day after it came on record, if it was due before that.
    overdue_at: Moment | None = None
    reviewer: str | None = None
    completed_at: Moment | None = None
    completed_position: int | None = None
    # By its own time. What was done in time and came on record too late is told apart: history that is imported is not late.
    is_late: bool = False
    recorded_late: bool = False
    outcome: Literal["successful", "successful_with_issues", "unsuccessful", "backed_out"] | None = None
    rolled_back: bool = False
    caused_incidents: tuple[str, ...] = ()
    predicted_score: Number | None = None
    predicted_band: str | None = None
    claimed_score: Number | None = None
    actions: tuple[Action, ...] = ()
    judged: tuple[Judged, ...] = ()


reviews = View(
    "reviews",
    version=2,
    row=Review,
    kind="pir",
    reads=(outcomes, risk_assessments),
    indexes=("change_id", "state", "due_at"),
    doc="Post-implementation reviews: due and done, predicted against actual, actions, and which model was held against it.",
)


@reviews.on(PirOpened, key=lambda event: event.pir_id)
def opened(row: Review, event: PirOpened, entry: EntryInfo) -> Review:
    due_at = moment(event.due_at)
    return replace(
        row,
        change_id=event.change_id,
        mandatory=event.mandatory,
        opened_by=event.actor,
        opened_at=entry.time,
        due_at=due_at,
        overdue_at=due_at if due_at >= entry.recorded_at else later(entry.recorded_at, hours=GRACE_HOURS),
    )


@reviews.on(PirCompleted, key=lambda event: event.pir_id)
def completed(row: Review, event: PirCompleted, entry: EntryInfo) -> Review:
    outcome = entry.reads.row(outcomes, event.change_id)
    assessed = entry.reads.row(risk_assessments, event.change_id)
    judged = tuple(
        Judged(version, prediction.probability, outcome.label == "failure")
        for version, prediction in predictions(assessed).items()
        if prediction.probability is not None and outcome is not None
    )
    return replace(
        row,
        change_id=event.change_id,
        state="done",
        reviewer=event.actor,
        completed_at=entry.time,
        completed_position=entry.position,
        is_late=row.due_at is not None and entry.time > row.due_at,
        recorded_late=row.due_at is not None and entry.recorded_at > row.due_at,
        outcome=event.outcome,
        rolled_back=event.rolled_back,
        caused_incidents=event.caused_incidents,
        predicted_score=assessed.score if assessed else None,
        predicted_band=assessed.band if assessed else None,
        claimed_score=event.predicted_score,
        actions=tuple(Action(a.name, a.owner, moment(a.due_at)) for a in event.actions),
        judged=judged,
    )
