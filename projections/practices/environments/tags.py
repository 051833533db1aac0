"""4.5 Tagging: every resource carries the tags by which its cost and its owner are known, with the values that the policy allows."""

from typing import Final

from ledger.events.iac import PlanProduced, fingerprint_of_tag
from ledger.events.identifiers import identifier_of
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.judging.able import holding
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule
from projections.practices.practice import Practice
from projections.readings.environments.environments import names_for
from projections.readings.environments.lifetimes import is_gone
from projections.readings.environments.tags import TaggedResource, sights_of, tag_coverage, tagged_resources
from projections.readings.infrastructure.plans import Planned, plans, told_parts
from projections.readings.people.policies import InForce, in_force_now
from projections.readings.people.settings import Words
from projections.rules.leave import FOR_EVER
from projections.rules.words import listed

PRACTICE: Final = Practice("4.5", "Tagging", views=(tagged_resources, tag_coverage))
REQUIRED_TAG: Final = Words(
    "required-tag",
    "a key that every resource is tagged with",
    applies_to="environment",
    is_several=True,
    nothing="none",
)
TAG_VALUE: Final = Words(
    "tag-value", "a value that a tag may have", applies_to="key of a tag", is_several=True, nothing="any"
)


@finding(tagged_resources, severity="low", version=3)
def tags_missing(row: TaggedResource, look: Look) -> Breach | None:
    """A resource lacks a tag that the policy asks for, or has another value than it allows. Whoever saw that, or who has the power to
    say so, tells when it is mended, and nobody else.
    """
    if row.environment is None:
        return None
    sights = [
        seen
        for seen in sights_of(look, row, FOR_EVER)
        if seen.is_there and not is_gone(look, row.environment, seen.said)
    ]
    if not sights:
        return None
    policy = in_force_now(look)
    for seen in reversed(sights):
        # A policy writes keys and values as identifiers.
        values = {identifier_of(tag.key): tag.value for tag in seen.tags}
        required = policy.words(REQUIRED_TAG, *names_for(look, policy, row.environment, seen.said.at))
        faults = [f"no {key}" for key in required if not values.get(key, "").strip()]
        for key, value in values.items():
            allowed = policy.words(TAG_VALUE, key)
            if value.strip() and allowed and identifier_of(value) not in allowed:
                faults.append(f"{key} as {value}")
        if faults:
            return Breach(f"{row.resource} in {row.environment} has {listed(faults)}", positions_of(seen.said.position))
    return None


@gate_rule(
    version=3,
    remedies={
        "no-plan": Remedy("the plan is told, with all its parts (iac.plan_produced)", holding(PlanProduced)),
        "tags-missing": Remedy("what is created is tagged, and planned anew"),
        "value-not-allowed": Remedy("what is created is tagged with a value that the policy allows, and planned anew"),
        "": Remedy(
            "a plan says with which tags it creates what: as `show -json` prints it, and not computed or sensitive"
        ),
    },
)
def tags_are_planned(question: Question, look: Look, policy: InForce) -> Said:
    """Whatever the plan creates carries the tags that the policy asks for, where its type has tags, with values that the policy allows."""
    if question.plan is None or question.environment is None:
        return "insufficient_evidence", "not-said", "expected a plan and an environment in the question", ()
    required = policy.words(REQUIRED_TAG, *names_for(look, policy, question.environment, question.asked_at))
    if not required and not policy.names(TAG_VALUE):
        return "allow", "not-asked-for", "the policy asks for no tags", ()
    plan = look.row(plans, question.plan)
    if plan is None or plan.said is None or plan.missing:
        return "insufficient_evidence", "no-plan", "nobody told of this plan, or of a part of it", ()
    parts = list(told_parts(look, plan))
    used = [part.position for part in parts]
    # Of each who told the plan: where they differ, none of them takes back what another saw.
    created = dict.fromkeys(one for part in parts for one in part.changes if one.action in ("create", "replace"))
    missing, wrong, unknown = [], [], []
    for one in created:
        without = [key for key in required if key not in {identifier_of(tag) for tag in one.tags}]
        values = _values_of(one, policy)
        if without and one.tagged == "all":
            missing.append(f"{one.address} has no {listed(without)}")
        elif not_allowed := [key for key, is_allowed in values if is_allowed is False]:
            wrong.append(f"{one.address} has another {listed(not_allowed)} than the policy allows")
        elif (without and one.tagged != "none") or any(is_allowed is None for _, is_allowed in values):
            unknown.append(one.address)
    if missing:
        return "deny", "tags-missing", listed([*missing, *wrong], "; "), used
    if wrong:
        return "deny", "value-not-allowed", listed(wrong, "; "), used
    if unknown:
        return "insufficient_evidence", "not-known", f"nobody knows the tags of {listed(unknown)}", used
    return "allow", "tagged", "all that the plan creates carries the tags that the policy asks for", used


def _values_of(one: Planned, policy: InForce) -> list[tuple[str, bool | None]]:
    """Return of which tags of a resource the policy says what they may have, and whether they have that; None where nobody knows."""
    known = dict(zip(one.tags, one.values, strict=False))
    return [
        (
            key,
            known[key] in {fingerprint_of_tag(identifier_of(key), value) for value in allowed}
            if key in known
            else None,
        )
        for key in one.tags
        if (allowed := policy.words(TAG_VALUE, identifier_of(key)))
    ]
