"""Nobody acquits: whatever a stranger says, or whoever is found against says of themselves, ends no finding and opens no gate.

For every type of event: a made-up year in which everything that can be found is open, and then one statement after another of every
type, made of what the year says of the very things (`strangers`): by a pipeline's token, by two people without power, and by whoever
told of the act; in their own name or another's, now or dated back, once or again with a better value. Every rule is tried in every
run, mostly by the types of which its rows are made. What ends so, were it for one entry, is in the tables below, each with its reason:
these are the named ways, and there are no others. So it is with what is not found yet, and will be when its time has come.
"""

import itertools
import random
from typing import Any

import pytest
from strangers import HOUR, SAYABLE, Drawing, asked_of, branched, open_findings
from telling import Story, document
from year import KEY, OPERATORS, Year, told

from ledger.authority import LEDGER_PRINCIPAL
from ledger.clock import from_text, to_text
from ledger.conditions import Match
from ledger.log.recorder import WITHDRAWN
from projections.engine.derived import Judged
from projections.engine.finding import Finding
from projections.engine.view import EntryInfo
from projections.gates.asking import Decision
from projections.gates.composition import GATES
from projections.judging.findings import findings

ROUNDS, PARTS = 12, 2
ALL_ROUNDS = 1_500
# So many statements are said about one finding, and so many types are among them that have nothing to do with it.
SAID, TYPES = 14, 4
A_MONTH, A_YEAR = 30 * 24 * HOUR, 365 * 24 * HOUR
STRANGERS = (("service:mallory", "service"), ("person:mallory", "human"), ("person:eve", "human"))

FIRST_WORDS = "the first word about it counts where the policy names no role, which policy-believes-anybody tells"
WENT_ON = "the change went on where it was to go: what was deployed is judged as that, and the change waits for its review from then on"
INSTEAD = "another finding takes its place, which is worse"
# By which types of statements a finding may end, whoever says it. Each is about a state that the statement is about, or says itself
# who may end it.
BY_ANYBODY: dict[tuple[str, str], str] = {
    ("access-not-reviewed", "access_review.opened"): "a review that is opened is due to be done: access-review-overdue",
    ("admins-may-bypass", "code.branch_protection_changed"): INSTEAD,
    ("approval-overdue", "deployment.finished"): WENT_ON,
    ("approval-overdue", "deployment.promoted"): WENT_ON,
    ("approval-overdue", "deployment.started"): WENT_ON,
    ("approved-and-not-deployed", "deployment.finished"): WENT_ON,
    ("approved-and-not-deployed", "deployment.promoted"): WENT_ON,
    ("approved-and-not-deployed", "deployment.started"): WENT_ON,
    ("approved-and-not-deployed", "deployment.verified"): WENT_ON,
    ("backup-older-than-rpo", "backup.completed"): FIRST_WORDS,
    (
        "environment-overdue",
        "environment.deleted",
    ): "that it is gone is a state; what is put into it from then on is found",
    ("orphan-backups", "restore.verified"): FIRST_WORDS,
    (
        "orphan-backups",
        "service.provisioned",
    ): "whose service uses it asks for more: its backups are asked for from then on",
    ("parity-not-compared", "environment.config_compared"): FIRST_WORDS,
    ("readiness-late", "environment.ready_attested"): FIRST_WORDS,
    ("release-before-ready", "environment.ready_attested"): FIRST_WORDS,
    ("restore-not-tested", "restore.verified"): FIRST_WORDS,
    ("rotated-secret-found-again", "secret.detected"): INSTEAD,
}
CORRECTED = "whoever told it tells it anew"
# And by which types, of whoever had told what it is about.
BY_WHO_TOLD: dict[tuple[str, str], str] = {
    ("backup-older-than-rpo", "environment.deleted"): "whoever had set it up says that it is gone",
    ("backup-older-than-rpo", "service.provisioned"): CORRECTED,
    ("difference-unexplained", "environment.config_compared"): CORRECTED,
    ("drifted", "iac.plan_produced"): CORRECTED,
    ("environment-not-said", "deployment.finished"): CORRECTED,
    ("environment-not-said", "deployment.started"): CORRECTED,
    ("parity-too-low", "environment.config_compared"): CORRECTED,
    ("restore-not-tested", "environment.deleted"): "whoever had set it up says that it is gone",
    ("restore-not-tested", "service.provisioned"): CORRECTED,
    ("restore-failed", "restore.verified"): CORRECTED,
    ("scan-error-stands", "scan.completed"): CORRECTED,
    (
        "scan-error-stands",
        "scan.results_reported",
    ): "their own report is not whole any more, and no evidence for the gate; a whole one that finds nothing ends it as well",
    ("serial-went-back", "state.observed"): CORRECTED,
    ("state-unaccounted", "state.observed"): CORRECTED,
    ("tags-missing", "resource.tagged"): CORRECTED,
    ("approved-and-not-deployed", "change.scheduled"): CORRECTED,
    ("tests-not-run", "test.shard_finished"): CORRECTED,
    ("window-holds-nothing", "change.scheduled"): CORRECTED,
}
# And by which types, of a human who speaks for themselves.
BY_A_HUMAN: dict[tuple[str, str], str] = {
    ("approved-and-not-deployed", "change.scheduled"): "a window that is told anew has not passed",
    ("rollback-not-carried-out", "rollback.completed"): "mostly it is a human who goes back by hand, and says so",
    ("window-holds-nothing", "change.scheduled"): "a window that is told anew may hold something",
}
# And which answers of gates may become an allow so, by which types, of whoever had told what was in the way.
OPENED_BY_WHO_TOLD: dict[tuple[str, str], str] = {
    ("deployment-is-healthy", "deployment.verified"): "whoever verified it verifies it anew",
}

