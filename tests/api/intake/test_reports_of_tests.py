"""Reports of tests in other dialects than JUnit's: each becomes what whoever reads it line by line would say.

They are made up here, in the shapes that NUnit 3, xUnit.net 2 and 3, and Visual Studio write. JUnit has a table of its own.
"""

from typing import Any

import pytest
from files import facts_of, is_taken, mutations

from api.intake import FILES
from api.intake.formats import Format
from api.intake.translation import ForeignError, Unmapped

SAID = {"run": "4711"}
NUNIT, XUNIT, TRX, JUNIT = (FILES[name] for name in ("nunit", "xunit", "trx", "junit"))


def nunit(cases: str, start: str = "") -> str:
    suites = f'<test-suite type="Assembly" name="Shop.dll"><test-suite name="Refunds">{cases}</test-suite></test-suite>'
    return f'<test-run id="0" total="9"{start}>{suites}</test-run>'


def xunit(tests: str, more: str = "") -> str:
    return f'<assemblies><assembly name="Shop.dll" total="9"{more}<collection name="c">{tests}</collection></assembly></assemblies>'


def trx(results: str, outcome: str = "Completed", more: str = "") -> str:
    return (
        f'<TestRun xmlns="http://microsoft.com/schemas/VisualStudio/TeamTest/2010">{more}<Results>{results}</Results><TestDefinitions>'
        '<UnitTest id="1" name="One"><Execution id="x"/><TestMethod codeBase="s3cret" className="Shop.Refunds, Shop" name="One"/>'
        f'</UnitTest></TestDefinitions><ResultSummary outcome="{outcome}"><Counters total="9"/></ResultSummary></TestRun>'
    )


def case(name: str, result: str, more: str = "") -> str:
    return (
        f'<test-case name="{name}" fullname="Shop.Refunds.{name}" classname="Shop.Refunds" result="{result}" {more}/>'
    )


def fact(name: str, result: str, more: str = "") -> str:
    return f'<test name="Shop.Refunds.{name}" type="Shop.Refunds" method="{name}" result="{result}" {more}/>'


def result(name: str, outcome: str, more: str = "") -> str:
    return f'<UnitTestResult testId="1" testName="{name}" outcome="{outcome}" {more}/>'


