"""8.1 Immutable audit trail: given these facts, this is found, and this is answered."""

from datetime import timedelta
from typing import Any

import pytest
from asking import against, ask
from changes import OTHER, deploy, finding, found, open_change, pass_time, publish, ready, review
from telling import Story, at, document
from year import SALTED, START, Year, stamp

from ledger.authority import LEDGER_PRINCIPAL
from projections.engine.finding import Finding, said_of
from projections.judging.ages import FindingAges, finding_ages
from projections.judging.ends import FindingEnds, finding_ends
from projections.readings.assurance import sequences as trail_sequences
from projections.readings.assurance.conflicts import MOST, conflicts
from projections.readings.assurance.dispositions import dispositions
from projections.readings.assurance.sequences import sequences
from projections.readings.changes.tickets import change_tickets
from projections.readings.delivery.deployments import deployments
from projections.readings.people.imports import THIS, beginnings, imports
from projections.readings.people.reconciliations import arrivals, source_lists
from projections.rules.digests import list_digest


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


def test_what_was_answered_of_one_act_is_no_answer_to_the_next_one_under_the_same_id() -> None:
    story = Story()
    publish(story)
    deploy(story, change=None)
    answer_all(story)
    assert found(story) == {}
    for more in ({"attempt": 2}, {"service": "payments"}):
        deploy(story, change=None, **more)
        row = finding(story, "deployment-without-change", "d-1")
        assert row.is_open
        assert "more, the last: d-1 put" in row.says
        answer_all(story)
        assert found(story) == {}
    # One that had leave is nothing new.
    story.tell("change.opened", actor="person:alice", change_id="CHG-8", change_type="normal", services=["api"],
        environment="staging", title={"sha256": "0" * 64})  # fmt: skip
    deploy(story, change=None, environment="staging", attempt=3)
    assert found(story) == {}


def answer_all(story: Story) -> None:
    for rule, subjects in found(story).items():
        said = [{"subject": subject, "said": finding(story, rule, subject).said} for subject in subjects]
        story.tell("finding.disposed", actor="person:olga", rule=rule, findings=said, disposition="accepted",
            reason={"sha256": "0" * 64})  # fmt: skip


def test_how_findings_of_a_rule_end_is_counted() -> None:
    story = Story()
    for name in ("d-1", "d-2", "d-3", "d-4"):
        deploy(story, name, change=None)
    rule = "deployment-without-change"
    for name, disposition in (("d-1", "accepted"), ("d-2", "false_positive"), ("d-3", "remediated")):
        one = {"subject": name, "said": finding(story, rule, name).said}
        # As an operator, and a while: then it is open again.
        told = {"disposition": disposition, "reason": SALTED, "findings": [one]} | (
            {"until": at(20)} if name == "d-3" else {}
        )
        story.tell("finding.disposed", actor="person:nora", rule=rule, **told)
    assert story.row(finding_ends, rule) == FindingEnds(rule, 4, 1, 0, 1, 1, 1, 0, "0.3333")
    month = finding(story, rule, "d-4").first_seen_at[:7]
    assert story.row(finding_ages, month) == FindingAges(month, 4, 1, 1, 0, 0)
    pass_time(story, 24)
    assert story.row(finding_ages, month) == FindingAges(month, 4, 2, 2, 0, 0)
    assert story.row(finding_ends, rule) == FindingEnds(rule, 4, 2, 0, 1, 0, 1, 0, "0.5")
    story.tell("statement.withdrawn", by="service:ledger", token="key:0", position=7, reason="x")
    story.tell("statement.withdrawn", by="service:ledger", token="key:0", position=8, reason="x")
    assert story.row(finding_ends, rule) == FindingEnds(rule, 4, 1, 1, 1, 0, 1, 0, "0.5")


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


