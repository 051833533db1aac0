"""Cost in proportion: n statements about one subject write O(n) bytes in all views together, whatever they are."""

import itertools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from changes import ARTIFACT, SCOPE, pass_time, publish
from strangers import SAYABLE, Drawing
from telling import Story, at, document

from ledger.events import CATALOGUE, example
from ledger.log.database import Database
from projections import VIEWS
from projections.engine import rows_then
from projections.engine.derived import Derived, Judged, Rule
from projections.engine.finding import Finding
from projections.engine.judging import Judge
from projections.engine.noted import NO_NOTES
from projections.engine.reads import Look
from projections.engine.sql_store import SqlStore
from projections.practices.recovery import decisions
from projections.readings.changes.board import MOST_A_DAY, compliance_windows
from projections.readings.changes.scopes import MOST
from projections.readings.delivery import deployments as readings_of_deployments
from projections.readings.delivery.freezes import freezes
from projections.readings.environments import backups
from projections.readings.environments import reservations as readings_of_reservations
from projections.readings.people import access_review_facts

CHANGE = {"change_id": "CHG-7"}
TEXT = {"sha256": "0" * 64}
FEW, MANY = 40, 160
FEW_TOLD = 64


class Written(Story):
    """A story that counts what a database would be given to write, after each statement."""

    def __init__(self) -> None:
        super().__init__(VIEWS, 1)
        self.bytes = 0
        self._tables = SqlStore(Database("sqlite://"), VIEWS)

    def flush(self) -> None:
        self.folder.fold(self._waiting)
        rows, notes = self.folder.rows, self.folder.notes
        for view in self.views:
            touched, counted = rows.touched[view.name], rows.counted[view.name]
            noted = notes.get(view.name, NO_NOTES)
            made = self._tables.prepare(view, touched, counted, rows.before[view.name], noted)
            written = itertools.chain(made.written, made.items, made.parts, *made.notes)
            self.bytes += sum(len(str(cell)) for row in written for cell in row)
        self.folder.save_in(self.store)
        self._waiting = []


def deploy(story: Story, number: int) -> int:
    return story.tell(
        "deployment.started",
        actor="service:ci",
        deployment_id=f"D{number}",
        **CHANGE,
        service="api",
        environment="prod",
    )


def approvals(story: Story, count: int) -> None:
    for number in range(count):
        story.tell("approval.granted", actor=f"person:p{number}", **CHANGE, scope_digest=SCOPE)


def withdrawals_of_one_statement(story: Story, count: int) -> None:
    position = deploy(story, 0)
    for _ in range(count):
        story.tell("statement.withdrawn", actor="service:desk", position=position, reason="x")


def deployments_of_one_change(story: Story, count: int) -> None:
    for number in range(count):
        deploy(story, number)


def deliveries_of_one_service(story: Story, count: int) -> None:
    for number in range(count):
        where = {"deployment_id": f"D{number}", "service": "api", "environment": "prod", "commit": f"{number:040x}"}
        story.tell("deployment.finished", **where, outcome="success", time=at(0))


def starts_of_one_deployment(story: Story, count: int) -> None:
    for _ in range(count):
        deploy(story, 0)


def verifications(story: Story, count: int) -> None:
    deploy(story, 0)
    checks = [{"name": f"check-{number}", "passed": True, "observations": 1} for number in range(8)]
    for _ in range(count):
        story.tell("deployment.verified", deployment_id="D0", verdict="healthy", checks=checks)


def scores(story: Story, count: int) -> None:
    features = [{"name": f"feature-{number}", "value": "1"} for number in range(50)]
    for _ in range(count):
        story.tell(
            "risk.assessed", **CHANGE, model_id="m", version="1", model_digest=SCOPE, features=features, score="1", band="low"
        )  # fmt: skip


def labels(story: Story, count: int) -> None:
    for number in range(count):
        story.tell("risk.outcome_labelled", actor="person:a", **CHANGE, label=("failure", "success")[number % 2])


