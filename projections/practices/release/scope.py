"""1.2 Release scope over teams: what goes out is what every owner signed off, and what it needs went out before it."""

from collections.abc import Iterator
from typing import Final

from ledger.events.release import ReleaseScopeAmended, ReleaseScopeDefined
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.judging.able import holders, holding
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule
from projections.judging.of_acts import finding_of_acts
from projections.practices.change.traceability import acts_in_production
from projections.practices.practice import Practice
from projections.readings.changes.scopes import change_scopes
from projections.readings.delivery.acts import Act
from projections.readings.delivery.deployments import Deployment, change_at
from projections.readings.delivery.releases import (
    SIGN_OFF_ROLE,
    ReleaseFacts,
    ReleaseScope,
    faults_of,
    owner_who_signed,
    providers_to_come,
    release_facts,
    releases,
    scope_at,
    unsigned,
)
from projections.readings.delivery.sboms import sboms
from projections.readings.environments.environments import names_for
from projections.readings.people.imports import instants_of
from projections.readings.people.policies import InForce, in_force
from projections.readings.people.settings import Words
from projections.readings.people.speaking import clocks_of
from projections.rules.leave import AS_THINGS_STAND, Clocks, Instant, asked_at
from projections.rules.words import listed

RELEASE_SIGN_OFFS: Final = Words(
    "release-sign-offs",
    "whether what goes out in a release has a scope, and is signed off by its owners",
    applies_to="environment",
    choices=("required", "optional"),
    default=("optional",),
)
PRACTICE: Final = Practice(
    "1.2", "Release scope across teams", views=(release_facts, releases, sboms), settings=(SIGN_OFF_ROLE,)
)


class _Going:
    """One act of a release, at one instant: what the release held then, by the policy of then."""

    def __init__(self, act: Act, instant: Instant, look: Look, facts: ReleaseFacts) -> None:
        self.act, self.instant, self.facts = act, instant, facts
        self.then = look.at(instant.at)
        self.clocks: Clocks = clocks_of(look, act.at)
        self.policy = in_force(self.then, instant.at)
        self.scope: ReleaseScope | None = scope_at(look, facts, instant, self.clocks)

    @property
    def is_asked_for(self) -> bool:
        """Say whether the policy wants a scope, and sign-offs, there."""
        names = names_for(self.then, self.policy, self.act.environment, self.instant.at)
        return "required" in self.policy.words(RELEASE_SIGN_OFFS, *names)


def _going_out(row: Deployment, look: Look) -> Iterator[_Going]:
    """Yield what was done to production for a change of a release, at each instant at which it is judged."""
    for act in acts_in_production(row, look):
        clocks = clocks_of(look, act.at)
        for instant in instants_of(look, act):
            change_id = change_at(look, row, act, instant, clocks)
            scope = look.row(change_scopes, change_id) if change_id is not None else None
            if scope is not None and scope.release_id is not None:
                facts = look.row(release_facts, scope.release_id)
                yield _Going(act, instant, look, facts or ReleaseFacts(scope.release_id))


@finding_of_acts(severity="high", version=2)
def scope_exceeded(row: Deployment, look: Look) -> Breach | None:
    """For a change of a release something went out to production that was not of the release's scope by then."""
    for going in _going_out(row, look):
        act, scope = going.act, going.scope
        words = f"{row.deployment_id} put {act.service} into {act.environment} for release {going.facts.release_id}"
        if scope is None:
            if going.is_asked_for:
                return Breach(f"{words}, whose scope nobody had defined", positions_of(act.position))
            continue
        parts = scope.parts_of(act.service)
        others = [artifact for artifact in act.artifacts if artifact not in {part.artifact for part in parts}]
        if not parts or others:
            what = f"{act.service} is" if not parts else f"{listed(others)} is"
            return Breach(f"{words}, and {what} not of its scope", positions_of(scope.said.position, act.position))
    return None


@finding_of_acts(severity="high", version=2)
def released_without_sign_off(row: Deployment, look: Look) -> Breach | None:
    """Something went out to production in a release that its owner had not signed off, as it was, by then; where the policy asks."""
    for going in _going_out(row, look):
        if going.scope is None or not going.is_asked_for:
            continue
        for part in going.scope.parts_of(going.act.service):
            signed = owner_who_signed(look, going.facts, part, going.policy, going.instant, going.clocks)
            if signed is None:
                words = f"{row.deployment_id} put {part.service} into {going.act.environment}"
                words += f", and no owner had signed off {part.artifact} in release {going.facts.release_id}"
                return Breach(words, positions_of(going.scope.said.position, going.act.position))
    return None