def test_a_change_is_not_closed_while_what_is_found_of_a_plan_applied_for_it_is_open() -> None:
    story = ready()
    deploy(story)
    review(story)
    assert "findings-are-answered" not in against(ask(story, "close", hours=60))
    story.tell("iac.applied", actor="service:ci", plan=OTHER, environment="prod", change_id="CHG-7", outcome="success")
    assert "unfit-plan-applied" in found(story)
    assert against(ask(story, "close", hours=60))["findings-are-answered"] == ("deny", "findings-open")


def contradict(story: Story, position: int, content: str) -> None:
    story.tell(
        "intake.conflicted", by=LEDGER_PRINCIPAL, token="key:story", first_position=position, conflicting_source="test",
        first_digest="0" * 64, second_digest=content * 64,
    )  # fmt: skip


def test_a_statement_that_came_again_as_something_else_is_found_until_somebody_else_answers() -> None:
    story = Story()
    deploy(story, environment="staging", change=None)
    assert found(story) == {}
    contradict(story, 2, "1")
    row = finding(story, "statement-contradicted", "2")
    assert (row.is_open, row.positions, row.acted_position) == (True, (2, 3), 3)
    assert row.says == "test told the deployment.finished at 2 with 1 other content, too"
    contradict(story, 2, "2")
    story.tell("statement.withdrawn", position=2, reason="x")
    row = finding(story, "statement-contradicted", "2")
    assert row.is_open
    assert "with 2 other contents" in row.says
    one = {"subject": "2", "said": row.said}
    told = {"rule": "statement-contradicted", "disposition": "remediated", "reason": SALTED, "findings": [one]}
    story.tell("finding.disposed", actor="person:olga", **told)
    assert found(story) == {}
    contradict(story, 2, "3")
    assert found(story) == {"statement-contradicted": ["2"]}


def test_of_very_many_contents_of_one_statement_the_first_are_told() -> None:
    story = Story()
    deploy(story, environment="staging", change=None)
    for number in range(MOST + 3):
        contradict(story, 1, f"{number % 10}")
    row = finding(story, "statement-contradicted", "1")
    assert f"with more than {MOST} other contents" in row.says
    assert len(row.changes) == MOST + 1
    assert len(story.row(conflicts, "1").positions) == MOST


def test_a_withdrawal_is_not_withdrawn() -> None:
    story = Story()
    deploy(story, change=None)
    story.tell("statement.withdrawn", by="service:ledger", token="key:0", position=1, reason="x")
    story.tell("statement.withdrawn", by="service:ledger", token="key:0", position=3, reason="x")
    assert finding(story, "withdrawal-of-anothers", "3").is_open


def test_a_wrong_link_that_is_taken_back_leaves_every_view_as_if_it_had_not_been() -> None:
    story = Story()
    open_change(story, change="CHG-8")
    own = {"by": LEDGER_PRINCIPAL, "token": "key:story"}
    linked = story.tell("change.linked", actor="person:ann", change_id="CHG-9", deployment_id="d-1", **own)
    deploy(story, change="CHG-8")
    assert story.row(change_tickets, "CHG-8").deployments == ()
    story.tell("statement.withdrawn", position=linked, reason="x", **own)
    assert story.row(deployments, "d-1").change_id == "CHG-8"
    assert story.row(change_tickets, "CHG-8").deployments == ("d-1",)
    assert found(story)["started-without-approval"] == ["CHG-8"]


def enrol(story: Story, principal: str = "service:forge", *identities: str) -> None:
    story.tell(
        "ledger.source_enrolled", actor="person:olga", source="test", door=principal.rpartition(":")[2], principal=principal,
        must_sign=False, authority_for=list(identities), by=LEDGER_PRINCIPAL, token="key:story",
    )  # fmt: skip


def reconcile(story: Story, *ids: str, actor: str = "service:forge", **more: Any) -> int:
    """A source's list of the first fifty hours. Ids are positions."""
    missing, extra = more.pop("missing", ()), more.pop("extra", ())
    data: dict[str, Any] = {
        "source": "test", "period_start": at(0), "period_end": at(50), "listed": list(ids), "listed_count": len(ids),
        "listed_digest": list_digest(ids), "missing": list(missing), "missing_count": len(missing), "extra": list(extra),
        "extra_count": len(extra),
    }  # fmt: skip
    return story.tell("source.reconciled", actor=actor, **data | more)


