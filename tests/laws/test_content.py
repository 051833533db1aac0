"""Content is computed: when any part of a scope, a policy, a model or a reviewed grant is another, what rested on it counts no more.

The parts are the fields of the event classes, walked to their leaves: a new field is under the law without a line. What is said beside the
content, and not of it, is named in `BESIDE`.
"""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from asking import against, ask, define_trigger
from changes import assess, open_change, opened, publish, request
from histories import _pool
from telling import Story, at

from ledger.errors import StatementError
from ledger.events import CATALOGUE, example
from ledger.events.identifiers import TIME_PATTERN
from projections.readings.changes.templates import templates
from projections.readings.changes.tickets import change_tickets
from projections.readings.people.access_reviews import access_reviews
from projections.readings.people.policies import in_force, policies, policy_digest
from projections.readings.risk.models import risk_models

Data = dict[str, Any]
ANOTHER = "another text than the one that was published"
STATED = "sha256:" + "1" * 64
# Of each type: what names the thing, who says it, what is stated of it, and why.
BESIDE: dict[str, set[str]] = {
    "change.scope_amended": {"actor", "change_id", "scope_digest", "previous_digest", "reason"},
    "policy.published": {"actor", "policy_id", "version", "policy_digest"},
    "risk.model_published": {"actor", "model_id", "version"},
    "risk.model_recalibrated": {"actor", "model_id", "version", "model_digest"},
    "template.published": {"actor", "template_id"},
    "access.granted": {"actor", "grant_id", "owner", "reason"},
}


def others(part: dict[str, Any], schema: dict[str, Any], value: Any) -> Iterator[Any]:
    """Yield values of a part of a class that are each another one than a value, in one leaf."""
    if "$ref" in part:
        part = schema["$defs"][part["$ref"].rpartition("/")[2]]
    if "anyOf" in part:
        for option in part["anyOf"]:
            if option.get("type") != "null":
                yield from others(option, schema, value)
        yield None
    elif part.get("type") == "object":
        for name, item in part["properties"].items():
            if name in value:
                for other in others(item, schema, value[name]):
                    yield {key: held for key, held in {**value, name: other}.items() if held is not None}
    elif part.get("type") == "array":
        yield value[1:]
        for other in others(part["items"], schema, value[0]):
            if other is not None:
                yield [*value, other]
                yield [other, *value[1:]]
    elif "enum" in part:
        yield from (word for word in part["enum"] if word != value)
    elif part.get("type") == "integer":
        yield value + 1
    elif part.get("type") == "boolean":
        yield not value
    elif TIME_PATTERN in part.get("pattern", ""):
        yield at(99)
    elif "pattern" in part:
        yield from (text for text in _pool(value, part["pattern"], part["maxLength"]) if text != value)


def altered(event_type: str, base: Data) -> Iterator[tuple[str, Data]]:
    """Yield the data of an event with each leaf of its content altered, and the name of the field; what no door admits is left out."""
    schema = CATALOGUE[event_type].model_json_schema()
    for name, part in schema["properties"].items():
        if name in BESIDE[event_type] or name not in base:
            continue
        for value in others(part, schema, base[name]):
            data = copy.deepcopy(base)
            if value is None:
                del data[name]
            else:
                data[name] = value
            try:
                CATALOGUE.validate(event_type, data)
            except StatementError:
                continue
            if data != base:
                yield name, data


def whole(event_type: str, **more: Any) -> Data:
    """Return an example with every field, without texts."""
    return {
        k: v
        for k, v in (example(CATALOGUE[event_type]) | more).items()
        if k not in CATALOGUE[event_type].erasable_fields
    }


def fields(event_type: str) -> set[str]:
    return set(CATALOGUE[event_type].model_fields) - BESIDE[event_type] - {"links"}


# -- scopes --------------------------------------------------------------------------------------------------------------

SCOPE = whole("change.scope_amended", change_id="CHG-7", scope_digest=STATED, window_end=at(90), window_start=at(1))
SCOPES = list(altered("change.scope_amended", SCOPE))


def approved() -> Story:
    """A change whose scope says all that a scope may say, approved by bob."""
    # Opened for something else: what a scope leaves out is as it was opened.
    story = opened(environment="elsewhere")
    publish(story)
    define_trigger(story)
    story.tell("change.scope_amended", **SCOPE)
    assess(story)
    request(story)
    story.tell("approval.granted", actor="person:bob", change_id="CHG-7")
    return story


def counting(story: Story) -> list[str]:
    return [approval.approver for approval in story.row(change_tickets, "CHG-7").approvals if approval.counts]


def test_the_same_scope_again_keeps_its_approval() -> None:
    story = approved()
    story.tell("change.scope_amended", **SCOPE)
    assert counting(story) == ["person:bob"]
    assert "change-is-approved" not in against(ask(story))


