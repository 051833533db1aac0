"""8.1 Immutable audit trail: given these facts, this is found, and this is answered."""

from datetime import timedelta

from asking import against, ask
from changes import OTHER, deploy, finding, found, open_change, publish, ready, review
from telling import Story, at
from year import SALTED, START, Year

from ledger.authority import LEDGER_PRINCIPAL
from projections.engine.derived import said_of
from projections.readings.assurance.dispositions import dispositions
from projections.readings.changes.tickets import change_tickets
from projections.readings.delivery.deployments import deployments
from projections.readings.people.imports import THIS, beginnings, imports


def test_who_takes_back_what_another_said_is_found_whether_it_counts_or_not() -> None:
    story = Story()
    deploy(story, change=None)
    story.tell(
        "statement.withdrawn", by="service:other", token="token:other", actor="service:other", position=1, reason="x"
    )
    row = finding(story, "withdrawal-of-anothers", "3")
    assert (row.is_open, row.positions) == (True, (1, 3))
    assert row.says == "service:other withdrew the statement at 1, which service:ci had made"
    assert found(story)["deployment-without-change"] == ["d-1"]
    story.tell("statement.withdrawn", actor="service:desk", position=1, reason="x")
    assert finding(story, "withdrawal-of-anothers", "4") is None


def test_history_that_an_operator_imports_is_claimed_and_never_open() -> None:
    story = Story()
    story.tell(
        "ledger.import_opened", actor="person:olga", import_id="old", credential="token:old", sources=["test"],
        until=at(0.5), reason="migration",
    )  # fmt: skip
    about = {"service": "api", "environment": "prod", "outcome": "success", "time": at(0.1)}
    for number in range(3):
        story.tell("deployment.finished", token="token:old", deployment_id=f"d-{number}", **about)
    story.tell("ledger.import_closed", actor="person:olga", import_id="old")
    assert found(story) == {}
    story.tell("deployment.finished", token="token:old", deployment_id="d-9", **about)
    assert found(story) == {"deployment-without-change": ["d-9"], "reported-late": ["d-9"]}
    row = story.row(imports, "old")
    assert (row.credential, row.opened_position, row.closed_position) == ("token:old", 1, 5)
    assert story.row(beginnings, THIS) is None


def test_who_acted_and_withdraws_what_was_said_of_it_is_found() -> None:
    story = Story()
    deploy(story, change=None)
    for position in (1, 2):
        story.tell("statement.withdrawn", actor="service:ci", position=position, reason="x")
    assert found(story) == {"withdrawn-by-who-acted": ["deployment-without-change/d-1"]}
    row = finding(story, "withdrawn-by-who-acted", "deployment-without-change/d-1")
    assert row.says.startswith("service:desk acted in what deployment-without-change/d-1 is about, and withdrew")


def test_a_disposition_by_who_acted_does_not_count_and_is_found() -> None:
    story = Story()
    deploy(story, change=None)
    one = {"subject": "d-1", "said": finding(story, "deployment-without-change", "d-1").said}
    told = {"rule": "deployment-without-change", "disposition": "accepted", "reason": SALTED, "findings": [one]}
    story.tell("finding.disposed", actor="service:ci", **told)
    assert found(story)["disposition-does-not-count"] == ["deployment-without-change/d-1"]
    assert [one.by.actor for one in story.row(dispositions, "deployment-without-change/d-1").disposed] == ["service:ci"]


def test_a_role_for_dispositions_that_nobody_holds_is_found() -> None:
    story = Story()
    publish(story, ("role-for", "finding.disposed", "finding-owner"))
    assert found(story) == {"nobody-can-dispose": ["change-approval"]}
    story.tell("access.granted", actor="person:olga", grant_id="G", principal="person:nora", principal_kind="human",
        role="finding-owner")  # fmt: skip
    assert found(story) == {}


def plant_findings_disposed_of_by_who_acted_and_by_somebody_else(year: Year) -> set[str]:
    at = START + timedelta(days=90)
    expected = set()
    for grant, actor in (("GR-by-herself", "person:olga"), ("GR-by-another", "person:nora")):
        year.say(at, "access.granted", actor="person:olga", grant_id=grant, principal=f"service:{grant}",
            principal_kind="service", role="reader", environment="staging")  # fmt: skip
        says = f"nobody owns {grant} (reader) of service:{grant}"
        year.say(at + timedelta(hours=1), "finding.disposed", by=LEDGER_PRINCIPAL, actor=actor, rule="ownerless-credential",
            findings=[{"subject": grant, "said": said_of("ownerless-credential", grant, says)}],
            disposition="accepted", reason="known")  # fmt: skip
        expected.add(f"ownerless-credential/{grant}")
    return {*expected, "disposition-does-not-count/ownerless-credential/GR-by-herself"}


def plant_a_role_for_dispositions_that_nobody_holds(year: Year) -> set[str]:
    year.settings.append(("role-for", "finding.disposed", "finding-owner"))
    return {"nobody-can-dispose/change-approval"}


def test_a_change_is_closed_when_every_finding_about_it_has_ended_or_was_disposed_of() -> None:
    story = ready()
    publish(story)
    deploy(story, artifact=OTHER)
    review(story)
    open_ = found(story)
    assert "findings-are-answered" in against(ask(story, "close", hours=60))
    for rule, subjects in open_.items():
        one = [{"subject": subject, "said": finding(story, rule, subject).said} for subject in subjects]
        story.tell("finding.disposed", actor="person:nora", rule=rule, disposition="accepted", reason=SALTED,
            findings=one, until=at(70))  # fmt: skip
    assert "findings-are-answered" not in against(ask(story, "close", hours=60))
    assert against(ask(story, "close", hours=80))["findings-are-answered"] == ("deny", "findings-open")


def test_a_withdrawal_is_not_withdrawn() -> None:
    story = Story()
    deploy(story, change=None)
    story.tell("statement.withdrawn", by="service:ledger", token="key:0", position=1, reason="x")
    story.tell("statement.withdrawn", by="service:ledger", token="key:0", position=3, reason="x")
    assert finding(story, "withdrawal-of-anothers", "3").is_open


def test_a_wrong_link_that_is_taken_back_leaves_every_view_as_if_it_had_not_been() -> None:
    story = Story()
    open_change(story, change="CHG-8")
    linked = story.tell("change.linked", actor="person:ann", change_id="CHG-9", deployment_id="d-1")
    deploy(story, change="CHG-8")
    assert story.row(change_tickets, "CHG-8").deployments == ()
    story.tell("statement.withdrawn", position=linked, reason="x")
    assert story.row(deployments, "d-1").change_id == "CHG-8"
    assert story.row(change_tickets, "CHG-8").deployments == ("d-1",)
    assert found(story)["started-without-approval"] == ["CHG-8"]