def test_what_a_source_lists_and_the_ledger_lacks_is_found_until_it_comes() -> None:
    story = Story()
    enrol(story)
    reconcile(story, "1", "4", "5", missing=("4", "5"))
    row = finding(story, "missing-from-the-ledger", "test@2026-03")
    assert row.says == f"test lists 2 facts of {at(0)} to {at(2)} that the ledger does not have: 4, 5"
    used = {"grant_id": "GR", "principal": "service:ci", "purpose": "work"}
    story.tell("access.used", **used)
    arrived = story.tell("access.used", **used, time=at(1), by="service:forge")
    assert "test lists 1 fact" in finding(story, "missing-from-the-ledger", "test@2026-03").says
    story.tell("access.used", **used, time=at(1), by="service:forge")
    assert found(story) == {}
    # It was there, though it is taken back.
    story.tell("statement.withdrawn", position=arrived, reason="x")
    assert found(story) == {}
    assert story.row(arrivals, "test 4/0000000000000004").withdrawn_position == 6


@pytest.mark.parametrize(("who", "has_come"), [
    ("service:mallory", False), ("service:forge", True), ("service:hook", True), ("person:olga", True),
])  # fmt: skip
def test_what_anybody_else_says_under_the_id_of_a_missing_fact_is_not_that_fact(who: str, has_come: bool) -> None:
    story = Story()
    enrol(story)
    enrol(story, "service:hook")
    reconcile(story, "4", missing=("4",))
    by = {"by": LEDGER_PRINCIPAL, "token": "key:story"} if who == "person:olga" else {"by": who}
    assert story.tell("access.used", grant_id="GR", principal="service:ci", purpose="x", time=at(1), **by) == 4
    assert ("missing-from-the-ledger" not in found(story)) is has_come


def test_a_later_list_of_the_source_takes_the_place_of_one_that_it_covers_and_nobody_elses_does() -> None:
    story = Story()
    enrol(story)
    enrol(story, "service:ci")
    reconcile(story, missing=("9",), listed_count=7, extra=("1",))
    both = {"missing-from-the-ledger": ["test@2026-03"], "unknown-to-its-source": ["test@2026-03"]}
    assert found(story) == both
    reconcile(story, actor="person:paul")
    reconcile(story, period_start=at(2))
    reconcile(story, types=["access.used"])
    reconcile(story, listed_digest=OTHER)
    assert found(story) == both | {"list-contradicts-itself": ["test@2026-03"]}
    reconcile(story)
    assert found(story) == {"list-contradicts-itself": ["test@2026-03"]}


def test_what_a_list_counts_and_does_not_name_is_missing_until_a_later_one() -> None:
    story = Story()
    enrol(story)
    told = reconcile(story, missing_count=300, listed_count=900)
    assert "300 facts" in finding(story, "missing-from-the-ledger", "test@2026-03").says
    # A list is what the source said: nobody makes it unsaid.
    story.tell("statement.withdrawn", position=told, reason="x")
    assert found(story) == {"missing-from-the-ledger": ["test@2026-03"]}
    reconcile(story, listed_count=900)
    assert found(story) == {}


def test_a_list_is_of_two_years_at_most_and_found_in_the_month_in_which_it_begins() -> None:
    story = Story()
    enrol(story)
    reconcile(
        story, missing=("9",), listed_count=7, period_start="0001-01-01T00:00:00Z", period_end="9999-12-31T23:59:59Z"
    )
    assert found(story) == {"missing-from-the-ledger": ["test@2024-03"]}
    story.flush()
    assert len(list(story.store.texts(source_lists))) == 25
    reconcile(story, period_start=at(30), period_end=at(40), missing=("8",), listed_count=7)
    assert found(story) == {"missing-from-the-ledger": ["test@2024-03"]}