# What falls due after the year, as somebody without power told it.
SOON = "2027-03-01T00:00:00Z"
_UNTITLED = {"sha256": "0" * 64}
_CHANGE = {"change_id": "CHG-to-come"}
TO_COME: tuple[tuple[str, dict[str, Any]], ...] = (
    ("change.opened", _CHANGE | {"change_type": "emergency", "services": ["to-come"], "environment": "prod", 
        "title": _UNTITLED}),
    ("deployment.started", _CHANGE | {"deployment_id": "d-to-come", "service": "to-come", "environment": "prod"}),
    ("deployment.finished", _CHANGE | {"deployment_id": "d-to-come", "service": "to-come", "environment": "prod", "outcome": "success"}),
    ("pir.opened", _CHANGE | {"pir_id": "PIR-to-come", "due_at": SOON, "mandatory": True}),
    ("change.opened", {"change_id": "CHG-waits", "change_type": "normal", "services": ["waits"], "environment": "prod", 
        "title": _UNTITLED}),
    ("change.submitted", {"change_id": "CHG-waits"}),
    ("approval.requested", {"change_id": "CHG-waits", "policy_id": "change-approval", "policy_version": "1", "rule": "normal",
        "required_roles": ["release-approver"], "quorum": 1, "due_at": SOON}),
    ("environment.readiness_promised", {"environment": "staging-to-come", "release_id": "to-come", "ready_by": SOON}),
)  # fmt: skip
# By which statements of a stranger each of it would come later, or never. They are drawn too seldom to be left to chance.
LATER = "2030-01-01T00:00:00Z"
PUT_OFF: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("review-owed/CHG-to-come", "change.cancelled", _CHANGE | {"reason": _UNTITLED}),
    ("review-overdue/PIR-to-come", "pir.opened", _CHANGE | {"pir_id": "PIR-to-come", "due_at": LATER, "mandatory": True}),
    ("approval-overdue/CHG-waits", "approval.requested", {"change_id": "CHG-waits", "policy_id": "change-approval", 
        "policy_version": "1", "rule": "normal", "required_roles": ["release-approver"], "quorum": 1, "due_at": LATER}),
    ("readiness-late/to-come#staging-to-come", "environment.readiness_promised", 
        {"environment": "staging-to-come", "release_id": "to-come", "ready_by": LATER}),
)  # fmt: skip


def add(
    story: Story, now: str, event_type: str, data: dict[str, Any], by: str, credential: str, time: str = ""
) -> None:
    position = len(story.log) + 1
    story.add(document(position, event_type, data, time=time or now, recorded_at=now, by=by, credential=credential))


