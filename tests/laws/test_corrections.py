"""Corrections carry over: after a withdrawal all views are as they would be if the statement had never been made.

Told beside each other: a history with a withdrawal, and the same one in which the statement and its withdrawal are nothing but time that
passes. So positions and clocks are the same, and rows may be compared as they are.

What differs by intention is in one place, `KEPT` and `compared`; `docs/explanation/judgement.md` names it for readers.
"""

import random
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

import orjson
import pytest
from asking import against, ask, ready_to_deploy
from changes import ARTIFACT, OTHER, approve, assess, deploy, open_change, publish, ready, review
from histories import random_history
from telling import Story, at, document, retold
from year import Year
from year import told as told_of

from ledger.authority import LEDGER_PRINCIPAL
from ledger.events import RESERVED_AREAS
from ledger.log.recorder import WITHDRAWN
from projections import VIEWS
from projections.engine.view import View
from projections.judging.findings import findings
from projections.readings.changes.facts import change_facts
from projections.readings.changes.tickets import change_tickets
from projections.readings.delivery.deliveries import deliveries
from projections.readings.delivery.deployments import deployments
from projections.readings.delivery.incidents import incidents
from projections.readings.delivery.metrics import delivery
from projections.readings.people.access_review_facts import access_review_facts
from projections.readings.people.access_reviews import access_reviews
from projections.readings.risk.outcomes import outcomes
from projections.readings.risk.promotions import model_promotions

HISTORIES: Final = 20
ALL_HISTORIES: Final = 5_000
LENGTH: Final = 50
Document = dict[str, Any]
Row = dict[str, Any]

# Views of what was recorded, not of what holds: a withdrawal takes nothing out of them.
KEPT: Final = {
    "withdrawals": "rows are withdrawals",
    "source_lists": "the first list of a time decides (decision 40): one that could be taken back would be no first one",
    "finding_ends": "how findings came and went is history: one that ends by a withdrawal was found",
    "finding_ages": "the same, by month",
    "sequences": "what a source counted, it counted",
    "wordings": "what somebody decided by was what stood then, whatever becomes of it",
    "change_timeline": "a line is written once, under the changes that a deployment was of then, and says where it was taken back",
    "cutovers": "a line is written once, under the place that a deployment was known to be of then, and says where it was taken back",
}
# Rules that look at withdrawals themselves, and at what is kept.
ABOUT_KEPT: Final = {
    "withdrawal-of-anothers", "withdrawn-by-who-acted", "list-contradicts-itself", "missing-from-the-ledger",
    "unknown-to-its-source", "sequence-gap",
}  # fmt: skip


def compared(view: View[Any], row: Row) -> Row | None:
    """Return what must be the same of a row; None where it may be there or not."""
    if "withdrawn_position" in row and row["withdrawn_position"] is not None:
        # A line of a list stays, and says where it was taken back.
        return None
    if view is findings:
        # Whether and since when something was found is history; what is found now is not.
        return {name: row[name] for name in ("rule", "subject", "says", "positions")} if _is_found(row) else None
    if view is delivery:
        # Figures of a month that is over say in words what moved them, also where nothing is left of it.
        return {**row, "restatements": ()} if row["items"] else None
    if view is change_facts:
        # How often a template's changes had failed when a change was submitted.
        return {**row, "template_failures": 0}
    if view is access_review_facts:
        # Which grants were in force when a review of them was opened.
        return {**row, "population": ()}
    if view is access_reviews:
        return {**row, "apart": ()}
    if view is model_promotions:
        # How a version did against the outcomes that were known when it was approved.
        return {"model": row[view.key], "champion": row["champion"]}
    return row


def _is_found(row: Row) -> bool:
    return row["is_open"] and row["rule"] not in ABOUT_KEPT


def rows(story: Story) -> dict[tuple[str, str], Row]:
    """Return all rows that must be the same, by view and key."""
    story.flush()
    assert not story.folder.failures
    told = ((view, orjson.loads(text)) for view in VIEWS if view.name not in KEPT for text in story.store.texts(view))
    return {(view.name, row[view.key]): same for view, row in told if (same := compared(view, row)) is not None}


