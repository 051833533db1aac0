"""Releases: what of several teams goes out together, by digest; who signed off which; and what ran where before what needs it.

As it was said, every time; and what is asked of it: which scope held at an instant, who owned a service and stood by it.
Longer than other files because what a release holds, who signed it off and what of it runs are asked about together.
"""

from dataclasses import dataclass
from typing import Final

from ledger.events.release import ReleaseContent, ReleaseScopeAmended, ReleaseScopeDefined
from ledger.events.team import TeamSignedOff
from projections.engine.derived import Judged
from projections.engine.reads import Look
from projections.engine.view import EntryInfo, Moment, Reads, View, replace
from projections.readings.delivery.deployments import deployments, done_to
from projections.readings.environments.environments import READ_BY_ASKING, is_production, same_environment
from projections.readings.people.policies import InForce, in_force_now
from projections.readings.people.powers import fault_of_speaker, granted_to
from projections.readings.people.replacing import may_take_back
from projections.readings.people.settings import Words
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, in_time, spoken
from projections.rules.digests import content_digest
from projections.rules.leave import AS_THINGS_STAND, Clocks, Instant, instants, is_on_record, was_there
from projections.rules.order import circle

SIGN_OFF_ROLE: Final = Words(
    "sign-off-role",
    "the role by which somebody owns a service, as its resource, and signs off what of it goes out",
    default=("owner",),
)
# How many sign-offs of a release are looked at: the last ones.
MANY: Final = 500


@dataclass(frozen=True)
class ReleasePart:
    """One service of a release, as it goes out."""

    service: str
    artifact: str
    owner_team: str | None = None


@dataclass(frozen=True)
class ReleaseScope:
    """What a release was said to hold. `edges` are consumer and provider; `digest` is computed of all of it."""

    said: Spoken
    digest: str
    parts: tuple[ReleasePart, ...]
    edges: tuple[tuple[str, str], ...] = ()
    # What this leaves out, and whoever said so may not take back: it is of the release still.
    kept: tuple[str, ...] = ()

    def parts_of(self, service: str | None) -> list[ReleasePart]:
        return [part for part in self.parts if part.service == service]


@dataclass(frozen=True)
class SignOff:
    """Somebody stood by a component as it is."""

    service: str
    artifact: str
    team: str | None
    said: Spoken


@dataclass(frozen=True)
class ReleaseFacts:
    """All that was said of one release, in the order of the record."""

    release_id: str
    scopes: tuple[ReleaseScope, ...] = ()
    sign_offs: tuple[SignOff, ...] = ()


release_facts = View(
    "release_facts",
    version=1,
    row=ReleaseFacts,
    kind="release",
    doc="What was said of releases: every scope, with components by digest and what needs what, and every sign-off.",
)


def _scope(release_id: str, event: ReleaseContent, said: Spoken) -> ReleaseScope:
    parts = tuple(ReleasePart(c.service, c.artifact, c.owner_team) for c in event.components)
    edges = tuple((edge.consumer, edge.provider) for edge in event.edges)
    return ReleaseScope(said, _digest(release_id, parts, edges), parts, edges)


def _digest(release_id: str, parts: tuple[ReleasePart, ...], edges: tuple[tuple[str, str], ...]) -> str:
    content = {
        "release": release_id,
        "components": sorted([part.service, part.artifact, part.owner_team or ""] for part in parts),
        "edges": sorted(list(edge) for edge in edges),
    }
    return content_digest(content)


@release_facts.on(ReleaseScopeDefined, key=lambda event: event.release_id)
def defined(row: ReleaseFacts, event: ReleaseScopeDefined, entry: EntryInfo) -> ReleaseFacts:
    return replace(row, scopes=(*row.scopes, _scope(row.release_id, event, spoken(entry, event.actor))))


@release_facts.on(ReleaseScopeAmended, key=lambda event: event.release_id)
def amended(row: ReleaseFacts, event: ReleaseScopeAmended, entry: EntryInfo) -> ReleaseFacts:
    return replace(row, scopes=(*row.scopes, _scope(row.release_id, event, spoken(entry, event.actor))))


