"""3.4 Versions of modules and providers: a version says what it breaks, and a provider's major step is tried before a plan takes it.

A release breaks what uses the one before it where an input or an output is gone, or an input has to be said that had not to. Then its
major version rises; before 1.0, the minor one. A plan that takes a provider over a major step needs a trial of that very version that
passed, and destroys nothing, unless somebody else disposed of the finding that says so: that is the waiver. Where nobody tells a step,
it is seen when the configuration admits no version that the plan applied before admitted. Which version is taken no plan says, so a trial
of any that it admits counts; constraints that overlap show no step.
"""

from collections.abc import Iterator
from typing import Final

from ledger.events import ref
from ledger.events.compatibility import CompatibilityTested
from ledger.events.finding import FindingDisposed
from ledger.events.iac import PlanProduced
from ledger.events.module import ModuleReleased
from ledger.words import number_of
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Around
from projections.judging.able import authors, both, holding, may, whoever_asks
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule
from projections.judging.letting import let_pass, was_let_pass
from projections.practices.practice import Practice
from projections.readings.environments.environments import names_for
from projections.readings.infrastructure.plans import Application, Plan, plan_applications, plans, service_of
from projections.readings.infrastructure.releases import (
    ModuleRelease,
    ProviderUpgrade,
    compatibilities,
    module_releases,
    plan_providers,
    provider_steps,
    provider_upgrades,
)
from projections.readings.people.imports import instants_of
from projections.readings.people.policies import InForce, in_force
from projections.readings.people.replacing import standing
from projections.readings.people.settings import Words
from projections.readings.people.speaking import clocks_of
from projections.rules.leave import Instant, was_there
from projections.rules.versions import is_major_step, is_within, version_of
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "3.4",
    "Versions of modules and providers",
    views=(module_releases, provider_upgrades, plan_providers, provider_steps, compatibilities),
)
PROVIDER_UPGRADES: Final = Words(
    "provider-upgrades",
    "whether a provider's major step must have been tried, and destroy nothing, before a plan takes it",
    applies_to="service or environment",
    choices=("tested", "free"),
    default=("free",),
)
# How many releases of a module are looked at, the last ones; and how many major steps of a plan.
LATEST: Final = 200


# -- modules ---------------------------------------------------------------------------------------------------------------


@finding(module_releases, severity="medium", version=2)
def semver_violated(row: ModuleRelease, look: Look) -> Breach | None:
    """A module was released that breaks what uses the version before, and its major version did not rise; or as no version at all."""
    if row.said is None or row.module is None or row.version is None:
        return None
    released = version_of(row.version)
    if released is None:
        return Breach(f"{row.module} {row.version} is no semantic version", positions_of(row.said.position))
    if row.contradicted is not None:
        words = f"{row.module} {row.version} was released twice, and not the same"
        return Breach(words, positions_of(row.said.position, row.contradicted))
    others = look.named(
        module_releases, ModuleReleased, ref("module", row.module), limit=Around(row.said.position, LATEST)
    )
    before = max(
        (other for other in others if (known := version_of(other.version)) is not None and known < released),
        key=lambda other: version_of(other.version) or released,
        default=None,
    )
    if before is None or before.said is None or is_major_step(before.version or "", row.version):
        return None
    if not (broken := _broken(before, row)):
        return None
    words = f"{row.module} {row.version} comes after {before.version} and {listed(broken)}"
    return Breach(words, positions_of(before.said.position, row.said.position))


def _broken(before: ModuleRelease, after: ModuleRelease) -> list[str]:
    """Say what of one release breaks what uses another. What is called otherwise is gone."""
    inputs = {one.name for one in after.inputs}
    gone = [f"takes {one.name} no longer" for one in before.inputs if one.name not in inputs]
    gone += [f"gives {name} no longer" for name in before.outputs if name not in after.outputs]
    return gone + [f"has to be told {name}" for name in sorted(after.required - before.required)]


# -- providers -------------------------------------------------------------------------------------------------------------


def _major_steps(look: Look, plan: str) -> list[ProviderUpgrade]:
    """Return the upgrades of a plan that are a major step, or of which nobody can tell; those that its constraints show, too, unless one
    is told that goes where they do.
    """
    told = look.where(provider_upgrades, "major_in", plan)[:LATEST]
    row = look.row(provider_steps, plan)
    shown = [
        ProviderUpgrade(
            f"{plan}/{step.provider}", step.provider, step.before, step.after, plan, major_in=plan, said=row.said
        )
        for step in (row.steps if row is not None else ())
        if row is not None
        and not any(one.provider == step.provider and _is_of(one.to_version or "", step.after) for one in told)
    ]
    return told + shown


def _untried(look: Look, upgrade: ProviderUpgrade, instant: Instant | None, used: list[int | None]) -> str:
    """Say why an upgrade was not tried as it should, or "". The trials of the version that stand count."""
    row = look.row(compatibilities, upgrade.provider or "")
    trials = standing(
        look,
        CompatibilityTested.type,
        (
            trial
            for trial in (row.trials if row is not None else ())
            if _is_of(trial.version, upgrade.to_version or "")
            and (instant is None or was_there(trial.said, instant, clocks_of(look, instant.at)))
        ),
    )
    if not trials:
        return f"nobody had tried {upgrade.provider} {upgrade.to_version}"
    used += [trial.said.position for trial in trials]
    if all(trial.is_compatible for trial in trials):
        return ""
    failed = dict.fromkeys(name for trial in trials for name in trial.failed)
    return f"{upgrade.provider} {upgrade.to_version} had failed: {listed(failed)}"


