"""S11: whether what a policy asks for can be given at all: for every author, somewhere, enough others who could approve.

Not whether somebody did: that is asked of each change.
"""

from collections.abc import Iterator
from itertools import product
from typing import Final

from ledger.events.access import AccessGranted
from ledger.events.ledger import LedgerCredentialIssued, LedgerSourceEnrolled
from ledger.words import number_of
from projections.engine.reads import Look
from projections.judging.able import held
from projections.readings.changes.approvals import BANDS, BOARD_BAND, BOARD_QUORUM, BOARD_ROLE, QUORUM, REQUIRED_ROLE
from projections.readings.environments.environments import canonical
from projections.readings.people.credentials import credentials
from projections.readings.people.grants import access_grants
from projections.readings.people.grants_held import has_ended_by_now
from projections.readings.people.identities import person_of
from projections.readings.people.policies import InForce
from projections.readings.people.settings import ANY
from projections.readings.people.sources import authorities
from projections.rules import duties
from projections.rules.leave import FOR_EVER

# So many grants and credentials are looked at for people: where there are more, there are others enough.
FEW: Final = 40


def _called(environment: str, look: Look) -> str:
    return canonical(look, environment, FOR_EVER)


def unsatisfied_because(policy: InForce, look: Look) -> str:
    """Say for whom, and where, nobody could give what a policy asks for (S11), or ""."""
    for whom, roles, quorum in [] if policy.is_of_one else _demands(policy):
        if not roles:
            if author := _without_others(quorum, look):
                people = number_of(quorum, "person", "people")
                return f"{policy.policy_id} {policy.version} asks for {people} ({whom}): not enough but {author}"
            continue
        having = {
            role: {(person_of(look, span.principal), span.environment) for span in held(look, role)} for role in roles
        }
        # Where grants name no environment at all, they are for all of them; else each that one names has to have enough.
        named = {_called(where, look): where for found in having.values() for _, where in found if where is not None}
        for key, environment in sorted(named.items()) or [("", "")]:
            members = {
                role: {person for person, where in found if where is None or _called(where, look) == key}
                for role, found in having.items()
            }
            authors = ["", *sorted({person for found in members.values() for person in found})]
            if unable := duties.s11_authors_without_approvers(authors, members, roles, quorum):
                who = f"{unable[0] or 'anybody'}{f' in {environment}' if environment else ''}"
                asked = f"asks for {quorum} of {' or '.join(roles)} ({whom})"
                return f"{policy.policy_id} {policy.version} {asked}: none for {who}"
    return ""


def _demands(policy: InForce) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Yield what a policy asks for, by type of change and band of risk, once: for whom it says so, roles, and how many people."""
    named = dict.fromkeys(s.applies_to for s in policy.settings if s.name in (QUORUM.name, REQUIRED_ROLE.name))
    bands = [None, *(name for name in named if name in policy.words(BANDS))]
    types = [None, *(name for name in named if name not in bands and name != ANY)]
    asked: dict[tuple[tuple[str, ...], int], str] = {}
    for change_type, band in product(types, bands) if named else ():
        quorum = max(1, policy.number(QUORUM, change_type, band))
        demand = (policy.words(REQUIRED_ROLE, change_type, band), quorum)
        asked.setdefault(demand, " ".join(word for word in (change_type, band) if word) or ANY)
    for band in policy.words(BOARD_BAND)[:1]:
        asked.setdefault(((policy.words(BOARD_ROLE)[0],), max(1, policy.number(BOARD_QUORUM))), band)
    yield from ((whom, roles, quorum) for (roles, quorum), whom in asked.items())


def _without_others(quorum: int, look: Look) -> str:
    """Return somebody beside whom too few people are on record who could approve, where no role is asked for; or "".

    Of whom an authority tells, not all are on record; and of very many people enough are.
    """
    tells = look.named(authorities, LedgerSourceEnrolled, limit=FEW)
    if any(source.identities and not source.is_retired for source in tells):
        return ""
    people = {
        person_of(look, row.principal)
        for row in look.named(credentials, LedgerCredentialIssued, limit=FEW)
        if row.kind == "human" and row.principal is not None and row.revoked_position is None
    }
    grants = look.named(access_grants, AccessGranted, limit=FEW)
    people |= {
        person_of(look, grant.principal)
        for grant in grants
        if grant.principal_kind == "human" and grant.principal is not None and not has_ended_by_now(grant, look)
    }
    return min(people) if len(grants) < FEW and 0 < len(people) <= quorum else ""