def test_every_field_of_a_scope_is_altered() -> None:
    assert {name for name, _ in SCOPES} == fields("change.scope_amended")


@pytest.mark.parametrize("part", range(4))
def test_an_approval_of_a_scope_of_which_anything_is_another_counts_no_more(part: int) -> None:
    for name, data in SCOPES[part::4]:
        story = approved()
        # Under the same stated digest: it is the content that counts.
        story.tell("change.scope_amended", **data)
        assert counting(story) == [], (name, data)
        assert "change-is-approved" in against(ask(story)), (name, data)


# -- policies ------------------------------------------------------------------------------------------------------------

POLICY = {
    "actor": "person:olga", "policy_id": "change-approval", "version": "1", "policy_digest": STATED,
    "settings": [{"name": "quorum", "applies_to": "any", "value": "1"}], "effective_from": at(0),
}  # fmt: skip
POLICIES = list(altered("policy.published", POLICY))
PUT_INTO_FORCE = {"actor": "person:oscar", "policy_id": "change-approval", "version": "1", "policy_digest": STATED}


def test_every_field_of_a_policy_is_altered() -> None:
    assert {name for name, _ in POLICIES} == fields("policy.published")


@pytest.mark.parametrize("is_approved_again", [False, True])
def test_no_other_text_is_put_into_force_by_the_approval_of_a_policy(is_approved_again: bool) -> None:
    for name, data in POLICIES:
        story = Story()
        story.tell("policy.published", **POLICY)
        story.tell("policy.approved", **PUT_INTO_FORCE)
        story.tell("policy.published", **data)
        if is_approved_again:
            story.tell("policy.approved", **PUT_INTO_FORCE)
        held = in_force(story.folder.rows, at(200))
        assert [vars(setting) for setting in held.settings] == POLICY["settings"], (name, data)


def test_a_text_is_approved_by_its_computed_digest_whatever_was_stated() -> None:
    for name, data in POLICIES:
        story = Story()
        story.tell("policy.published", **POLICY)
        story.tell("policy.published", **data)
        version = story.row(policies, "change-approval").versions[-1]
        assert version.digest != policy_digest(story.row(policies, "change-approval").versions[0].settings, at(0)), name
        story.tell("policy.approved", **PUT_INTO_FORCE | {"policy_digest": version.digest})
        assert in_force(story.folder.rows, at(200)).settings == version.settings, (name, data)


# -- models --------------------------------------------------------------------------------------------------------------

MODEL = whole(
    "risk.model_published", actor="person:dan", model_id="m", version="1", model_digest=STATED,
    parameters=[{"name": "criticality", "value": "1"}], bands=[{"name": "low", "value": "0"}, {"name": "high", "value": "5"}],
)  # fmt: skip
MODELS = list(altered("risk.model_published", MODEL))


def test_every_field_of_a_model_is_altered() -> None:
    assert {name for name, _ in MODELS} == fields("risk.model_published")


def test_no_other_text_of_a_model_scores_under_its_approval() -> None:
    told = {"model_id": "m", "version": "1", "model_digest": STATED}
    first: Any = None
    for name, data in MODELS:
        story = Story()
        story.tell("risk.model_published", **MODEL)
        story.tell("risk.model_approved", actor="person:erin", **told)
        first = story.row(risk_models, "m/1")
        assert first.is_approved
        story.tell("risk.model_published", **data)
        assert story.row(risk_models, "m/1") == first, (name, data)


def test_a_model_of_which_anything_is_another_has_another_digest_and_is_approved_by_it_alone() -> None:
    story = Story()
    story.tell("risk.model_published", **MODEL)
    digest = story.row(risk_models, "m/1").digest
    for name, data in MODELS:
        other = Story()
        other.tell("risk.model_published", **data)
        about = {"actor": "person:erin", "model_id": "m", "version": "1"}
        other.tell("risk.model_approved", **about, model_digest=digest)
        assert other.row(risk_models, "m/1").approval_fault == ANOTHER, (name, data)
        other.tell("risk.model_approved", **about, model_digest=other.row(risk_models, "m/1").digest)
        # Some of them score nothing.
        assert other.row(risk_models, "m/1").approval_fault != ANOTHER, (name, data)


FITTED = whole("risk.model_recalibrated", actor="person:dan", model_id="m", version="1")
FITS = list(altered("risk.model_recalibrated", FITTED))


def test_every_field_of_what_a_model_was_fitted_on_is_altered() -> None:
    assert {name for name, _ in FITS} == fields("risk.model_recalibrated")