def _is_of(version: str, taken: str) -> bool:
    """Say whether a trial is of what a plan takes: of that version, or of one that its constraint admits."""
    return version.removeprefix("v") == taken.removeprefix("v") or is_within(f"= {version}", taken) is True


@finding(plans, severity="medium", version=4)
def upgrade_destroys(row: Plan, look: Look) -> Breach | None:
    """A plan takes a provider over a major step, and destroys something. Whoever is to apply it all the same needs somebody else to dispose
    of this.
    """
    if row.said is None or not row.destroys or not (steps := _major_steps(look, row.plan)):
        return None
    taken = listed(f"{step.provider} from {step.from_version} to {step.to_version}" for step in steps)
    words = f"the plan {row.plan} destroys {row.destroys} and takes {taken}"
    return Breach(words, positions_of(row.said.position, *(step.said.position for step in steps if step.said)))


def _is_asked_for(look: Look, policy: InForce, service: str | None, environment: str, at: str) -> bool:
    return "tested" in policy.words(PROVIDER_UPGRADES, service, *names_for(look, policy, environment, at))


def _acts(row: Application, look: Look) -> Iterator[tuple[Instant, list[ProviderUpgrade]]]:
    """Yield the instants at which an application is judged, with the major steps that its plan takes; where the policy asks."""
    if row.said is None or row.plan is None or row.is_history:
        return
    for instant in instants_of(look, row.said):
        policy = in_force(look.at(instant.at), instant.at)
        if _is_asked_for(look, policy, service_of(look, row), row.environment or "", instant.at):
            # That a plan takes a step accuses, whenever it is told.
            yield instant, _major_steps(look, row.plan)


def _breach(row: Application, why: str, *more: int | None) -> Breach:
    at, position = (row.said.at, row.said.position) if row.said is not None else ("", None)
    words = f"{row.actor} applied the plan {row.plan} to {row.environment} at {at}: {why}"
    return Breach(words, positions_of(position, *more))


@finding(plan_applications, severity="high", version=5)
def untested_upgrade_applied(row: Application, look: Look) -> Breach | None:
    """A plan was applied that takes a provider over a major step which nobody had tried by then, or which had failed."""
    for instant, steps in _acts(row, look):
        used: list[int | None] = [step.said.position for step in steps if step.said is not None]
        if whys := [why for step in steps if (why := _untried(look, step, instant, used))]:
            return _breach(row, listed(whys, "; "), *used)
    return None


@finding(plan_applications, severity="high", version=4)
def destroying_upgrade_applied(row: Application, look: Look) -> Breach | None:
    """A plan was applied that takes a provider over a major step and destroys something, which nobody else had let pass by then."""
    plan = look.row(plans, row.plan or "")
    for instant, steps in _acts(row, look):
        if plan is None or not plan.destroys or not steps:
            continue
        if was_let_pass(look, "upgrade-destroys", plan, plan.plan, instant, clocks_of(look, instant.at)):
            continue
        used = [step.said.position for step in steps if step.said is not None]
        return _breach(row, f"it destroys {plan.destroys} and takes {listed(str(s.provider) for s in steps)}", *used)
    return None


@gate_rule(
    version=4,
    remedies={
        "not-tried": Remedy("the version is tried, and passes (compatibility.tested)", may(CompatibilityTested)),
        "no-plan": Remedy("the plan is told (iac.plan_produced)", holding(PlanProduced)),
        "destroys": Remedy(
            "the plan destroys nothing; or somebody else lets it pass (finding.disposed)",
            may(FindingDisposed, but=both(whoever_asks, authors)),
        ),
    },
)
def provider_upgrades_are_tried(question: Question, look: Look, policy: InForce) -> Said:
    """A provider that the plan takes over a major step was tried in that version, and the plan destroys nothing; where the policy asks."""
    if question.plan is None or question.environment is None:
        return "insufficient_evidence", "not-said", "expected a plan and an environment in the question", ()
    if not _is_asked_for(look, policy, question.service, question.environment, question.asked_at):
        return "allow", "not-asked-for", "the policy does not ask how providers are upgraded", ()
    steps = _major_steps(look, question.plan)
    used: list[int | None] = [step.said.position for step in steps if step.said is not None]
    if whys := [why for step in steps if (why := _untried(look, step, None, used))]:
        return "deny", "not-tried", listed(whys, "; "), used
    plan = look.row(plans, question.plan)
    if steps and (plan is None or plan.said is None):
        return "insufficient_evidence", "no-plan", "nobody told of this plan", used
    if steps and plan is not None and plan.destroys:
        waived = let_pass(look, "upgrade-destroys", plan.plan)
        used += [plan.said.position if plan.said is not None else None, waived]
        if waived is None:
            return "deny", "destroys", f"the plan destroys {plan.destroys}, and nobody else let that pass", used
    return "allow", "tried" if steps else "no-major-step", f"{number_of(len(steps), 'major step')}, each tried", used
