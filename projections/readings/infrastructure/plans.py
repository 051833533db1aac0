"""Plans of infrastructure: what each would change, who checked it, and when it was applied. By the digest that names it.

Nothing is judged here. What a plan says of itself stands as it was first told; another plan has another digest. But that it
leaves something out is so whoever says it; and what it would change is kept by each who tells it: nobody hides it by telling it first.

    plans               sha256:2c26…                   made 09:00 of commit 9fce…, checked by conftest 09:01
    plan_changes        sha256:2c26…/0@service:ci     what one statement of somebody names; 0 is the plan itself
    plan_applications   1042                           the entry at position 1042 says that it was applied
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final, Literal

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.iac import Action, ChangesEvent, PlanApplied, PlanChangesReported, PlanProduced, PlanValidated
from projections.engine.view import EntryInfo, Moment, Reads, View, replace
from projections.readings.parts import InParts, with_part
from projections.readings.people.imports import imports, is_history
from projections.readings.people.voices import Spoken, by_whom, spoken
from projections.rules.keeping import kept

_REPORTING: Final = (PlanProduced.type, PlanChangesReported.type)
# What a plan does, which its digest stands for: told again, it is the same.
_DOING: Final = ("creates", "updates", "destroys", "replaces", "forgets")
# So many checks of one plan are kept: of whoever tells too many, the last ones. And so many who told of it, the first ones.
KEPT: Final = 200


@dataclass(frozen=True)
class Check:
    """One check of a plan, by a tool or by somebody."""

    said: Spoken
    tool: str
    verdict: Literal["passed", "failed"]


@dataclass(frozen=True)
class Plan(InParts):
    """One plan. `seen` are the parts of it that came, of `parts`. Whether it is whole is not known where its tool does not say so."""

    plan: str
    format_version: str | None = None
    tool_version: str | None = None
    commit: str | None = None
    run_id: str | None = None
    service: str | None = None
    environment: str | None = None
    workspace: str | None = None
    change_id: str | None = None
    errored: bool | None = None
    complete: bool | None = None
    creates: int = 0
    updates: int = 0
    destroys: int = 0
    replaces: int = 0
    forgets: int = 0
    imports: int = 0
    drifted: int = 0
    failed_checks: int = 0
    parts: int = 0
    seen: tuple[int, ...] = ()
    said: Spoken | None = None
    # By whose credential it was told.
    tellers: tuple[str, ...] = ()
    # Where it was told again, and as doing something else, or as having failed.
    contradicted: int | None = None
    checks: tuple[Check, ...] = ()
    # When it was applied as a whole, the first time.
    applied_at: Moment | None = None
    applied_position: int | None = None


plans = View(
    "plans",
    version=5,
    row=Plan,
    kind="plan",
    indexes=("environment", "service", "commit", "change_id"),
    doc="Plans of infrastructure: what each would change, whether it is whole, who checked it, and when it was applied.",
)


@plans.on(PlanProduced, key=lambda event: event.plan)
def produced(row: Plan, event: PlanProduced, entry: EntryInfo) -> Plan:
    if row.said is not None:
        return _again(row, event, entry)
    return replace(
        row,
        tellers=(entry.by["principal"],),
        format_version=event.format_version,
        tool_version=event.tool_version,
        commit=event.commit,
        run_id=event.run_id,
        service=event.service,
        environment=event.environment,
        workspace=event.workspace,
        change_id=event.change_id,
        errored=event.errored,
        complete=event.complete,
        creates=event.creates,
        updates=event.updates,
        destroys=event.destroys,
        replaces=event.replaces,
        forgets=event.forgets,
        imports=event.imports,
        drifted=event.drifted,
        failed_checks=event.failed_checks,
        parts=event.parts,
        said=spoken(entry, event.actor),
    )


def _again(row: Plan, event: PlanProduced, entry: EntryInfo) -> Plan:
    """Return a plan that is told once more: who told it, too, and what is worse of it than was told before."""
    is_same = all(getattr(row, name) == getattr(event, name) for name in _DOING) and (row.errored or not event.errored)
    contradicted = row.contradicted if is_same or row.contradicted is not None else entry.position
    is_new = entry.by["principal"] not in row.tellers and len(row.tellers) < KEPT
    known = replace(
        row,
        tellers=(*row.tellers, entry.by["principal"]) if is_new else row.tellers,
        contradicted=contradicted,
        complete=False if event.complete is False else row.complete,
    )
    return row if known == row else known


@plans.on(PlanChangesReported, key=lambda event: event.plan)
def part_came(row: Plan, event: PlanChangesReported, entry: EntryInfo) -> Plan:
    """A part of a plan is told by whoever told the plan: nobody adds to what another saw."""
    if row.said is not None and row.said.principal != entry.by["principal"]:
        return row
    return with_part(row, event.part)


@plans.on(PlanValidated, key=lambda event: event.plan)
def validated(row: Plan, event: PlanValidated, entry: EntryInfo) -> Plan:
    check = Check(spoken(entry, event.actor), event.tool, event.verdict)
    checks = (*row.checks, check)
    return replace(row, checks=kept(checks, check, by_whom, KEPT))


@plans.on(PlanApplied, key=lambda event: event.plan)
def applied(row: Plan, event: PlanApplied, entry: EntryInfo) -> Plan:
    if event.outcome != "success" or row.applied_position is not None:
        return row
    return replace(row, applied_at=spoken(entry, event.actor).at, applied_position=entry.position)


# -- applying --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Application:
    """One time that a plan was carried out, named by its position. Of an import of history it is no act to be judged now."""

    application: str
    plan: str | None = None
    actor: str | None = None
    environment: str | None = None
    workspace: str | None = None
    outcome: Literal["success", "failure", "cancelled"] | None = None
    change_id: str | None = None
    service: str | None = None
    commit: str | None = None
    is_history: bool = False
    said: Spoken | None = None


plan_applications = View(
    "plan_applications",
    version=2,
    row=Application,
    kind="plan_application",
    # No ref names an application by its position.
    entries_of=lambda key, row: (Match((PlanApplied.type,)),),
    reads=(imports,),
    indexes=("plan", "environment", "outcome"),
    doc="Applications of plans: which plan was carried out where, by whom, for which change, and how that ended.",
)


@plan_applications.on(PlanApplied, key=lambda event, entry: str(entry.position))
def carried_out(row: Application, event: PlanApplied, entry: EntryInfo) -> Application:
    said = spoken(entry, event.actor)
    return replace(
        row,
        plan=event.plan,
        actor=event.actor,
        environment=event.environment,
        workspace=event.workspace,
        outcome=event.outcome,
        change_id=event.change_id,
        service=event.service,
        commit=event.commit,
        is_history=is_history(entry.reads, said),
        said=said,
    )


def service_of(reads: Reads, row: Application) -> str | None:
    """Return of which service a plan was that was carried out: as it was told, and not as whoever carried it out says; else by them."""
    plan = reads.row(plans, row.plan) if row.plan is not None else None
    return plan.service if plan is not None and plan.service is not None else row.service


# -- what a plan would change ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Planned:
    """What is to become of one resource; nothing, where it only was changed by others meanwhile."""

    address: str
    action: Action | None
    drifted: bool
    tagged: Literal["all", "some", "none"] | None = None
    tags: tuple[str, ...] = ()
    # Fingerprints of what the first of these have.
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlanPart:
    """What one statement of a plan names, as somebody tells it."""

    part_id: str
    plan: str | None = None
    changes: tuple[Planned, ...] = ()
    position: int | None = None
    by: str | None = None


def part_id(plan: str, part: int, by: str) -> str:
    """Return the key of a part of a plan, as somebody tells it."""
    return f"{plan}/{part}@{by}"


def _plan_of(key: str, row: PlanPart) -> list[Match]:
    return [Match(_REPORTING, (ref("plan", key.partition("/")[0]),))]


plan_changes = View(
    "plan_changes",
    version=4,
    row=PlanPart,
    kind="plan_part",
    entries_of=_plan_of,
    indexes=("plan",),
    doc="What plans would change, resource by resource, as each statement of whoever tells them names it.",
)


def _part(event: ChangesEvent, entry: EntryInfo) -> str:
    return part_id(event.plan, getattr(event, "part", 0), entry.by["principal"])


@plan_changes.on(PlanProduced, PlanChangesReported, key=_part)
def told(row: PlanPart, event: ChangesEvent, entry: EntryInfo) -> PlanPart:
    if row.position is not None:
        return row
    changes = tuple(
        Planned(one.address, one.action, one.drifted, one.tagged, one.tags, one.values) for one in event.changes
    )
    return replace(row, plan=event.plan, changes=changes, position=entry.position, by=entry.by["principal"])


def parts_by(reads: Reads, plan: str, by: str) -> Iterator[PlanPart]:
    """Yield what a plan would change, part by part, as somebody tells it: up to the first part that is missing."""
    for number in count():
        if (told := reads.row(plan_changes, part_id(plan, number, by))) is None:
            return
        yield told


def told_parts(reads: Reads, plan: Plan) -> Iterator[PlanPart]:
    """Yield what a plan would change, part by part, as each who told the plan says."""
    for teller in plan.tellers:
        yield from parts_by(reads, plan.plan, teller)