@release_facts.on(TeamSignedOff, key=lambda event: event.release_id)
def signed_off(row: ReleaseFacts, event: TeamSignedOff, entry: EntryInfo) -> ReleaseFacts:
    sign_off = SignOff(event.service, event.artifact, event.team, spoken(entry, event.actor))
    return replace(row, sign_offs=(*row.sign_offs, sign_off))


# -- asking a release ----------------------------------------------------------------------------------------------------


def scope_at(reads: Reads, facts: ReleaseFacts | None, instant: Instant, clocks: Clocks) -> ReleaseScope | None:
    """Return what a release held when something was done, by the scopes that count and were on record by then.

    The last one says as which artifact a service goes out. That a service, or a need, is of the release no longer, says whoever said
    that it is, or whoever has the power: what others leave out is of it still.
    """
    there = sorted(
        (
            scope
            for scope in (facts.scopes if facts is not None else ())
            if was_there(scope.said, instant, clocks)
            and not fault_of_speaker(reads, ReleaseScopeDefined.type, scope.said)
        ),
        key=in_time,
    )
    if facts is None or not there:
        return None
    last = there[-1]
    held: dict[str | tuple[str, str], tuple[Spoken, tuple[ReleasePart, ...]]] = {}
    for scope in there:
        named: list[str | tuple[str, str]] = [*(part.service for part in scope.parts), *scope.edges]
        kept = {
            name: known
            for name, known in held.items()
            if name not in named and not may_take_back(reads, ReleaseScopeDefined.type, scope.said, known[0])
        }
        # To say again that it is begins nothing anew.
        since = {name: held[name][0] if name in held else scope.said for name in named}
        held = kept | {
            name: (since[name], tuple(scope.parts_of(name)) if isinstance(name, str) else ()) for name in named
        }
        last = replace(scope, kept=tuple(name if isinstance(name, str) else " needs ".join(name) for name in kept))
    if not last.kept:
        return last
    parts = tuple(part for _, parts in held.values() for part in parts)
    edges = tuple(name for name in held if not isinstance(name, str))
    return replace(last, digest=_digest(facts.release_id, parts, edges), parts=parts, edges=edges)


def owner_who_signed(
    reads: Reads, facts: ReleaseFacts, part: ReleasePart, policy: InForce, instant: Instant, clocks: Clocks
) -> SignOff | None:
    """Return the sign-off of a component, of its very digest, by an owner of its service, that was there at an instant."""
    for sign_off in reversed(facts.sign_offs[-MANY:]):
        is_of_it = (sign_off.service, sign_off.artifact) == (part.service, part.artifact)
        if is_of_it and was_there(sign_off.said, instant, clocks) and _is_owners(reads, sign_off, policy, clocks):
            return sign_off
    return None


def _is_owners(reads: Reads, sign_off: SignOff, policy: InForce, clocks: Clocks) -> bool:
    """Say whether who signed off held the role for that service, by a grant in force and on record when they did."""
    if fault_of_speaker(reads, TeamSignedOff.type, sign_off.said):
        return False
    roles = policy.words(SIGN_OFF_ROLE)
    then = instants(sign_off.said, clocks)[0]
    return any(
        span.role in roles and span.resource in (None, sign_off.service) and is_on_record(span.said, then)
        for span in granted_to(reads, sign_off.said.speaker, sign_off.said.at)
    )


def unsigned(
    reads: Reads, facts: ReleaseFacts, scope: ReleaseScope, policy: InForce, instant: Instant, clocks: Clocks
) -> list[str]:
    """Return the services of a release whose owner has not signed off what is to go out."""
    return [
        part.service for part in scope.parts if owner_who_signed(reads, facts, part, policy, instant, clocks) is None
    ]


