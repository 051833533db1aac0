"""4.1 Teardown schedules: no environment outlives its time, only somebody else lets it, and nothing is put where nothing is any more.

Until when an environment lives, its creation says, and the policy at most; without either it has no end.
"""

from collections.abc import Iterator
from typing import Final

from ledger.words import number_of
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Moment, later
from projections.judging.findings import finding, positions_of
from projections.judging.of_acts import finding_of_acts
from projections.practices.practice import Practice
from projections.readings.delivery.deployments import Deployment
from projections.readings.environments.environments import names_for
from projections.readings.environments.lifetimes import (
    Extension,
    Life,
    Lifetime,
    environment_lifetimes,
    lives_of,
    torn_down,
)
from projections.readings.people.identities import person_of
from projections.readings.people.imports import instants_of
from projections.readings.people.policies import in_force_now
from projections.readings.people.powers import persons_behind
from projections.readings.people.settings import Number
from projections.readings.people.speaking import clocks_of
from projections.rules.leave import latest_before
from projections.rules.words import listed

PRACTICE: Final = Practice("4.1", "Teardown schedules", views=(environment_lifetimes,))
LIFETIME_HOURS: Final = Number(
    "environment-lifetime-hours",
    "how many hours an environment lives at most, whatever its creation says",
    applies_to="environment",
    zero="no limit",
)
EXTENSIONS: Final = Number(
    "environment-extensions", "how many times an environment is let live longer", applies_to="environment", default=3
)
EXTENSION_HOURS: Final = Number(
    "environment-extension-hours",
    "how many hours an environment is let live longer at most, each time",
    applies_to="environment",
    zero="no limit",
)


def _lives_begun_as(row: Lifetime, look: Look) -> Iterator[Life]:
    """Yield the lives of an environment that began under the name of a row: each is judged once, whatever its names."""
    begun = {creation.said.position for creation in row.creations}
    yield from (life for life in lives_of(look, row.name) if life.creation.said.position in begun)


def _end_of(life: Life, name: str, look: Look) -> tuple[Moment | None, list[tuple[Extension, str]]]:
    """Return until when a life lasts, None for no end; and the extensions that do not count, with why not."""
    policy, begun = in_force_now(look), life.creation.said.at
    names = names_for(look, policy, name, begun)
    limit = policy.number(LIFETIME_HOURS, *names)
    ends = [life.creation.expires_at, later(begun, hours=limit) if limit else None]
    end = min((one for one in ends if one is not None), default=None)
    counting, refused = 0, []
    for extension in sorted(life.extensions, key=lambda extension: extension.said.position):
        if why := _is_ones_own(extension, life, look):
            refused.append((extension, why))
        elif counting == (most := policy.number(EXTENSIONS, *names)):
            refused.append((extension, f"the policy lets it live longer {number_of(most, 'time')}"))
        else:
            counting += 1
            hours = policy.number(EXTENSION_HOURS, *names)
            if end is not None:
                longest = later(end, hours=hours) if hours else extension.expires_at
                end = max(end, min(extension.expires_at, longest))
    return end, refused


def _is_ones_own(extension: Extension, life: Life, look: Look) -> str:
    """Say that whoever let an environment live longer had asked for it, owns it or set it up; else ""."""
    behind = persons_behind(look, extension.said)
    if person_of(look, extension.requester) in behind:
        return f"{extension.said.speaker} had asked for it"
    owner = life.creation.owner
    if owner is not None and person_of(look, owner) in behind:
        return f"{extension.said.speaker} owns it"
    if behind & persons_behind(look, life.creation.said):
        return f"{extension.said.speaker} had set it up"
    return ""


@finding(environment_lifetimes, severity="medium")
def environment_overdue(row: Lifetime, look: Look) -> Breach | None:
    """An environment is still there after its time: nobody tore it down, and nobody else let it live longer."""
    for life in _lives_begun_as(row, look):
        end, _ = _end_of(life, row.name, look)
        if life.teardown is None and look.has_come(end):
            return Breach(f"{row.name} was to be torn down at {end}", positions_of(life.creation.said.position))
    return None


@finding(environment_lifetimes, severity="medium", version=2)
def extension_does_not_count(row: Lifetime, look: Look) -> Breach | None:
    """Somebody let their own environment live longer, or one that had been let live longer as often as the policy allows."""
    refused = [one for life in _lives_begun_as(row, look) for one in _end_of(life, row.name, look)[1]]
    if not refused:
        return None
    words = listed(f"until {extension.expires_at}: {why}" for extension, why in refused)
    return Breach(
        f"{row.name} is not let live longer {words}",
        positions_of(*(extension.said.position for extension, _ in refused)),
    )


@finding(environment_lifetimes, severity="low", version=2)
def environment_created_twice(row: Lifetime, look: Look) -> Breach | None:
    """An environment was said to be set up until another time, or for another owner, while it was there. Nothing begins anew."""
    again = [
        one
        for life in _lives_begun_as(row, look)
        for one in life.again
        if _differs(one.expires_at, life.creation.expires_at) or _differs(one.owner, life.creation.owner)
    ]
    if not again:
        return None
    words = listed(f"by {one.said.speaker} at {one.said.at}" for one in again)
    return Breach(
        f"{row.name} was there when it was created again {words}", positions_of(*(o.said.position for o in again))
    )


def _differs(one: str | None, other: str | None) -> bool:
    # A second door may know less.
    return one is not None and other is not None and one != other


@finding_of_acts(severity="high", version=2)
def used_after_teardown(row: Deployment, look: Look) -> Breach | None:
    """Something was put into an environment that had been torn down, and not set up again by then."""
    for act in row.acts:
        if act.is_history or act.environment is None:
            continue
        for instant in instants_of(look, act):
            until = latest_before(instant, clocks_of(look, instant.at))
            end = torn_down(look.at(until), act.environment, instant)
            if end is not None:
                words = f"{row.deployment_id} was put into {act.environment} at {act.at}, torn down at {end.said.at}"
                return Breach(words, positions_of(end.said.position, act.position))
    return None
