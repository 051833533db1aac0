"""Findings as such: given these facts, this rule is broken; and when that was recorded, and what resolved it."""

from dataclasses import dataclass

import pytest
from changes import deploy, emergency, found, found_by_any_process, pass_time
from telling import Story, at

from ledger.events.deployment import DeploymentStarted
from projections.engine.checking import judged_otherwise
from projections.engine.derived import Derived, Judged
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import DeclarationError, EntryInfo, Moment, View, in_order, later, replace
from projections.judging.findings import findings


def test_a_statement_that_is_taken_back_resolves_what_it_showed() -> None:
    story = Story()
    deploy(story, change=None)
    for position in (1, 2):
        story.tell("statement.withdrawn", actor="service:desk", position=position, reason="x")
    assert "deployment-without-change" not in found(story)


def test_a_finding_is_had_as_it_stood() -> None:
    story = Story()
    deploy(story, change=None)
    for position in (1, 2):
        story.tell("statement.withdrawn", actor="service:desk", position=position, reason="x")
    key = "deployment-without-change/d-1"
    assert story.row_as_of(findings, key, 3).is_open
    assert not story.row_as_of(findings, key, 4).is_open
    assert story.row_as_of(findings, key, 4) == story.row(findings, key)
    assert Story().row_as_of(findings, key, 0) is None


def test_what_falls_due_is_found_whoever_folds_and_from_wherever() -> None:
    story = emergency()
    pass_time(story, 30)
    found_by_any_process(story)


@dataclass(frozen=True)
class Timer:
    """Something that is due a while after it was last heard of."""

    name: str
    due_at: Moment | None = None


def watching(judged: list[Moment], *, breaks: bool = False) -> tuple[View[Timer], Derived]:
    timers = View("timers", version=1, row=Timer, kind="service", doc="What was heard of a service.")

    @timers.on(DeploymentStarted, key=lambda event: event.service)
    def heard(row: Timer, event: DeploymentStarted, entry: EntryInfo) -> Timer:
        return replace(row, due_at=later(entry.recorded_at, hours=4))

    found = Derived("watched", version=1, doc="Services that went silent.", reads=(timers,))

    @found.rule(timers, severity="low")
    def silent(row: Timer, look: Look) -> Breach | None:
        """Nothing was heard for a while."""
        judged.append(row.due_at or "")
        if breaks and look.has_come(row.due_at):
            raise ValueError("this does not hold")
        return Breach(row.name) if look.has_come(row.due_at) else None

    return timers, found


def test_a_time_that_holds_no_more_wakes_nobody() -> None:
    judged: list[Moment] = []
    story = Story(watching(judged))
    for number in range(5):
        deploy(story, f"d-{number}")
    story.flush()
    heard = len(judged)
    assert heard == 5
    pass_time(story, 8)
    assert len(judged) == heard + 1
    assert story.row(story.views[1], "silent/api").is_open


def test_a_rule_that_raises_when_its_time_comes_stops_its_view_and_nothing_else() -> None:
    judged: list[Moment] = []
    story = Story(watching(judged, breaks=True))
    deploy(story)
    told = len(story.log)
    story.flush()
    story.begin()
    pass_time(story, 8)
    story.flush()
    assert {name: failure.position for name, failure in story.folder.failures.items()} == {"watched": told + 3}
    assert story.row(story.views[0], "api").due_at == later(at(1), hours=4)


@dataclass(frozen=True)
class Alarm:
    """What is made of a timer."""

    name: str
    is_silent: bool = False


def judging() -> tuple[View[Timer], Judged[Alarm], Derived]:
    timers, _ = watching([])
    alarms = Judged("alarms", version=1, row=Alarm, doc="Services, and whether they are silent.", of=timers)

    @alarms.by
    def alarm(row: Timer, look: Look) -> Alarm:
        """Silent since its time came."""
        return Alarm(row.name, is_silent=look.has_come(row.due_at))

    found = Derived("found", version=1, doc="Services that are silent.", reads=(alarms,))

    @found.rule(alarms, severity="low")
    def is_silent(row: Alarm, look: Look) -> Breach | None:
        """It is silent."""
        return Breach(row.name) if row.is_silent else None

    return timers, alarms, found


def test_what_is_judged_of_a_row_is_another_when_a_time_comes_and_so_is_what_rests_on_it() -> None:
    timers, alarms, found = judging()
    story = Story((timers, alarms, found))
    deploy(story)
    told = len(story.log)
    assert not story.row(alarms, "api").is_silent
    story.begin()
    pass_time(story, 8)
    assert story.row(alarms, "api").is_silent
    assert story.row(found, "is-silent/api").is_open
    assert [story.row_as_of(alarms, "api", position).is_silent for position in (told, len(story.log))] == [False, True]
    assert not judged_otherwise(alarms, story.folder.rows, story.store, at(9))


def test_what_is_judged_goes_with_the_row_that_it_is_of() -> None:
    timers, alarms, found = judging()
    story = Story((timers, alarms, found))
    deploy(story)
    for position in range(1, len(story.log) + 1):
        story.tell("statement.withdrawn", actor="service:desk", position=position, reason="x")
    assert story.row(alarms, "api") is None


def test_no_fold_reads_what_is_judged_after_it() -> None:
    timers, alarms, _ = judging()
    with pytest.raises(DeclarationError, match="judged after all folds"):
        in_order(timers, alarms, View("late", version=1, row=Timer, kind="service", doc="Late.", reads=(alarms,)))