class Prosecution:
    """A year with its findings open, at the instant from which strangers speak."""

    def __init__(self) -> None:
        self.story = told(Year(services=20, changes=150, planted=1), 300)
        last = from_text(self.story.log.entry(len(self.story.log)).recorded_at)
        begun, self.now = to_text(last + HOUR), to_text(last + 2 * HOUR)
        ours = {"by": LEDGER_PRINCIPAL, "credential": KEY}
        for who, kind in STRANGERS:
            issued = {"credential": _credential(who), "principal": who, "kind": kind, "roles": ["reporter"]}
            issued |= {"actor": OPERATORS[0], "areas": ["*"], "sources": ["*"], "token_sha256": "0" * 64}
            add(self.story, begun, "ledger.credential_issued", issued, **ours)
        for event_type, data in TO_COME:
            add(self.story, begun, event_type, data | {"actor": "service:planner"}, "service:planner", "token:planner")
        add(self.story, self.now, "ledger.time_passed", {"until": self.now}, **ours)
        self.open = open_findings(self.story)
        # And what is found when time passes, though nobody says anything more.
        self.due = {name: row for name, row in open_findings(self.after(self.story)).items() if name not in self.open}
        held: dict[str, set[str]] = {}
        for entry in self.story.log.entries([Match(types=("access.granted",))], up_to=len(self.story.log)):
            data = entry.statement["data"]
            held.setdefault(data["principal"], set()).add(data["role"])
        self.powerful = {who for who, roles in held.items() if roles - {"deployer"}} | {*OPERATORS, LEDGER_PRINCIPAL}

    def after(self, story: Story) -> Story:
        """Return what comes of a story when a year passes."""
        later = branched(story)
        then = to_text(from_text(self.now) + A_YEAR)
        add(later, then, "ledger.time_passed", {"until": then}, LEDGER_PRINCIPAL, KEY)
        return later

    def speakers(self, finding: Finding) -> list[tuple[str, str]]:
        """Return who may speak about a finding here: strangers, and whoever told of what it is about, where they have no power."""
        found = [(who, _credential(who)) for who, _ in STRANGERS]
        for position in finding.positions:
            by = self.story.log.entry(position).by
            if by["principal"] not in self.powerful:
                found.append((by["principal"], by["credential"]))
        return found

    def attempt(self, number: int, among: dict[str, Finding]) -> tuple[Story, list[Drawing]]:
        """Let somebody say much about findings of some rules; return what comes of it. So many rounds try all rules."""
        story, drawings = branched(self.story), []
        for rule in sorted({finding.rule for finding in among.values()})[number % ROUNDS :: ROUNDS]:
            rng = random.Random(f"{number}/{rule}")
            about = among[rng.choice([name for name in sorted(among) if name.partition("/")[0] == rule])]
            drawing, speakers = Drawing(self.story, about, f"{number}/{rule}"), self.speakers(about)
            drawings.append(drawing)
            near = [entry.type for entry in drawing.related if entry.type in SAYABLE]
            types = (*rng.sample(SAYABLE, TYPES), *rng.sample(near, min(len(near), SAID)))
            for event_type in rng.choices((*made_of(rule), *types), k=SAID):
                data = drawing.statement(event_type)
                if data is None:
                    continue
                by, credential = rng.choice(speakers)
                named = rng.choice((by, by, None, *drawing.of_field("actor")[:3]))
                time = rng.choice(("", "", drawing.time()))
                add(story, self.now, event_type, data | ({"actor": named} if named else {}), by, credential, time)
        return story, drawings