def differing(with_it: Story, without: Story) -> list[str]:
    """Return where rows are others, and by which columns."""
    one, other = rows(with_it), rows(without)
    return [
        f"{view} {key}: {[name for name in one[view, key] if one[view, key][name] != other[view, key][name]]}"
        if (view, key) in one and (view, key) in other
        else f"{view} {key} is {'left' if (view, key) in one else 'gone'}"
        for view, key in sorted({*one, *other})
        if one.get((view, key)) != other.get((view, key))
    ]


def withdrawal(position: int, of: int, now: str) -> Document:
    """An operator takes a statement back."""
    data = {"actor": "person:olga", "position": of, "reason": "error"}
    return document(position, WITHDRAWN, data, time=now, recorded_at=now, by=LEDGER_PRINCIPAL, credential="key:story")


def nothing(entry: Document) -> Document:
    """What stands in the place of an entry that was never made: time passes."""
    now, position = entry["recorded_at"], entry["position"]
    return document(
        position, "ledger.time_passed", {"until": now}, time=now, recorded_at=now, by=LEDGER_PRINCIPAL,
        credential="key:story",
    )  # fmt: skip


def beside(told: list[Document], of: int, at_position: int) -> tuple[list[Document], list[Document]]:
    """Return a history in which the entry at a position withdraws another one, and the same without either."""
    taken = withdrawal(at_position, of, told[at_position - 1]["recorded_at"])
    return (
        [taken if entry["position"] == at_position else entry for entry in told],
        [nothing(entry) if entry["position"] in (of, at_position) else entry for entry in told],
    )


def check(told: list[Document], of: int, at_position: int) -> list[str]:
    with_it, without = (retold(documents, batch=len(told)) for documents in beside(told, of, at_position))
    return differing(with_it, without)


def withdrawable(told: list[Document]) -> Iterator[int]:
    """Yield the positions of statements that somebody makes; not of what the ledger says of itself, nor of withdrawals."""
    for entry in told:
        event_type = entry["statement"]["type"]
        if event_type.partition(".")[0] not in RESERVED_AREAS and event_type != WITHDRAWN:
            yield entry["position"]


@pytest.mark.parametrize("part", range(2))
def test_a_random_history_is_as_if_what_was_withdrawn_had_never_been_said(
    part: int, request: pytest.FixtureRequest
) -> None:
    many = ALL_HISTORIES if request.config.getoption("--all") else HISTORIES
    for seed in range(part, many, 2):
        told, chance = random_history(seed, LENGTH), random.Random(seed)
        if not (some := [position for position in withdrawable(told) if position < LENGTH]):
            continue
        of = chance.choice(some)
        others = check(told, of, chance.randint(of + 1, LENGTH))
        assert not others, f"seed {seed}: {told[of - 1]['statement']['type']}"


# -- a week in which everything meets ------------------------------------------------------------------------------------

COMMIT: Final = "a" * 40


