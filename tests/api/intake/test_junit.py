"""JUnit XML: every shape that runners of tests are known to write becomes what whoever reads it line by line would say.

The reports are made up here, in the shapes that pytest, surefire, gtest, jest, gotestsum and others write.
"""

import time
from typing import Any

import pytest
from files import facts_of, mutations

from api.intake.junit import FORMAT, MAX_PATH
from api.intake.translation import Fact, ForeignError, Mapped, Unmapped, in_parts
from ledger.events.identifiers import MAX_IDENTIFIER_BYTES

SAID = {"run": "4711"}
TWO = '<testcase classname="t.A" name="one" time="0.5"/><testcase classname="t.A" name="two" time="1.25"/>'
# What a report is like, the report, and what it becomes, beside its run.
SHAPES: list[tuple[str, str, dict[str, Any]]] = [
    ("plain", f'<testsuite name="s">{TWO}</testsuite>',
     {"outcome": "passed", "tests": 2, "duration_ms": 1750, "passed": ["t.A::one", "t.A::two"]}),
    ("counters that lie", f'<testsuites tests="9" failures="7"><testsuite tests="0" errors="3">{TWO}</testsuite></testsuites>',
     {"outcome": "passed", "tests": 2, "duration_ms": 1750, "passed": ["t.A::one", "t.A::two"]}),
    ("no case at all is no pass", '<testsuites tests="3" name="s"><testsuite name="s"/></testsuites>',
     {"outcome": "nothing_ran", "tests": 0}),
    ("all skipped is no pass", '<testsuite name="s"><testcase name="one"><skipped message="no network"/></testcase></testsuite>',
     {"outcome": "nothing_ran", "tests": 1, "skipped": ["s::one"]}),
    ("the worst of one try", '<testsuite name="s"><testcase name="one"><skipped/><failure/><error/></testcase></testsuite>',
     {"outcome": "failed", "tests": 1, "errored": ["s::one"]}),
    ("status alone, as gtest writes it",
     '<testsuite name="s"><testcase name="a" status="notrun" result="suppressed"/><testcase name="b" status="run" '
     'result="completed"/><testcase name="c" status="disabled"/><testcase name="d" status="errored"/></testsuite>',
     {"outcome": "failed", "tests": 4, "passed": ["s::b"], "skipped": ["s::a", "s::c"], "errored": ["s::d"]}),
    ("passed when it was tried again, as surefire writes it",
     '<testsuite name="s" failures="2"><testcase classname="A" name="one"><flakyFailure/><flakyError/></testcase></testsuite>',
     {"outcome": "passed", "tests": 1, "passed": ["A::one"], "flaky": ["A::one"]}),
    ("failed whenever it was tried",
     '<testsuite name="s"><testcase classname="A" name="one"><failure/><rerunFailure/><rerunError/></testcase></testsuite>',
     {"outcome": "failed", "tests": 1, "errored": ["A::one"]}),
    ("tries as cases of one name, the last passed",
     '<testsuite name="s"><testcase name="one"><failure/></testcase><testcase name="one"/></testsuite>',
     {"outcome": "passed", "tests": 1, "passed": ["s::one"], "flaky": ["s::one"], "repeated": ["s::one"]}),
    ("tries as cases of one name, the first passed",
     '<testsuite name="s"><testcase name="one"/><testcase name="one"><failure/></testcase><testcase name="one"><error/>'
     "</testcase></testsuite>",
     {"outcome": "failed", "tests": 1, "errored": ["s::one"], "flaky": ["s::one"], "repeated": ["s::one"]}),
    ("no class, suites in suites",
     '<testsuites><testsuite name="outer"><testsuite name="inner"><testcase classname="" name="loads a page"/></testsuite>'
     "</testsuite></testsuites>",
     {"outcome": "passed", "tests": 1, "passed": ["outer/inner::loads%20a%20page"]}),
    ("times that are none",
     '<testsuite name="s" timestamp="2022-12-29T15:34:28"><testcase name="a" time="-345345"/><testcase name="b" time="1,234.5"/>'
     '<testcase name="c" time="soon"/></testsuite>',
     {"outcome": "passed", "tests": 3, "duration_ms": 1_234_500, "passed": ["s::a", "s::b", "s::c"]}),
    ("a zone, and the first of two beginnings",
     '<testsuites><testsuite name="s" timestamp="2026-03-02T10:00:00+01:00"/><testsuite name="t" timestamp="2026-03-02T08:59:00Z">'
     '<testcase name="a"/></testsuite></testsuites>',
     {"outcome": "passed", "tests": 1, "started_at": "2026-03-02T08:59:00.000000Z", "passed": ["t::a"]}),
    ("a namespace, and what nobody knows",
     '<testsuite xmlns="urn:x" name="s"><weather><testcase name="of the weather"/></weather><testcase name="a"><steps/></testcase>'
     "</testsuite>",
     {"outcome": "passed", "tests": 1, "passed": ["s::a"]}),
    ("a case within a case", '<testsuite name="s"><testcase name="a"><testcase name="b"><failure/></testcase></testcase></testsuite>',
     {"outcome": "failed", "tests": 2, "passed": ["s::a"], "failed": ["s::b"]}),
    ("a suite within a case",
     '<testsuite name="s"><error/><testcase name="a"><testsuite name="t"><testcase name="b"/></testsuite><error/></testcase></testsuite>',
     {"outcome": "failed", "tests": 2, "errored": ["s::a"], "passed": ["s/t::b"]}),
]  # fmt: skip