def test_a_model_that_is_said_to_be_fitted_otherwise_after_its_approval_is_approved_no_more() -> None:
    for name, data in FITS:
        story = Story()
        story.tell("risk.model_recalibrated", **FITTED)
        story.tell("risk.model_published", **MODEL)
        story.tell("risk.model_recalibrated", **FITTED)
        story.tell("risk.model_approved", actor="person:erin", model_id="m", version="1",
            model_digest=story.row(risk_models, "m/1").digest)  # fmt: skip
        assert story.row(risk_models, "m/1").is_approved
        story.tell("risk.model_recalibrated", **FITTED)
        assert story.row(risk_models, "m/1").is_approved
        story.tell("risk.model_recalibrated", **data)
        row = story.row(risk_models, "m/1")
        assert (row.is_approved, row.approval_fault) == (False, ANOTHER), (name, data)


# -- templates -----------------------------------------------------------------------------------------------------------

TEMPLATE = whole(
    "template.published", actor="person:paul", template_id="routine", services=["api", "web"], environments=["prod"]
)
TEMPLATES = list(altered("template.published", TEMPLATE))


def test_every_field_of_a_template_is_altered() -> None:
    assert {name for name, _ in TEMPLATES} == fields("template.published")


def written(data: Data) -> Story:
    story = Story()
    story.tell("template.published", **data)
    return story


def fault_of_resting(story: Story, named: str | None, by: str = "person:carol", **more: Any) -> str | None:
    """Have a template approved, under a digest; return why a standard change may not rest on it."""
    digest = {"template_digest": named} if named is not None else {}
    limits = {"expires_at": at(1000), "failure_limit": 0}
    story.tell("template.approved", actor=by, template_id="routine", **digest, **limits)
    open_change(story, "standard", template_id="routine", **more)
    fault: str | None = story.row(change_tickets, "CHG-7").template_fault
    return fault


def test_nothing_rests_on_a_template_of_which_anything_is_another_than_what_was_approved() -> None:
    digest = written(TEMPLATE).row(templates, "routine").texts[0].digest
    assert fault_of_resting(written(TEMPLATE), digest) is None
    for name, data in TEMPLATES:
        fault = fault_of_resting(written(data), digest)
        assert fault == "the approval of template routine does not count: it is of another text than was written", (
            name,
            data,
        )
        # Written later, it changes nothing of what was approved before.
        story = written(TEMPLATE)
        story.tell(
            "template.approved", actor="person:carol", template_id="routine", expires_at=at(1000), failure_limit=0
        )
        story.tell("template.published", **data)
        open_change(story, "standard", template_id="routine")
        assert story.row(change_tickets, "CHG-7").template_fault is None, (name, data)


@pytest.mark.parametrize(
    ("by", "more", "fault"),
    [
        ("person:carol", {}, None),
        ("person:carol", {"services": ["web"], "environment": "PROD"}, None),
        ("person:carol", {"services": ["api", "db"]}, "db is not of template routine"),
        ("person:carol", {"environment": "live"}, "live is not of template routine"),
        ("person:paul", {}, "the approval of template routine does not count: person:paul wrote it"),
    ],
)
def test_a_change_rests_on_a_template_that_is_of_its_services_and_environments(
    by: str, more: Data, fault: str | None
) -> None:
    assert fault_of_resting(written(TEMPLATE), None, by, **more) == fault


# -- what a review was of ------------------------------------------------------------------------------------------------

GRANT = whole("access.granted", actor="person:olga", grant_id="GR-1", principal="person:paul", expires_at=at(900))
GRANTS = list(altered("access.granted", GRANT))


def test_every_field_of_a_grant_is_altered() -> None:
    assert {name for name, _ in GRANTS} == fields("access.granted")


def reviewed(*between: Data, decided_again: bool = False) -> Any:
    """A review of one grant, with what is granted between the decision about it and the end."""
    story = Story()
    story.tell("access.granted", **GRANT)
    about = {"actor": "person:bob", "review_id": "R"}
    decision = {**about, "grant_id": "GR-1", "principal": "person:paul", "decision": "keep"}
    story.tell("access_review.opened", **about, population_digest=STATED, population_count=1, due_at=at(90))
    story.tell("access_review.item_decided", **decision)
    for data in between:
        story.tell("access.granted", **data)
    if decided_again:
        story.tell("access_review.item_decided", **decision)
    story.tell("access_review.completed", **about, kept=1, revoked=0)
    return story.row(access_reviews, "R")


def test_a_review_is_not_done_of_a_grant_of_which_anything_became_another() -> None:
    assert reviewed().state == "done"
    assert reviewed(GRANT).state == "done"
    for name, data in GRANTS:
        assert reviewed(data).state == "open", (name, data)
        assert reviewed(data, decided_again=True).state == "done", (name, data)