@cache
def week() -> tuple[Document, ...]:
    """Two changes and their deployments, tied by id, by artifact, by window and by hand; what they caused; and what was made of it."""
    story = ready()
    publish(story, ("role-for", "risk.outcome_labelled", "labeller"))
    story.tell("template.approved", actor="person:olga", template_id="T", expires_at=at(900), failure_limit=1)
    story.tell("code.proposed", actor="person:alice", repository="acme/api", pull_request=1, head_sha=COMMIT)
    story.tell("code.merged", actor="person:bob", repository="acme/api", pull_request=1, merge_sha=COMMIT)
    story.tell("change.scheduled", actor="person:alice", change_id="CHG-7", planned_start=at(0), planned_end=at(90))
    story.tell("environment.declared", actor="person:olga", environment="prod", tier="production", aliases=["live"])
    deploy(story, artifact=ARTIFACT, commit=COMMIT)
    # Of no change by their own word: by what they deploy, and when.
    deploy(story, "d-2", change=None, artifact=ARTIFACT)
    deploy(story, "d-3", change=None)
    open_change(story, change="CHG-8", team="payments", template_id="T")
    deploy(story, "d-4", change="CHG-8", artifact=OTHER)
    # Where the one name is the other's alias, in the place of d-4.
    deploy(story, "d-6", change=None, artifact=ARTIFACT, environment="live")
    story.tell("change.linked", actor="person:bob", change_id="CHG-8", deployment_id="d-2")
    story.tell("freeze.declared", actor="person:olga", freeze_id="F", tiers=["production"], start=at(0), end=at(9),
               time_zone="UTC")  # fmt: skip
    story.tell("freeze.lifted", actor="person:olga", freeze_id="F")
    story.tell("deployment.verified", actor="service:probe", deployment_id="d-1", verdict="degraded",
               checks=[{"name": "x", "passed": False, "observations": 9}])  # fmt: skip
    for number, cause in (("1", "d-1"), ("2", "d-3")):
        about = {"incident_id": f"INC-{number}", "service": "api", "environment": "prod"}
        story.tell("incident.detected", **about, severity="sev1")
        blame(story, about["incident_id"], cause)
        story.tell("incident.resolved", actor="person:ann", **about)
    blame(story, "INC-1", "d-4")
    # What ran before runs again: that undoes d-4 without its name.
    deploy(story, "d-5", change=None, artifact=ARTIFACT)
    story.tell("rollback.decided", actor="person:bob", rollback_id="R", deployment_id="d-4", service="api",
               environment="prod", decision="roll_back", options=["roll_back"])  # fmt: skip
    story.tell("rollback.completed", actor="service:ci", rollback_id="R", service="api", environment="prod",
               outcome="success", to_artifact=ARTIFACT)  # fmt: skip
    review(story)
    story.tell("pir.opened", actor="person:carol", change_id="CHG-8", pir_id="PIR-8", due_at=at(80), mandatory=True)
    story.tell("risk.outcome_labelled", actor="person:dan", change_id="CHG-8", label="failure")
    assess(story, "high")
    story.tell("advisory.issued", actor="service:adviser", change_id="CHG-8", verdict="reject", reasons=["x"],
               policy_id="p", policy_version="1")  # fmt: skip
    approve(story, "person:carol")
    story.tell("ledger.time_passed", until=at(90))
    return tuple(story.documents())


def blame(story: Story, incident: str, deployment: str) -> int:
    return story.tell("incident.attributed", actor="person:ann", incident_id=incident, method="human", method_version="1",
                      deployment_id=deployment, confirmed=True)  # fmt: skip


def ended(told: Sequence[Document]) -> list[Document]:
    """Return a history with one more entry, in whose place something is withdrawn."""
    last = told[-1]
    return [*told, nothing(last | {"position": last["position"] + 1})]


@pytest.mark.parametrize("part", range(4))
def test_each_statement_of_a_week_may_be_taken_back_and_nothing_of_it_is_left(part: int) -> None:
    told = ended(week())
    for of in list(withdrawable(told))[part::4]:
        others = check(told, of, len(told))
        assert not others, told[of - 1]["statement"]["type"]


@pytest.mark.slow
def test_what_is_taken_back_of_a_year_leaves_nothing_behind() -> None:
    told = ended(told_of(Year(services=5, changes=25, planted=1), 300).documents())
    for of in random.Random(1).sample(list(withdrawable(told)), 40):
        others = check(told, of, len(told))
        assert not others, f"{of}: {told[of - 1]['statement']['type']}"


# -- views agree with each other -----------------------------------------------------------------------------------------


def of_change(story: Story, change: str) -> dict[str, Any]:
    """What each view says of a change's deployments and incidents."""
    story.flush()
    tied = [row for text in story.store.texts(deployments) if (row := deployments.load(text)).change_id == change]
    facts, ticket, outcome = (
        story.row(view, change) or view.new(change) for view in (change_facts, change_tickets, outcomes)
    )
    return {
        "deployments": (
            {row.deployment_id for row in tied},
            {done.deployment_id for done in facts.done},
            {seen.deployment_id for seen in outcome.observed if seen.what in ("deployed", "failed")},
        ),
        "incidents": (
            {name for row in tied for name in row.incidents},
            set(facts.incidents),
            set(ticket.incidents),
            {seen.incident_id for seen in outcome.observed if seen.what == "incident"},
        ),
    }


