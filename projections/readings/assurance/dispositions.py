"""Dispositions: what somebody decided to become of a finding, and by whom. Not whether that counts: `projections.judging.disposing`."""

from dataclasses import dataclass

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.finding import FindingDisposed
from projections.engine.finding import Disposition
from projections.engine.view import EntryInfo, Moment, View, moment, replace
from projections.readings.people.voices import Spoken, is_own_key, spoken


@dataclass(frozen=True)
class Disposed:
    """One decision about a finding. `said` is the digest of what the finding said; when it says something else, this is not about it."""

    disposition: Disposition
    said: str
    by: Spoken
    until: Moment | None = None


@dataclass(frozen=True)
class Dispositions:
    """What was decided of one finding: the last decision of each credential, and of each actor that the ledger's own key spoke for."""

    finding_id: str
    rule: str | None = None
    subject: str | None = None
    disposed: tuple[Disposed, ...] = ()


def rule_of(event: FindingDisposed) -> str:
    """Return the name of the rule as findings have it: events may write it as its function is called."""
    return event.rule.replace("_", "-")


def _entries_of(key: str, row: Dispositions) -> list[Match]:
    rule = key.partition("/")[0]
    names = dict.fromkeys((rule, rule.replace("-", "_")))
    return [Match((FindingDisposed.type,), (ref("rule", name),)) for name in names]


dispositions = View(
    "dispositions",
    version=1,
    row=Dispositions,
    kind="finding",
    entries_of=_entries_of,
    indexes=("rule",),
    doc="Dispositions: what was decided to become of findings, by whom, of what they said, and until when.",
)


@dispositions.on(FindingDisposed, key=lambda event: [f"{rule_of(event)}/{one.subject}" for one in event.findings])
def disposed(row: Dispositions, event: FindingDisposed, entry: EntryInfo) -> Dispositions:
    rule, _, subject = row.finding_id.partition("/")
    said = next(one.said for one in event.findings if one.subject == subject)
    by = spoken(entry, event.actor)
    new = Disposed(event.disposition, said, by, moment(event.until) if event.until is not None else None)
    others = tuple(one for one in row.disposed if _voice(one.by) != _voice(by))
    return replace(row, rule=rule, subject=subject, disposed=(*others, new))


def _voice(said: Spoken) -> tuple[str, str | None]:
    # A token that speaks in many names fills no row: of those, only its own may count.
    is_own = said.actor == said.principal or is_own_key(said)
    return said.credential, said.actor if is_own else None
