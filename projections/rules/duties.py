"""Separation of duties: the rules S1 to S12 by which an approval counts, each a function of plain values.

A rule returns why it is broken, in words, or None. People are compared as *persons*: all logins that were linked to one
human are one person, named by the login that sorts first (`projections.identities.person_of`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from ledger.authority import source_matches


def s1_author_does_not_approve(author: str | None, approver: str) -> str | None:
    """S1: nobody approves what they wrote."""
    return f"{approver} is the author" if author == approver else None


def s2_deployer_does_not_approve(approver: str, deployers: Collection[str]) -> str | None:
    """S2: who deploys to production is not who approved it."""
    return f"{approver} deployed it" if approver in deployers else None


def s3_scope_is_the_approved_one(approved: str, current: str | None) -> str | None:
    """S3: an approval is of one scope, and void for every other."""
    return None if approved == current else "the scope is another one now"


def s4_approver_is_human(approver: str, kind: str | None) -> str | None:
    """S4: machines advise; only humans approve. `kind` is what the approver is known to be, under any login."""
    return None if kind == "human" else f"{approver} is not known to be a human"


def s5_approver_held_a_role(held: Collection[str], required: Sequence[str]) -> str | None:
    """S5: the approver held one of the roles asked for, at the time of the approval."""
    if not required or set(held) & set(required):
        return None
    return f"no grant of {' or '.join(required)} was in force"


def s6_missing_from_quorum(persons: Iterable[str], quorum: int) -> int:
    """S6: so many distinct humans. Returns how many are missing."""
    return max(0, quorum - len(set(persons)))


def s7_reviewer_is_not_the_holder(reviewer: str, holder: str | None) -> str | None:
    """S7: nobody reviews their own access."""
    return f"{reviewer} holds the grant" if reviewer == holder else None


def s8_author_does_not_approve_the_model(author: str, approver: str) -> str | None:
    """S8: a risk model counts when another person than its author approved it."""
    return f"{approver} is the model's author" if author == approver else None


def s9_requester_does_not_grant(requester: str, granter: str) -> str | None:
    """S9: nobody lets their own change through a freeze."""
    return f"{granter} asked for it" if requester == granter else None


def s10_circles(approvals: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """S10: pairs of people who approved each other's changes in one release. `approvals` are (author, approver)."""
    seen = {(author, approver) for author, approver in approvals if author != approver}
    return sorted((one, other) for one, other in seen if one < other and (other, one) in seen)


def s11_authors_without_approvers(
    authors: Iterable[str], members: Mapping[str, Collection[str]], required: Sequence[str], quorum: int
) -> list[str]:
    """S11: the possible authors for whom no set of approvers exists: too few others hold one of the roles.

    `members` are the persons who hold each role. No author at all is judged as somebody outside.
    """
    able = {person for role in required for person in members.get(role, ())}
    return [author for author in (list(authors) or [""]) if len(able - {author}) < quorum]


def s12_approver_spoke(
    approver: str, principal: str, source: str, enrolled: Iterable[tuple[str, Sequence[str]]]
) -> str | None:
    """S12: the approval came from the approver's own credential, or from a source that may speak for them.

    `enrolled` are the principal's sources, each with the patterns of identities it is an authority for.
    """
    if principal == approver:
        return None
    for pattern, spoken_for in enrolled:
        if source_matches(pattern, source) and any(source_matches(known, approver) for known in spoken_for):
            return None
    return f"{principal} may not speak for {approver}"
