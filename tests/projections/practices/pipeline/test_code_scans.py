"""2.4 Static analysis of infrastructure as code: given these scans, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask, ready_to_deploy
from changes import finding, found
from people import enrol
from telling import Story, at
from year import HOUR, START, Year

from projections.practices.pipeline.code_scans import last_scan_is_clean
from projections.readings.pipelines.scans import scan_parts, scan_results, scan_series, scans

COMMIT, OLDER = "9fceb02d0ae598e95dc970b74767f19372d61af8", "1" * 40
SERIES = "api:tfsec"
PRINT = "9f86d081884c7d659a2feaa0c55ad015"
RESULT = f"{SERIES}/{PRINT}"
RULE = "scan-error-stands"


def error(fingerprint: str = PRINT, **more: Any) -> dict[str, Any]:
    return {"fingerprint": fingerprint, "rule": "AVD-1", "path": "main.tf", "line": 3, "level": "error"} | more


def scan(story: Story, *results: dict[str, Any], name: str = "S", commit: str = COMMIT, **more: Any) -> int:
    errors = sum(1 for one in results if one["level"] == "error" and one.get("baseline") != "absent")
    data = {
        "scan": name, "series": SERIES, "commit": commit, "tool": "tfsec", "service": "api", "executed": True,
        "errors": errors, "warnings": 0, "notes": 0, "results": list(results),
    }  # fmt: skip
    return story.tell("scan.completed", **{k: v for k, v in (data | more).items() if v is not None})


def asked(*settings: tuple[str, str, str]) -> Story:
    """A change that may be deployed where the policy names a tool."""
    return ready_to_deploy("normal", ("scan-tool", "prod", "tfsec"), ("quorum", "any", "1"), *settings)


def answer(story: Story, **more: Any) -> Any:
    return against(ask(story, commit=COMMIT, hours=60, **more)).get("scans-are-clean")


def dispose(story: Story, who: str = "person:olga", **more: Any) -> int:
    said = finding(story, RULE, RESULT).said
    data = {"disposition": "accepted", "rule": "scan_error_stands", "findings": [{"subject": RESULT, "said": said}]}
    return story.tell("finding.disposed", actor=who, reason={"sha256": "0" * 64}, **data | more)


def test_a_clean_scan_of_the_very_commit_lets_it_through() -> None:
    story = asked()
    assert answer(story) == ("insufficient_evidence", "not-scanned")
    scan(story, commit=OLDER)
    assert answer(story) == ("insufficient_evidence", "not-scanned")
    scan(story, name="T")
    assert answer(story) is None
    assert (story.row(scans, "T").errors, story.row(scan_parts, "T/0").results) == (0, ())
    assert story.row(scan_series, SERIES).last == "T"


def test_nobody_scans_clean_what_another_found_wrong_unless_they_have_the_power() -> None:
    story = asked()
    enrol(story, "service:scanner", types=("scan.completed",))
    scan(story, error())
    for number in range(3):
        scan(story, name=f"clean-{number}", by="service:ci")
        scan(story, error(level="note"), name=f"note-{number}", by="service:ci")
    assert answer(story) == ("deny", "errors")
    assert found(story)[RULE] == [RESULT]
    scan(story, name="S-2", by="service:scanner")
    assert answer(story) is None
    assert RULE not in found(story)


def test_a_scan_whose_name_somebody_else_took_first_is_no_evidence() -> None:
    story = asked()
    scan(story, by="service:ci")
    assert answer(story) is None
    scan(story, error())
    assert answer(story) == ("insufficient_evidence", "told-twice")
    # Nor is one that is told in another's name.
    story = asked()
    scan(story, actor="service:desk", by="service:ci")
    assert answer(story) == ("insufficient_evidence", "not-scanned")


@pytest.mark.parametrize(
    ("executed", "expected"),
    [(False, ("deny", "not-executed")), (None, ("insufficient_evidence", "not-said")), (True, None)],
)
def test_nothing_found_is_clean_only_where_the_tool_ran_to_its_end(executed: bool | None, expected: Any) -> None:
    story = asked()
    scan(story, executed=executed)
    assert answer(story) == expected
    assert ("scan-did-not-run" in found(story)) is (executed is False)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, ("deny", "errors")),
        ({"baseline": "new"}, ("deny", "errors")),
        ({"baseline": "unchanged"}, ("deny", "errors")),
        ({"baseline": "updated"}, ("deny", "errors")),
        ({"baseline": "absent"}, None),
        ({"level": "warning"}, None),
        # What a file says of itself lets nothing pass.
        ({"suppressed": True}, ("deny", "errors")),
    ],
)
def test_an_error_that_is_there_is_denied_and_found(more: dict[str, Any], expected: Any) -> None:
    story = asked()
    scan(story, error(**more))
    assert answer(story) == expected
    assert found(story).get(RULE) == ([RESULT] if expected else None)


def test_an_error_ends_with_the_next_whole_scan_that_ran_and_no_other() -> None:
    story = asked()
    scan(story, error())
    scan(story, name="failed", executed=False)
    scan(story, name="cut", parts=2)
    story.tell("scan.results_reported", scan="cut", series=SERIES, part=1, parts=2)
    scan(story, name="late", time=at(1))
    assert found(story)[RULE] == [RESULT]
    scan(story, name="fixed")
    assert RULE not in found(story)
    assert (story.row(scan_results, RESULT).scan, answer(story)) == ("S", None)


def test_while_parts_come_in_what_was_found_still_stands_and_a_missing_one_is_no_evidence() -> None:
    story = asked()
    scan(story, error())
    scan(story, name="T", parts=2, errors=2)
    for part, fingerprint in ((1, PRINT), (2, "a" * 32)):
        assert found(story)[RULE] == [RESULT]
        assert answer(story) == ("insufficient_evidence", "incomplete")
        about = {"scan": "T", "series": SERIES, "commit": COMMIT, "part": part, "parts": 2}
        story.tell("scan.results_reported", **about, results=[error(fingerprint)])
    assert found(story)[RULE] == [RESULT, f"{SERIES}/{'a' * 32}"]
    assert answer(story) == ("deny", "errors")
    # It changed its mind at no part.
    assert len(finding(story, RULE, RESULT).changes) == 1


def test_errors_that_are_counted_and_not_named_are_no_evidence() -> None:
    story = asked()
    scan(story, error(), errors=2)
    assert answer(story) == ("insufficient_evidence", "incomplete")


def test_somebody_else_may_let_it_pass_until_a_time() -> None:
    story = asked()
    scan(story, error())
    dispose(story, until=at(50))
    assert RULE not in found(story)
    assert answer(story) == ("deny", "errors")
    story = asked()
    scan(story, error())
    dispose(story, until=at(100))
    assert answer(story) is None
    # It holds for the next scan that says the same.
    scan(story, error(line=40), name="T")
    assert answer(story) is None
    # And for another thing it does not.
    scan(story, error(), error("a" * 32), name="U")
    assert answer(story) == ("deny", "errors")


def test_what_is_remediated_is_shown_by_a_scan_and_not_said() -> None:
    story = asked()
    scan(story, error())
    dispose(story, disposition="remediated")
    assert answer(story) == ("deny", "errors")


def test_whoever_wrote_the_code_does_not_let_it_pass() -> None:
    story = asked()
    code = {"repository": "acme/api", "pull_request": 4}
    story.tell("code.proposed", actor="person:olga", **code, head_sha=COMMIT, authors=["person:olga"])
    scan(story, error())
    dispose(story, "person:olga")
    assert found(story)[RULE] == [RESULT]
    assert found(story)["disposition-does-not-count"] == [f"{RULE}/{RESULT}"]
    assert answer(story) == ("deny", "errors")
    dispose(story, "person:oscar")
    assert answer(story) is None


def test_what_the_policy_does_not_ask_for_is_not_asked() -> None:
    assert answer(ready_to_deploy()) is None
    story = asked()
    assert against(ask(story))["scans-are-clean"] == ("insufficient_evidence", "not-said")


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_scans(year: Year) -> set[str]:
    at = START + 9 * HOUR
    about: dict[str, Any] = {"tool": "tfsec", "series": "year:tfsec", "warnings": 0, "notes": 0}
    year.say(at, "scan.completed", **about, scan="year-1", executed=True, errors=1, results=[error()])
    year.say(at + HOUR, "scan.completed", **about, scan="year-2", executed=False, errors=0)
    return {f"{RULE}/year:tfsec/{PRINT}", "scan-did-not-run/year-2"}


def test_a_clean_scan_of_one_thing_takes_the_place_of_none_of_another() -> None:
    """A tool that makes one scan a language: the last one is clean, and says nothing of the others."""
    story = asked()
    scan(story, error(), name="python", series="api:tfsec:language:python")
    scan(story, name="java", series="api:tfsec:language:java")
    assert answer(story) == ("deny", "errors")
    # A decision of before is checked by the rule that was asked then, which knew of one scan.
    assert (last_scan_is_clean.name, last_scan_is_clean.version) == ("scans-are-clean", 2)
    assert found(story)[RULE] == [f"api:tfsec:language:python/{PRINT}"]
    scan(story, name="python-2", series="api:tfsec:language:python")
    assert answer(story) is None
    assert RULE not in found(story)


def test_scans_of_another_environment_count_where_there_is_none_of_this_one() -> None:
    story = asked()
    scan(story, error(), name="staging", series="api:staging:tfsec", environment="staging")
    assert answer(story) == ("deny", "errors")
    scan(story, name="prod", series="api:prod:tfsec", environment="prod")
    assert answer(story) is None