def made_of(rule: str) -> list[str]:
    """Return the types of which the rows are made that a rule judges, as often as all others are drawn."""
    subject = findings.rules[rule].subject
    while isinstance(subject, Judged):
        subject = subject.of
    types = [name for name in subject.folds if name in SAYABLE]
    return types * (SAID // len(types)) if types else []


def _credential(who: str) -> str:
    return f"token:{who.replace(':', '.')}"


@pytest.fixture(scope="module")
def prosecution() -> Prosecution:
    return Prosecution()


def is_named(prosecution: Prosecution, finding: Finding, entry: EntryInfo) -> bool:
    """Say whether a statement is one of those by which a finding may end, by whoever made it."""
    by, way = entry.by["principal"], (finding.rule, entry.type)
    is_own = by in {prosecution.story.log.entry(position).by["principal"] for position in finding.positions}
    is_human = dict(STRANGERS).get(by) == "human" and entry.statement["data"].get("actor", by) == by
    if way in BY_ANYBODY or (is_human and way in BY_A_HUMAN):
        return True
    return is_own and (entry.type == WITHDRAWN or way in BY_WHO_TOLD)


def ended(prosecution: Prosecution, story: Story) -> list[str]:
    """Return what ended in a way that nobody named: the finding, the type of the statement, and who said it."""
    story.flush()
    said_before, wrong = len(prosecution.story.log), []
    for name, finding in sorted(prosecution.open.items()):
        for change in story.row(findings, name).changes:
            if change.position <= said_before or change.is_open:
                continue
            entry = story.log.entry(change.position)
            if not is_named(prosecution, finding, entry):
                wrong.append(f"{name} by {entry.type} of {entry.by['principal']}: {entry.statement}")
    return wrong


def prevented(prosecution: Prosecution, story: Story) -> list[str]:
    """Return what is not found when time has passed, and would have been, though nothing that was said may end it."""
    said = list(story.log.entries([Match()], after=len(prosecution.story.log), up_to=len(story.log)))
    still, wrong = open_findings(prosecution.after(story)), []
    for name, finding in sorted(prosecution.due.items()):
        if name not in still and not any(is_named(prosecution, finding, entry) for entry in said):
            about = [entry for entry in said if finding.subject in str(entry.statement["data"])]
            wrong.append(
                f"{name} by one of {[(e.type, e.by['principal'], e.statement['data']) for e in about or said]}"
            )
    return wrong


def opened(story: Story, before: Decision, now: Decision) -> list[str]:
    """Return the answers of a gate that became an allow in a way that nobody named."""
    wrong, answers = [], {answer.rule: answer for answer in before.answers}
    for answer in now.answers:
        then = answers[answer.rule]
        told = [story.log.entry(position) for position in then.positions]
        said = [story.log.entry(position) for position in set(answer.positions) - set(then.positions)]
        is_by_who_told = any(
            (answer.rule, entry.type) in OPENED_BY_WHO_TOLD
            and any(one.type == entry.type and one.by["principal"] == entry.by["principal"] for one in told)
            for entry in said
        )
        if then.verdict != "allow" and not is_by_who_told:
            wrong.append(f"{answer.rule} by {[(entry.type, entry.by['principal']) for entry in said]}")
    return wrong


@pytest.mark.parametrize("part", range(PARTS))
def test_what_is_found_ends_by_nobody_who_has_no_power_but_in_the_named_ways(
    part: int, prosecution: Prosecution, request: pytest.FixtureRequest
) -> None:
    rounds = ALL_ROUNDS if request.config.getoption("--all") else ROUNDS
    for number in range(part, rounds, PARTS):
        story, drawings = prosecution.attempt(number, prosecution.open)
        assert not story.folder.failures, number
        assert not ended(prosecution, story), f"attempt {number}"
        for drawing, actor in itertools.product(drawings, ("service:mallory", "person:eve")):
            before = asked_of(prosecution.story, drawing, prosecution.now, actor)
            for gate, decision in asked_of(story, drawing, prosecution.now, actor).items():
                assert decision.verdict != "allow" or not opened(story, before[gate], decision), (
                    f"attempt {number}: {gate}"
                )


@pytest.mark.parametrize("part", range(PARTS))
def test_nobody_who_has_no_power_keeps_what_falls_due_from_being_found(
    part: int, prosecution: Prosecution, request: pytest.FixtureRequest
) -> None:
    assert {"approval-overdue", "readiness-late", "review-overdue", "review-owed"} <= {
        finding.rule for finding in prosecution.due.values()
    }
    rounds = ALL_ROUNDS if request.config.getoption("--all") else ROUNDS
    for number in range(part, rounds, PARTS):
        story, _ = prosecution.attempt(number, prosecution.due)
        assert not prevented(prosecution, story), f"attempt {number}"


@pytest.mark.parametrize(("name", "event_type", "data"), PUT_OFF, ids=[name for name, _, _ in PUT_OFF])
def test_no_stranger_puts_off_what_falls_due(
    name: str, event_type: str, data: dict[str, Any], prosecution: Prosecution
) -> None:
    assert name in prosecution.due
    machine = STRANGERS[0][0]
    for time in (prosecution.now, to_text(from_text(prosecution.now) - A_MONTH)):
        story = branched(prosecution.story)
        add(story, prosecution.now, event_type, data | {"actor": machine}, machine, _credential(machine), time)
        assert not story.folder.failures
        assert not prevented(prosecution, story)


def test_the_named_ways_are_of_findings_and_types_that_there_are() -> None:
    for rule, event_type in (*BY_ANYBODY, *BY_WHO_TOLD, *BY_A_HUMAN):
        assert rule in findings.rules
        assert event_type in SAYABLE
    for rule, event_type in OPENED_BY_WHO_TOLD:
        assert rule in {asked.name for gate in GATES.values() for asked in gate.rules}
        assert event_type in SAYABLE