ONE, TWO = "Shop.Refunds::One", "Shop.Refunds::Two"
# What a report is like, of which dialect, the report, and what it becomes, beside its run.
SHAPES: list[tuple[str, Format, str, dict[str, Any]]] = [
    ("counters are not read, and a time without its T is one", NUNIT,
     nunit(case("One", "Passed", 'duration="0.5"') + case("Two", "Passed", 'duration="1.25"'), ' start-time="2026-03-02 09:00:00Z"'),
     {"outcome": "passed", "tests": 2, "duration_ms": 1750, "started_at": "2026-03-02T09:00:00.000000Z", "passed": [ONE, TWO]}),
    ("failed, and ended in an error", NUNIT, nunit(case("One", "Failed") + case("Two", "Failed", 'label="Error"')),
     {"outcome": "failed", "tests": 2, "failed": [ONE], "errored": [TWO]}),
    ("inconclusive is no pass", NUNIT, nunit(case("One", "Inconclusive") + case("Two", "Skipped", 'label="Ignored"')),
     {"outcome": "nothing_ran", "tests": 2, "skipped": [ONE, TWO]}),
    ("with a warning", NUNIT, nunit(case("One", "Warning")), {"outcome": "passed", "tests": 1, "passed": [ONE]}),
    ("names with dots and blanks, and no class", NUNIT,
     nunit('<test-case name="One(1.5, &quot;a b&quot;)" fullname="Shop.Refunds.One(1.5, &quot;a b&quot;)" result="Passed"/>'),
     {"outcome": "passed", "tests": 1, "passed": ["Shop.Refunds::One%281.5%2C%20%22a%20b%22%29"]}),
    ("no case at all", NUNIT, nunit(""), {"outcome": "nothing_ran", "tests": 0}),
    ("passed, failed, skipped and left out", XUNIT,
     xunit(fact("One", "Pass", 'time="0.5"') + fact("Two", "Fail") + fact("Three", "Skip") + fact("Four", "NotRun"), ">"),
     {"outcome": "failed", "tests": 4, "duration_ms": 500, "passed": [ONE], "failed": [TWO],
      "skipped": ["Shop.Refunds::Four", "Shop.Refunds::Three"]}),
    ("a time without a zone says nothing, one with a zone does", XUNIT,
     xunit(fact("One", "Pass"), ' run-date="2026-03-02" run-time="09:00:00" start-rtf="2026-03-02T09:00:00.0000000+01:00">'),
     {"outcome": "passed", "tests": 1, "started_at": "2026-03-02T08:00:00.000000Z", "passed": [ONE]}),
    ("an error outside of any test", XUNIT,
     xunit(fact("One", "Pass"), '><errors><error type="assembly-cleanup" name="Shop"><failure/></error></errors>'),
     {"outcome": "failed", "tests": 2, "passed": [ONE], "errored": ["error::assembly-cleanup/Shop"]}),
    ("an assembly alone", XUNIT, f'<assembly name="Shop.dll"><collection>{fact("One", "Pass")}</collection></assembly>',
     {"outcome": "passed", "tests": 1, "passed": [ONE]}),
    ("what a test belongs to comes later", TRX,
     trx(result("One", "Passed", 'duration="01:00:02.5000000"') + result("Shop.Refunds.Two", "Failed"), "Failed",
         '<Times creation="x" start="2026-03-02T09:00:00.123+01:00"/>'),
     {"outcome": "failed", "tests": 2, "duration_ms": 3_602_500, "started_at": "2026-03-02T08:00:00.123000Z", "passed": [ONE],
      "failed": [TWO]}),
    ("rows of data within a test", TRX,
     trx(f'<UnitTestResult testId="1" testName="One" outcome="Failed"><InnerResults>{result("One (Row 0)", "Passed")}'
         f'{result("One (Row 1)", "Timeout")}</InnerResults></UnitTestResult>', "Failed"),
     {"outcome": "failed", "tests": 3, "failed": [ONE], "passed": ["Shop.Refunds::One%20%28Row%200%29"],
      "errored": ["Shop.Refunds::One%20%28Row%201%29"]}),
    ("its host crashed, and no test failed", TRX, trx(result("One", "Passed"), "Aborted"),
     {"outcome": "failed", "tests": 2, "passed": [ONE], "errored": ["run::Aborted"]}),
    ("not run is no pass", TRX, trx(result("One", "NotExecuted") + result("Two", "Inconclusive")),
     {"outcome": "nothing_ran", "tests": 2, "skipped": [ONE, TWO]}),
    ("one test tried twice", TRX, trx(result("One", "Failed") + result("One", "Passed")),
     {"outcome": "passed", "tests": 1, "passed": [ONE], "flaky": [ONE], "repeated": [ONE]}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("known", "xml", "expected"), [pytest.param(*shape[1:], id=f"{shape[1].name}: {shape[0]}") for shape in SHAPES]
)
def test_a_report_says_which_tests_ran_and_how_each_ended(known: Format, xml: str, expected: dict[str, Any]) -> None:
    [told] = facts_of(known, xml, SAID)
    assert (told.type, told.time, told.left_out) == ("test.shard_finished", "", ())
    assert len(told.data.pop("report")) == 64
    assert told.data == {"run_id": "4711", "attempt": 1, "shard": 1, "shards": 1, "parts": 0} | expected


@pytest.mark.parametrize(
    ("known", "xml"),
    [
        (NUNIT, nunit(case("One", "Splendid"))),
        (NUNIT, nunit('<test-case name="One"/>')),
        (XUNIT, xunit(fact("One", "Error"), ">")),
        (TRX, trx(result("One", "InProgress"))),
        (TRX, trx('<UnitTestResult testName="One"/>')),
    ],
)
def test_a_result_that_nobody_knows_is_not_taken_for_another(known: Format, xml: str) -> None:
    assert known.redactor is not None
    kept = known.redactor.cut(xml.encode())
    found = known.translate(known.context(SAID).beside(xml.encode()), kept)
    assert isinstance(found, Unmapped)
    assert found.reason.startswith("unknown-")


@pytest.mark.parametrize("known", [NUNIT, XUNIT, TRX, JUNIT], ids=lambda known: str(known.name))
def test_who_posts_a_report_at_the_wrong_door_is_told_which_is_its_own(known: Format) -> None:
    assert known.redactor is not None
    for other in (NUNIT, XUNIT, TRX, JUNIT):
        if other is not known:
            with pytest.raises(ForeignError, match=f"a-report-for-the-door-{other.name}"):
                known.redactor.cut(other.samples[0].content)
    with pytest.raises(ForeignError, match=f"not-{known.name}"):
        known.redactor.cut(b"<html/>")


@pytest.mark.parametrize("known", [NUNIT, XUNIT, TRX], ids=lambda known: str(known.name))
def test_what_tests_print_is_cut_before_anything_is_kept(known: Format) -> None:
    bodies = {
        "nunit": nunit(
            '<test-case name="One" fullname="One" result="Failed"><failure><message>s3cret</message><stack-trace>s3cret</stack-trace>'
            '</failure><output>s3cret</output><properties><property name="k" value="s3cret"/></properties></test-case>'
        ),
        "xunit": xunit(
            '<test name="One" type="" result="Fail" reason="s3cret"><traits><trait name="k" value="s3cret"/></traits>'
            '<output>s3cret</output><failure exception-type="s3cret"><message>s3cret</message></failure></test>',
            ' environment="s3cret" config-file="s3cret">',
        ),
        "trx": trx(
            '<UnitTestResult testId="1" testName="One" outcome="Failed" computerName="s3cret"><Output><StdOut>s3cret</StdOut><ErrorInfo>'
            "<Message>s3cret</Message></ErrorInfo></Output></UnitTestResult>",
            "Failed",
            '<TestSettings name="s3cret"><Deployment runDeploymentRoot="s3cret"/></TestSettings>',
        ),
    }
    assert known.redactor is not None
    kept = known.redactor.cut(bodies[known.name].encode())
    assert b"s3cret" not in kept
    assert known.redactor.cut(kept) == kept


@pytest.mark.parametrize("known", [NUNIT, XUNIT, TRX], ids=lambda known: str(known.name))
def test_no_mutation_of_a_report_is_worse_than_not_understood(known: Format) -> None:
    taken = [is_taken(known, changed, SAID) for changed in mutations(known.samples[0].content, 300)]
    assert True in taken
    assert False in taken
