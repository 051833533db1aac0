"""Separation of duties: the rules S1 to S12 by which an approval counts, each a function of plain values.

A rule returns why it is broken, in words, or None; what it asks for is the first sentence of its docstring, and `DUTIES` has these
by their codes. People are compared as *persons*: all logins that were linked to one
human are one person, named by the login that sorts first (`projections.readings.people.identities.person_of`).
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from ledger.authority import source_matches


def s1_author_does_not_approve(author: str | None, approver: str) -> str | None:
    """S1: nobody approves what they wrote."""
    return f"{approver} is the author" if author == approver else None


def s2_deployer_does_not_approve(approver: str, deployers: Collection[str]) -> str | None:
    """S2: nobody approves what they deploy to production."""
    return f"{approver} deployed it" if approver in deployers else None


def s3_scope_is_the_approved_one(approved: str, current: str | None) -> str | None:
    """S3: an approval counts for one scope, and for no other."""
    return None if approved == current else "the scope is another one now"


def s4_approver_is_human(approver: str, kind: str | None) -> str | None:
    """S4: machines advise, and only humans approve. `kind` is what the approver is known to be, under any login."""
    return None if kind == "human" else f"{approver} is not known to be a human"


def s5_approver_held_a_role(held: Collection[str], required: Sequence[str]) -> str | None:
    """S5: the approver held one of the roles asked for, at the time of the approval."""
    if not required or set(held) & set(required):
        return None
    return f"no grant of {' or '.join(required)} was in force"


def s6_missing_from_quorum(persons: Iterable[str], quorum: int) -> int:
    """S6: as many people approve as the policy asks for. Returns how many are missing."""
    return max(0, quorum - len(set(persons)))


def s7_reviewer_is_not_the_holder(reviewer: str, holder: str | None) -> str | None:
    """S7: nobody reviews their own access."""
    return f"{reviewer} holds the grant" if reviewer == holder else None


def s8_author_does_not_approve_the_model(author: str, approver: str) -> str | None:
    """S8: nobody approves a risk model that they made."""
    return f"{approver} is the model's author" if author == approver else None


def s9_requester_does_not_grant(requester: str, granter: str) -> str | None:
    """S9: nobody lets their own change through a freeze."""
    return f"{granter} asked for it" if requester == granter else None


def s10_circles(approvals: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """S10: no two people approve each other's changes in one release. Returns those who did; `approvals` are (author, approver)."""
    seen = {(author, approver) for author, approver in approvals if author != approver}
    return sorted((one, other) for one, other in seen if one < other and (other, one) in seen)


def s11_authors_without_approvers(
    authors: Iterable[str], members: Mapping[str, Collection[str]], required: Sequence[str], quorum: int
) -> list[str]:
    """S11: for every author there are enough others who could approve. Returns the authors for whom too few hold one of the roles.

    `members` are the persons who hold each role. No author at all is judged as somebody outside.
    """
    able = {person for role in required for person in members.get(role, ())}
    return [author for author in (list(authors) or [""]) if len(able - {author}) < quorum]


def s12_approver_spoke(
    approver: str, principal: str, source: str, enrolled: Iterable[tuple[str, Sequence[str]]]
) -> str | None:
    """S12: people speak by a credential of their own, or through a source that may speak for them.

    `enrolled` are the principal's sources, each with the patterns of identities it is an authority for.
    """
    if principal == approver:
        return None
    for pattern, spoken_for in enrolled:
        if source_matches(pattern, source) and any(source_matches(known, approver) for known in spoken_for):
            return None
    return f"{principal} may not speak for {approver}"


_RULES: Final[tuple[Callable[..., Any], ...]] = (
    s1_author_does_not_approve,
    s2_deployer_does_not_approve,
    s3_scope_is_the_approved_one,
    s4_approver_is_human,
    s5_approver_held_a_role,
    s6_missing_from_quorum,
    s7_reviewer_is_not_the_holder,
    s8_author_does_not_approve_the_model,
    s9_requester_does_not_grant,
    s10_circles,
    s11_authors_without_approvers,
    s12_approver_spoke,
)
# "S1: nobody approves what they wrote." -> the code, and what it asks for.
_find_duty: Final = re.compile(r"(S[0-9]+): (.+?)\.(?:\s|$)").match
DUTIES: Final[Mapping[str, str]] = {
    found[1]: found[2] for rule in _RULES if (found := _find_duty(rule.__doc__ or "")) is not None
}
# Where a fault begins: at the beginning, or after whose it is. Elsewhere it is a word of somebody's, such as the name of a store.
_explain: Final = re.compile(rf"(?:^|(?<=: ))({'|'.join(DUTIES)})(?=: )").sub


def explained(words: str) -> str:
    """Return a sentence in which the code of each duty is told in words, for people.

    >>> explained("person:bob: S1: person:bob is the author")
    'person:bob: S1 (nobody approves what they wrote): person:bob is the author'
    """
    return _explain(lambda found: f"{found[0]} ({DUTIES[found[0]]})", words)
