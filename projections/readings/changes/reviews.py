"""Post-implementation reviews: due, done, and what was predicted against what came.

`due_at` is judged by whoever asks: no entry says that it passed.
"""

from dataclasses import dataclass
from typing import Final, Literal

from ledger.events.pir import PirCompleted, PirOpened
from projections.engine.view import EntryInfo, Moment, Reads, View, later, moment, replace
from projections.engine.view import Number as Decimal
from projections.readings.people.policies import InForce
from projections.readings.people.powers import READ_BY_POWERS, fault_of_speaker
from projections.readings.people.replacing import may_end
from projections.readings.people.settings import Number, Words
from projections.readings.people.voices import Spoken, spoken
from projections.readings.risk.assessments import risk_assessments
from projections.readings.risk.calibrations import predictions
from projections.readings.risk.outcomes import outcomes
from projections.readings.risk.promotions import counting, model_promotions

# For whoever imports a review that was due long ago, to say that it was done.
GRACE_HOURS: Final = 24


REVIEW_WITHIN_HOURS: Final = Number(
    "review-within-hours",
    "within how many hours of its end a change is reviewed, without anybody asking for it",
    applies_to="type of change, band of risk, rolled-back, incident or failed",
    zero="no review is due by itself",
    defaults={
        "emergency": 240, "unauthorized": 240, "high": 240, "critical": 240, "rolled-back": 240, "incident": 240, "failed": 240,
    },
)  # fmt: skip
REVIEW_BY: Final = Words(
    "review-by",
    "whether whoever implemented a change may review it",
    applies_to="type of change or band of risk",
    choices=("somebody-else", "anybody"),
    nothing="`somebody-else`, `anybody` for the band low",
)


def is_anothers(policy: InForce, change_type: str | None, band: str | None) -> bool:
    """Say whether a change of a type and band is reviewed by somebody else than who implemented it."""
    said = policy.words(REVIEW_BY, change_type, band)
    return "somebody-else" in said if said else band != "low" or change_type == "unauthorized"


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
    probability: Decimal
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
    # The first date on which it was not done. Another date that is set after that takes nothing of the lateness away.
    missed_at: Moment | None = None
    reviewer: str | None = None
    completed_at: Moment | None = None
    completed_position: int | None = None
    completed: Spoken | None = None
    # By its own time. What was done in time and came on record too late is told apart: history that is imported is not late.
    is_late: bool = False
    recorded_late: bool = False
    outcome: Literal["successful", "successful_with_issues", "unsuccessful", "backed_out"] | None = None
    rolled_back: bool = False
    caused_incidents: tuple[str, ...] = ()
    predicted_score: Decimal | None = None
    predicted_band: str | None = None
    claimed_score: Decimal | None = None
    actions: tuple[Action, ...] = ()
    judged: tuple[Judged, ...] = ()
    # Who set the date.
    due_by: Spoken | None = None


reviews = View(
    "reviews",
    version=7,
    row=Review,
    kind="pir",
    reads=(outcomes, risk_assessments, model_promotions, *READ_BY_POWERS),
    indexes=("change_id", "state", "due_at", "is_late", "recorded_late"),
    doc="Post-implementation reviews: due and done, predicted against actual, actions, and which model was held against it.",
)


@reviews.on(PirOpened, key=lambda event: event.pir_id)
def opened(row: Review, event: PirOpened, entry: EntryInfo) -> Review:
    """A date may be moved while it has not come: later only by who had set it, by a human, or by who has the power. Of a review that is
    done, none is.
    """
    due_at, due_by = moment(event.due_at), spoken(entry, event.actor)
    is_later = row.due_at is not None and due_at > row.due_at
    if is_later and row.due_by is not None and not may_end(entry.reads, entry.type, due_by, row.due_by):
        return replace(row, mandatory=row.mandatory or event.mandatory)
    missed_at, overdue_at = row.missed_at, row.overdue_at
    if row.overdue_at is not None and row.overdue_at <= entry.recorded_at:
        missed_at = missed_at or row.due_at
    elif missed_at is None:
        # For whoever imports one that was due long ago: once, for the first date.
        has_grace = row.due_at is None and due_at < entry.recorded_at
        overdue_at = later(entry.recorded_at, hours=GRACE_HOURS) if has_grace else due_at
    if row.state == "done":
        if row.due_at is None:
            row = replace(row, due_at=due_at, is_late=(row.completed_at or "") > due_at)
        return replace(row, mandatory=row.mandatory or event.mandatory)
    return replace(
        row,
        change_id=row.change_id or event.change_id,
        mandatory=row.mandatory or event.mandatory,
        opened_by=row.opened_by or event.actor,
        opened_at=row.opened_at or entry.time,
        due_at=due_at,
        overdue_at=overdue_at,
        missed_at=missed_at,
        due_by=due_by,
    )


@reviews.on(PirCompleted, key=lambda event: event.pir_id)
def completed(row: Review, event: PirCompleted, entry: EntryInfo) -> Review:
    """Whoever completes it has the power to: else it is as open as before."""
    said = spoken(entry, event.actor)
    if fault_of_speaker(entry.reads, entry.type, said):
        return row
    outcome = entry.reads.row(outcomes, event.change_id)
    due_at = row.missed_at or row.due_at
    is_first = row.completed_at is None
    assessed = entry.reads.row(risk_assessments, event.change_id)
    judged = tuple(
        Judged(version, prediction.probability, outcome.label == "failure")
        for version, prediction in predictions(assessed).items()
        if prediction.probability is not None and outcome is not None
    )
    counted = counting(entry.reads, assessed.assessments) if assessed is not None else None
    return replace(
        row,
        change_id=row.change_id or event.change_id,
        state="done",
        reviewer=event.actor,
        completed_at=row.completed_at or entry.time,
        completed_position=row.completed_position or entry.position,
        completed=said,
        is_late=due_at is not None and entry.time > due_at if is_first else row.is_late,
        recorded_late=due_at is not None and entry.recorded_at > due_at if is_first else row.recorded_late,
        outcome=event.outcome,
        rolled_back=event.rolled_back,
        caused_incidents=event.caused_incidents,
        predicted_score=counted.assessment.score if counted else None,
        predicted_band=counted.assessment.band if counted else None,
        claimed_score=event.predicted_score,
        actions=tuple(Action(a.name, a.owner, moment(a.due_at)) for a in event.actions),
        judged=judged,
    )


def is_done(reads: Reads, row: Review) -> bool:
    """Say whether a review is done, by what is known now of whoever completed it last."""
    return row.completed is not None and not fault_of_speaker(reads, PirCompleted.type, row.completed)