def overrides(story: Story, count: int) -> None:
    freeze = {"freeze_id": "F", "environments": ["prod"], "start": at(0), "end": at(10**5)}
    story.tell("freeze.declared", actor="person:a", **freeze, time_zone="UTC", reason=TEXT)
    for number in range(count):
        story.tell(
            "freeze.override_granted", actor="person:a", freeze_id="F", change_id=f"C{number}", requester="person:a",
            expires_at=at(10**5), reason=TEXT,
        )  # fmt: skip


def amendments_with_many_artifacts(story: Story, count: int) -> None:
    for number in range(count):
        artifacts = [f"sha256:{number * 16 + item:064x}" for item in range(16)]
        story.tell("change.scope_amended", actor="person:a", **CHANGE, scope_digest=SCOPE, artifacts=artifacts)


def versions_of_a_policy(story: Story, count: int) -> None:
    settings = [{"name": "quorum", "value": "1", "applies_to": "all"}]
    for number in range(count):
        story.tell(
            "policy.published", actor="person:a", policy_id="change-approval", version=str(number), policy_digest=SCOPE,
            settings=settings,
        )  # fmt: skip


def runs_of_one_runner(story: Story, count: int) -> None:
    for number in range(count):
        where = {"run_id": f"R{number}", "runner_id": "r-7", "tenant": f"t{number}"}
        story.tell(
            "pipeline_run.finished", **where, started_at=at(0), builder_id="https://b.example.com", artifacts=[SCOPE]
        )


def observations_of_one_state(story: Story, count: int) -> None:
    for number in range(count):
        story.tell("state.observed", environment="prod", state_digest=f"sha256:{number:064x}", serial=number)


def incidents(story: Story, count: int) -> None:
    for _ in range(count):
        story.tell("incident.detected", incident_id="I", severity="sev1", service="api", environment="prod")


def attributions_of_one_incident(story: Story, count: int) -> None:
    for number in range(count):
        deploy(story, number)
        story.tell(
            "incident.attributed", incident_id="I", method="m", method_version="1", deployment_id=f"D{number}", confirmed=True
        )  # fmt: skip


def reviews_of_one_pull_request(story: Story, count: int) -> None:
    for number in range(count):
        story.tell(
            "code_review.submitted", review_id=f"R{number}", actor=f"person:p{number}", repository="a/b", pull_request=1,
            commit="a" * 40, verdict="approved",
        )  # fmt: skip


@pytest.mark.parametrize(
    "told",
    [
        approvals,
        withdrawals_of_one_statement,
        deployments_of_one_change,
        deliveries_of_one_service,
        starts_of_one_deployment,
        verifications,
        scores,
        labels,
        overrides,
        amendments_with_many_artifacts,
        versions_of_a_policy,
        incidents,
        attributions_of_one_incident,
        reviews_of_one_pull_request,
        runs_of_one_runner,
        observations_of_one_state,
    ],
)
def test_four_times_as_many_statements_about_one_subject_write_four_times_as_much(
    told: Callable[[Story, int], None],
) -> None:
    written = []
    for count in (FEW, MANY):
        story = Written()
        story.tell(
            "change.opened", actor="person:alice", **CHANGE, change_type="normal", services=["api"], environment="prod",
            title=TEXT,
        )  # fmt: skip
        story.tell("change.submitted", actor="person:alice", **CHANGE, scope_digest=SCOPE, artifacts=[ARTIFACT])
        told(story, count)
        assert story.folder.failures == {}
        written.append(story.bytes)
    assert written[1] <= 4.4 * written[0], written


def decisions_about_one_deployment(story: Story, number: int) -> None:
    where = {"rollback_id": f"R{number}", "deployment_id": "D0", "service": "api", "environment": "prod"}
    story.tell(
        "rollback.decided", actor="person:a", **where, decision="roll_back", options=["back"], reason=TEXT, time=at(1)
    )


def provisions_of_one_service(story: Story, number: int) -> None:
    what = {"service": "api", "environment": "prod", "stateful": True, "resources": [f"db-{number}"]}
    story.tell("service.provisioned", actor=f"person:p{number}", **what)


