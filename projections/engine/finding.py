"""`Finding`: one rule that one subject breaks, or broke, and what somebody made of that: the rows of findings, as values.

Not when anything is judged, nor what a rule looked at: `projections.engine.derived`.
"""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Final, Literal

from ledger.canonical import encode
from ledger.events.identifiers import with_names
from projections.engine.view import Moment

Severity = Literal["low", "medium", "high"]
# The column of a finding by which the worst come first.
WORST_FIRST: Final = "rank"


@dataclass(frozen=True, slots=True)
class Breach:
    """What a rule found: in words, and the entries that show it."""

    says: str
    positions: tuple[int, ...] = ()
    # Where the act is recorded that it is about; where it does not say, the first of these entries that names the subject, or is it, or
    # else the last.
    act: int | None = field(default=None, compare=False)


Disposition = Literal["accepted", "remediated", "false_positive"]


@dataclass(frozen=True, slots=True)
class Disposal:
    """What ends a finding that its rule still finds: as what, by whom, in which entry, and until when."""

    disposition: Disposition
    by: str
    position: int
    until: Moment | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A disposal that does not count: whose, in which entry, and why."""

    by: str
    position: int
    why: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody made of a finding: the disposal that holds, and the first that does not count."""

    disposal: Disposal | None = None
    refused: Refusal | None = None


UNANSWERED: Final = Answer()


@dataclass(frozen=True, slots=True)
class Justification:
    """What came too late to let an act through: in which entry, whose, and when it was recorded. One is as good as another."""

    position: int = field(compare=False)
    by: str = field(compare=False)
    at: Moment = field(compare=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule found of a subject, what somebody made of that, and what would have let it through in time."""

    breach: Breach
    answer: Answer = UNANSWERED
    justified: Justification | None = None
    # The last time that the rule asked about, and that had come.
    came: Moment | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Acted:
    """When what a finding is about was done, by the entry that tells of it; and whether that was against the rule as known then."""

    at: Moment
    position: int
    known_then: bool


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a verdict: at which entry, and what was found from there on; nothing where it says nothing.

    It is open where something is found and no disposal holds.
    """

    position: int
    at: Moment
    is_open: bool
    says: str = ""
    positions: tuple[int, ...] = ()
    answer: Answer = UNANSWERED
    acted: Acted | None = None
    justified: Justification | None = None

    @property
    def verdict(self) -> Verdict | None:
        return Verdict(Breach(self.says, self.positions), self.answer, self.justified) if self.says else None


@dataclass(frozen=True)
class Finding:
    """One rule that one subject breaks, or broke.

    It is resolved by the entry after which the rule found nothing any more, or after which a disposal holds; then `disposition` is said.
    """

    finding_id: str
    rule: str = ""
    subject: str = ""
    severity: Severity = "low"
    is_open: bool = False
    says: str = ""
    # Of what it says, the digest that a disposition of it names.
    said: str = ""
    positions: tuple[int, ...] = ()
    acted_at: Moment | None = None
    acted_position: int | None = None
    first_seen_at: Moment | None = None
    first_seen_position: int | None = None
    # Whether it could be found by what was on record when it was done, or fell due. Otherwise something said later accuses.
    known_then: bool | None = None
    # What would have let it through, and came too late.
    justified_at: Moment | None = None
    justified_by: str | None = None
    justified_position: int | None = None
    resolved_at: Moment | None = None
    resolved_position: int | None = None
    disposition: Disposition | None = None
    disposed_by: str | None = None
    disposed_position: int | None = None
    disposed_until: Moment | None = None
    # The first disposition of what it says now that does not count.
    refused: Refusal | None = None
    changes: tuple[Change, ...] = ()
    # What is open before what is not, of these the gravest, of these the oldest: whoever sorts by it has the worst first.
    rank: str = ""

    @property
    def verdict(self) -> Verdict | None:
        return self.changes[-1].verdict if self.changes else None


@dataclass(frozen=True)
class FindingRead(Finding):
    """A finding as it is read: with the seconds since it was found, until the time as of which it is asked, or until it ended."""

    age_s: int = 0


# A wording lists ten things by their names at most; what is longer, a rule has written carelessly.
MAX_SAYS: Final = 4000
MAX_POSITIONS: Final = 32


def bounded(found: Breach | None) -> Breach | None:
    """Return what was found with as much of it as a row keeps: of very many entries the first and the last.

    Things are called by their names.
    """
    if found is None:
        return None
    half = MAX_POSITIONS // 2
    some = found.positions
    said = with_names(found.says)
    says = said if len(said) <= MAX_SAYS else f"{said[:MAX_SAYS]}…"
    return Breach(says, some if len(some) <= MAX_POSITIONS else (*some[:half], *some[-half:]), found.act)


def said_of(rule: str, subject: str, says: str) -> str:
    """Return the digest of what a finding says, as dispositions name it: SHA-256 of canonical JSON, in base64."""
    told = encode({"rule": rule, "says": says, "subject": subject})
    return base64.b64encode(hashlib.sha256(told).digest()).decode()


def rank_of(is_open: bool, severity: Severity) -> str:
    """Return what the ranks of findings begin with that are open or not, and so grave.

    >>> rank_of(True, "high"), rank_of(False, "low")
    ('00', '12')
    """
    return f"{0 if is_open else 1}{('high', 'medium', 'low').index(severity)}"


def standing(row: Finding, changes: tuple[Change, ...]) -> Finding:
    """Return a finding as its changes make it."""
    first, last = changes[0], changes[-1]
    told = next((change for change in reversed(changes) if change.says), last)
    disposal = last.answer.disposal
    # Since when it is as it is: a disposal that is told otherwise, or one more that does not count, moves no end.
    ended = last
    for change in reversed(changes):
        if change.is_open or (change.says == "") != (last.says == ""):
            break
        ended = change
    return Finding(
        row.finding_id,
        row.rule,
        row.subject,
        row.severity,
        last.is_open,
        told.says,
        said_of(row.rule, row.subject, told.says),
        told.positions,
        told.acted.at if told.acted is not None else None,
        told.acted.position if told.acted is not None else None,
        first.at,
        first.position,
        told.acted.known_then if told.acted is not None else None,
        told.justified.at if told.justified is not None else None,
        told.justified.by if told.justified is not None else None,
        told.justified.position if told.justified is not None else None,
        None if last.is_open else ended.at,
        None if last.is_open else ended.position,
        disposal.disposition if disposal is not None else None,
        disposal.by if disposal is not None else None,
        disposal.position if disposal is not None else None,
        disposal.until if disposal is not None else None,
        last.answer.refused,
        changes,
        f"{rank_of(last.is_open, row.severity)}/{first.at}",
    )