def runs_there(reads: Reads, part: ReleasePart, environment: str, instant: Instant, clocks: Clocks) -> bool:
    """Say whether a component, as it is, had been put into an environment before something else was done there."""
    return any(
        part.artifact in act.artifacts
        and act.outcome in (None, "success")
        and same_environment(reads, act.environment, environment, instant.at)
        and was_there(act, instant, clocks)
        for _, act in done_to(reads, part.service, instant.position)
    )


def providers_to_come(
    reads: Reads, scope: ReleaseScope, service: str, environment: str, instant: Instant, clocks: Clocks
) -> list[str]:
    """Return what a service of a release needs, and what was not there yet in an environment at an instant."""
    needed = dict.fromkeys(provider for consumer, provider in scope.edges if consumer == service)
    return [
        part.service
        for provider in needed
        for part in scope.parts_of(provider)
        if not runs_there(reads, part, environment, instant, clocks)
    ]


def faults_of(scope: ReleaseScope) -> list[str]:
    """Say what cannot be in a release: a circle, something needed that is not of it, a service in two wordings."""
    faults = []
    if (found := circle(scope.edges)) is not None:
        faults.append(f"{' needs '.join(found)}")
    services = [part.service for part in scope.parts]
    faults += [
        f"{consumer} needs {provider}, and {name} is not of it"
        for consumer, provider in scope.edges
        for name in (consumer, provider)
        if name not in services
    ]
    twice = sorted(
        {part.service for part in scope.parts if len({p.artifact for p in scope.parts_of(part.service)}) > 1}
    )
    return [*faults, *(f"{service} goes out as more than one artifact" for service in twice)]


# -- what a reader sees --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReleasedPart:
    """One component as things stand: who signed it off, and when it went out to production first."""

    service: str
    artifact: str
    owner_team: str | None = None
    signed_off_by: str | None = None
    signed_off_at: Moment | None = None
    deployed_at: Moment | None = None


@dataclass(frozen=True)
class Release:
    """One release, by its last scope. `order` is which service goes out after which, and `faults` why that cannot be."""

    release_id: str
    digest: str | None = None
    defined_by: str | None = None
    defined_at: Moment | None = None
    is_signed_off: bool = False
    is_out: bool = False
    components: tuple[ReleasedPart, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()
    faults: tuple[str, ...] = ()


releases = Judged(
    "releases",
    version=3,
    row=Release,
    of=release_facts,
    reads=(deployments, *READ_BY_ASKING),
    indexes=("is_signed_off", "is_out"),
    doc="Releases over teams: components by digest, who signed each off, when it went out, what needs what, and what cannot be.",
)


@releases.by
def release(row: ReleaseFacts, look: Look) -> Release:
    """What goes out together, and how far it has come."""
    policy = in_force_now(look)
    scope = scope_at(look, row, AS_THINGS_STAND, Clocks())
    if scope is None:
        return Release(row.release_id)
    clocks = clocks_of(look, scope.said.at)
    parts = tuple(_released(look, row, scope, part, policy, clocks) for part in scope.parts)
    return Release(
        row.release_id,
        scope.digest,
        scope.said.speaker,
        scope.said.at,
        all(part.signed_off_by is not None for part in parts),
        all(part.deployed_at is not None for part in parts),
        parts,
        scope.edges,
        tuple(faults_of(scope)),
    )


def _released(
    look: Look, row: ReleaseFacts, scope: ReleaseScope, part: ReleasePart, policy: InForce, clocks: Clocks
) -> ReleasedPart:
    signed = owner_who_signed(look, row, part, policy, AS_THINGS_STAND, clocks)
    out = [
        act.at
        for _, act in done_to(look, part.service, scope.said.position)
        if part.artifact in act.artifacts
        and act.outcome in (None, "success")
        and is_production(look, act.environment, act.at, by=act.actor)
    ]
    return ReleasedPart(
        part.service,
        part.artifact,
        part.owner_team,
        signed.said.speaker if signed is not None else None,
        signed.said.at if signed is not None else None,
        min(out, default=None),
    )