def reservations_of_one_day(story: Story, number: int) -> None:
    span = {"environment": "perf", "start": at(10), "end": at(20), "exclusive": False}
    story.tell(
        "environment.reserved", actor="person:a", reservation_id=f"B{number}", **span, purpose="load", team="web"
    )


@pytest.mark.parametrize(
    ("tell", "room", "name"),
    [
        (decisions_about_one_deployment, decisions, "replaces"),
        (provisions_of_one_service, backups, "fault_of_speaker"),
        (reservations_of_one_day, readings_of_reservations, "fault_of_speaker"),
    ],
)
def test_what_all_of_one_subject_ask_is_worked_out_once_a_statement(
    tell: Callable[[Story, int], None], room: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them is judged again by each statement. Were it worked out for each of them, too, that would be N³ steps, and not N²."""
    asked: list[None] = []
    inner = getattr(room, name)

    def counted(*what: Any) -> Any:
        asked.append(None)
        return inner(*what)

    monkeypatch.setattr(room, name, counted)
    story = Story()
    # Some days pass, so that what has to be done by then is due.
    for _ in range(100):
        starts_of_one_deployment(story, 1)
    for number in range(FEW_TOLD):
        tell(story, number)
    assert story.folder.failures == {}
    assert len(asked) <= 4 * FEW_TOLD**2


def one_commit_to_many_services(story: Story, number: int) -> None:
    where = {"deployment_id": f"D{number}", "service": f"service-{number}", "environment": "prod", "commit": "a" * 40}
    story.tell("deployment.finished", **where, outcome="success")


def one_commit_again_and_again(story: Story, number: int) -> None:
    where = {"deployment_id": f"D{number}", "service": "api", "environment": "prod", "commit": "a" * 40}
    story.tell("deployment.finished", **where, outcome="success")


def one_service_in_many_environments(story: Story, number: int) -> None:
    what = {"service": "api", "environment": f"preview-{number}", "stateful": True, "resources": [f"db-{number}"]}
    story.tell("service.provisioned", actor="person:a", **what)


def one_change_to_many_environments(story: Story, number: int) -> None:
    where = {"deployment_id": f"D{number}", **CHANGE, "service": "api", "environment": f"region-{number}"}
    story.tell("deployment.started", actor="service:ci", **where)


@pytest.mark.parametrize(
    "tell",
    [
        one_commit_to_many_services,
        one_commit_again_and_again,
        one_service_in_many_environments,
        one_change_to_many_environments,
    ],
)
def test_one_more_has_no_more_judged_again(tell: Callable[[Story, int], None], monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    inner = Judge.judge

    def counted(judge: Judge, rule: Rule, key: str, entry: Any) -> Any:
        judged.append(rule.name)
        return inner(judge, rule, key, entry)

    monkeypatch.setattr(Judge, "judge", counted)
    story = Story()
    counts = []
    for number in range(FEW_TOLD):
        judged.clear()
        tell(story, number)
        counts.append(len(judged))
    assert story.folder.failures == {}
    # What is due by then is judged as well: the least of a few tells.
    assert min(counts[-8:]) <= min(counts[8:16]), counts


def test_what_is_withdrawn_already_is_not_folded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    folded: list[None] = []
    inner = rows_then.RowsThen._folded
    monkeypatch.setattr(rows_then.RowsThen, "_folded", lambda *asked: folded.append(None) or inner(*asked))  # type: ignore[func-returns-value]
    counts = []
    for count in (1, 100):
        folded.clear()
        withdrawals_of_one_statement(Story(), count)
        counts.append(len(folded))
    assert counts[0] == counts[1]


def test_what_can_never_count_of_a_freeze_or_an_environment_has_nothing_judged_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged: list[str] = []
    story, inner = Story(), Derived.judged
    story.tell("freeze.declared", actor="person:a", freeze_id="F", environments=["prod"], start=at(0), end=at(10**5))
    for number in range(10):
        deploy(story, number)

    def counted(view: Derived, rule: Rule, subject: str, row: Any, look: Look) -> Any:
        judged.append(subject)
        return inner(view, rule, subject, row, look)

    monkeypatch.setattr(Derived, "judged", counted)
    let_through = {"change_id": "CHG-7", "requester": "person:b", "expires_at": at(10**5), "reason": TEXT}
    again = {"environments": ["prod"], "start": at(0), "end": at(10**5)}
    for freeze_id in ("F", "G"):
        for event_type, said in (
            ("freeze.lifted", {}),
            ("freeze.override_granted", let_through),
            ("freeze.declared", again),
        ):
            story.tell(event_type, actor="person:x", by="service:ci", freeze_id=freeze_id, **said)
        story.tell("environment.declared", actor="person:x", by="service:ci", environment="prod", tier="staging")
    assert not {f"D{number}" for number in range(10)} & set(judged)
    assert story.row(freezes, "F").lifts == story.row(freezes, "F").overrides == ()
    assert story.row(freezes, "G") is None
    # Nor what a policy leaves to holders of a role, from who holds none; nor a draft of a policy.
    publish(story, ("role-for", "freeze.declared", "freezer"))
    story.flush()
    judged.clear()
    for number in range(3):
        story.tell("freeze.declared", actor="service:ci", by="service:ci", freeze_id=f"H{number}", **again)
        story.tell(
            "policy.published", actor="person:olga", policy_id="change-approval", version=f"draft-{number}", policy_digest=SCOPE,
            settings=[{"name": "quorum", "applies_to": "any", "value": "7"}],
        )  # fmt: skip
    assert not {f"D{number}" for number in range(10)} & set(judged)
    assert story.row(freezes, "H0") is None
    # Whoever has the power has all of them judged.
    story.tell("freeze.lifted", actor="person:a", freeze_id="F")
    assert {f"D{number}" for number in range(10)} <= set(judged)


def test_what_can_never_count_of_a_compliance_window_has_nothing_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    story, inner = Story(), Derived.judged
    always = {"framework": "sox", "environments": ["prod"], "start": "2000-01-01T00:00:00Z", "end": at(10**5)}
    story.tell("compliance_window.declared", actor="person:a", window_id="W", **always)
    for number in range(10):
        deploy(story, number)
    planned = {"planned_start": at(500), "planned_end": at(600), "time_zone": "UTC"}
    opened = {"change_type": "normal", "services": ["api"], "environment": "prod", "title": TEXT}
    story.tell("change.opened", actor="person:alice", **CHANGE, **opened)
    story.tell("change.scheduled", actor="person:alice", **CHANGE, **planned)

    def counted(view: Derived, rule: Rule, subject: str, row: Any, look: Look) -> Any:
        judged.append(subject)
        return inner(view, rule, subject, row, look)

    monkeypatch.setattr(Derived, "judged", counted)
    acts = {f"D{number}" for number in range(10)} | set(CHANGE.values())
    for window_id in ("W", "V"):
        story.tell("compliance_window.declared", actor="service:ci", by="service:ci", window_id=window_id, **always)
    assert not acts & set(judged)
    assert story.row(compliance_windows, "V") is None
    # Whoever has the power has all of them judged.
    story.tell("compliance_window.declared", actor="person:a", window_id="V", **always)
    assert acts <= set(judged)


def test_a_review_that_is_opened_without_the_power_replays_no_grants_and_leaves_its_id_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replayed: list[None] = []
    inner = access_review_facts.population
    monkeypatch.setattr(access_review_facts, "population", lambda *asked: replayed.append(None) or inner(*asked))  # type: ignore[func-returns-value]
    story = Story()
    about = {"environment": "prod", "population_digest": SCOPE, "population_count": 0, "due_at": at(10**4)}
    for number in range(3):
        story.tell("access_review.opened", actor="service:ci", by="service:ci", review_id=f"R{number}", **about)
    assert replayed == []
    assert story.row(access_review_facts.access_review_facts, "R0") is None
    story.tell("access_review.opened", actor="person:olga", review_id="R0", **about)
    assert replayed != []
    assert story.row(access_review_facts.access_review_facts, "R0").opened.speaker == "person:olga"


def test_how_many_sources_others_have_makes_nothing_longer_that_is_written_of_what_is_said() -> None:
    written = []
    for count in (FEW, MANY):
        story = Written()
        for number in range(count):
            story.tell(
                "ledger.source_enrolled", actor="person:root", source=f"https://github.com/acme/{number}", door="github",
                credential=f"hmac:{number:012x}", principal=f"service:{number}", must_sign=False, authority_for=["github:*"],
            )  # fmt: skip
        story.bytes = 0
        said = {"actor": "person:alice", "by": "service:desk"}
        story.tell(
            "change.opened", **said, **CHANGE, change_type="normal", services=["api"], environment="prod", title=TEXT
        )
        story.tell("change.submitted", **said, **CHANGE, artifacts=[ARTIFACT])
        story.tell("approval.granted", actor="person:bob", by="service:desk", **CHANGE)
        story.tell("deployment.started", actor="person:carol", by="service:desk", deployment_id="D0", **CHANGE, service="api",
            environment="prod")  # fmt: skip
        assert story.folder.failures == {}
        written.append(story.bytes)
    assert written[1] <= 1.05 * written[0], written


@pytest.mark.parametrize("by", ["service:ci", None])
def test_what_is_put_on_an_agenda_has_what_is_there_judged_again_a_few_times(
    by: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[str] = []
    inner = Judged.judged

    def counted(view: Judged[Any], rule: Any, subject: str, row: Any, look: Look) -> Any:
        judged.append(view.name)
        return inner(view, rule, subject, row, look)

    monkeypatch.setattr(Judged, "judged", counted)
    counts = []
    for count in (MOST_A_DAY * 2, MOST_A_DAY * 4):
        story = Story()
        story.tell("cab.meeting_scheduled", actor="person:a", meeting_id="M", start=at(10**4), end=at(10**4 + 1))
        judged.clear()
        for number in range(count):
            story.add(
                document(
                    len(story.log) + 1, "cab.agenda_fixed", {"actor": "person:a", "meeting_id": "M", "changes": [f"C{number}"]},
                    time=at(5), recorded_at=at(5 + number / 10**4), by=by or "person:a", credential="token:x",
                )
            )  # fmt: skip
        story.flush()
        assert story.folder.failures == {}
        counts.append(judged.count("board_matters"))
    # A pipeline that speaks for somebody changes nothing. Of whoever may, what comes after the first ones of a day changes nothing either.
    if by is not None:
        assert counts == [0, 0]
    else:
        assert counts[1] - counts[0] <= 4 * MOST_A_DAY


@pytest.mark.parametrize("said", ["opened", "submitted", "scope_amended", "scheduled"])
def test_what_is_done_for_a_change_is_not_judged_again_without_end(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    story, inner = Story(), Derived.judged
    opening = {"change_type": "normal", "services": ["api"], "environment": "prod", "title": TEXT}
    scope = {"artifacts": [ARTIFACT]}
    more = {"opened": opening, "scheduled": {"planned_start": at(0), "planned_end": at(10**5), "time_zone": "UTC"}}
    story.tell("change.opened", actor="person:alice", **CHANGE, **opening)
    deploy(story, 0)
    for _ in range(MOST):
        story.tell(f"change.{said}", actor="person:alice", **CHANGE, **more.get(said, scope))

    def counted(view: Derived, rule: Rule, subject: str, row: Any, look: Look) -> Any:
        judged.append(subject)
        return inner(view, rule, subject, row, look)

    story.flush()
    monkeypatch.setattr(Derived, "judged", counted)
    for number in range(10):
        who = {"actor": f"person:p{number}", "by": "service:ci"}
        story.tell(f"change.{said}", **who, **CHANGE, **more.get(said, {"artifacts": [SCOPE]}))
    story.flush()
    assert "D0" not in judged


def test_rollbacks_that_were_decided_and_not_done_are_not_judged_again_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each looks at what was done to its service around it: where enough was, what is done later concerns it no more."""
    for module in (decisions, readings_of_deployments):
        monkeypatch.setattr(module, "LATEST", 4)
    judged: list[str] = []
    inner = Judge.judge

    def counted(judge: Judge, rule: Rule, key: str, entry: Any) -> Any:
        judged.append(rule.name)
        return inner(judge, rule, key, entry)

    monkeypatch.setattr(Judge, "judge", counted)
    story = Story()
    counts = []
    for number in range(40):
        where = {"service": "api", "environment": "prod"}
        decided = {"rollback_id": f"R{number}", "decision": "roll_back", "options": ["roll_back"], **where}
        story.tell("rollback.decided", actor="person:bob", **decided)
        story.tell("rollback.completed", by="service:mallory", rollback_id=f"R{number}", outcome="success", **where)
        pass_time(story, 25)
        judged.clear()
        started = {"deployment_id": f"D{number}", **CHANGE, **where, "artifact": f"sha256:{number:064x}"}
        story.tell("deployment.started", actor="service:ci", **started)
        counts.append(len(judged))
    assert story.folder.failures == {}
    assert min(counts[-8:]) <= min(counts[12:20]), counts


# What somebody says now that concerns what was done long before, and why.
CONCERNS_THE_PAST = {
    # Of one change the first hundred of each count.
    "change.opened": "all that is done for it is of its kind",
    "change.submitted": "all that is done for it is held against its scope",
    "change.scope_amended": "the same",
    "change.scheduled": "all that is done for it is held against its window",
    "environment.created": "that it had been set up again justifies what was done there, if late",
    "incident.attributed": "what went out while an incident lasted that something else had caused, is rework",
    "incident.resolved": "the same",
    "statement.withdrawn": "all may rest on what is taken back",
    "strategy.selected": "a choice justifies what was done before it, if late",
}


@pytest.mark.parametrize("by", ["service:ci", "person:x"])
def test_what_is_said_now_has_little_judged_again_of_what_was_done_before(
    by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a service there are ever more deployments: no statement of any type may concern all of them, but what a page says."""
    story = Story()
    opened = {"change_type": "normal", "services": ["api"], "environment": "prod", "title": TEXT}
    story.tell("change.opened", actor="person:alice", **CHANGE, **opened)
    story.tell("change.submitted", actor="person:alice", **CHANGE, artifacts=[ARTIFACT])
    done = {f"D{number}" for number in range(24)}
    for number in range(24):
        where = {"deployment_id": f"D{number}", **CHANGE, "service": "api", "environment": "prod", "artifact": ARTIFACT}
        for event_type, more in (("started", {}), ("finished", {"outcome": "success"})):
            story.tell(f"deployment.{event_type}", actor="service:ci", **where, commit=f"{number:040x}", **more)
    judged, inner = set(), Judge.judge

    def noted(judge: Judge, rule: Rule, key: str, entry: Any) -> Any:
        judged.update(done & {key})
        return inner(judge, rule, key, entry)

    monkeypatch.setattr(Judge, "judge", noted)
    named = {
        "service": "api",
        "services": ["api"],
        "environment": "prod",
        "environments": ["prod"],
        "deployment_id": "D23",
    }
    named |= {**CHANGE, "artifact": ARTIFACT, "commit": f"{23:040x}", "incident_id": "I"}
    about = Finding("f", "r", "D23", positions=(1, 2, len(story.log) - 1, len(story.log)), acted_at=at(3))
    concerned: dict[str, int] = {}
    for event_type in SAYABLE:
        cls = CATALOGUE[event_type]
        whole = example(cls) | {name: value for name, value in named.items() if name in cls.model_fields}
        whole |= dict.fromkeys(cls.erasable_fields & whole.keys(), TEXT)
        drawn = (Drawing(story, about, f"{event_type} {seed}").statement(event_type) for seed in range(4))
        for said in (whole, *drawn):
            if said is None:
                continue
            who = {"actor": by} if "actor" in cls.model_fields else {}
            said.pop("actor", None)
            judged.clear()
            story.tell(event_type, by=by, **who, **said)
            concerned[event_type] = max(concerned.get(event_type, 0), len(judged))
    assert story.folder.failures == {}
    assert {name for name, count in concerned.items() if count > 4} <= CONCERNS_THE_PAST.keys()
    assert concerned.keys() == set(SAYABLE)
