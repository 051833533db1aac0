"""Advice by machines: what each advised on which change, who decided otherwise, and how that turned out.

Advice is no approval (S4). What was said is `advisories`; `advice` is made of it as outcomes and people are known now; and `advisers`
counts it by adviser and version of the rules that it went by: how often people decided otherwise, and what came of that.

    advised to   decided otherwise   kept to
    reject       3 failed of 4       1 failed of 20      four were let through: the advice was right three times
"""

from dataclasses import dataclass

from ledger.events.advisory import Advised, AdvisoryIssued, AdvisoryOverridden
from projections.engine.derived import Judged
from projections.engine.reads import Look
from projections.engine.tally import Part, Tally
from projections.engine.view import EntryInfo, Moment, Number, View, replace
from projections.readings.people.powers import READ_BY_POWERS, fault_of_speaker
from projections.readings.people.voices import Spoken, spoken
from projections.readings.risk.outcomes import Label, outcomes
from projections.rules.figures import share


@dataclass(frozen=True)
class Advisory:
    """One piece of advice, and who decided against it, if anybody did who may."""

    position: int
    at: Moment
    adviser: str
    verdict: Advised
    reasons: tuple[str, ...]
    policy_id: str | None = None
    policy_version: str | None = None
    overridden_by: str | None = None
    overridden_position: int | None = None


@dataclass(frozen=True)
class Override:
    """Somebody decided against the advice at a position."""

    advisory: int
    said: Spoken


@dataclass(frozen=True)
class Advisories:
    """What was advised on one change, and every override, whoever made it."""

    change_id: str
    advisories: tuple[Advisory, ...] = ()
    overrides: tuple[Override, ...] = ()


advisories = View(
    "advisories",
    version=1,
    row=Advisories,
    kind="change",
    doc="What machines advised on changes, and who decided otherwise, as it was said.",
)


@advisories.on(AdvisoryIssued, key=lambda event: event.change_id)
def issued(row: Advisories, event: AdvisoryIssued, entry: EntryInfo) -> Advisories:
    told = Advisory(
        entry.position,
        entry.time,
        event.actor,
        event.verdict,
        event.reasons,
        event.policy_id,
        event.policy_version,
    )
    return replace(row, advisories=(*row.advisories, told))


@advisories.on(AdvisoryOverridden, key=lambda event: event.change_id)
def overridden(row: Advisories, event: AdvisoryOverridden, entry: EntryInfo) -> Advisories:
    override = Override(event.advisory, spoken(entry, event.actor))
    return replace(row, overrides=(*row.overrides, override))


# -- as it is known now --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Advice:
    """The advice on one change. `verdict` and `is_overridden` are of the last; `label` is what became of the change."""

    change_id: str
    adviser: str | None = None
    verdict: Advised | None = None
    is_overridden: bool = False
    label: Label | None = None
    advisories: tuple[Advisory, ...] = ()


advice = Judged(
    "advice",
    version=2,
    row=Advice,
    of=advisories,
    reads=(outcomes, *READ_BY_POWERS),
    indexes=("adviser", "verdict", "is_overridden"),
    doc="Advice by machines on changes: verdict and reasons, who decided otherwise, and the change's outcome.",
)


@advice.by
def as_known(row: Advisories, look: Look) -> Advice:
    """What was advised, with the last override of each advice that counts: by a human, and of advice that was given to this change."""
    last = {
        override.advisory: override
        for override in row.overrides
        if not fault_of_speaker(look, AdvisoryOverridden.type, override.said)
    }
    told = tuple(
        replace(one, overridden_by=last[one.position].said.actor, overridden_position=last[one.position].said.position)
        if one.position in last
        else one
        for one in row.advisories
    )
    outcome = look.row(outcomes, row.change_id)
    newest = told[-1] if told else None
    return Advice(
        row.change_id,
        newest.adviser if newest is not None else None,
        newest.verdict if newest is not None else None,
        newest is not None and newest.overridden_by is not None,
        outcome.label if outcome is not None else None,
        told,
    )


# -- by adviser ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AdvisedAs:
    """How changes ended on which one thing was advised: those where people decided otherwise, and those where they kept to it."""

    verdict: Advised
    changes: int = 0
    overridden: int = 0
    overridden_failed: int = 0
    overridden_succeeded: int = 0
    kept_failed: int = 0
    kept_succeeded: int = 0


@dataclass(frozen=True)
class Adviser:
    """One adviser by one version of its rules. A change counts once, by the advice that was decided against, else the last.

    Of changes without an outcome yet it is not known who was right.
    """

    key: str
    adviser: str | None = None
    policy_id: str | None = None
    policy_version: str | None = None
    changes: int = 0
    overridden: int = 0
    # Of the changes, on how many people decided otherwise.
    override_rate: Number | None = None
    # Of those where they did, and which have an outcome, how many failed.
    overridden_failure_rate: Number | None = None
    verdicts: tuple[AdvisedAs, ...] = ()


def _parts(row: Advice) -> dict[str, Part]:
    found: dict[str, Part] = {}
    for one in sorted(row.advisories, key=lambda one: (one.overridden_by is not None, one.position)):
        version = "/".join(name for name in (one.policy_id, one.policy_version) if name is not None)
        is_overridden = one.overridden_by is not None
        found[f"{one.adviser}@{version or 'unversioned'}"] = (
            one.adviser,
            one.policy_id,
            one.policy_version,
            one.verdict,
            is_overridden,
            row.label,
        )
    return found


def _added(row: Adviser, part: Part, count: int) -> Adviser:
    adviser, policy_id, policy_version, verdict, is_overridden, label = part
    verdicts = {one.verdict: one for one in row.verdicts}
    named: Advised = verdict  # type: ignore[assignment]
    old = verdicts.get(named, AdvisedAs(named))
    way = "overridden" if is_overridden else "kept"
    column = {"failure": f"{way}_failed", "success": f"{way}_succeeded"}.get(str(label))
    now = replace(old, changes=old.changes + count, overridden=old.overridden + count * bool(is_overridden))
    if column is not None:
        now = replace(now, **{column: getattr(old, column) + count})
    verdicts[named] = now
    known = [one for _, one in sorted(verdicts.items()) if one.changes]
    changes, overridden = sum(one.changes for one in known), sum(one.overridden for one in known)
    failed = sum(one.overridden_failed for one in known)
    return replace(
        row,
        adviser=str(adviser),
        policy_id=None if policy_id is None else str(policy_id),
        policy_version=None if policy_version is None else str(policy_version),
        changes=changes,
        overridden=overridden,
        override_rate=share(overridden, changes),
        overridden_failure_rate=share(failed, failed + sum(one.overridden_succeeded for one in known)),
        verdicts=tuple(known),
    )


advisers = Tally(
    "advisers",
    version=1,
    row=Adviser,
    kind="adviser",
    of=advice,
    parts=_parts,
    add=_added,
    indexes=("adviser",),
    doc="Advisers by version of their rules: on how many changes people decided otherwise, and how those and the others ended.",
)