def data_of(xml: str | bytes, **said: str) -> dict[str, Any]:
    """Return what a report becomes, where that is one statement."""
    [fact] = facts_of(FORMAT, xml, SAID | said)
    assert (fact.type, fact.time, fact.left_out) == ("test.shard_finished", "", ())
    return fact.data


@pytest.mark.parametrize(("xml", "expected"), [pytest.param(*shape[1:], id=shape[0]) for shape in SHAPES])
def test_a_report_says_which_tests_ran_and_how_each_ended(xml: str, expected: dict[str, Any]) -> None:
    data = data_of(xml)
    assert len(data.pop("report")) == 64
    assert data == {"run_id": "4711", "attempt": 1, "shard": 1, "shards": 1, "parts": 0} | expected


def test_what_a_report_cannot_say_is_said_beside_it() -> None:
    said = {
        "shard": "2/3",
        "attempt": "2",
        "suite": "pay api",
        "commit": "ABCDEF0",
        "environment": "Test EU",
        "coverage": "81.5",
        "service": "api",
    }
    data = data_of(SHAPES[0][1], **said)
    assert {name: data[name] for name in ("shard", "shards", "attempt", "suite", "commit", "environment", "service", "coverage")} == {
        "shard": 2, "shards": 3, "attempt": 2, "suite": "pay%20api", "commit": "abcdef0", "environment": "Test%20EU", "coverage": "81.5",
        "service": "api",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        ("<testsuite><testcase", "not-xml"),
        (f"<testsuite>{TWO}", "not-xml"),
        ("", "not-xml"),
        ("{}", "not-xml"),
        ('<testsuite name="\x01"/>', "not-xml"),
        ("<html/>", "not-junit"),
        ('<!DOCTYPE t [<!ENTITY a "b">]><testsuite>&a;</testsuite>', "document-type"),
        ('<!DOCTYPE t SYSTEM "file:///etc/passwd"><testsuite/>', "document-type"),
        ("<testsuite>" * 70 + "</testsuite>" * 70, "too-deep"),
    ],
)
def test_what_is_no_report_is_not_half_read(xml: str, reason: str) -> None:
    assert FORMAT.redactor is not None
    with pytest.raises(ForeignError, match=reason):
        FORMAT.redactor.cut(xml.encode())


def test_what_tests_print_is_cut_before_anything_is_kept() -> None:
    xml = (
        '<testsuite name="s" hostname="s3cret"><properties><property name="TOKEN" value="s3cret"/></properties><testcase '
        'name="a"><failure message="s3cret" type="s3cret">s3cret</failure><system-out>s3cret</system-out></testcase>'
        "<system-err>s3cret</system-err><!-- s3cret --></testsuite>"
    )
    assert FORMAT.redactor is not None
    kept = FORMAT.redactor.cut(xml.encode())
    assert b"s3cret" not in kept
    # What is cut once says the same, and is not cut again.
    assert FORMAT.redactor.cut(kept) == kept
    assert data_of(xml)["failed"] == ["s::a"]


def test_a_report_of_many_tests_is_a_summary_and_parts_that_name_each_test_once() -> None:
    names = [f"test_number_{number}_of_many[case]" for number in range(2500)]
    cases = "".join(f'<testcase classname="tests.test_it" name="{name}"/>' for name in names)
    summary, *parts = facts_of(FORMAT, f'<testsuite name="s">{cases}</testsuite>', SAID)
    assert (summary.data["tests"], summary.data["parts"], "passed" in summary.data) == (2500, len(parts), False)
    assert [(part.data["part"], part.data["parts"]) for part in parts] == [
        (n, len(parts)) for n in range(1, len(parts) + 1)
    ]
    assert {part.data["report"] for part in parts} == {summary.data["report"]}
    told = [name for part in parts for name in part.data["passed"]]
    assert len(told) == len(set(told)) == 2500


def test_more_than_two_hundred_parts_are_too_many() -> None:
    assert in_parts(["x" * 39_000] * 200, 9) == [["x" * 39_000]] * 200
    assert in_parts(["x" * 39_000] * 201, 9) is None


def test_no_mutation_of_a_report_is_worse_than_not_understood() -> None:
    assert FORMAT.redactor is not None
    for body in mutations(SHAPES[-2][1].encode(), 300):
        try:
            kept = FORMAT.redactor.cut(body)
        except ForeignError:
            continue
        found = FORMAT.translate(FORMAT.context(SAID).beside(body), kept)
        assert isinstance(found, Mapped | Unmapped)
        assert not isinstance(found, Mapped) or all(isinstance(fact, Fact) for fact in found.facts)


def test_long_names_of_suites_cost_each_case_no_more() -> None:
    begun = time.process_time()
    report = f'<testsuite name="{"é" * 20_000}">' * 60 + '<testcase name="a"/>' * 2_000 + "</testsuite>" * 60
    [name] = data_of(report)["passed"]
    assert len(name) <= MAX_IDENTIFIER_BYTES
    # Of processor time, and many times what it takes.
    assert time.process_time() - begun < 10


def test_paths_of_suites_that_are_too_long_to_be_read_are_still_different() -> None:
    inner = "".join(f'<testsuite name="{"x" * MAX_PATH}{end}"><testcase name="a"/></testsuite>' for end in "yz")
    assert len(data_of(f'<testsuite name="s">{inner}</testsuite>')["passed"]) == 2
