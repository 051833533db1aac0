"""TRX, the reports of Visual Studio and of `dotnet test --logger trx`: which tests ran in a shard, and how each ended.

What a test belongs to stands in its definition, which comes after its result. Where the whole run did not end as it should, though no test
failed (its host crashed, or it was stopped), that is an error of its own. An outcome that nobody knows, or none, says nothing of the whole
file: it is kept and not understood.
"""

import re
from collections.abc import Mapping
from typing import Final

from api.intake.reports_of_tests import Dialect, Report, report_format
from api.intake.translation import ForeignError

_DIALECT: Final = Dialect(
    "trx",
    ("TestRun",),
    {
        "TestRun": (),
        "Times": ("start",),
        "Results": (),
        "UnitTestResult": ("testId", "testName", "outcome", "duration"),
        "InnerResults": (),
        "TestDefinitions": (),
        "UnitTest": ("id",),
        "TestMethod": ("className",),
        "ResultSummary": ("outcome",),
    },
)
_OUTCOMES: Final = {
    **dict.fromkeys(("Passed", "Warning"), "passed"),
    "Failed": "failed",
    **dict.fromkeys(("Error", "Timeout", "Aborted", "NotRunnable", "Disconnected", "PassedButRunAborted"), "errored"),
    **dict.fromkeys(("NotExecuted", "Inconclusive"), "skipped"),
}
# Of a whole run, that it came to its end.
_ENDED: Final = ("Passed", "Completed", "Warning")
_took = re.compile(r"(\d{1,4}):(\d{2}):(\d{2}(?:\.\d{1,18})?)").fullmatch


class _Report(Report):
    def __init__(self) -> None:
        super().__init__()
        # Results, each with the id of its test, until it is known what that belongs to.
        self._results: list[tuple[str, str, str]] = []
        self._owners: dict[str, str] = {}
        self._test = ""
        self._ended = ""

    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "Times":
            self.note_start(attributes.get("start", ""))
        elif name == "UnitTestResult":
            if (outcome := _OUTCOMES.get(attributes.get("outcome", ""))) is None:
                raise ForeignError("unknown-outcome")
            self._results.append((attributes.get("testId", ""), attributes.get("testName", ""), outcome))
            if (took := _took(attributes.get("duration", ""))) is not None:
                hours, minutes, seconds = took.groups()
                self.add_time(seconds)
                self.add_time(str(int(hours) * 3600 + int(minutes) * 60))
        elif name == "UnitTest":
            self._test = attributes.get("id", "")
        elif name == "TestMethod":
            # In old ones the assembly stands behind it.
            self._owners[self._test] = attributes.get("className", "").partition(",")[0]
        elif name == "ResultSummary":
            self._ended = attributes.get("outcome", "")

    def end(self, name: str) -> None:
        if name != "TestRun":
            return
        for test, called, outcome in self._results:
            owner = self._owners.get(test, "")
            self.tell(owner, called.removeprefix(f"{owner}."), outcome)
        has_failed = any(outcome in ("failed", "errored") for _, _, outcome in self._results)
        if self._ended and self._ended not in _ENDED and not has_failed:
            self.tell("run", self._ended, "errored")


_RUN: Final = """<TestRun xmlns="http://microsoft.com/schemas/VisualStudio/TeamTest/2010" runUser="hunter2">
<Times start="2026-03-02T09:00:00Z"/><Results>
<UnitTestResult testId="1" testName="PaidOnce" outcome="Passed" duration="00:00:00.2500000"/>
<UnitTestResult testId="2" testName="Limits" outcome="Failed" duration="00:00:00.5000000" computerName="hunter2">
<Output><StdOut>hunter2</StdOut></Output></UnitTestResult></Results><TestDefinitions>
<UnitTest id="1" name="PaidOnce"><TestMethod className="Shop.Refunds" name="PaidOnce"/></UnitTest>
<UnitTest id="2" name="Limits"><TestMethod className="Shop.Refunds" name="Limits"/></UnitTest></TestDefinitions>
<ResultSummary outcome="Failed"/></TestRun>"""
_SAID: Final = {"run": "4711", "suite": "payments-api", "shard": "1/2"}

FORMAT: Final = report_format(
    _DIALECT,
    _Report,
    "TRX of Visual Studio",
    "The report of Visual Studio or of `dotnet test --logger trx`, of one shard of a run: which tests ran, and how each ended.",
    _RUN,
    _SAID,
)