def plant_lists_of_a_source_that_lacks_facts_and_has_others(year: Year) -> set[str]:
    about = {"actor": "service:crm", "period_start": stamp(START), "period_end": stamp(START + timedelta(days=9))}
    found_in = set()
    for name, counts in (
        ("missing-from-the-ledger", {"missing_count": 1, "missing": ["m-1"]}),
        ("unknown-to-its-source", {"extra_count": 1, "extra": ["x-1"]}),
        ("list-contradicts-itself", {"listed_count": 0}),
        ("by-the-book", {}),
    ):
        named = {"listed_count": 8, "listed_digest": OTHER, "missing_count": 0, "extra_count": 0} | counts
        year.say(START + timedelta(days=10), "source.reconciled", source=f"crm/{name}", **about, **named)
        found_in.add(f"{name}/crm/{name}@2026-01")
    return found_in - {"by-the-book/crm/by-the-book@2026-01"}


COUNTER = "ci service:ci"


def count(story: Story, number: int | str, hours: float, by: str = "service:ci", **more: Any) -> None:
    """A source tells something, and counts it."""
    told = document(len(story.log) + 1, "ledger.time_passed", {"until": at(hours)}, time=at(hours), recorded_at=at(hours),
        by=by, credential="token:x")  # fmt: skip
    told["statement"] |= {"sequence": number, "source": "ci"} | more
    story.add(told)


def test_a_number_that_a_source_left_out_is_found_when_it_had_time_to_come_and_until_it_comes() -> None:
    story = Story()
    for number, hours in ((7, 1), ("8", 1.1), (11, 1.2)):
        count(story, number, hours)
    # What came by a slower door is no gap yet.
    count(story, 10, 1.3)
    assert found(story) == {}
    count(story, 12, 1.5)
    row = finding(story, "sequence-gap", COUNTER)
    assert (row.says, row.positions) == ("ci counts what it tells, and 1 of it is not on record: 9", (2, 4))
    count(story, 20, 2)
    count(story, "0000009", 2.1)
    assert found(story) == {}
    count(story, 20, 3)
    assert finding(story, "sequence-gap", COUNTER).says.endswith("7 of it is not on record: 13 to 19")
    # What is taken back was told.
    story.add(document(len(story.log) + 1, "statement.withdrawn", {"position": 1, "reason": "x"}, time=at(4),
        recorded_at=at(4), by="service:ci", credential="token:ci"))  # fmt: skip
    assert found(story) == {"sequence-gap": [COUNTER]}
    assert [(run.first, run.last) for run in story.row(sequences, COUNTER).runs] == [(7, 12), (20, 20)]


def test_nobody_fills_or_takes_beforehand_the_numbers_of_another() -> None:
    story = Story()
    count(story, 5, 0.5, by="service:mallory")
    for number, hours in ((3, 1), (6, 1.1), (7, 2)):
        count(story, number, hours)
    count(story, 4, 2.1, by="service:mallory")
    assert found(story) == {"sequence-gap": [COUNTER]}
    assert finding_after(story).says == "ci counts what it tells, and 2 of it is not on record: 4 to 5"


def test_what_orders_by_times_or_texts_or_begins_anew_has_no_gaps() -> None:
    story = Story()
    for number in (1, 2, 1, 2, "20260302090000", 1_795_435_200, "b-17", True):
        count(story, number, 1)
    count(story, 90, 2, sequencetype="Other")
    count(story, 3, 9)
    assert found(story) == {}
    assert [(run.first, run.last) for run in story.row(sequences, COUNTER).runs] == [(1, 3)]


def test_of_very_many_gaps_the_first_are_one_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail_sequences, "MAX_RUNS", 3)
    story = Story(batch=100)
    for number in range(0, 20, 2):
        count(story, number, 1)
    count(story, 18, 9)
    assert finding_after(story).says == "ci counts what it tells, and 9 of it is not on record: 15, 17"
    for number in (15, 17):
        count(story, number, 9)
    assert finding_after(story).says == "ci counts what it tells, and 7 of it is not on record: long ago"


def finding_after(story: Story) -> Finding:
    story.flush()
    return finding(story, "sequence-gap", COUNTER)
