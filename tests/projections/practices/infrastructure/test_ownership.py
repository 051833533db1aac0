"""3.5 Ownership and lifecycle of templates: given these facts, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask, define_trigger
from changes import deploy, found, open_change, opened, pass_time, publish
from telling import Story, at
from year import DAY, START, Year, credential_of, stamp

from ledger.authority import LEDGER_PRINCIPAL
from projections.readings.changes.code_owners import code_owners, owned_paths
from projections.readings.changes.template_owners import template_owners
from projections.readings.changes.templates import templates

T = {"template_id": "routine"}
ASKED = ("template-owner", "any", "required")


def with_template(*settings: tuple[str, str, str], **more: Any) -> Story:
    """A standard change by a template that olga approved; oona owns it, otto stands in, and both have a credential."""
    story = opened()
    publish(story, *settings)
    define_trigger(story)
    for who in ("oona", "otto"):
        story.tell("ledger.credential_issued", actor="person:olga", credential=f"token:{who}", principal=f"person:{who}",
            token_sha256="0" * 64, kind="human", roles=["reporter"], areas=["*"], sources=["*"], by="service:ledger",
            token="key:story")  # fmt: skip
    approve_template(story)
    open_change(story, "standard", "CHG-8", **T)
    if more.pop("is_owned", True):
        own(story, **more)
    return story


def approve_template(story: Story, who: str = "person:olga", **more: Any) -> int:
    return story.tell("template.approved", actor=who, **T, expires_at=at(1000), failure_limit=0, **more)


def own(story: Story, owner: str = "person:oona", **more: Any) -> int:
    return story.tell("template.ownership_assigned", **{"actor": "person:olga"} | more, **T, owner=owner)


def leave(story: Story, who: str) -> None:
    story.tell(
        "ledger.credential_revoked", actor="person:olga", credential=f"token:{who}", reason="left", by="service:ledger"
    )


def answer(story: Story, hours: float = 40) -> tuple[str, str] | None:
    return against(ask(story, hours=hours, change_id="CHG-8", artifact=None)).get("template-is-owned")


def of_templates(story: Story) -> dict[str, list[str]]:
    return {rule: subjects for rule, subjects in found(story).items() if rule.startswith("template-")}


def test_a_template_is_an_orphan_when_all_who_answered_for_it_have_left() -> None:
    story = with_template(ASKED, backup="person:otto")
    leave(story, "oona")
    assert "template-orphaned" not in of_templates(story)
    assert answer(story) is None
    leave(story, "otto")
    assert of_templates(story)["template-orphaned"] == ["routine"]
    assert answer(story) == ("deny", "orphaned")
    own(story, "person:bob")
    assert "template-orphaned" not in of_templates(story)
    assert story.row(template_owners, "routine").owner == "person:bob"


def test_nobody_owns_a_template_because_somebody_without_the_power_says_so() -> None:
    story = with_template(ASKED, is_owned=False)
    own(story, "person:zoe", actor="person:zoe", by="person:zoe", token="token:zoe")
    assert of_templates(story)["template-orphaned"] == ["routine"]
    assert answer(story) == ("insufficient_evidence", "no-owner")
    assert story.row(templates, "routine").approved_by == "person:olga"
    story = with_template(is_owned=False)
    assert (of_templates(story), answer(story)) == ({}, None)


def test_a_template_is_looked_at_again_in_time_or_retired() -> None:
    for how in ("owned anew", "retired"):
        story = with_template(ASKED, review_by=at(20))
        pass_time(story, 20)
        assert of_templates(story)["template-review-overdue"] == ["routine"]
        assert answer(story) == ("deny", "overdue")
        if how == "retired":
            story.tell("template.retired", actor="person:olga", **T)
        else:
            own(story, review_by=at(2000))
        assert "template-review-overdue" not in of_templates(story)


@pytest.mark.parametrize(
    ("who", "before", "expected"),
    [
        ("person:olga", True, True),
        ("person:oona", True, False),
        ("person:otto", True, False),
        ("person:olga", False, False),
    ],
)
def test_a_template_is_approved_anew_by_who_owned_it_then(who: str, before: bool, expected: bool) -> None:
    story = with_template(
        ("template-owner", "routine", "required"), is_owned=before, **({"backup": "person:otto"} if before else {})
    )
    approve_template(story, who)
    if not before:
        own(story)
    assert ("template-approved-without-its-owner" in of_templates(story)) is expected
    assert answer(story) == (("deny", "not-by-its-owner") if expected else None)
    # Who owns it afterwards excuses nothing, and accuses nobody.
    own(story, "person:olga" if expected else "person:zoe", time=at(1))
    assert ("template-approved-without-its-owner" in of_templates(story)) is expected


def test_what_was_implemented_by_a_retired_template_is_found() -> None:
    for how in ("before", "after", "renewed"):
        story = with_template()
        if how != "after":
            story.tell("template.retired", actor="person:olga", **T)
        if how == "renewed":
            approve_template(story)
        deploy(story, change="CHG-8")
        if how == "after":
            story.tell("template.retired", actor="person:olga", **T)
        expected = {"template-used-after-retirement": ["CHG-8"]} if how == "before" else {}
        assert of_templates(story) == expected, how


# -- who is asked about paths --------------------------------------------------------------------------------------------


def tell_owners(
    story: Story, *rules: tuple[str, str], file: str = "a", part: int = 1, parts: int = 1, **more: Any
) -> int:
    """One part of a CODEOWNERS: patterns, and whom each names."""
    told = [{"pattern": pattern, "owners": owners.split()} for pattern, owners in rules]
    data = {
        "repository": "acme/shop",
        "host": "github",
        "owners_file": f"sha256:{file * 64}",
        "part": part,
        "parts": parts,
    }
    return story.tell("code.owners_declared", rules=told, **data | more)


def test_who_owns_which_paths_is_what_the_last_file_says_line_by_line() -> None:
    story = Story()
    tell_owners(story, ("*", "github:acme/core"), ("*.tf", "github:alice"), parts=2, invalid=3)
    tell_owners(story, ("/docs/", ""), part=2, parts=2)
    row = story.row(code_owners, "acme/shop")
    assert (row.lines, row.without_owners, row.invalid, row.of_the_rest, row.seen) == (
        3,
        1,
        3,
        ("github:acme/core",),
        2,
    )
    assert story.row(owned_paths, f"acme/shop@{'a' * 64}/2").rules[-1].pattern == "/docs/"
    # The next file takes the place of the one before; an older one that comes later does not.
    tell_owners(story, ("*", "github:bob"), file="b")
    tell_owners(story, ("*", "github:carol"), file="c", time="2026-01-01T00:00:00Z")
    row = story.row(code_owners, "acme/shop")
    assert (row.of_the_rest, row.lines, row.owners_file) == (("github:bob",), 1, f"sha256:{'b' * 64}")


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_templates_that_nobody_looks_after(year: Year) -> set[str]:
    """One whose owner has left, one that nobody looked at again, and one that its owner did not approve."""
    year.settings.append(("template-owner", "owned", "required"))
    told = {"failure_limit": 9, "expires_at": stamp(START + 999 * DAY)}
    for name, owner in (("orphan", "person:gone"), ("forgotten", "person:frank"), ("owned", "person:frank")):
        review_by = stamp(START + 30 * DAY) if name == "forgotten" else None
        year.say(
            START,
            "template.ownership_assigned",
            actor="person:olga",
            template_id=name,
            owner=owner,
            review_by=review_by,
        )
        year.say(START + DAY, "template.approved", actor="person:olga", template_id=name, **told)
    year.say(START + 2 * DAY, "cab.vote_cast", actor="person:gone", meeting_id="none", change_id="CHG-0", vote="for")
    year.say(START + 3 * DAY, "ledger.credential_revoked", by=LEDGER_PRINCIPAL, actor="person:olga",
        credential=credential_of("person:gone"), reason="left")  # fmt: skip
    year.say(START + 3 * DAY, "template.approved", actor="person:olga", template_id="owned", **told)
    return {
        "template-orphaned/orphan",
        "template-review-overdue/forgotten",
        "template-approved-without-its-owner/owned",
    }


def plant_a_change_by_a_template_that_was_retired(year: Year) -> set[str]:
    """It is opened, submitted and deployed as any other of its kind; what it rests on is over."""
    begin, about = START + 40 * DAY, {"actor": "person:frank", "change_id": "CHG-old"}
    told = {"failure_limit": 9, "expires_at": stamp(START + 999 * DAY), "template_id": "old", "actor": "person:olga"}
    year.say(START, "template.approved", **told)
    year.say(START + DAY, "template.retired", actor="person:olga", template_id="old")
    year.say(begin, "change.opened", **about, change_type="standard", services=["old"], environment="staging", template_id="old",
        title="A change")  # fmt: skip
    year.say(begin + DAY / 24, "change.submitted", **about)
    where = {"deployment_id": "d-old", "service": "old", "environment": "staging", "change_id": "CHG-old"}
    year.say(begin + DAY / 12, "deployment.finished", **where, outcome="success")
    return {"template-used-after-retirement/CHG-old"}
