"""Who could do something: people on record who have the power to, without those whom the separation of duties excludes.

Said beside what a gate answers, and of no weight: whether what they do counts, is judged when they do it. People whom only a code
host knows are on record by what they did there, and by nothing else.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from ledger.events import Event
from ledger.events.ledger import LedgerCredentialIssued
from projections.engine.reads import Look
from projections.judging.gate_rule import Able, Question, ticket_of
from projections.readings.environments.environments import is_meant, is_production
from projections.readings.people.credentials import Credential, credentials
from projections.readings.people.grants import Span, access_grants
from projections.readings.people.grants_held import has_ended_by_now, standing_span
from projections.readings.people.holders import HOLDERS
from projections.readings.people.identities import person_of
from projections.readings.people.policies import InForce
from projections.readings.people.powers import ROLE_FOR

# The role of a credential, and who says by it what is an operator's to say.
_OPERATOR: Final = "operator"


def _issued(look: Look) -> list[Credential]:
    """Return the credentials that are in use."""
    return [row for row in look.named(credentials, LedgerCredentialIssued) if row.revoked_position is None]


def operators(question: Question, look: Look, policy: InForce) -> set[str]:
    """Return who may do what operators do: humans with such a credential."""
    return {
        person_of(look, row.principal)
        for row in _issued(look)
        if row.principal is not None and row.kind == "human" and _OPERATOR in row.roles
    }


def humans(look: Look) -> set[str]:
    """Return who is known to be a human, by a credential or a grant."""
    found = {
        person_of(look, row.principal) for row in _issued(look) if row.principal is not None and row.kind == "human"
    }
    return found | {
        person_of(look, grant.principal)
        for grant in look.where(access_grants, "principal_kind", "human")
        if grant.principal is not None and not has_ended_by_now(grant, look)
    }


def holders(
    look: Look, roles: Iterable[str], environment: str | None, at: str, resources: Collection[str] = ()
) -> set[str]:
    """Return who holds one of some roles in an environment, for all resources or one of those, by a grant that counts."""
    return {
        person_of(look, span.principal)
        for role in roles
        for span in held(look, role)
        if (environment is None or is_meant(look, span.environment, environment, at))
        and (not resources or span.resource is None or span.resource in resources)
    }


def held(look: Look, role: str) -> Iterator[Span]:
    """Yield by what humans hold a role: what stands of each grant that counts, and is not over."""
    for grant in look.where(access_grants, "role", role):
        span = standing_span(look, grant) if not has_ended_by_now(grant, look) else None
        if span is not None and (span.role, span.principal_kind) == (role, "human"):
            yield span


def may(event: type[Event], *, but: Able | None = None) -> Able:
    """Return who may say something of a type so that it counts: operators, holders of a role that the policy names, or any human."""

    def able(question: Question, look: Look, policy: InForce) -> set[str]:
        roles = policy.words(ROLE_FOR, event.type)
        if HOLDERS[event.type] == _OPERATOR:
            found = operators(question, look, policy)
        else:
            found = set() if roles else humans(look)
        found |= holders(look, roles, question.environment, question.asked_at)
        return found - set(but(question, look, policy) if but is not None else ())

    return able


def holding(event: type[Event], *, but: Able | None = None) -> Able:
    """Return who holds a role that the policy names for a type which anybody may say; nobody in particular where it names none."""
    among = may(event, but=but)

    def able(question: Question, look: Look, policy: InForce) -> set[str]:
        return set(among(question, look, policy)) if policy.words(ROLE_FOR, event.type) else set()

    return able


def both(*some: Able) -> Able:
    """Return whoever is of any of some."""
    return lambda question, look, policy: {who for able in some for who in able(question, look, policy)}


def whoever_asks(question: Question, look: Look, policy: InForce) -> set[str]:
    """Return who wants to act, as a person."""
    return {person_of(look, question.actor)} if question.actor is not None else set()


def authors(question: Question, look: Look, policy: InForce) -> set[str]:
    """Return the authors of the question's change: none of them approves it (S1), or lets it through a freeze (S9)."""
    ticket = ticket_of(question, look)
    return {person_of(look, author) for author in ticket.authors} if ticket is not None else set()


def approvers(question: Question, look: Look, policy: InForce) -> set[str]:
    """Return who could approve the question's change: without its authors, who deployed it to production, and who approved already."""
    ticket = ticket_of(question, look)
    if ticket is None:
        return set()
    roles = ticket.required_roles
    found = holders(look, roles, ticket.environment, question.asked_at) if roles else humans(look)
    excluded = {approval.person for approval in ticket.approvals if approval.counts}
    if is_production(look, ticket.environment, question.asked_at):
        excluded |= {person_of(look, who) for who in ticket.deployed_by}
    return found - excluded - authors(question, look, policy)


def nobody_approves(question: Question, look: Look, policy: InForce) -> str:
    """Return what to do where nobody on record could approve the question's change."""
    ticket = ticket_of(question, look)
    if ticket is None or approvers(question, look, policy):
        return ""
    needs = "credentials of their own (token create --kind human)"
    if ticket.required_roles:
        needs += f", and the role {' or '.join(ticket.required_roles)} (access.granted)"
    return f"nobody on record could: people need {needs}"


def others(question: Question, look: Look, policy: InForce) -> set[str]:
    """Return the humans who did not deploy the question's change: who reviews it."""
    ticket = ticket_of(question, look)
    return humans(look) - {person_of(look, who) for who in (ticket.deployed_by if ticket is not None else ())}
