"""Reports of NUnit 3, which are its own XML: which tests ran in a shard, and how each ended.

A test is a `test-case`, by its full name. It failed, or with the label of an error ended in one; *inconclusive* is no pass, and counts as
skipped; with a warning it passed. A result that nobody knows says nothing of the whole file: it is kept and not understood.
"""

from collections.abc import Mapping
from typing import Final

from api.intake.reports_of_tests import Dialect, Report, report_format
from api.intake.translation import ForeignError

_DIALECT: Final = Dialect(
    "nunit",
    ("test-run",),
    {
        "test-run": ("start-time",),
        "test-suite": ("name", "type"),
        "test-case": ("name", "fullname", "classname", "result", "label", "duration"),
    },
)
_RESULTS: Final = {
    "Passed": "passed",
    "Warning": "passed",
    "Failed": "failed",
    "Skipped": "skipped",
    "Inconclusive": "skipped",
}
# Of what failed, because something else went wrong than what was asserted.
_ERRORS: Final = ("Error", "Invalid", "Cancelled")


class _Report(Report):
    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "test-run":
            # 2026-03-02 09:00:00Z
            self.note_start(attributes.get("start-time", "").strip().replace(" ", "T", 1))
        elif name == "test-case":
            if (outcome := _RESULTS.get(attributes.get("result", ""))) is None:
                raise ForeignError("unknown-result")
            if outcome == "failed" and attributes.get("label") in _ERRORS:
                outcome = "errored"
            called, whole, owner = (attributes.get(key, "") for key in ("name", "fullname", "classname"))
            # The name of a test may hold dots: of its arguments.
            owner = owner or (whole.removesuffix(f".{called}") if whole != called else "")
            self.tell(owner, called or whole, outcome)
            self.add_time(attributes.get("duration", ""))


_RUN: Final = """<test-run id="0" result="Failed" total="2" start-time="2026-03-02 09:00:00Z"><command-line>hunter2</command-line>
<environment user="hunter2"/><test-suite type="TestFixture" name="Refunds">
<test-case name="PaidOnce" fullname="Shop.Refunds.PaidOnce" classname="Shop.Refunds" result="Passed" duration="0.25"/>
<test-case name="Limits" fullname="Shop.Refunds.Limits" classname="Shop.Refunds" result="Failed">
<failure><message>hunter2</message></failure><output>hunter2</output></test-case>
</test-suite></test-run>"""
_SAID: Final = {"run": "4711", "suite": "payments-api", "shard": "1/2"}

FORMAT: Final = report_format(
    _DIALECT,
    _Report,
    "NUnit 3",
    "The report of NUnit 3, or of `dotnet test` with its logger, of one shard of a run: which tests ran, and how each ended.",
    _RUN,
    _SAID,
)