@finding_of_acts(severity="medium", version=2)
def released_before_what_it_needs(row: Deployment, look: Look) -> Breach | None:
    """Something went out to production in a release before what it needs of the same release was there."""
    for going in _going_out(row, look):
        act, scope = going.act, going.scope
        if scope is None or act.service is None or act.environment is None:
            continue
        missing = providers_to_come(look, scope, act.service, act.environment, going.instant, going.clocks)
        if missing:
            words = (
                f"{row.deployment_id} put {act.service} into {act.environment} before {listed(missing)}, which it needs"
            )
            return Breach(words, positions_of(scope.said.position, act.position))
    return None


@finding(release_facts, severity="medium", version=2)
def release_cannot_be(row: ReleaseFacts, look: Look) -> Breach | None:
    """The last scope of a release goes round in a circle, needs what is not of it, or has a service twice."""
    scope = scope_at(look, row, AS_THINGS_STAND, Clocks())
    if scope is None or not (faults := faults_of(scope)):
        return None
    return Breach(f"release {row.release_id}: {listed(faults, '; ')}", (scope.said.position,))


@finding(release_facts, severity="medium")
def scope_narrowed_by_another(row: ReleaseFacts, look: Look) -> Breach | None:
    """The last scope of a release leaves out what somebody else had put into it, by somebody who may not take that back."""
    scope = scope_at(look, row, AS_THINGS_STAND, Clocks())
    if scope is None or not scope.kept:
        return None
    words = (
        f"{scope.said.speaker} left {listed(scope.kept)} out of release {row.release_id}, which another had put into it"
    )
    return Breach(words, (scope.said.position,))


def _owners(question: Question, look: Look, policy: InForce) -> set[str]:
    """Return who could sign off what nobody did: owners of these services."""
    at = question.asked_at
    change = look.row(change_scopes, question.change_id) if question.change_id else None
    facts = look.row(release_facts, change.release_id) if change is not None and change.release_id else None
    now, clocks = asked_at(at), clocks_of(look, at)
    scope = scope_at(look, facts, now, clocks)
    if facts is None or scope is None:
        return set()
    missing = unsigned(look, facts, scope, policy, now, clocks)
    return holders(look, policy.words(SIGN_OFF_ROLE), None, at, missing) if missing else set()


_AMENDED: Final = Remedy("the scope of the release is amended (release.scope_amended)", holding(ReleaseScopeAmended))


@gate_rule(
    version=2,
    remedies={
        "no-scope": Remedy("the scope of the release is defined (release.scope_defined)", holding(ReleaseScopeDefined)),
        "cannot-be": _AMENDED,
        "scope-exceeded": _AMENDED,
        "not-signed-off": Remedy("an owner of each service signs off what of it goes out", _owners),
        "before-what-it-needs": Remedy("what the service needs is deployed first"),
    },
)
def release_is_in_order(question: Question, look: Look, policy: InForce) -> Said:
    """Of a change of a release: all owners signed off what goes out, this is of it, and what it needs is there. Where the policy asks."""
    at = question.asked_at
    if "required" not in policy.words(RELEASE_SIGN_OFFS, *names_for(look, policy, question.environment, at)):
        return "allow", "not-asked-for", "the policy asks for no sign-offs of releases", ()
    change = look.row(change_scopes, question.change_id) if question.change_id else None
    if change is None or question.environment is None or question.service is None:
        return "insufficient_evidence", "not-said", "expected a change that is known, an environment and a service", ()
    if change.release_id is None:
        return "allow", "no-release", f"{change.change_id} is of no release", ()
    now, clocks = asked_at(at), clocks_of(look, at)
    facts = look.row(release_facts, change.release_id)
    scope = scope_at(look, facts, now, clocks)
    if facts is None or scope is None:
        return "insufficient_evidence", "no-scope", f"nobody defined the scope of release {change.release_id}", ()
    used = [scope.said.position]
    if faults := faults_of(scope):
        return "deny", "cannot-be", listed(faults, "; "), used
    if question.artifact is None:
        return "insufficient_evidence", "not-said", "expected an artifact in the question", used
    if question.artifact not in {part.artifact for part in scope.parts_of(question.service)}:
        words = f"{question.artifact} of {question.service} is not of release {change.release_id}"
        return "deny", "scope-exceeded", words, used
    if missing := unsigned(look, facts, scope, policy, now, clocks):
        return "needs_approval", "not-signed-off", f"no owner signed off {listed(missing)}", used
    if to_come := providers_to_come(look, scope, question.service, question.environment, now, clocks):
        return "deny", "before-what-it-needs", f"{question.service} needs {listed(to_come)}, not there yet", used
    return "allow", "in-order", f"release {change.release_id} is signed off, and what it needs is there", used
