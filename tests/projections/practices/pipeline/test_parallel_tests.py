"""2.2 Parallel tests without losing coverage: given these reports, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask, ready_to_deploy
from changes import found, pass_time
from telling import Story
from year import HOUR, START, Year

from projections.practices.pipeline.parallel_tests import digest_of
from projections.readings.pipelines.tests import test_cases, test_manifests, test_reports, test_runs, test_suites

COMMIT = "9fceb02d0ae598e95dc970b74767f19372d61af8"
RULES = {"tests-not-run", "tests-not-in-manifest", "tests-run-twice", "tests-newly-skipped", "tests-flaky"}


def declare(story: Story, *tests: str, skips: tuple[str, ...] = (), version: str = "1", **more: Any) -> int:
    data = {"actor": "person:alice", "suite": "api", "version": version, "tests": list(tests), "skips": list(skips)}
    return story.tell("test.manifest_declared", **data | more)


def accept(story: Story, who: str = "person:bob", version: str = "1", **more: Any) -> int:
    return story.tell("test.manifest_accepted", actor=who, suite="api", version=version, **more)


def finish(story: Story, shard: int, shards: int, *passed: str, run: str = "R", **more: Any) -> int:
    outcomes = ("failed", "errored", "skipped")
    outcome = "failed" if more.get("failed") or more.get("errored") else "passed" if passed else "nothing_ran"
    tests = len(passed) + sum(len(more.get(name, ())) for name in outcomes)
    data = {
        "report": f"{run}-{more.get('attempt', 1)}-{shard}", "run_id": run, "suite": "api", "shard": shard, "shards": shards,
        "commit": COMMIT, "outcome": outcome, "tests": tests, "passed": list(passed),
    }  # fmt: skip
    return story.tell("test.shard_finished", **data | more)


def suite(*tests: str, skips: tuple[str, ...] = ()) -> Story:
    """A company with a suite, as somebody else accepted it."""
    story = ready_to_deploy("normal", ("test-suite", "prod", "api"), ("quorum", "any", "1"))
    declare(story, *tests, skips=skips)
    accept(story)
    return story


def of_tests(story: Story) -> dict[str, list[str]]:
    """What is found about tests, once a run has settled."""
    pass_time(story, 2)
    return {rule: subjects for rule, subjects in found(story).items() if rule in RULES}


def words(story: Story, rule: str, run: str = "R") -> str:
    from changes import finding

    return finding(story, rule, run).says


def answer(story: Story) -> Any:
    return against(ask(story, commit=COMMIT)).get("tests-are-whole")


def test_shards_that_ran_everything_once_are_whole() -> None:
    story = suite("a", "b", "c", skips=("c",))
    assert answer(story) == ("insufficient_evidence", "not-run")
    finish(story, 1, 2, "a")
    assert answer(story) == ("insufficient_evidence", "incomplete")
    finish(story, 2, 2, "b", skipped=["c"])
    assert of_tests(story) == {}
    assert answer(story) is None
    row = story.row(test_runs, "R")
    assert (row.suite, row.shards, row.reports, row.tests) == ("api", 2, 2, 3)
    assert story.row(test_reports, "R-1-1").outcome == "passed"
    assert story.row(test_cases, "R-1-2/0").skipped == ("c",)


def test_what_no_shard_ran_is_a_gap() -> None:
    story = suite("a", "b", "c")
    finish(story, 1, 2, "a")
    finish(story, 2, 2, "b")
    assert answer(story) == ("deny", "not-run")
    assert of_tests(story) == {"tests-not-run": ["R"]}
    assert "did not run c, of api 1" in words(story, "tests-not-run")


def test_a_missing_shard_or_part_is_no_evidence() -> None:
    story = suite("a", "b")
    finish(story, 1, 2, "a", "b")
    assert answer(story) == ("insufficient_evidence", "incomplete")
    assert of_tests(story) == {"tests-not-run": ["R"]}
    assert "there is no shard 2 of 2" in words(story, "tests-not-run")
    finish(story, 2, 2, parts=2, tests=2)
    story.tell("test.cases_reported", report="R-1-2", run_id="R", part=2, parts=2, passed=["b"])
    pass_time(story, 2)
    assert "there is no part 1 of 2 of R-1-2" in words(story, "tests-not-run")
    assert answer(story) == ("insufficient_evidence", "incomplete")
    story.tell("test.cases_reported", report="R-1-2", run_id="R", part=1, parts=2, passed=["c"])
    assert of_tests(story) == {"tests-not-in-manifest": ["R"], "tests-run-twice": ["R"]}


def test_whoever_says_that_there_are_more_shards_or_parts_than_can_be_counted_holds_nobody_up() -> None:
    many = 2**53 - 1
    story = suite("a", "b")
    finish(story, 1, many, "a", "b")
    assert answer(story) == ("insufficient_evidence", "incomplete")
    finish(story, 2, many, parts=many, tests=2)
    story.tell("test.cases_reported", report="R-1-2", run_id="R", part=2, parts=many, passed=["b"])
    assert answer(story) == ("insufficient_evidence", "incomplete")
    declare(story, "a", version="2", part=1, parts=many)
    assert "tests-not-run" in of_tests(story)
    assert f"there is no shard 3 of {many}" in words(story, "tests-not-run")


def test_reports_come_one_by_one_and_nothing_is_found_before_the_last_had_its_time() -> None:
    story = suite("a", "b")
    finish(story, 1, 2, "a")
    finish(story, 2, 2, "b")
    # Within the hour that passes with each report the run was judged, and the shard that was missing came.
    assert of_tests(story) == {}


def test_a_test_that_two_shards_ran_is_told() -> None:
    story = suite("a", "b")
    finish(story, 1, 2, "a", "b")
    finish(story, 2, 2, "b")
    assert of_tests(story) == {"tests-run-twice": ["R"]}
    assert answer(story) is None


def test_a_skip_that_nobody_accepted_is_told_and_denied() -> None:
    story = suite("a", "b", skips=())
    finish(story, 1, 1, "a", skipped=["b"])
    assert answer(story) == ("deny", "skipped")
    assert of_tests(story) == {"tests-newly-skipped": ["R"]}
    # What is accepted once the results are there excuses none of them, and holds for the next run.
    declare(story, "a", "b", skips=("b",), version="2")
    accept(story, version="2")
    assert of_tests(story) == {"tests-newly-skipped": ["R"]}
    finish(story, 1, 1, "a", skipped=["b"], run="S")
    assert of_tests(story) == {"tests-newly-skipped": ["R"]}
    assert answer(story) is None


@pytest.mark.parametrize("who", ["person:alice", "service:ci"])
def test_whoever_declared_what_is_to_run_does_not_accept_it_and_nor_does_a_machine(who: str) -> None:
    story = ready_to_deploy("normal", ("test-suite", "prod", "api"))
    declare(story, "a")
    accept(story, who)
    finish(story, 1, 1, "a")
    assert answer(story) == ("insufficient_evidence", "no-manifest")


def test_an_acceptance_is_of_what_was_declared_by_then_and_of_its_digest() -> None:
    story = ready_to_deploy("normal", ("test-suite", "prod", "api"))
    declare(story, "a", part=1, parts=2)
    accept(story)
    declare(story, "b", part=2, parts=2)
    finish(story, 1, 1, "a", "b")
    assert answer(story) == ("insufficient_evidence", "no-manifest")
    parts = [story.row(test_manifests, f"api/1/{part}") for part in (1, 2)]
    for digest, expected in (
        ("sha256:" + "0" * 64, ("insufficient_evidence", "no-manifest")),
        (digest_of(parts), None),
    ):
        accept(story, manifest_digest=digest)
        finish(story, 1, 1, "a", "b", run=f"R-{digest[-4:]}")
        assert answer(story) == expected
    assert len(story.row(test_suites, "api").acceptances) == 3


def test_a_run_may_add_to_what_is_to_run_and_takes_nothing_away() -> None:
    story = suite("a", "b")
    declare(story, "a", "new", skips=("b",), version="7", run_id="R")
    finish(story, 1, 1, "a", "new")
    assert answer(story) == ("deny", "not-run")
    assert of_tests(story) == {"tests-not-run": ["R"]}
    finish(story, 2, 2, "b", report="more")
    assert of_tests(story) == {}


def test_of_each_shard_the_last_try_counts_and_what_changed_its_mind_is_flaky() -> None:
    story = suite("a", "b")
    finish(story, 1, 2, "a")
    finish(story, 2, 2, failed=["b"])
    assert answer(story) == ("deny", "failed")
    finish(story, 2, 2, "b", attempt=2)
    assert answer(story) is None
    assert of_tests(story) == {"tests-flaky": ["R"]}


def test_a_report_that_is_told_again_changes_nothing() -> None:
    story = suite("a", "b")
    finish(story, 1, 1, "a", failed=["b"])
    finish(story, 1, 1, "a", "b")
    assert answer(story) == ("deny", "failed")


def test_a_run_says_how_long_it_took_side_by_side_and_one_after_the_other() -> None:
    story = suite("a", "b")
    finish(story, 1, 2, "a", started_at="2026-03-02T09:00:00Z", duration_ms=60_000)
    finish(story, 2, 2, "b", started_at="2026-03-02T09:00:10Z", duration_ms=70_000, coverage="81.5")
    row = story.row(test_runs, "R")
    assert (row.wall_ms, row.shards_ms, row.coverage) == (80_000, 130_000, "81.5")
    finish(story, 1, 1, "a", "b", run="S", coverage="80")
    row = story.row(test_suites, "api")
    assert (row.coverage, row.coverage_before, row.coverage_change, row.measured_by) == ("80", "81.5", "-1.5", "S")


def test_what_the_policy_does_not_ask_for_is_not_asked() -> None:
    assert answer(ready_to_deploy()) is None
    story = suite("a")
    assert against(ask(story))["tests-are-whole"] == ("insufficient_evidence", "not-said")


# -- planted in the year -------------------------------------------------------------------------------------------------


def _report(year: Year, at: Any, run: str, **more: Any) -> None:
    year.say(at, "test.shard_finished", report=f"{run}-1", run_id=run, suite="year-suite", shard=1, shards=1, **more)


def plant_runs_of_a_suite(year: Year) -> set[str]:
    tests = ["t::one", "t::two"]
    about: dict[str, Any] = {"suite": "year-suite", "version": "1"}
    year.say(START + HOUR, "test.manifest_declared", actor="person:dan", **about, tests=tests)
    year.say(START + 2 * HOUR, "test.manifest_accepted", actor="person:erin", **about)
    at = START + 9 * HOUR
    _report(year, at, "year-whole", outcome="passed", tests=2, passed=tests)
    _report(year, at, "year-gap", outcome="passed", tests=1, passed=tests[:1])
    _report(year, at, "year-other", outcome="passed", tests=3, passed=[*tests, "t::three"])
    _report(year, at, "year-skip", outcome="passed", tests=2, passed=tests[:1], skipped=tests[1:])
    _report(year, at, "year-flaky", outcome="passed", tests=2, passed=tests, flaky=tests[:1])
    _report(year, at, "year-twice", outcome="passed", tests=2, passed=tests)
    year.say(at, "test.shard_finished", report="year-twice-2", run_id="year-twice", shard=2, shards=2, outcome="passed",
        tests=1, passed=tests[:1])  # fmt: skip
    return {
        "tests-not-run/year-gap", "tests-not-in-manifest/year-other", "tests-newly-skipped/year-skip",
        "tests-flaky/year-flaky", "tests-run-twice/year-twice",
    }  # fmt: skip


@pytest.mark.parametrize("how", ["another run", "another try", "a part of theirs", "their report before them"])
def test_nobody_takes_back_that_tests_of_another_failed_or_did_not_run(how: str) -> None:
    story = suite("a", "b")
    ours, theirs = {"by": "service:ci"}, {"by": "service:tests"}
    if how == "their report before them":
        finish(story, 1, 1, "a", "b", **ours)
    if how == "a part of theirs":
        finish(story, 1, 1, "a", **theirs)
        story.tell("test.cases_reported", report="R-1-1", run_id="R", part=1, parts=1, passed=["b"], **ours)
        assert answer(story) == ("deny", "not-run")
        return
    finish(story, 1, 1, "a", failed=["b"], **theirs)
    if how == "another run":
        finish(story, 1, 1, "a", "b", run="S", **ours)
    elif how == "another try":
        finish(story, 1, 1, "a", "b", attempt=2, **ours)
    assert answer(story) == (
        ("insufficient_evidence", "incomplete") if how == "their report before them" else ("deny", "failed")
    )
    if how == "another try":
        finish(story, 1, 1, "a", "b", attempt=3, **theirs)
        assert answer(story) is None


def test_a_report_in_anothers_name_is_none() -> None:
    story = suite("a")
    finish(story, 1, 1, "a", actor="service:tests", by="service:ci")
    assert answer(story) == ("insufficient_evidence", "incomplete")