def agree(story: Story) -> dict[str, list[set[str]]]:
    """Check that what views say of both changes is one thing; return it."""
    said: dict[str, list[set[str]]] = {}
    for change in ("CHG-7", "CHG-8"):
        for what, sets in of_change(story, change).items():
            assert all(one == sets[0] for one in sets), (change, what, sets)
            said.setdefault(what, []).append(sets[0])
    failed = {row.deployment_id for text in story.store.texts(deliveries) if (row := deliveries.load(text)).is_failed}
    causes = {story.row(incidents, name).deployment_id for name in ("INC-1",)} - {None}
    assert causes <= failed
    return said


def two_changes() -> Story:
    """Two changes that are deployed; the deployment of the second says nothing of it."""
    story = ready()
    deploy(story, artifact=ARTIFACT)
    open_change(story, change="CHG-8")
    deploy(story, "d-2", change=None, artifact=OTHER)
    story.tell("incident.detected", incident_id="INC-1", service="api", environment="prod")
    return story


def take_back(story: Story, position: int) -> None:
    story.tell(
        WITHDRAWN, actor="person:olga", position=position, reason="error", by=LEDGER_PRINCIPAL, token="key:story"
    )


def test_an_incident_that_moves_and_moves_back_is_in_all_views_where_it_belongs() -> None:
    story = two_changes()
    story.tell("change.linked", actor="person:bob", change_id="CHG-8", deployment_id="d-2")
    blame(story, "INC-1", "d-1")
    assert agree(story)["incidents"] == [{"INC-1"}, set()]
    moved = blame(story, "INC-1", "d-2")
    assert agree(story)["incidents"] == [set(), {"INC-1"}]
    take_back(story, moved)
    assert agree(story)["incidents"] == [{"INC-1"}, set()]


def said_by_a_role(login: str) -> tuple[list[Document], int]:
    """What somebody says who has the power by a role alone, under a login; and the position of the grant, or of the link of logins."""
    story = ready()
    types = ("risk.outcome_labelled", "incident.attributed", "incident.resolved", "pir.completed", "change.linked")
    publish(story, *(("role-for", name, "clerk") for name in types))
    given = story.tell("access.granted", actor="person:olga", grant_id="GL", principal="person:lara", principal_kind="human",
                       role="clerk")  # fmt: skip
    if login != "person:lara":
        given = story.tell("identity.linked", actor="person:olga", identities=["person:lara", login], evidence="hr")
    deploy(story, artifact=ARTIFACT)
    open_change(story, change="CHG-8")
    deploy(story, "d-2", change=None, artifact=OTHER)
    incident = {"incident_id": "INC-1", "service": "api", "environment": "prod"}
    story.tell("incident.detected", **incident, severity="sev1")
    story.tell("incident.attributed", actor=login, incident_id="INC-1", method="human", method_version="1",
               deployment_id="d-2", confirmed=True)  # fmt: skip
    story.tell("incident.resolved", actor=login, **incident)
    story.tell("change.linked", actor=login, change_id="CHG-8", deployment_id="d-2")
    story.tell("risk.outcome_labelled", actor=login, change_id="CHG-8", label="failure")
    review(story, login)
    return ended(story.documents()), given


@pytest.mark.parametrize("login", ["person:lara", "github:77"])
def test_what_was_said_by_a_role_is_folded_anew_when_the_grant_or_the_link_is_taken_back(login: str) -> None:
    told, given = said_by_a_role(login)
    assert not check(told, given, len(told))


def by_whom_others_made() -> tuple[list[Document], int]:
    """What somebody says whose power was given by somebody who has the power by a role alone; and where that was given."""
    story = ready()
    types = ("risk.outcome_labelled", "access.granted", "identity.linked", "environment.declared")
    publish(story, *(("role-for", name, "clerk") for name in types))
    lara, mona, nora = (
        {"grant_id": f"GL-{name}", "principal": f"person:{name}", "principal_kind": "human", "role": "clerk"}
        for name in ("lara", "mona", "nora")
    )
    given = story.tell("access.granted", actor="person:olga", **lara)
    story.tell("access.granted", actor="person:lara", by="person:lara", **mona)
    story.tell("access.granted", actor="person:mona", by="person:mona", **nora)
    story.tell("environment.declared", actor="person:nora", by="person:nora", environment="somewhere", tier="testing",
               aliases=["prod"])  # fmt: skip
    deploy(story, artifact=ARTIFACT)
    open_change(story, change="CHG-8")
    deploy(story, "d-2", change="CHG-8", artifact=OTHER, environment="somewhere")
    deploy(story, "d-3", change=None, artifact=ARTIFACT, environment="somewhere")
    story.tell(
        "identity.linked", actor="person:mona", by="person:mona", identities=["person:nora", "github:77"], evidence="hr"
    )
    story.tell("risk.outcome_labelled", actor="github:77", change_id="CHG-7", label="failure")
    return ended(story.documents()), given


def test_what_was_said_by_power_that_others_gave_goes_along_when_theirs_is_taken_back() -> None:
    told, given = by_whom_others_made()
    assert not check(told, given, len(told))


@pytest.mark.parametrize("login", ["person:lara", "github:77"])
def test_what_goes_along_with_a_grant_or_a_link_is_the_same_in_any_batch_and_as_of_any_position(login: str) -> None:
    told, given = said_by_a_role(login)
    last = told[-1]["recorded_at"]
    told[-1] = withdrawal(len(told), given, last)
    after = {"time": at(200), "recorded_at": at(200), "by": "person:lara", "credential": "token:lara"}
    said = {"actor": "person:lara", "change_id": "CHG-7", "label": "failure"}
    told.append(document(len(told) + 1, "risk.outcome_labelled", said, **after))
    one, whole = retold(told, batch=1), retold(told, batch=len(told))
    one.flush()
    whole.flush()
    for view in VIEWS:
        assert sorted(one.store.texts(view)) == sorted(whole.store.texts(view)), view.name
    for position in range(given, len(told) - 1):
        then = retold(told[:position], batch=1)
        then.flush()
        for view in VIEWS:
            for row in map(view.load, then.store.texts(view)):
                assert one.row_as_of(view, getattr(row, view.key), position) == row, (view.name, position)


def test_a_link_that_is_taken_back_takes_deployment_and_incident_out_of_all_views() -> None:
    story = two_changes()
    linked = story.tell("change.linked", actor="person:bob", change_id="CHG-8", deployment_id="d-2")
    blame(story, "INC-1", "d-2")
    assert agree(story) == {"deployments": [{"d-1"}, {"d-2"}], "incidents": [set(), {"INC-1"}]}
    take_back(story, linked)
    assert agree(story) == {"deployments": [{"d-1"}, set()], "incidents": [set(), set()]}


def test_an_opening_that_is_taken_back_ties_a_deployment_to_what_it_belongs_to_without_it() -> None:
    story = ready()
    # Two changes name the artifact: neither is chosen.
    open_change(story, change="CHG-8")
    again = story.tell("change.scope_amended", actor="person:alice", change_id="CHG-8", artifacts=[ARTIFACT])
    deploy(story, change=None, artifact=ARTIFACT)
    assert story.row(deployments, "d-1").change_id is None
    take_back(story, again)
    assert story.row(deployments, "d-1").change_id == "CHG-7"
    assert [done.deployment_id for done in story.row(change_facts, "CHG-7").done] == ["d-1"]


def test_a_grant_that_is_taken_back_takes_the_approval_out_of_ticket_and_gate() -> None:
    story = ready_to_deploy()
    assert not against(ask(story))
    granted = next(
        entry["position"] for entry in story.documents() if entry["statement"]["data"].get("principal") == "person:bob"
    )
    take_back(story, granted)
    assert [approval.counts for approval in story.row(change_tickets, "CHG-7").approvals] == [False]
    assert "change-is-approved" in against(ask(story))
